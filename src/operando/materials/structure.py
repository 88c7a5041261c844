"""What follows from a structure: volumes, spacings and the list of powder lines."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from operando.model.constants import AVOGADRO_PER_MOL, CUBIC_ANGSTROM_TO_CM3
from operando.model.errors import ConfigurationError
from operando.model.material import Material

Cell = tuple[float, float, float, float, float, float]

_SAME_SPACING = 1e-7
"""Lines closer than this (relative) coincide by symmetry, such as (333) and (511) of a cubic phase."""

_NO_INTENSITY = 1e-5
"""Lines weaker than this share of the strongest are absent: extinct through special positions."""


@dataclass(frozen=True)
class Line:
    """One powder line: spacing in Å, indices, how many reflections it merges, and their summed |F|² (electrons²).

    ``intensity`` is multiplicity × |F|² summed over all reflections of this spacing; NaN where the atoms are
    not known, the card's value for a listed line.
    """

    d: float
    hkl: tuple[int, int, int]
    multiplicity: int
    intensity: float


def cell_volume(cell: Cell) -> float:
    """Volume of a unit cell in Å³; lengths in Å, angles in degrees.

    >>> round(cell_volume((2.0, 2.0, 3.0, 90.0, 90.0, 120.0)), 6)
    10.392305
    """
    return float(np.sqrt(np.linalg.det(metric(cell))))


def metric(cell: Cell) -> np.ndarray:
    """Metric tensor (3, 3) in Å²."""
    lengths = np.array(cell[:3])
    alpha, beta, gamma = np.cos(np.radians(cell[3:]))
    cosines = np.array([[1.0, gamma, beta], [gamma, 1.0, alpha], [beta, alpha, 1.0]])
    return np.asarray(np.outer(lengths, lengths) * cosines)


def d_spacing(hkl: np.ndarray, cell: Cell) -> np.ndarray:
    """Spacing in Å of the planes ``hkl`` (…, 3) of a lattice.

    >>> round(float(d_spacing(np.array([4, 2, 2]), (6.79, 6.79, 6.79, 90.0, 90.0, 90.0))), 6)
    1.386003
    """
    indices = np.asarray(hkl, float)
    squared = np.einsum("...i,ij,...j->...", indices, np.linalg.inv(metric(cell)), indices)
    return np.asarray(1.0 / np.sqrt(squared))


def molar_volume(material: Material) -> float:
    """Volume of one mole of formula units, cm³/mol, from the lattice.

    Raises ``ConfigurationError`` where the material has no lattice.
    """
    if material.cell is None or material.formula_units is None:
        raise ConfigurationError(f"{material.name}: no cell is known, so it has no molar volume; give a CIF for it.")
    return cell_volume(material.cell) / material.formula_units * AVOGADRO_PER_MOL * CUBIC_ANGSTROM_TO_CM3


def at_temperature(material: Material, temperature_c: float) -> Material:
    """The material with its lattice expanded to ``temperature_c``; unchanged where no expansion is known.

    The expansion is isotropic and linear, good to a few per cent of itself over 100 K.
    """
    if material.cell is None or material.thermal_expansion_per_k is None:
        return material
    factor = 1.0 + material.thermal_expansion_per_k * (temperature_c - material.temperature_c)
    a, b, c, alpha, beta, gamma = material.cell
    return replace(
        material,
        cell=(a * factor, b * factor, c * factor, alpha, beta, gamma),
        density_g_per_cm3=material.density_g_per_cm3 / factor**3,
        temperature_c=temperature_c,
    )


def lines(material: Material, d_min: float, d_max: float = np.inf) -> tuple[Line, ...]:
    """Powder lines with ``d_min`` <= d <= ``d_max`` in Å, widest spacing first.

    Systematic absences are left out, symmetry-equivalent reflections and reflections of one spacing are merged
    (indices of the strongest). Listed materials give their card. Raises ``ConfigurationError`` for a material
    without a lattice.
    """
    if material.listed_lines:
        return _listed(material, d_min, d_max)
    if material.cell is None or material.space_group is None:
        raise ConfigurationError(f"{material.name}: it has no lattice and so no diffraction lines; leave it out.")
    rounded = np.floor(d_min * 50.0) / 50.0
    return tuple(line for line in _all_lines(material, max(float(rounded), 0.1)) if d_min <= line.d <= d_max)


@lru_cache(maxsize=256)
def _all_lines(material: Material, d_min: float) -> tuple[Line, ...]:
    """Lines of a lattice; cached, since a series asks for the same ones again and again."""
    hkl, multiplicity = _unique_reflections(material, d_min)
    assert material.cell is not None
    spacing = d_spacing(hkl, material.cell)
    intensity = multiplicity * _squared_structure_factors(material, hkl, spacing)
    merged = _merge(hkl, multiplicity, spacing, intensity)
    if material.intensities != "atoms":
        return tuple(merged)
    weakest = _NO_INTENSITY * max((line.intensity for line in merged), default=0.0)
    return tuple(line for line in merged if line.intensity > weakest)


def _listed(material: Material, d_min: float, d_max: float) -> tuple[Line, ...]:
    found = [
        Line(card.d, card.hkl or (0, 0, number), 1, card.intensity)
        for number, card in enumerate(material.listed_lines, start=1)
    ]
    return tuple(sorted((line for line in found if d_min <= line.d <= d_max), key=lambda line: -line.d))


def _unique_reflections(material: Material, d_min: float) -> tuple[np.ndarray, np.ndarray]:
    """Conventional indices (n, 3) of one reflection of each family, and how many reflections it has."""
    import gemmi

    assert material.cell is not None
    group = space_group(material)
    reflections = gemmi.make_miller_array(gemmi.UnitCell(*material.cell), group, d_min)
    rotations = [np.array(operation.rot) // operation.DEN for operation in group.operations().sym_ops]
    families = [_family(np.asarray(hkl), rotations) for hkl in reflections]
    hkl = np.array([max(family, key=_conventional) for family in families], int).reshape(-1, 3)
    return hkl, np.array([len(family) for family in families], int)


def space_group(material: Material) -> Any:
    """The gemmi space group; raises ``ConfigurationError`` for a name nobody knows."""
    import gemmi

    group = gemmi.find_spacegroup_by_name(material.space_group or "")
    if group is None:
        raise ConfigurationError(
            f"{material.name}: {material.space_group!r} is no space group; write it as in 'F m -3 m'."
        )
    return group


def _family(hkl: np.ndarray, rotations: list[np.ndarray]) -> set[tuple[int, ...]]:
    images = {tuple(int(x) for x in hkl @ rotation) for rotation in rotations}
    return images | {(-h, -k, -l) for h, k, l in images}


def _conventional(hkl: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Crystallographers write a family by its member with the fewest minus signs and the largest indices first."""
    return -sum(index < 0 for index in hkl), hkl


def _squared_structure_factors(material: Material, hkl: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """|F|² per unit cell in electrons², form factors of International Tables (1992); NaN where atoms are unknown."""
    if material.intensities != "atoms":
        return np.full(len(hkl), np.nan)
    import gemmi

    squared_s = 1.0 / (4.0 * spacing**2)
    amplitude = np.zeros(len(hkl), complex)
    rotations, shifts = _operations(material)
    for atom in material.atoms:
        sites = _orbit(np.array([atom.x, atom.y, atom.z]), rotations, shifts)
        table = gemmi.Element(atom.element).it92
        form = np.array([table.calculate_sf(s) for s in squared_s]) * np.exp(-atom.b_iso * squared_s)
        amplitude += atom.occupancy * form * np.exp(2j * np.pi * hkl @ sites.T).sum(axis=1)
    return np.abs(amplitude) ** 2


def _operations(material: Material) -> tuple[np.ndarray, np.ndarray]:
    operations = list(space_group(material).operations())
    rotations = np.array([np.array(operation.rot) / operation.DEN for operation in operations])
    return rotations, np.array([np.array(operation.tran) / operation.DEN for operation in operations])


def _orbit(site: np.ndarray, rotations: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """All positions (n, 3) in the cell that symmetry makes of one site."""
    images = (rotations @ site + shifts) % 1.0
    kept: list[np.ndarray] = []
    for image in images:
        apart = [np.abs((image - other + 0.5) % 1.0 - 0.5).max() for other in kept]
        if min(apart, default=1.0) > 1e-4:
            kept.append(image)
    return np.array(kept)


def _merge(hkl: np.ndarray, multiplicity: np.ndarray, spacing: np.ndarray, intensity: np.ndarray) -> list[Line]:
    order = np.argsort(-spacing, kind="stable")
    groups: list[list[int]] = []
    for index in order:
        if groups and abs(spacing[groups[-1][0]] / spacing[index] - 1.0) < _SAME_SPACING:
            groups[-1].append(int(index))
        else:
            groups.append([int(index)])
    return [_merged_line(group, hkl, multiplicity, spacing, intensity) for group in groups]


def _merged_line(
    group: list[int], hkl: np.ndarray, multiplicity: np.ndarray, spacing: np.ndarray, intensity: np.ndarray
) -> Line:
    known = np.isfinite(intensity[group]).all()
    leader = max(group, key=lambda i: (intensity[i] if known else multiplicity[i], tuple(hkl[i])))
    h, k, l = (int(x) for x in hkl[leader])
    return Line(float(spacing[leader]), (h, k, l), int(multiplicity[group].sum()), float(intensity[group].sum()))
