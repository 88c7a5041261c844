"""Host reactions: their volume per mole of lithium, computed from structures, and what the masses lead to."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from operando.materials.catalogue import load, molar_mass, names
from operando.materials.structure import at_temperature, molar_volume
from operando.model.errors import ConfigurationError
from operando.model.material import Material, Reaction

_TERM = re.compile(r"(?P<count>\d+(?:\.\d+)?)?\s*(?P<name>[A-Za-z]\w*\+?)")
_BALANCE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class PhaseAmount:
    """How much of a phase there is: millimoles of formula units, mg, and volume in µm³."""

    name: str
    amount_mmol: float
    mass_mg: float
    volume_um3: float


def reaction(text: str, temperature_c: float = 25.0, files: Sequence[str | Path] = ()) -> Reaction:
    """Read ``"In + Li -> InLi"`` and compute its volume per mole of lithium at ``temperature_c``.

    Lithium on the left may be left out and is then balanced; ``Li`` and ``Li+`` on the left are ions and take no
    volume. Raises ``ConfigurationError`` where the text is not understood or does not balance.
    """
    sides = text.replace("→", "->").split("->")
    if len(sides) != 2:
        raise ConfigurationError(f'{text!r} is not a reaction; write it as "In + Li -> InLi".')
    left, right = (_terms(side, text) for side in sides)
    hosts = {name: count for name, count in left.items() if name not in {"Li", "Li+"}}
    host_materials = {name: load(name, files) for name in (*hosts, *right)}
    lithium = _balanced_lithium(text, hosts, right, host_materials)
    stated = left.get("Li", 0.0) + left.get("Li+", 0.0)
    if stated and abs(stated - lithium) > _BALANCE_TOLERANCE * max(stated, 1.0):
        raise ConfigurationError(f"{text!r} does not balance: {stated:g} Li are given where {lithium:g} are needed.")
    return _per_lithium(text, hosts, right, lithium, host_materials, temperature_c)


def _terms(side: str, text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in re.split(r"\s\+\s", side.strip()):
        if part.strip() == "e-":
            continue
        match = _TERM.fullmatch(part.strip())
        if match is None:
            raise ConfigurationError(f'{part.strip()!r} in {text!r} is not understood; write it as "In + Li -> InLi".')
        name = match["name"]
        found[name] = found.get(name, 0.0) + float(match["count"] or 1.0)
    return found


def _contents(side: Mapping[str, float], materials: Mapping[str, Material]) -> dict[str, float]:
    from xraydb import chemparse

    total: dict[str, float] = {}
    for name, count in side.items():
        for element, atoms in chemparse(materials[name].formula).items():
            total[element] = total.get(element, 0.0) + count * atoms
    return total


def _balanced_lithium(
    text: str, left: dict[str, float], right: dict[str, float], materials: Mapping[str, Material]
) -> float:
    """Scale the right side (in place) to the left's host atoms; return the lithium needed."""
    before, after = _contents(left, materials), _contents(right, materials)
    hosts = (set(before) | set(after)) - {"Li"}
    ratios = {element: before.get(element, 0.0) / after[element] for element in hosts if after.get(element)}
    if hosts - set(ratios) or (ratios and max(ratios.values()) - min(ratios.values()) > 1e-6):
        raise ConfigurationError(f"{text!r} does not balance: the elements on both sides differ.")
    scale = next(iter(ratios.values()), 1.0)
    for name in right:
        right[name] *= scale
    lithium = after.get("Li", 0.0) * scale - before.get("Li", 0.0)
    if lithium <= 0.0:
        raise ConfigurationError(f"{text!r} takes up no lithium; write it in the direction of charging the anode.")
    return lithium


def _per_lithium(
    text: str,
    left: Mapping[str, float],
    right: Mapping[str, float],
    lithium: float,
    materials: Mapping[str, Material],
    temperature_c: float,
) -> Reaction:
    change, variance = 0.0, 0.0
    for sign, side in ((-1.0, left), (1.0, right)):
        for name, count in side.items():
            material = materials[name]
            volume = molar_volume(at_temperature(material, temperature_c)) * count / lithium
            change += sign * volume
            variance += (3.0 * material.cell_relative_std * volume) ** 2
    approximate = any(material.status == "approximate" for material in materials.values())
    return Reaction(
        text=text,
        reactants=(*((name, count / lithium) for name, count in left.items()), ("Li", 1.0)),
        products=tuple((name, count / lithium) for name, count in right.items()),
        volume_cm3_per_mol=change,
        volume_std_cm3_per_mol=math.sqrt(variance),
        status="approximate" if approximate else "sound",
    )


def candidates(
    anode: Material,
    temperature_c: float = 25.0,
    configured: str | None = None,
    files: Sequence[str | Path] = (),
) -> tuple[Reaction, ...]:
    """All host reactions that the anode's elements allow, the configured one first.

    They are the steps along the row of known phases of host and lithium, from poor to rich, and the plating of
    lithium metal. None is preferred: which one happens is for diffraction to say.
    """
    texts = [configured] if configured else []
    row = host_phases(anode, files)
    texts += [_step_text(poorer, richer) for poorer, richer in pairwise(row) if richer.name != "Li"]
    texts.append("Li+ -> Li")
    by_kind: dict[frozenset[tuple[str, float]], Reaction] = {}
    for text in texts:
        one = reaction(text, temperature_c, files)
        by_kind.setdefault(_kind(one), one)
    return tuple(by_kind.values())


def _kind(one: Reaction) -> frozenset[tuple[str, float]]:
    """What makes two reactions the same, however they are written."""
    left = {(f"-{name}", round(count, 6)) for name, count in one.reactants}
    return frozenset(left | {(f"+{name}", round(count, 6)) for name, count in one.products})


def _step_text(poorer: Material, richer: Material) -> str:
    """Smallest whole numbers that balance the host of the two phases."""
    before, after = _host_atoms(poorer), _host_atoms(richer)
    common = math.lcm(before, after)
    left, right = common // before, common // after
    lithium = right * _lithium_atoms(richer) - left * _lithium_atoms(poorer)
    return f"{_number(left)}{poorer.name} + {_number(lithium)}Li -> {_number(right)}{richer.name}"


def _number(count: float) -> str:
    return "" if count == 1 else f"{count:g} "


def _host_atoms(material: Material) -> int:
    from xraydb import chemparse

    return int(sum(count for element, count in chemparse(material.formula).items() if element != "Li"))


def _lithium_atoms(material: Material) -> float:
    from xraydb import chemparse

    return float(chemparse(material.formula).get("Li", 0.0))


def host_phases(anode: Material, files: Sequence[str | Path] = ()) -> tuple[Material, ...]:
    """Known crystalline phases made of the anode's host element and lithium only, poor in lithium first."""
    from xraydb import chemparse

    hosts = set(chemparse(anode.formula)) - {"Li"}
    if len(hosts) != 1:
        return ()
    host = hosts.pop()
    found = [load(name, files) for name in names(files)]
    phases = [
        one for one in found
        if one.cell is not None and host in (parts := chemparse(one.formula)) and set(parts) <= {host, "Li"}
    ]  # fmt: skip
    richest_last = sorted(phases, key=_lithium_share)
    return tuple(one for i, one in enumerate(richest_last)
                 if i == 0 or _lithium_share(one) > _lithium_share(richest_last[i - 1]) + 1e-9)  # fmt: skip


def _lithium_share(material: Material) -> float:
    return _lithium_atoms(material) / (_lithium_atoms(material) + _host_atoms(material))


def equilibrium_phases(
    masses_mg: Mapping[str, float], temperature_c: float = 25.0, files: Sequence[str | Path] = ()
) -> tuple[PhaseAmount, ...]:
    """The one or two phases that the masses of host and lithium lead to, with their amounts (lever rule).

    ``masses_mg`` names a host element and ``Li``. Raises ``ConfigurationError`` for anything else.
    """
    hosts = [name for name in masses_mg if name != "Li"]
    if len(hosts) != 1:
        raise ConfigurationError(f"mass_mg names {', '.join(masses_mg)}; give one host and Li to get its phases.")
    host_mmol = masses_mg[hosts[0]] / molar_mass(hosts[0])
    lithium_mmol = masses_mg.get("Li", 0.0) / molar_mass("Li")
    row = [*host_phases(load(hosts[0], files), files), load("Li", files)]
    share = lithium_mmol / (lithium_mmol + host_mmol)
    poorer = max((one for one in row if _lithium_share(one) <= share + 1e-9), key=_lithium_share)
    richer = min((one for one in row if _lithium_share(one) >= share - 1e-9), key=_lithium_share)
    if poorer is richer:
        atoms = _host_atoms(poorer) + _lithium_atoms(poorer)
        return (_amount(poorer, (host_mmol + lithium_mmol) / atoms, temperature_c),)
    determinant = _host_atoms(poorer) * _lithium_atoms(richer) - _host_atoms(richer) * _lithium_atoms(poorer)
    first = (host_mmol * _lithium_atoms(richer) - lithium_mmol * _host_atoms(richer)) / determinant
    second = (lithium_mmol * _host_atoms(poorer) - host_mmol * _lithium_atoms(poorer)) / determinant
    return _amount(poorer, first, temperature_c), _amount(richer, second, temperature_c)


def _amount(material: Material, mmol: float, temperature_c: float) -> PhaseAmount:
    volume = molar_volume(at_temperature(material, temperature_c)) * mmol * 1e-3 * 1e12
    return PhaseAmount(material.name, mmol, mmol * molar_mass(material.formula), volume)
