"""Measured areas of a series beside what the atoms of each phase give."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from operando.diffraction.amounts import summed_lines
from operando.diffraction.intensities import Averaged, averaged
from operando.materials.structure import cell_volume
from operando.materials.structure import lines as structure_lines
from operando.model.material import Material

_SAME = 1e-6
"""Lines whose areas keep the atoms' ratio to this are one line to the fit: too close to be told apart."""


@dataclass(frozen=True)
class Measured:
    """Lines of one phase, those that can't be told apart summed.

    ``hkl`` (lines, 3) of the strongest of each; ``energy`` (lines,) keV; ``strength`` (lines,) m|F|²/v² in
    electrons²/Å⁶, NaN where the atoms are not known; ``series`` what the spectra say of them.
    """

    name: str
    hkl: np.ndarray
    energy: np.ndarray
    strength: np.ndarray
    series: Averaged


def measured(lines: Sequence[xr.Dataset], material: Material, energy_times_d: float) -> Measured:
    """Gather a phase's summed areas of all spectra; ``energy_times_d`` in keV Å."""
    tables = [summed_lines(one, material.name) for one in lines]
    keys = list(dict.fromkeys(key for one in tables for key in _keys(one)))
    areas, stds, spacing = np.full((3, len(lines), len(keys)), np.nan)
    for row, one in enumerate(tables):
        columns = [keys.index(key) for key in _keys(one)]
        for into, name in ((areas, "area"), (stds, "area_std"), (spacing, "d")):
            into[row, columns] = one[name].values
    d, intensity = _from_atoms(material, keys)
    d = _seen(spacing, d)
    order = np.argsort(-d, kind="stable")
    group = _tied(np.nansum(areas, axis=0)[order], intensity[order], d[order])
    leaders = np.array([order[group == n][np.argmax(intensity[order[group == n]])] for n in np.unique(group)], int)
    member = (group[:, None] == np.unique(group)).astype(float)
    volume = cell_volume(material.cell) if material.cell else np.nan
    return Measured(
        name=material.name,
        hkl=np.array(keys, int).reshape(-1, 3)[leaders],
        energy=energy_times_d / d[leaders],
        strength=intensity[order] @ member / volume**2,
        series=averaged(areas[:, order] @ member, stds[:, order] @ member),
    )


def _seen(spacing: np.ndarray, nominal: np.ndarray) -> np.ndarray:
    """Mean spacing (lines,) over the spectra (spectra, lines), the nominal one where none knows it.

    The response may be as steep as E²⁰ where absorption sets in: a part in a thousand of energy is 2 % of intensity.
    """
    known = np.isfinite(spacing)
    return np.where(known.any(axis=0), np.where(known, spacing, 0.0).sum(axis=0) / known.sum(axis=0).clip(1), nominal)


def _keys(table: xr.Dataset) -> list[tuple[int, ...]]:
    return list(zip(*(table[index].values.tolist() for index in "hkl"), strict=True))


def _from_atoms(material: Material, keys: Sequence[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Spacing (Å) and m|F|² of each line; NaN where the atoms are not sound."""
    if not keys:
        return np.zeros(0), np.zeros(0)
    shortest = 0.3
    found = {line.hkl: line for line in structure_lines(material, shortest)}
    sound = material.intensities == "atoms" and material.status == "sound"
    lines = [found[(h, k, l)] for h, k, l in keys]
    return np.array([line.d for line in lines]), np.array([line.intensity if sound else np.nan for line in lines])


def _tied(areas: np.ndarray, intensity: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Number of the group (lines,) of each line, in the order of spacings."""
    ratio = areas / np.where(intensity > 0.0, intensity, np.nan)
    group = np.arange(len(areas))
    for row in range(1, len(areas)):
        near = np.flatnonzero(d[:row] < 1.02 * d[row])
        same = near[(ratio[near] > 0.0) & (np.abs(ratio[near] - ratio[row]) < _SAME * np.abs(ratio[row]))]
        group[row] = group[same[0]] if len(same) else row
    return group
