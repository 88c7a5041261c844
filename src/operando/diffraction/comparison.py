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


@dataclass(frozen=True)
class Moved:
    """The naive shift of one line: relative change of its single-line spacing, and what the amounts alone give."""

    hkl: tuple[int, int, int]
    shift: float
    std: float
    by_amounts: float


@dataclass(frozen=True)
class Comparison:
    """The fits of both states, element by element (those good in both)."""

    before: list[ElementFit]
    after: list[ElementFit]
    materials: tuple[Material, ...]
    params: FitParameters

    def seen(self, phase: int) -> list[tuple[ElementFit, ElementFit]]:
        """Elements that measure the phase in both states."""
        both = zip(self.before, self.after, strict=True)
        return [(a, b) for a, b in both if measured(a, phase, self.params) and measured(b, phase, self.params)]


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


def lattice_shift(comparison: Comparison, phase: int) -> tuple[np.ndarray, np.ndarray]:
    """Relative change (edges,) of a phase's free edges and its covariance; elements that disagree widen it.

    NaN where no element measures the phase in both states. Differences of each element with itself: what 2θ and
    energy scale do alike in both states drops out.
    """
    pairs = comparison.seen(phase)
    if not pairs:
        return np.full(1, np.nan), np.full((1, 1), np.nan)
    values, weights = [], []
    for a, b in pairs:
        (one, one_cov), (two, two_cov) = a.stretch(phase), b.stretch(phase)
        values.append((two - one) / (1.0 + one))
        weights.append(np.linalg.inv(one_cov + two_cov))
    weight = np.array(weights)
    covariance = np.linalg.inv(weight.sum(axis=0))
    mean = covariance @ np.einsum("eij,ej->i", weight, np.array(values))
    if len(pairs) > 1:
        off = np.array(values) - mean
        freedom = len(mean) * (len(pairs) - 1)
        covariance = covariance * max(1.0, float(np.einsum("ei,eij,ej->", off, weight, off)) / freedom)
    return mean, covariance


def fluorescence_shift(comparison: Comparison) -> tuple[float, float]:
    """Relative change of the fluorescence lines' energies and its standard deviation; NaN where there are none."""
    found = []
    for a, b in zip(comparison.before, comparison.after, strict=True):
        (one, one_std), (two, two_std) = a.fluorescence_shift(), b.fluorescence_shift()
        if np.isfinite([one, two]).all():
            found.append((two - one, np.hypot(one_std, two_std)))
    if not found:
        return float("nan"), float("nan")
    values, stds = np.array(found).T
    return float((values / stds**2).sum() / (stds**-2.0).sum()), float((stds**-2.0).sum() ** -0.5)


def observed(comparison: Comparison) -> Shifts:
    """All changes that can be measured: free edges of every phase, and the fluorescence."""
    values, blocks, owner, inverse = [], [], [], []
    for phase, material in enumerate(comparison.materials):
        mean, covariance = lattice_shift(comparison, phase)
        if np.isfinite(mean).all():
            values.append(mean)
            blocks.append(covariance)
            owner += [material.name] * len(mean)
            inverse += [_inverse_energy(comparison.seen(phase)[0][1], phase)] * len(mean)
    shift, std = fluorescence_shift(comparison)
    if np.isfinite(shift):
        values.append(np.array([shift]))
        blocks.append(np.array([[std**2]]))
        owner.append("fluorescence")
        inverse.append(_inverse_fluorescence(comparison.after[0]))
    covariance = np.zeros((len(owner), len(owner)))
    row = 0
    for block in blocks:
        covariance[row : row + len(block), row : row + len(block)] = block
        row += len(block)
    joined = np.concatenate(values) if values else np.zeros(0)
    return Shifts(joined, covariance, tuple(owner), np.array(inverse, float))


def _inverse_energy(one: ElementFit, phase: int) -> float:
    """Mean 1/E of a phase's lines, weighted as they weigh in its lattice."""
    areas, stds = one.areas(phase)
    energy = one.problem.energy_times_d / spacings(one.patterns[phase], one.stretch(phase)[0])
    weight = np.where(stds > 0, (energy * areas / stds) ** 2, 0.0)
    return float((weight / energy).sum() / weight.sum())


def _inverse_fluorescence(one: ElementFit) -> float:
    energy, group, share = one.problem.fluorescence
    first = one.problem.layout.groups - (int(group.max()) + 1)
    weight = one.fit.state.areas[first + group] * share
    return float((weight / energy).sum() / weight.sum()) if weight.sum() > 0 else float((1.0 / energy).mean())


def naive_shifts(comparison: Comparison, phase: int) -> list[Moved]:
    """What single-line fits of the phase's strong lines say, and what of it the changed amounts alone would give."""
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
            shift, std, amounts = np.array(known).T
            weight = std**-2.0
            mean = [float((weight * column).sum() / weight.sum()) for column in (shift, amounts)]
            found.append(Moved((hkl[0], hkl[1], hkl[2]), mean[0], float(weight.sum() ** -0.5), mean[1]))
    return found


def _naive(a: ElementFit, b: ElementFit, phase: int) -> dict[tuple[int, ...], tuple[float, float, float]]:
    """hkl -> relative naive shift, its standard deviation, the naive shift of the model with the lattices held."""
    one, one_std = free_line(a, phase)
    two, two_std = free_line(b, phase)
    smooth_one, smooth_two = free_line(_noiseless(a, a), phase)[0], free_line(_noiseless(b, a), phase)[0]
    rows = {tuple(hkl): row for row, hkl in enumerate(b.patterns[phase].hkl.tolist())}
    found = {}
    for row, hkl in enumerate(a.patterns[phase].hkl.tolist()):
        other = rows.get(tuple(hkl))
        if other is None or not np.isfinite([one[row], two[other]]).all():
            continue
        std = float(np.hypot(one_std[row] / one[row], two_std[other] / two[other]))
        by_amounts = float(smooth_two[other] / smooth_one[row] - 1.0)
        found[tuple(hkl)] = (float(two[other] / one[row] - 1.0), std, by_amounts if np.isfinite(by_amounts) else 0.0)
    return found


def _noiseless(one: ElementFit, lattices: ElementFit) -> ElementFit:
    """The element as its model without noise, with the amounts of ``one`` and the lattices of another state."""
    shapes = one.fit.state.shapes.copy()
    for phase, at in enumerate(one.place_of):
        if at >= 0 and lattices.place_of[phase] >= 0:
            shapes[one.problem.layout.edge_slices[at]] = lattices.stretch(phase)[0]
    state = replace(one.fit.state, shapes=shapes)
    counts = evaluate(one.problem, state)[3]
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
