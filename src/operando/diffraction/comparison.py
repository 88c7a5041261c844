"""Two states of the cell, each with all the counts of a few spectra, fitted alike and compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from operando.diffraction.element import ElementFit, FitParameters, fit_spectrum
from operando.diffraction.explain import Shifts
from operando.diffraction.merge import free_line, measured
from operando.diffraction.pawley import STRONG
from operando.diffraction.phases import spacings
from operando.diffraction.problem import evaluate
from operando.model.material import Material
from operando.model.products.diffraction import CORRECTED

_STEADY_KEV = 1e-3
"""How far the energy scale's offset wanders at the same dead time, keV."""


@dataclass(frozen=True)
class Moved:
    """The naive shift of one line: relative change of its single-line spacing, and what neighbours alone give."""

    hkl: tuple[int, int, int]
    shift: float
    std: float
    by_neighbours: float


@dataclass(frozen=True)
class Comparison:
    """The fits of both states, element by element (those good in both)."""

    before: list[ElementFit]
    after: list[ElementFit]
    materials: tuple[Material, ...]
    params: FitParameters


def summed(spectra: Sequence[xr.Dataset]) -> xr.Dataset:
    """One ``corrected`` product with the counts of several; an element must be good in all of them."""
    good = np.all([one["good"].values for one in spectra], axis=0)
    return CORRECTED.new(
        attrs=dict(spectra[0].attrs),
        counts=np.sum([one["counts"].values for one in spectra], axis=0),
        background=np.sum([one["background"].values for one in spectra], axis=0),
        escape=np.sum([one["escape"].values for one in spectra], axis=0),
        energy=np.mean([one["energy"].values for one in spectra], axis=0),
        scale=np.mean([one["scale"].values for one in spectra], axis=0),
        good=good,
    )


def compare(
    before: xr.Dataset,
    after: xr.Dataset,
    calibration: xr.Dataset,
    materials: Sequence[Material],
    params: FitParameters,
) -> Comparison:
    """Fit both states with the same phases."""
    both = before["good"].values & after["good"].values
    fits = [
        fit_spectrum(state.assign(good=(("element",), both, state["good"].attrs)), calibration, materials, params)
        for state in (before, after)
    ]
    return Comparison(fits[0], fits[1], tuple(materials), params)


def observed(comparison: Comparison) -> Shifts:
    """All changes that can be measured: free edges of every phase, and the fluorescence, with their covariance.

    Each element is compared with itself, so that what 2θ and energy scale do alike in both states drops out; elements
    that disagree widen the covariance. The offset of the energy scale may differ as far as the dead times do.
    """
    owner = _owners(comparison)
    size = len(owner)
    weight, pull, chi_squared, freedom = np.zeros((size, size)), np.zeros(size), 0.0, 0
    parts = []
    for a, b in zip(comparison.before, comparison.after, strict=True):
        used, change, covariance = _element_change(comparison, a, b, owner)
        if len(used):
            inverse = np.linalg.inv(covariance)
            weight[np.ix_(used, used)] += inverse
            pull[used] += inverse @ change
            parts.append((used, change, inverse))
    kept = np.flatnonzero(np.diag(weight) > 0.0)
    covariance = np.linalg.inv(weight[np.ix_(kept, kept)])
    mean = np.zeros(size)
    mean[kept] = covariance @ pull[kept]
    for used, change, inverse in parts:
        chi_squared += float((change - mean[used]) @ inverse @ (change - mean[used]))
        freedom += len(used)
    if len(parts) > 1:
        covariance = covariance * max(1.0, chi_squared / max(freedom - len(kept), 1))
    return _without_offset(comparison, mean[kept], covariance, [owner[row] for row in kept])


_OFFSET, _FLUORESCENCE = "offset", "fluorescence"


def _owners(comparison: Comparison) -> list[str]:
    """Whose every coordinate is: each free edge of each phase, the energy scale's offset, the fluorescence."""
    if not comparison.before:
        return [_OFFSET, _FLUORESCENCE]
    patterns = comparison.before[0].patterns
    return [*(one.name for one in patterns for _ in range(one.free_edges)), _OFFSET, _FLUORESCENCE]


def _element_change(
    comparison: Comparison, a: ElementFit, b: ElementFit, owner: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates that this element measures in both states, their changes and covariance."""
    places: list[tuple[int, int, int]] = []
    row = 0
    for phase, pattern in enumerate(a.patterns):
        if measured(a, phase, comparison.params) and measured(b, phase, comparison.params):
            first, second = (one.problem.layout.edge_slices[one.place_of[phase]].start for one in (a, b))
            places += [(row + edge, first + edge, second + edge) for edge in range(pattern.free_edges)]
        row += pattern.free_edges
    if a.problem.priors.offset and b.problem.priors.offset:
        places.append((len(owner) - 2, a.problem.shapes - 2, b.problem.shapes - 2))
    if np.isfinite([a.fluorescence_shift()[0], b.fluorescence_shift()[0]]).all():
        places.append((len(owner) - 1, a.problem.shapes - 1, b.problem.shapes - 1))
    used, first, second = np.array(places, int).reshape(-1, 3).T
    change = b.fit.state.shapes[second] - a.fit.state.shapes[first]
    covariance = sum(
        one.fit.covariance[np.ix_(one.problem.linear + at, one.problem.linear + at)]
        for one, at in ((a, first), (b, second))
    )
    return used, change, np.asarray(covariance)


def _without_offset(comparison: Comparison, values: np.ndarray, covariance: np.ndarray, owner: list[str]) -> Shifts:
    """Take out the offset, knowing that it may only have moved as far as the dead time did."""
    at = [row for row, one in enumerate(owner) if one == _OFFSET]
    if not at:
        column = np.array([_by_offset(comparison, one) for one in owner])
        return Shifts(values, covariance, tuple(owner), column)
    rest = [row for row, one in enumerate(owner) if one != _OFFSET]
    doubts = [
        _STEADY_KEV + comparison.params.dead_time_shift_kev * abs(a.dead_share - b.dead_share)
        for a, b in zip(comparison.before, comparison.after, strict=True)
    ]
    slope = covariance[rest, at[0]] / (covariance[at[0], at[0]] + float(np.mean(doubts)) ** 2)
    return Shifts(
        values[rest] - slope * values[at[0]],
        covariance[np.ix_(rest, rest)] - np.outer(slope, covariance[at[0], rest]),
        tuple(owner[row] for row in rest),
        -slope,
    )


def _by_offset(comparison: Comparison, owner: str) -> float:
    """Relative change that 1 keV of offset feigns where the fit held the offset: -1/E, 1/E for fluorescence."""
    one = comparison.after[0]
    if owner == _FLUORESCENCE:
        energy, _, share = one.problem.fluorescence
        return float((share / energy).sum() / share.sum())
    phase = [pattern.name for pattern in one.patterns].index(owner)
    areas, stds = one.areas(phase)
    energy = one.problem.energy_times_d / spacings(one.patterns[phase], one.stretch(phase)[0])
    weight = np.where(stds > 0.0, (energy * areas / stds) ** 2, 0.0)
    return -float((weight / energy).sum() / weight.sum())


def naive_shifts(comparison: Comparison, phase: int) -> list[Moved]:
    """What single-line fits of the phase's strong lines say, and what of it its neighbours alone would give."""
    found: list[Moved] = []
    if not comparison.before:
        return found
    pattern = comparison.before[0].patterns[phase]
    strong = np.flatnonzero(pattern.intensity >= STRONG * pattern.intensity.max())
    per_element = [_naive(a, b, phase) for a, b in zip(comparison.before, comparison.after, strict=True)]
    for row in strong:
        hkl = tuple(int(index) for index in pattern.hkl[row])
        known = [one[hkl] for one in per_element if hkl in one]
        if known:
            shift, std, neighbours = np.array(known).T
            weight = std**-2.0
            mean = [float((weight * column).sum() / weight.sum()) for column in (shift, neighbours)]
            found.append(Moved((hkl[0], hkl[1], hkl[2]), mean[0], float(weight.sum() ** -0.5), mean[1]))
    return found


def _naive(a: ElementFit, b: ElementFit, phase: int) -> dict[tuple[int, ...], tuple[float, float, float]]:
    """hkl -> relative naive shift, its standard deviation, the naive shift of the model with this lattice held."""
    one, one_std = free_line(a, phase)
    two, two_std = free_line(b, phase)
    smooth_one, smooth_two = free_line(_noiseless(a, a, phase), phase)[0], free_line(_noiseless(b, a, phase), phase)[0]
    rows = {tuple(hkl): row for row, hkl in enumerate(b.patterns[phase].hkl.tolist())}
    found = {}
    for row, hkl in enumerate(a.patterns[phase].hkl.tolist()):
        other = rows.get(tuple(hkl))
        if other is None or not np.isfinite([one[row], two[other]]).all():
            continue
        std = float(np.hypot(one_std[row] / one[row], two_std[other] / two[other]))
        by_neighbours = float(smooth_two[other] / smooth_one[row] - 1.0)
        found[tuple(hkl)] = (
            float(two[other] / one[row] - 1.0),
            std,
            by_neighbours if np.isfinite(by_neighbours) else 0.0,
        )
    return found


def _noiseless(one: ElementFit, held: ElementFit, phase: int) -> ElementFit:
    """The element as its model without noise, with the lattice of one phase as another state has it."""
    shapes = one.fit.state.shapes.copy()
    at = one.place_of[phase]
    if at >= 0 and held.place_of[phase] >= 0:
        shapes[one.problem.layout.edge_slices[at]] = held.stretch(phase)[0]
    shapes[-2] = held.fit.state.shapes[-2]
    state = replace(one.fit.state, shapes=shapes)
    counts = evaluate(one.problem, state, shapes_too=False)[3]
    return replace(one, problem=replace(one.problem, counts=counts), fit=replace(one.fit, state=state))


def amount(fits: Sequence[ElementFit], phase: int) -> tuple[float, float]:
    """Summed area of a phase over its lines and the elements, and its standard deviation."""
    total, variance = 0.0, 0.0
    for one in fits:
        areas, stds = one.areas(phase)
        known = np.isfinite(areas) & np.isfinite(stds)
        total += float(areas[known].sum())
        variance += float((stds[known] ** 2).sum())
    return total, float(np.sqrt(variance))
