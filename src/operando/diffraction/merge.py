"""From the fits of single elements to one lattice a phase and one list of lines a spectrum."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from operando.diffraction.detection import needed_gain
from operando.diffraction.element import ElementFit, FitParameters, fwhm, search_trials
from operando.diffraction.phases import spacings


@dataclass(frozen=True)
class Merged:
    """A phase as all elements see it: stretch of its free edges with covariance, NaN where it is not there.

    ``gain``: log-likelihood of the phase over its absence; ``groups``: areas it took; ``there``: whether that is more
    than noise gives at the false-alarm rate; ``spread``: largest disagreement of the elements' first edge, relative.
    """

    stretch: np.ndarray
    covariance: np.ndarray
    gain: float
    groups: int
    there: bool
    spread: float


def measured(one: ElementFit, phase: int, params: FitParameters) -> bool:
    """Whether this element sees the phase well enough to say where its lines are."""
    if one.place_of[phase] < 0:
        return False
    covariance = one.stretch(phase)[1]
    return bool(np.sqrt(covariance[0, 0]) < 0.5 * params.lattice_doubt)


def merge(fits: Sequence[ElementFit], phase: int, params: FitParameters) -> Merged:
    """Weighted mean of the elements' lattices; elements that disagree widen the interval (Birge's ratio)."""
    edges = fits[0].patterns[phase].free_edges
    gain, groups = sum(one.evidence[phase] for one in fits), sum(one.groups(phase) for one in fits)
    seeing = [one for one in fits if measured(one, phase, params)]
    trials = search_trials(fits[0].problem, params.search_reach)
    there = gain >= needed_gain(params.false_alarm_rate, groups, trials) and bool(seeing)
    if not there:
        return Merged(np.full(edges, np.nan), np.full((edges, edges), np.nan), gain, groups, False, np.nan)
    stretches = np.array([one.stretch(phase)[0] for one in seeing])
    weights = np.array([np.linalg.inv(one.stretch(phase)[1]) for one in seeing])
    covariance = np.linalg.inv(weights.sum(axis=0))
    mean = covariance @ np.einsum("eij,ej->i", weights, stretches)
    if len(seeing) > 1:
        off = stretches - mean
        chi_squared = float(np.einsum("ei,eij,ej->", off, weights, off))
        covariance = covariance * max(1.0, chi_squared / (edges * (len(seeing) - 1)))
    return Merged(mean, covariance, gain, groups, True, float(np.ptp(stretches[:, 0])))


Row = tuple[float, float, float, float, float, float]
"""d, d_std, area, area_std, d_free, d_free_std of a line."""


@dataclass(frozen=True)
class LineTable:
    """Rows of the ``lines`` product; ``element`` is -1 for the sum over the good elements."""

    phase: list[str]
    hkl: list[tuple[int, int, int]]
    element: list[int]
    values: list[Row]

    def add(self, phase: str, hkl: np.ndarray, element: int, values: Row) -> None:
        """Append one line: d, d_std, area, area_std, d_free, d_free_std."""
        self.phase.append(phase)
        self.hkl.append((int(hkl[0]), int(hkl[1]), int(hkl[2])))
        self.element.append(element)
        self.values.append(values)


def line_spacings(
    one: ElementFit, phase: int, stretch: np.ndarray, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Spacings (lines,) Å of a stretched lattice and their standard deviations."""
    pattern = one.patterns[phase]
    d = spacings(pattern, stretch)
    local = pattern.pull * (1.0 + stretch) ** -3.0 * (d / pattern.d)[:, None] ** 2
    return d, d * np.sqrt(np.einsum("li,ij,lj->l", local, covariance, local))


def free_line(one: ElementFit, phase: int, scale_floor: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """What a naive analysis says of each line alone on a straight background: spacing (lines,) Å and its deviation."""
    from operando.diffraction._kernels import single_line

    problem, pattern = one.problem, one.patterns[phase]
    stretch = one.stretch(phase)[0] if one.place_of[phase] >= 0 else one.found[phase]
    energies = problem.energy_times_d / spacings(pattern, stretch)
    areas, stds = one.areas(phase)
    found = np.full((len(energies), 2), np.nan)
    for row, energy in zip(pattern.reported, energies[pattern.reported], strict=True):
        if not areas[row] > scale_floor * stds[row]:
            continue
        width = float(fwhm(one.resolution(), energy))
        part = slice(*np.searchsorted(problem.energy, [energy - 1.8 * width, energy + 1.8 * width]))
        if part.stop - part.start < 8:
            continue
        centre, std, _, _ = single_line(
            problem.counts[part], problem.energy[part], problem.channel_width[part], energy, (width / 2.355) ** 2, 60
        )
        d = problem.energy_times_d / centre
        found[row] = d, d * std / centre
    return found[:, 0], found[:, 1]
