"""Reaction volumes from the lattices that were refined in this very experiment."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from operando.materials.structure import cell_volume, molar_volume
from operando.model.constants import AVOGADRO_PER_MOL, CUBIC_ANGSTROM_TO_CM3
from operando.model.material import Material, Reaction

PLAUSIBLE = 0.03
"""A refined cell that differs more than this (in volume) from the listed one is another phase or a bad fit."""

DIGITS = 6

Volumes = Mapping[str, tuple[float, float]]
"""Molar volume of a phase and its standard deviation, cm³/mol of formula units."""


def refined_volumes(
    lattices: Sequence[xr.Dataset], materials: Sequence[Material]
) -> tuple[dict[str, tuple[float, float]], list[str]]:
    """Median molar volume of every phase over the series, with sentences on what was taken and what was not.

    The standard deviation is that of the median of the scatter, or the fits' own if that is larger. Rounded to six
    digits, so that one more spectrum does not change every digit.
    """
    volumes: dict[str, tuple[float, float]] = {}
    sentences = []
    for material in materials:
        found = _of_phase(lattices, material)
        if found is None:
            continue
        listed = molar_volume(material)
        if abs(found[0] / listed - 1) > PLAUSIBLE:
            sentences.append(
                f"The refined lattice of {material.name} would give {found[0]:.2f} cm³/mol where its structure gives "
                f"{listed:.2f}; the listed structure was kept for reaction volumes."
            )
            continue
        volumes[material.name] = found
    return volumes, sentences


def _of_phase(lattices: Sequence[xr.Dataset], material: Material) -> tuple[float, float] | None:
    if material.cell is None or not material.formula_units:
        return None
    per_cell = AVOGADRO_PER_MOL * CUBIC_ANGSTROM_TO_CM3 / material.formula_units
    values, stds = [], []
    for lattice in lattices:
        names = [str(name) for name in lattice["phase"].values]
        if material.name not in names:
            continue
        edges, std = (lattice[name].values[names.index(material.name)] for name in ("cell", "cell_std"))
        if np.isfinite(edges).all() and np.isfinite(std).all() and (edges > 0).all():
            volume = per_cell * cell_volume((*edges, *material.cell[3:]))
            values.append(volume)
            stds.append(volume * _relative_std(np.asarray(std / edges), np.asarray(edges)))
    if not values:
        return None
    scatter = 1.4826 * float(np.median(np.abs(np.array(values) - np.median(values)))) * math.sqrt(math.pi / 2)
    std_of_median = max(scatter, float(np.median(stds))) / math.sqrt(len(values))
    return _rounded(float(np.median(values))), _rounded(std_of_median)


def _relative_std(relative: np.ndarray, edges: np.ndarray) -> float:
    """Relative standard deviation of a b c: equal edges are one parameter, not several."""
    total = 0.0
    for length in np.unique(edges.round(9)):
        total += float(relative[edges.round(9) == length].sum()) ** 2
    return math.sqrt(total)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def refined(reaction: Reaction, volumes: Volumes) -> Reaction:
    """The reaction with its volume from refined lattices, if all its phases but lithium were refined."""
    terms = [(-1.0, name, count) for name, count in reaction.reactants if name not in {"Li", "Li+"}]
    terms += [(1.0, name, count) for name, count in reaction.products]
    if not terms or any(name not in volumes for _, name, _ in terms):
        return reaction
    change = sum(sign * count * volumes[name][0] for sign, name, count in terms)
    std = math.hypot(*(count * volumes[name][1] for _, name, count in terms))
    return replace(reaction, volume_cm3_per_mol=change, volume_std_cm3_per_mol=std)
