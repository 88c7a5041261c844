"""One Poisson fit of all lines of all phases of one detector element: free areas, one lattice a phase (Pawley).

The model of a channel is a smooth background (splines on the peeled-off shape) plus Gaussian lines. The lines of a
phase stand where its lattice puts them, their areas are free and not negative. Pawley (1981),
https://doi.org/10.1107/S0021889881009618; Fisher scoring with Levenberg-Marquardt damping.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from operando.diffraction.background import spline_basis
from operando.diffraction.phases import Pattern, spacings

FWHM_SQUARED = 8.0 * np.log(2.0)
"""FWHM² over variance of a Gaussian."""

STRONG = 0.25
"""Lines above this share of their phase's strongest have free areas."""


Evaluation = tuple[float, np.ndarray, np.ndarray, np.ndarray]
"""Deviance, score, information, model."""


@dataclass(frozen=True)
class Priors:
    """Weak Gaussian knowledge that keeps a vanished phase from wandering; standard deviations.

    ``lattice``: relative, about where the phase was located. ``resolution``: relative, of both terms of FWHM².
    ``broadening``: relative FWHM of a phase's lines beyond the detector's. ``gain``: relative, 0 keeps it fixed.
    """

    lattice: float = 2.5e-3
    resolution: float = 0.15
    broadening: float = 3e-3
    gain: float = 0.0


@dataclass(frozen=True)
class Problem:
    """Counts of one element in the fitted range and everything that does not change during the fit.

    Arrays along channels: ``counts``, ``energy`` (keV, middles), ``channel_width`` (keV), spline index and values.
    ``fixed_energy`` (f,) and ``fixed_group`` (f,): fluorescence lines and which of them share an area, with
    ``fixed_share``. ``resolution``: FWHM² = r0² + r1 E.
    """

    counts: np.ndarray
    energy: np.ndarray
    channel_width: np.ndarray
    spline_first: np.ndarray
    spline_values: np.ndarray
    patterns: tuple[Pattern, ...]
    energy_times_d: float
    resolution: tuple[float, float]
    fixed_energy: np.ndarray
    fixed_group: np.ndarray
    fixed_share: np.ndarray
    priors: Priors
    expected: np.ndarray
    """Stretch of each free edge (edges,) about which the lattices have their prior."""

    @property
    def knots(self) -> int:
        """Number of spline coefficients."""
        return int(self.spline_first[-1]) + int(self.spline_values.shape[1])

    @property
    def group_sizes(self) -> list[int]:
        """Number of free areas of each phase, and last of the fluorescence."""
        sizes = [int(one.group.max()) + 1 for one in self.patterns]
        return [*sizes, int(self.fixed_group.max()) + 1 if len(self.fixed_group) else 0]

    @property
    def lattice_slices(self) -> list[slice]:
        """Where in the shape parameters the free edges of each phase stand."""
        ends = np.cumsum([one.free_edges for one in self.patterns])
        return [slice(int(end) - one.free_edges, int(end)) for one, end in zip(self.patterns, ends, strict=True)]


@dataclass(frozen=True)
class State:
    """Parameters: ``areas`` (groups,), ``smooth`` (knots,), ``shapes``: lattice stretches, two resolution terms,
    one broadening a phase (squared, in units of the prior), gain."""

    areas: np.ndarray
    smooth: np.ndarray
    shapes: np.ndarray

    def joined(self) -> np.ndarray:
        """All parameters in the kernel's order."""
        return np.concatenate([self.areas, self.smooth, self.shapes])


@dataclass(frozen=True)
class Fit:
    """Where the fit ended: state, covariance of all parameters (inflated by the misfit), quality."""

    state: State
    covariance: np.ndarray
    model: np.ndarray
    deviance: float
    pearson: float
    freedom: int
    converged: bool
    iterations: int


def build(
    counts: np.ndarray,
    energy: np.ndarray,
    background: np.ndarray,
    patterns: Sequence[Pattern],
    energy_times_d: float,
    resolution: tuple[float, float],
    fluorescence: tuple[np.ndarray, np.ndarray, np.ndarray],
    priors: Priors,
    knot_spacing_kev: float,
) -> Problem:
    """Set up the fit of one element; counts, energy, background (n,), fluorescence: energy, group, share."""
    first, values = spline_basis(energy, knot_spacing_kev)
    floor = 0.02 + 1e-3 * float(counts.mean())
    return Problem(
        counts=np.ascontiguousarray(counts, float),
        energy=np.ascontiguousarray(energy, float),
        channel_width=np.gradient(energy),
        spline_first=first,
        spline_values=values * np.maximum(background, floor)[:, None],
        patterns=tuple(patterns),
        energy_times_d=energy_times_d,
        resolution=resolution,
        fixed_energy=fluorescence[0],
        fixed_group=fluorescence[1],
        fixed_share=fluorescence[2],
        priors=priors,
        expected=np.zeros(sum(one.free_edges for one in patterns)),
    )


def start(problem: Problem) -> State:
    """No lines yet, the background as peeled off, every lattice nominal."""
    edges = sum(one.free_edges for one in problem.patterns)
    return State(
        areas=np.zeros(sum(problem.group_sizes)),
        smooth=np.ones(problem.knots),
        shapes=np.zeros(edges + 2 + len(problem.patterns) + 1),
    )


@dataclass(frozen=True)
class _Placed:
    """Every line with its place, width, group and derivatives by the shape parameters, sorted by energy."""

    energy: np.ndarray
    variance: np.ndarray
    group: np.ndarray
    share: np.ndarray
    energy_slope: np.ndarray
    variance_slope: np.ndarray


def place(problem: Problem, shapes: np.ndarray) -> _Placed:
    """Put the lines where the shape parameters say; energies in keV, variances in keV²."""
    edges = problem.lattice_slices[-1].stop if problem.patterns else 0
    gain = 1.0 + shapes[-1]
    parts = [_place_phase(problem, number, shapes, edges, gain) for number in range(len(problem.patterns))]
    parts.append(_place_fixed(problem, shapes, edges, gain))
    energy, variance, group, share, energy_slope, variance_slope = (
        np.concatenate([part[i] for part in parts]) for i in range(6)
    )
    order = np.argsort(energy, kind="stable")
    return _Placed(
        energy[order],
        variance[order],
        group[order].astype(np.int64),
        share[order],
        np.ascontiguousarray(energy_slope[order]),
        np.ascontiguousarray(variance_slope[order]),
    )


def _place_phase(problem: Problem, number: int, shapes: np.ndarray, edges: int, gain: float) -> tuple[np.ndarray, ...]:
    one, columns = problem.patterns[number], problem.lattice_slices[number]
    stretch = shapes[columns]
    d = spacings(one, stretch)
    energy = gain * problem.energy_times_d / d
    slope = np.zeros((len(d), len(shapes)))
    local_pull = one.pull * (1.0 + stretch) ** -3.0 * (d / one.d)[:, None] ** 2
    slope[:, columns] = -energy[:, None] * local_pull
    slope[:, -1] = energy / gain
    variance, by_energy, by_terms = detector_variance(problem, energy, shapes[edges : edges + 2])
    unit = problem.priors.broadening**2 / FWHM_SQUARED
    squared = shapes[edges + 2 + number]
    variance = variance + squared * unit * energy**2
    by_energy = by_energy + 2.0 * squared * unit * energy
    variance_slope = by_energy[:, None] * slope
    variance_slope[:, edges : edges + 2] = by_terms
    variance_slope[:, edges + 2 + number] = unit * energy**2
    offset = sum(problem.group_sizes[:number])
    return energy, variance, one.group + offset, _shares(one), slope, variance_slope


def _place_fixed(problem: Problem, shapes: np.ndarray, edges: int, gain: float) -> tuple[np.ndarray, ...]:
    energy = gain * problem.fixed_energy
    slope = np.zeros((len(energy), len(shapes)))
    slope[:, -1] = problem.fixed_energy
    variance, by_energy, by_terms = detector_variance(problem, energy, shapes[edges : edges + 2])
    variance_slope = by_energy[:, None] * slope
    variance_slope[:, edges : edges + 2] = by_terms
    offset = sum(problem.group_sizes[:-1])
    return energy, variance, problem.fixed_group + offset, problem.fixed_share, slope, variance_slope


def detector_variance(
    problem: Problem, energy: np.ndarray, terms: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variance of the detector's response, its slope with energy and with the two relative terms."""
    constant, linear = problem.resolution[0] ** 2 / FWHM_SQUARED, problem.resolution[1] / FWHM_SQUARED
    scale = np.exp(terms)
    parts = np.stack([np.full_like(energy, constant * scale[0]), linear * scale[1] * energy], axis=-1)
    return parts.sum(axis=-1), np.full_like(energy, linear * scale[1]), parts


def _shares(one: Pattern) -> np.ndarray:
    total = np.bincount(one.group, weights=one.intensity)
    return np.asarray(one.intensity / total[one.group])


def evaluate(problem: Problem, state: State) -> Evaluation:
    """Deviance, score, information and model at a state, priors not included."""
    from operando.diffraction._kernels import normal_equations

    placed = place(problem, state.shapes)
    deviance, score, information, model = normal_equations(
        problem.counts,
        problem.energy,
        problem.channel_width,
        problem.spline_first,
        problem.spline_values,
        placed.energy,
        placed.variance,
        placed.group,
        placed.share,
        placed.energy_slope,
        placed.variance_slope,
        state.areas,
        state.smooth,
    )
    return deviance, score, information, model


@dataclass(frozen=True)
class _Prior:
    """Gaussian knowledge of every parameter: mean and precision (zero where nothing is known)."""

    mean: np.ndarray
    precision: np.ndarray

    def penalty(self, theta: np.ndarray) -> float:
        return float(self.precision @ (theta - self.mean) ** 2)

    def add(self, current: Evaluation, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        information = current[2].copy()
        information[np.diag_indices_from(information)] += self.precision
        return current[1] - self.precision * (theta - self.mean), information


def _prior(problem: Problem, state: State) -> _Prior:
    mean, precision = _weak_line_prior(problem, state)
    knots, shapes = np.zeros(problem.knots), _shape_precision(problem)
    return _Prior(
        np.concatenate([mean, knots, problem.expected, np.zeros(len(shapes) - len(problem.expected))]),
        np.concatenate([precision, knots, shapes]),
    )


def _shape_precision(problem: Problem) -> np.ndarray:
    """Precision of each shape parameter; broadening is squared in units of its prior."""
    edges = sum(one.free_edges for one in problem.patterns)
    priors = problem.priors
    return np.concatenate([
        np.full(edges, priors.lattice**-2.0),
        np.full(2, priors.resolution**-2.0),
        np.ones(len(problem.patterns)),
        [priors.gain**-2.0 if priors.gain else 0.0],
    ])


def group_intensities(one: Pattern) -> np.ndarray:
    """Calculated intensity of each group of lines relative to the strongest; 1 where atoms are unknown."""
    total = np.bincount(one.group, weights=one.intensity)
    return np.asarray(total / total.max())


def _weak_line_prior(problem: Problem, state: State) -> tuple[np.ndarray, np.ndarray]:
    """A line that the atoms make weak can't be strong, whatever the texture: a foreign line stands there.

    Lines below ``STRONG`` of their phase's strongest get a Gaussian prior of the calculated area and as wide as that,
    scaled to the strong lines.
    """
    mean, precision = [], []
    ends = np.cumsum([0, *problem.group_sizes])
    for number, one in enumerate(problem.patterns):
        share = group_intensities(one)
        areas = state.areas[ends[number] : ends[number + 1]]
        scale = max(float((areas / share)[share >= STRONG].max()), 1.0)
        weak = share < STRONG
        mean.append(np.where(weak, scale * share, 0.0))
        precision.append(np.where(weak, (scale * share) ** -2.0, 0.0))
    nothing = np.zeros(problem.group_sizes[-1])
    return np.concatenate([*mean, nothing]), np.concatenate([*precision, nothing])


def solve(problem: Problem, state: State, most: int = 60, tolerance: float = 1e-4) -> Fit:
    """Maximise the likelihood from ``state``; ``tolerance`` is the gain in deviance that ends it."""
    linear = len(state.areas) + len(state.smooth)
    prior = _prior(problem, state)
    movable, lowest = _movable(problem, linear)
    theta = np.maximum(state.joined(), lowest)
    current = evaluate(problem, _split(problem, theta))
    penalty = prior.penalty(theta)
    damping, converged, iterations = 1e-4, False, 0
    while iterations < most:
        iterations += 1
        score, information = prior.add(current, theta)
        free = movable & ~((theta <= lowest) & (score < 0.0))
        step, expected = _step(score, information, free, damping)
        trial = np.maximum(theta + step, lowest)
        candidate = evaluate(problem, _split(problem, trial))
        new_penalty = prior.penalty(trial)
        gained = current[0] + penalty - candidate[0] - new_penalty
        if gained >= -1e-9 * abs(current[0]):
            theta, current, penalty, damping = trial, candidate, new_penalty, max(damping / 10.0, 1e-10)
            if gained < tolerance and expected < 10.0 * tolerance:
                converged = True
                break
        elif damping > 1e8:
            break
        else:
            damping = max(damping, 1e-6) * 10.0
    return _finish(problem, theta, current, prior, movable & ~(theta <= lowest), converged, iterations)


def _movable(problem: Problem, linear: int) -> tuple[np.ndarray, np.ndarray]:
    shapes = len(_shape_precision(problem))
    movable = np.ones(linear + shapes, bool)
    if not problem.priors.gain:
        movable[-1] = False
    lowest = np.full(linear + shapes, -np.inf)
    lowest[:linear] = 0.0
    lowest[-1 - len(problem.patterns) : -1] = 0.0
    return movable, lowest


def _split(problem: Problem, theta: np.ndarray) -> State:
    areas, knots = sum(problem.group_sizes), problem.knots
    return State(theta[:areas], theta[areas : areas + knots], theta[areas + knots :])


def _step(score: np.ndarray, information: np.ndarray, free: np.ndarray, damping: float) -> tuple[np.ndarray, float]:
    """Damped Fisher step on the free parameters and the gain in deviance that it promises."""
    step = np.zeros_like(score)
    inner = information[np.ix_(free, free)]
    diagonal = np.arange(len(inner))
    scale = np.sqrt(np.maximum(inner[diagonal, diagonal], 1e-12))
    inner = inner / np.outer(scale, scale)
    inner[diagonal, diagonal] = 1.0 + damping + 1e-10
    try:
        step[free] = cho_solve(cho_factor(inner, lower=True, check_finite=False), score[free] / scale) / scale
    except LinAlgError:
        inner[diagonal, diagonal] = 2.0
        step[free] = np.linalg.solve(inner, score[free] / scale) / scale
    return step, float(score @ step)


def _finish(
    problem: Problem,
    theta: np.ndarray,
    current: Evaluation,
    prior: _Prior,
    free: np.ndarray,
    converged: bool,
    iterations: int,
) -> Fit:
    deviance, _, _, model = current
    _, information = prior.add(current, theta)
    freedom = max(1, len(model) - int(free.sum()))
    pearson = float(((problem.counts - model) ** 2 / model).sum() / freedom) if np.isfinite(deviance) else np.inf
    covariance = _covariance(information, free) * _inflation(pearson, freedom)
    return Fit(_split(problem, theta), covariance, model, float(deviance), pearson, freedom, converged, iterations)


def _inflation(pearson: float, freedom: int) -> float:
    """Misfit beyond chance widens the intervals; within chance it does not."""
    return pearson if pearson > 1.0 + 3.0 * np.sqrt(2.0 / freedom) else 1.0


def _covariance(information: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Inverse information of the free parameters; those on a bound get their own variance, given the others."""
    covariance = np.zeros_like(information)
    inner = information[np.ix_(free, free)]
    scale = np.sqrt(np.maximum(np.diag(inner), 1e-300))
    normalised = inner / np.outer(scale, scale)
    normalised[np.diag_indices_from(normalised)] = 1.0 + 1e-12
    covariance[np.ix_(free, free)] = _inverse(normalised) / np.outer(scale, scale)
    held = np.flatnonzero(~free)
    covariance[held, held] = 1.0 / np.maximum(np.diag(information)[held], 1e-300)
    return covariance


def _inverse(matrix: np.ndarray) -> np.ndarray:
    try:
        return np.asarray(cho_solve(cho_factor(matrix, lower=True), np.eye(len(matrix)), check_finite=False))
    except LinAlgError:
        return np.asarray(np.linalg.pinv(matrix, hermitian=True))


def solve_linear(problem: Problem, state: State, held: Sequence[slice] = (), steps: int = 6) -> State:
    """A few steps of areas and background alone; the areas in ``held`` stay as they are."""
    linear = len(state.areas) + len(state.smooth)
    theta = state.joined()
    movable = np.zeros(len(theta), bool)
    movable[:linear] = True
    for part in held:
        movable[part] = False
    current = evaluate(problem, _split(problem, theta))
    for _ in range(steps):
        free = movable & ~((theta <= 0.0) & (current[1] < 0.0))
        step, _ = _step(current[1], current[2], free, 1e-6)
        trial, candidate = _try_linear(problem, theta, step, linear)
        if candidate[0] > current[0]:
            trial, candidate = _try_linear(problem, theta, 0.3 * step, linear)
        if candidate[0] > current[0]:
            break
        theta, current = trial, candidate
    return _split(problem, theta)


def _try_linear(problem: Problem, theta: np.ndarray, step: np.ndarray, linear: int) -> tuple[np.ndarray, Evaluation]:
    trial = theta + step
    trial[:linear] = np.maximum(trial[:linear], 0.0)
    return trial, evaluate(problem, _split(problem, trial))


def first_guess(problem: Problem, state: State) -> np.ndarray:
    """Height of the counts above the background at each line, as an area (groups,)."""
    placed = place(problem, state.shapes)
    base = np.einsum("ij,ij->i", problem.spline_values, state.smooth[problem.spline_first[:, None] + np.arange(4)])
    net = np.maximum(problem.counts - base, 0.0) / problem.channel_width
    height = np.interp(placed.energy, problem.energy, net, left=0.0, right=0.0)
    guess = height * np.sqrt(2.0 * np.pi * placed.variance) * placed.share
    return np.bincount(placed.group, weights=guess, minlength=sum(problem.group_sizes))
