"""Phases that nobody named and lines that no phase explains, new in a later state of the cell."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from operando.diffraction.comparison import Comparison, compare
from operando.diffraction.detection import needed_gain
from operando.diffraction.element import ElementFit, FitParameters, fwhm, search_trials
from operando.diffraction.merge import merge
from operando.diffraction.phases import spacings
from operando.diffraction.problem import place
from operando.model.constants import GERMANIUM_ESCAPE_KEV
from operando.model.material import Material

_ESCAPE_PARENT = 15.0
"""How many times stronger the parent of an escape line is at least."""

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
    if not plain.after:
        return plain, ()
    found = {}
    for one in others:
        extended = compare(before, after, calibration, (*materials, one), params)
        gain = _new_gain(plain, extended, len(others), params)
        if gain > 0.0:
            found[one.name] = (gain, extended)
    if not found:
        return plain, ()
    best = max(found, key=lambda name: found[name][0])
    return found[best][1], (best,)


def _new_gain(plain: Comparison, extended: Comparison, candidates: int, params: FitParameters) -> float:
    """Log-likelihood that the last phase gains in the later state only, 0 unless it is new and displaces no other.

    A candidate without known intensities picks up whatever no phase explains, in both states; only what it gains from
    one to the other speaks for it, and that must be most of it.
    """
    last = len(plain.materials)
    now, was = merge(extended.after, last, params), merge(extended.before, last, params)
    others_stay = all(
        merge(extended.after, phase, params).there or not merge(plain.after, phase, params).there
        for phase in range(last)
    )
    gain = now.gain - was.gain
    enough = gain >= _needed(extended.after[0], last, candidates, params)
    return gain if now.there and enough and gain > 0.5 * now.gain and others_stay else 0.0


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
    return energy[far & (area > _CLEAR * std) & ~_escaped(b, energy, area, width)] if len(energy) else energy


def _escaped(one: ElementFit, energy: np.ndarray, area: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Whether a line stands where the escape line of a much stronger one does."""
    placed = place(one.problem, one.fit.state.shapes)
    group = one.problem.layout.group[placed.order]
    parents = one.fit.state.areas[group] * one.problem.layout.share[placed.order]
    found = np.zeros(len(energy), bool)
    for below in GERMANIUM_ESCAPE_KEV:
        near = np.abs(placed.energy[None, :] - below - energy[:, None]) < width[:, None]
        found |= (near & (parents[None, :] > _ESCAPE_PARENT * area[:, None])).any(axis=1)
    return found
