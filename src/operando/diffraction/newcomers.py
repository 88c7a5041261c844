"""Phases that nobody named and lines that no phase explains, new in a later state of the cell."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from operando.diffraction.comparison import Comparison, compare
from operando.diffraction.detection import needed_gain
from operando.diffraction.element import ElementFit, FitParameters, fwhm, search_trials
from operando.diffraction.merge import merge
from operando.diffraction.phases import spacings
from operando.model.material import Material

_CLEAR = 6.0
"""Standard deviations that a new line must stand out by."""


def candidates_of(materials: Sequence[Material]) -> tuple[Material, ...]:
    """Known phases of the same host and lithium as a named one, that are not named themselves."""
    from operando.materials.reactions import host_phases

    named = {one.name for one in materials}
    found = {one.name: one for material in materials for one in host_phases(material) if one.name not in named}
    return tuple(found.values())


def with_newcomers(
    before: xr.Dataset,
    after: xr.Dataset,
    calibration: xr.Dataset,
    materials: Sequence[Material],
    params: FitParameters,
    search: bool = True,
) -> tuple[Comparison, tuple[str, ...]]:
    """Compare the states with the named phases and those candidates that the later state needs; their names.

    A candidate is tested by fitting with it; the chance of a false one, all candidates together, is the fit's rate.
    """
    plain = compare(before, after, calibration, materials, params)
    others = candidates_of(materials) if search else ()
    if not plain.after or not others:
        return plain, ()
    gains = {}
    for one in others:
        extended = compare(before, after, calibration, (*materials, one), params)
        gain = merge(extended.after, len(materials), params)
        if gain.there and gain.gain >= _needed(extended.after[0], len(materials), len(others), params):
            gains[one.name] = (gain.gain, extended, one)
    if not gains:
        return plain, ()
    best = max(gains, key=lambda name: gains[name][0])
    extended = gains[best][1]
    return extended, () if merge(extended.before, len(materials), params).there else (best,)


def _needed(one: ElementFit, phase: int, candidates: int, params: FitParameters) -> float:
    trials = search_trials(one.problem, params.search_reach) * candidates
    return needed_gain(params.false_alarm_rate, one.groups(phase), trials)


def appeared(comparison: Comparison) -> tuple[str, ...]:
    """Named phases that are there only in the later state."""
    if not comparison.before:
        return ()
    there = [
        [merge(fits, phase, comparison.params).there for phase in range(len(comparison.materials))]
        for fits in (comparison.before, comparison.after)
    ]
    return tuple(one.name for one, was, now in zip(comparison.materials, *there, strict=True) if now and not was)


def new_lines(comparison: Comparison) -> tuple[float, ...]:
    """Energies (keV) of lines without a phase that only the later state has, in most elements; rounded to 10 eV."""
    found = [_new_in(a, b) for a, b in zip(comparison.before, comparison.after, strict=True)]
    energies = np.sort(np.concatenate(found)) if found else np.zeros(0)
    groups = np.split(energies, np.flatnonzero(np.diff(energies) > 0.2) + 1) if len(energies) else []
    return tuple(round(float(group.mean()), 2) for group in groups if 2 * len(group) > len(found))


def _new_in(a: ElementFit, b: ElementFit) -> np.ndarray:
    old = a.unindexed()[0]
    energy, area, std = b.unindexed()
    width = fwhm(b.resolution(), energy)
    named = np.concatenate(
        [
            b.problem.energy_times_d / spacings(b.patterns[phase], b.stretch(phase)[0])
            for phase in range(len(b.patterns))
            if b.place_of[phase] >= 0
        ]
        or [np.zeros(0)]
    )
    far = np.array([(np.abs(e - np.r_[old, named]) > 1.2 * w).all() for e, w in zip(energy, width, strict=True)], bool)
    return energy[far & (area > _CLEAR * std)] if len(energy) else energy
