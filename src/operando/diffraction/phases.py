"""The lines that a phase may show in an energy range, and how its lattice moves them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from operando.materials.structure import Line, lines, metric, space_group
from operando.model.errors import ConfigurationError
from operando.model.material import Material

_EDGES = {
    "cubic": (0, 0, 0),
    "tetragonal": (0, 0, 1),
    "hexagonal": (0, 0, 1),
    "trigonal": (0, 0, 1),
    "orthorhombic": (0, 1, 2),
    "monoclinic": (0, 1, 2),
    "triclinic": (0, 1, 2),
}


@dataclass(frozen=True)
class Pattern:
    """Lines of one phase on its nominal lattice.

    ``hkl`` (n, 3); ``d`` (n,) Å; ``intensity`` (n,), multiplicity × |F|², 1 where unknown; ``pull`` (n, m): relative
    change of d per relative change of each of the m free edges; ``edges`` says which free edge a, b and c follow.
    ``group`` (n,): lines of one group keep the ratio of their intensities, since they can't be resolved.
    """

    name: str
    cell: tuple[float, float, float]
    hkl: np.ndarray
    d: np.ndarray
    intensity: np.ndarray
    pull: np.ndarray
    edges: tuple[int, int, int]
    group: np.ndarray
    known: bool = True
    """Whether the intensities are calculated from atoms."""
    main: np.ndarray | None = None
    """Which lines (n,) are among those that are worth reporting; ``None``: all. The others are weak and many."""

    @property
    def reported(self) -> np.ndarray:
        """Rows (k,) of the lines that are worth reporting."""
        return np.arange(len(self.d)) if self.main is None else np.flatnonzero(self.main)

    @property
    def free_edges(self) -> int:
        """Number of independent cell edges."""
        return int(self.pull.shape[1])


def pattern(material: Material, d_min: float, d_max: float, weakest: float, most: int) -> Pattern:
    """Lines between two spacings (Å); of known atoms those above ``weakest`` × the strongest, else the ``most`` widest.

    Of known atoms the ``most`` strongest lines are the main ones. The rest is modelled along: a large cell has
    hundreds of weak lines that can't be resolved, and without them other phases' lattices give way.

    Raises ``ConfigurationError`` for a material without lines in this range.
    """
    found = _worth_fitting(lines(material, d_min, d_max), weakest, most)
    if not found:
        raise ConfigurationError(
            f"{material.name}: it has no lines between {d_min:.3f} and {d_max:.3f} Å; "
            "check two_theta_deg or leave it out."
        )
    hkl = np.array([line.hkl for line in found])
    d = np.array([line.d for line in found])
    known = np.array([line.intensity for line in found])
    threshold = np.sort(known)[::-1][:most][-1]
    edges, pull = _pulls(material, hkl, d)
    return Pattern(
        name=material.name,
        cell=material.cell[:3] if material.cell else (1.0, 1.0, 1.0),
        hkl=hkl,
        d=d,
        intensity=np.where(np.isfinite(known), known, 1.0),
        pull=pull,
        edges=edges,
        group=np.arange(len(found)),
        known=material.intensities == "atoms",
        main=known >= threshold if len(found) > most else None,
    )


def left_out(material: Material, d_min: float, d_max: float, most: int) -> str:
    """A sentence on a phase of unknown atoms of which only the ``most`` widest-spaced lines are fitted, or nothing."""
    if material.listed_lines or material.intensities == "atoms" or material.cell is None:
        return ""
    found = lines(material, d_min, d_max)
    if len(found) <= most:
        return ""
    return (
        f"{material.name}: its atoms are not known, so only the {most} widest-spaced of its {len(found)} lines are "
        f"fitted, down to {found[most - 1].d:.3f} Å; what the others scatter goes to the background and to the lines "
        "beside them. Give a CIF with atoms, or raise most_lines in [steps.fit]"
    )


def _worth_fitting(found: Sequence[Line], weakest: float, most: int) -> list[Line]:
    strongest = max((line.intensity for line in found), default=0.0)
    if not np.isfinite(strongest):
        return list(found[:most])
    return [line for line in found if line.intensity >= weakest * strongest]


def _pulls(material: Material, hkl: np.ndarray, d: np.ndarray) -> tuple[tuple[int, int, int], np.ndarray]:
    """d ln d / d ln edge: u_i = d² q_i (M q)_i with q = hkl / edges and M the inverse of the angles' matrix."""
    if material.cell is None or material.listed_lines:
        return (0, 0, 0), np.ones((len(d), 1))
    edges = _free_edges(material)
    lengths = np.array(material.cell[:3])
    inverse = np.linalg.inv(metric(material.cell) / np.outer(lengths, lengths))
    q = hkl / lengths
    by_edge = d[:, None] ** 2 * q * (q @ inverse)
    pull = np.zeros((len(d), max(edges) + 1))
    for axis, edge in enumerate(edges):
        pull[:, edge] += by_edge[:, axis]
    return edges, pull


def _free_edges(material: Material) -> tuple[int, int, int]:
    group = space_group(material)
    if group.xhm().endswith(":R"):
        return (0, 0, 0)
    return _EDGES[group.crystal_system_str()]


def tie_unresolved(one: Pattern, closeness: np.ndarray) -> Pattern:
    """Tie neighbouring lines that stand closer than ``closeness`` (n,), relative in d: one free area for each group.

    A line that is not a main one follows the nearest main line within its closeness, with the ratio that the atoms
    give it, so that hundreds of weak lines ask for fewer areas of their own.
    """
    group = np.full(len(one.d), -1)
    group[one.reported] = _chained(one.d[one.reported], closeness[one.reported])
    others = np.flatnonzero(group < 0)
    if len(others):
        apart = np.abs(np.log(one.d[others][:, None] / one.d[one.reported]))
        near = apart.min(axis=1) < closeness[others]
        group[others[near]] = group[one.reported[apart[near].argmin(axis=1)]]
        alone = others[~near]
        group[alone] = group.max() + 1 + _chained(one.d[alone], closeness[alone])
    return replace(one, group=group)


def _chained(d: np.ndarray, closeness: np.ndarray) -> np.ndarray:
    """Groups (n,) of lines, each no wider than the closeness of its last line."""
    order = np.argsort(-d)
    group = np.zeros(len(order), int)
    current, anchor = 0, d[order[0]] if len(order) else 0.0
    for index in order:
        if anchor / d[index] - 1.0 > closeness[index]:
            current, anchor = current + 1, d[index]
        group[index] = current
    return group


def spacings(one: Pattern, stretch: np.ndarray) -> np.ndarray:
    """Spacings (n,) Å of a lattice whose free edges are stretched by the relative amounts ``stretch`` (m,).

    Exact for lattices with right angles and for hexagonal ones (a and b stretch together).
    """
    return np.asarray(one.d * np.sqrt(1.0 / (one.pull @ (1.0 + stretch) ** -2.0)))
