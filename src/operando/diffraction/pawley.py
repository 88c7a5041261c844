"""One Poisson fit of all lines of all phases of one detector element: free areas, one lattice a phase (Pawley).

The model of a channel is a smooth background (splines on the peeled-off shape) plus Gaussian lines. The lines of a
phase stand where its lattice puts them, their areas are free and not negative. Pawley (1981),
https://doi.org/10.1107/S0021889881009618; Fisher scoring with Levenberg-Marquardt damping and an active set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dposv, dpotrf, dpotri

from operando.diffraction.phases import Pattern
from operando.diffraction.problem import Evaluation, Problem, State, evaluate, place, split

STRONG = 0.25
"""Lines above this share of their phase's strongest have free areas."""

_TEXTURE, _TEXTURE_OF_WEAK = 3.0, 1.5
"""Standard deviation of a line's area over its share of the highest strong line (strong ones), of the second highest
(weak ones: the highest may be a foreign line)."""

_SHARING_STEPS = 3

_SMALL = 20.0
"""Promised gain in deviance below which linear steps end: a full fit follows."""

_LEAST_BACKGROUND = 0.02
"""Lowest share of the peeled-off background that a spline may fall to: the model must stay positive."""

_TOLERANCE = 1e-3
"""Gain in deviance that ends the iteration: a parameter is then within 0.03 of its standard deviation."""

LOOSE = 0.3
"""The same where only the objective is asked for, to a fraction of what decides anything."""


@dataclass(frozen=True)
class Fit:
    """Where the fit ended: state, covariance of all parameters (inflated by the misfit), quality.

    ``objective`` is the deviance with the priors' penalty; ``pearson`` is chi-squared per degree of freedom.
    ``score`` and ``information`` of all parameters are the likelihood's and the priors' together, not inflated;
    ``free`` says which parameters were fitted rather than held on a bound.
    """

    state: State
    score: np.ndarray
    information: np.ndarray
    free: np.ndarray
    covariance: np.ndarray
    model: np.ndarray
    deviance: float
    objective: float
    pearson: float
    freedom: int
    converged: bool
    iterations: int


@dataclass(frozen=True)
class _Prior:
    """Gaussian knowledge of every parameter: mean and precision (zero where nothing is known)."""

    mean: np.ndarray
    precision: np.ndarray

    def penalty(self, theta: np.ndarray) -> float:
        return float(self.precision @ (theta - self.mean) ** 2)

    def first(self, count: int) -> "_Prior":
        """The same of the first ``count`` parameters."""
        return _Prior(self.mean[:count], self.precision[:count])

    def add(self, current: Evaluation, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        information = current[2].copy()
        information[np.diag_indices_from(information)] += self.precision
        return current[1] - self.precision * (theta - self.mean), information


def _prior(problem: Problem, state: State) -> _Prior:
    mean, precision = _intensity_prior(problem, state)
    knots, shapes = np.zeros(problem.knots), _shape_precision(problem)
    return _Prior(
        np.concatenate([mean, knots, problem.expected, np.zeros(len(shapes) - len(problem.expected))]),
        np.concatenate([precision, knots, shapes]),
    )


def priors_of(problem: Problem, state: State) -> tuple[np.ndarray, np.ndarray]:
    """Mean and precision (P,) of the priors that a fit from ``state`` has; precision zero where nothing is known."""
    prior = _prior(problem, state)
    return prior.mean, prior.precision


def _shape_precision(problem: Problem) -> np.ndarray:
    """Precision of each shape parameter; broadening is squared in units of its prior."""
    priors = problem.priors
    return np.concatenate([
        np.full(problem.layout.edges, priors.lattice**-2.0),
        np.full(2, priors.resolution**-2.0),
        np.ones(len(problem.patterns)),
        [doubt**-2.0 if doubt else 0.0 for doubt in (priors.offset, priors.fluorescence)],
    ])


def group_intensities(one: Pattern) -> np.ndarray:
    """Calculated intensity of each group of lines relative to the strongest; 1 where atoms are unknown."""
    total = np.bincount(one.group, weights=one.intensity)
    return np.asarray(total / total.max())


def _intensity_prior(problem: Problem, state: State) -> tuple[np.ndarray, np.ndarray]:
    """What the atoms say about areas, as weakly as texture demands: mean and precision of each group (groups,).

    A strong line may be anything from nothing to several times its calculated share; that decides only where two
    phases' lines coincide. A weak line can't be strong, whatever the texture: a foreign line stands there.
    """
    mean, precision = np.zeros((2, problem.layout.groups))
    for one, part in zip(problem.patterns, problem.layout.area_slices, strict=True):
        if not one.known:
            continue
        share = group_intensities(one)
        strong = share >= STRONG
        scales = np.sort((state.areas[part] / share)[strong])
        expected = np.maximum(np.median(scales) * share, 1.0)
        width = np.where(strong, _TEXTURE * scales[-1], _TEXTURE_OF_WEAK * scales[-2:][0]) * share
        mean[part] = expected
        precision[part] = np.maximum(width, expected) ** -2.0
    return mean, precision


def solve(
    problem: Problem, state: State, most: int = 40, tolerance: float = _TOLERANCE, hopeless: float = np.inf
) -> Fit:
    """Maximise the likelihood (with the priors) from ``state``, areas not negative.

    Ends early, unconverged, where even thrice the gain in sight would leave the objective above ``hopeless``.
    """
    prior = _prior(problem, state)
    may_move, lowest = movable(problem)
    theta = np.maximum(state.joined(), lowest)
    current = evaluate(problem, split(problem, theta))
    objective = current[0] + prior.penalty(theta)
    damping, converged, iterations = 1e-4, False, 0
    while iterations < most and not converged and damping < 1e8:
        iterations += 1
        step, promised = bounded_step(*prior.add(current, theta), theta, lowest, may_move, damping)
        if damping < 1e-2 and objective - 3.0 * promised > hopeless:
            break
        trial = np.maximum(theta + step, lowest)
        candidate = evaluate(problem, split(problem, trial))
        gained = objective - candidate[0] - prior.penalty(trial)
        if gained >= -1e-10 * abs(objective):
            theta, current, objective = trial, candidate, objective - gained
            converged = gained < tolerance and promised < 10.0 * tolerance and damping < 1e-2
            damping = _eased(damping, gained, promised)
        else:
            damping = max(damping, 1e-6) * 10.0
    areas = np.arange(len(theta)) < problem.layout.groups
    free = may_move & (areas | (theta > lowest))
    return _finish(problem, theta, current, objective, prior, free, (converged, iterations))


def _eased(damping: float, gained: float, promised: float) -> float:
    """Less damping where the step kept its promise, more where it hardly did."""
    kept = gained / max(promised, 1e-300)
    return max(damping / 10.0, 1e-10) if kept > 0.6 else damping * (4.0 if kept < 0.25 else 1.0)


def movable(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Which parameters are fitted, and the lowest value of each."""
    free = np.ones(problem.linear + problem.shapes, bool)
    free[-2] = problem.priors.offset > 0.0
    free[-1] = problem.priors.fluorescence > 0.0
    lowest = np.full(len(free), -np.inf)
    lowest[: problem.linear] = 0.0
    lowest[problem.layout.groups : problem.linear - 2] = _LEAST_BACKGROUND
    lowest[-2 - len(problem.patterns) : -2] = 0.0
    return free, lowest


def bounded_step(
    score: np.ndarray,
    information: np.ndarray,
    theta: np.ndarray,
    lowest: np.ndarray,
    movable: np.ndarray,
    damping: float,
) -> tuple[np.ndarray, float]:
    """Damped Fisher step that ends on the bounds it meets, and the gain in deviance that it promises.

    A parameter that would cross its bound goes just there, and the others are solved again given that.
    """
    free = movable & ~((theta <= lowest) & (score <= 0.0))
    step = np.zeros_like(score)
    for _ in range(8):
        pull = score - information @ np.where(free, 0.0, step)
        step[free] = _damped(pull[free], information[np.ix_(free, free)], damping)
        crossing = free & (theta + step < lowest)
        if not crossing.any():
            break
        step[crossing] = lowest[crossing] - theta[crossing]
        free = free & ~crossing
    return step, float(2.0 * score @ step - step @ information @ step)


def _damped(score: np.ndarray, information: np.ndarray, damping: float) -> np.ndarray:
    scale = 1.0 / np.sqrt(np.maximum(information.diagonal(), 1e-12))
    scaled = information * scale * scale[:, None]
    scaled.flat[:: len(scale) + 1] = 1.0 + damping + 1e-10
    _, solved, failed = dposv(scaled, score * scale)
    if failed:
        scaled = information * scale * scale[:, None] + np.eye(len(scale))
        solved = np.linalg.solve(scaled, score * scale)
    return np.asarray(solved * scale)


def _finish(
    problem: Problem,
    theta: np.ndarray,
    current: Evaluation,
    objective: float,
    prior: _Prior,
    free: np.ndarray,
    how: tuple[bool, int],
) -> Fit:
    deviance, _, _, model = current
    score, information = prior.add(current, theta)
    freedom = max(1, len(model) - int(free.sum()))
    pearson = float(((problem.counts - model) ** 2 / model).sum() / freedom) if np.isfinite(deviance) else np.inf
    covariance = covariance_of(information, free) * inflation(pearson, freedom)
    state = split(problem, theta)
    numbers = (float(deviance), float(objective), pearson, freedom)
    return Fit(state, score, information, free, covariance, model, *numbers, *how)


def inflation(pearson: float, freedom: int) -> float:
    """Misfit beyond chance widens the intervals; within chance it does not."""
    return pearson if pearson > 1.0 + 3.0 * np.sqrt(2.0 / freedom) else 1.0


def covariance_of(information: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Inverse information (P, P) of the free parameters; held ones get their own variance, given the others.

    Areas count as free even where they ended at nothing: another draw of the counts would have lifted them, and
    intervals that take them for known come out too narrow.
    """
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
    factor, failed = dpotrf(matrix, lower=1)
    if failed:
        return np.asarray(np.linalg.pinv(matrix, hermitian=True))
    inverse, _ = dpotri(factor, lower=1)
    return np.asarray(np.tril(inverse) + np.tril(inverse, -1).T)


def solve_linear(problem: Problem, state: State, held: Sequence[slice] = (), steps: int = 6) -> State:
    """A few steps of areas and background alone; the areas in ``held`` stay as they are.

    The first steps share the counts out among the lines in proportion (Richardson 1972 and Lucy 1974,
    https://doi.org/10.1086/111605), which is safe from any start; Fisher steps follow.
    """
    free, lowest = (each[: problem.linear].copy() for each in movable(problem))
    for part in held:
        free[part] = False
    placed = place(problem, state.shapes)

    def at(linear: np.ndarray, informed: bool = True) -> Evaluation:
        return evaluate(problem, split(problem, np.r_[linear, state.shapes]), False, placed, informed)

    theta = np.maximum(state.joined()[: problem.linear], lowest)
    areas = np.flatnonzero(free[: problem.layout.groups])
    for _ in range(_SHARING_STEPS):
        theta[areas] *= np.clip(1.0 + at(theta, informed=False)[1][areas], 0.2, 5.0)
    current = at(theta)
    prior = _prior(problem, split(problem, np.r_[theta, state.shapes])).first(problem.linear)
    objective = current[0] + prior.penalty(theta)
    for left in reversed(range(steps)):
        step, promised = bounded_step(*prior.add(current, theta), theta, lowest, free, 1e-6)
        for shorter in (1.0, 0.3):
            trial = np.maximum(theta + shorter * step, lowest)
            candidate = at(trial, informed=left > 0)
            gained = objective - candidate[0] - prior.penalty(trial)
            if gained >= 0.0:
                break
        else:
            break
        theta, current, objective = trial, candidate, objective - gained
        if promised < _SMALL:
            break
    return split(problem, np.r_[theta, state.shapes])
