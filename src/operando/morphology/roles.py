"""Which phase plays which part, from the configured order (dark to bright) and the names."""

from dataclasses import dataclass

_EMPTY = ("void", "pore", "cavity", "gas", "air", "empty", "crack")


@dataclass(frozen=True)
class Roles:
    """Labels (1, 2, …) of the phases that the measurements speak of; ``None`` where there is none."""

    void: int | None
    electrolyte: int | None
    anode: int

    @classmethod
    def of(cls, phases: tuple[str, ...]) -> "Roles":
        """The anode is the phase of that name, else the brightest; the void the one named like it, else the darkest
        of three or more; the electrolyte the one of that name, else the brightest that is neither.

        >>> Roles.of(("void", "electrolyte", "anode"))
        Roles(void=1, electrolyte=2, anode=3)
        >>> Roles.of(("pores", "concrete"))
        Roles(void=1, electrolyte=None, anode=2)
        >>> Roles.of(("separator", "lithium"))
        Roles(void=None, electrolyte=1, anode=2)
        """
        names = [name.lower() for name in phases]
        anode = names.index("anode") if "anode" in names else len(names) - 1
        empty = [i for i, name in enumerate(names) if name.startswith(_EMPTY) and i != anode]
        void = empty[0] if empty else (0 if len(names) > 2 and anode != 0 else None)
        rest = [i for i in range(len(names)) if i not in {anode, void}]
        electrolyte = names.index("electrolyte") if "electrolyte" in names else (rest[-1] if rest else None)
        return cls(_label(void), _label(electrolyte), anode + 1)


def _label(index: int | None) -> int | None:
    return None if index is None else index + 1
