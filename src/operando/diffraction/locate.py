"""Where each phase's lattice is, to within a line's width, before the fit: sparse spectra have many false minima."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from operando.diffraction.pawley import STRONG, solve_linear
from operando.diffraction.phases import Pattern
from operando.diffraction.problem import Problem, State, detector_variance, evaluate, first_guess, start

_TEXTURE = 3.0
"""A weak line can stand out of its calculated intensity by this factor, not more."""

_VOTE = 4.0
"""Gain beyond which a line counts as there: many lines in place say more than one strong one, which may be foreign."""


def locate(problems: Sequence[Problem], reach: float, doubt: float) -> list[tuple[Problem, State]]:
    """Scale each phase's lattice within ±``reach`` (relative), the clearest phase first, all elements together.

    A phase's scale maximises the likelihood that its lines would gain on what the phases placed before leave over,
    with a Gaussian preference of width ``doubt`` for the nominal lattice.
    """
    states = [start(problem) for problem in problems]
    waiting = list(range(len(problems[0].patterns)))
    while waiting:
        residuals = [residual_score(problem, state) for problem, state in zip(problems, states, strict=True)]
        found = [(*_best_scale(problems, residuals, number, reach, doubt), number) for number in waiting]
        _, scale, number = max(found)
        waiting.remove(number)
        states = [
            _refit_areas(problem, _stretched(problem, state, number, scale), waiting)
            for problem, state in zip(problems, states, strict=True)
        ]
    return [
        (replace(problem, expected=state.shapes[: len(problem.expected)].copy()), state)
        for problem, state in zip(problems, states, strict=True)
    ]


def _stretched(problem: Problem, state: State, number: int, scale: float) -> State:
    shapes = state.shapes.copy()
    shapes[problem.layout.edge_slices[number]] = scale
    return replace(state, shapes=shapes)


def _refit_areas(problem: Problem, state: State, absent: list[int]) -> State:
    """A few linear steps with the phases in ``absent`` held at nothing."""
    held = [problem.layout.area_slices[number] for number in absent]
    areas = np.maximum(state.areas, first_guess(problem, state))
    for part in held:
        areas[part] = 0.0
    return solve_linear(problem, replace(state, areas=areas), held, steps=2)


def residual_score(problem: Problem, state: State) -> tuple[np.ndarray, np.ndarray]:
    """Score and information of the area of a line at each channel."""
    from operando.diffraction._kernels import matched_filter

    model = evaluate(problem, state, shapes_too=False)[3]
    variance = detector_variance(problem, problem.energy)
    score, information = matched_filter(problem.counts - model, model, problem.energy, problem.channel_width, variance)
    return score, information


def _best_scale(
    problems: Sequence[Problem],
    residuals: Sequence[tuple[np.ndarray, np.ndarray]],
    number: int,
    reach: float,
    doubt: float,
) -> tuple[float, float]:
    """Preference and relative stretch of the best isotropic scale of one phase."""
    finest = min(_half_width(problem) for problem in problems)
    scales = np.linspace(-reach, reach, 2 * int(np.ceil(reach / finest)) + 1)
    total = -0.5 * (scales / doubt) ** 2
    for problem, (score, information) in zip(problems, residuals, strict=True):
        total += _gains(problem, problem.patterns[number], score, information, scales)
    best = int(np.argmax(total))
    return float(total[best]), float(scales[best])


def _half_width(problem: Problem) -> float:
    variance = detector_variance(problem, problem.energy[-1:])[0]
    return float(np.sqrt(variance) / problem.energy[-1] / 2.0)


def _gains(
    problem: Problem, one: Pattern, score: np.ndarray, information: np.ndarray, scales: np.ndarray
) -> np.ndarray:
    """Gains (scales,) of the phase's main lines, each with the area that suits it within reason, softly capped."""
    spacing, intensity = one.d[one.reported], one.intensity[one.reported]
    energies = problem.energy_times_d / (spacing[None, :] * (1.0 + scales[:, None]))
    top = np.interp(energies, problem.energy, score, left=0.0, right=0.0)
    bottom = np.interp(energies, problem.energy, information, left=1.0, right=1.0)
    area = np.maximum(top / np.maximum(bottom, 1e-12), 0.0)
    share = intensity / intensity.max()
    strong = share >= STRONG
    scale = (area[:, strong] / share[strong]).max(axis=1)
    area = np.where(strong, area, np.minimum(area, _TEXTURE * share * scale[:, None]))
    gain = np.maximum(area * top - 0.5 * area**2 * bottom, 0.0)
    return np.asarray((_VOTE * np.log1p(gain / _VOTE)).sum(axis=1))
