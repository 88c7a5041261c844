"""Lines that no named phase explains: found in the residual, fitted along, listed."""

from dataclasses import dataclass, replace

import numpy as np

from operando.diffraction.locate import residual_score
from operando.diffraction.pawley import LOOSE, STRONG, Fit, group_intensities, solve, solve_linear
from operando.diffraction.phases import Pattern
from operando.diffraction.problem import (
    FWHM_SQUARED,
    Problem,
    State,
    detector_variance,
    first_guess,
    place,
    with_phases,
)


def unexplained(problem: Problem, state: State, pearson: float, significance: float, most: int) -> np.ndarray:
    """Energies (keV) of peaks in the residual above ``significance`` standard deviations, the clearest first.

    A peak nearer to a free line of the model than 0.7 of its width is that line's misfit and is left alone.
    """
    score, information = residual_score(problem, state)
    clear = np.where(information > 0, score / np.sqrt(np.maximum(information * max(pearson, 1.0), 1e-12)), 0.0)
    top = (clear[1:-1] >= clear[:-2]) & (clear[1:-1] > clear[2:]) & (clear[1:-1] > significance)
    peaks = np.flatnonzero(top) + 1
    peaks = peaks[np.argsort(-clear[peaks])]
    taken = _occupied(problem, state)
    width = np.sqrt(FWHM_SQUARED * detector_variance(problem, problem.energy))
    kept: list[float] = []
    for peak in peaks:
        energy = problem.energy[peak]
        if all(abs(energy - other) > 0.7 * width[peak] for other in taken):
            kept.append(float(energy))
            taken.append(float(energy))
    return np.array(kept[:most])


def _occupied(problem: Problem, state: State) -> list[float]:
    """Energies of lines that may take what counts stand there: lit ones, but for those that the atoms make weak."""
    placed = place(problem, state.shapes)
    free = np.ones(problem.layout.groups, bool)
    for one, part in zip(problem.patterns, problem.layout.area_slices, strict=True):
        free[part] = (not one.known) | (group_intensities(one) >= STRONG)
    group = problem.layout.group[placed.order]
    return list(placed.energy[free[group] & (state.areas[group] > 0.0)])


def with_lines(problem: Problem, state: State, energies: np.ndarray) -> tuple[Problem, State]:
    """The problem with one free line more at each energy, each a phase of its own called ''."""
    if not len(energies):
        return problem, state
    return with_phases(
        problem, state, [_single(problem.energy_times_d / (energy - state.shapes[-2])) for energy in energies]
    )


def _single(d: float) -> Pattern:
    return Pattern(
        name="",
        cell=(d, d, d),
        hkl=np.zeros((1, 3), int),
        d=np.array([d]),
        intensity=np.ones(1),
        pull=np.ones((1, 1)),
        edges=(0, 0, 0),
        group=np.zeros(1, int),
        known=False,
    )


@dataclass(frozen=True)
class Rule:
    """Peaks above ``significance`` standard deviations are fitted along, ``most`` of them at most."""

    significance: float
    most: int


def fit_along(problem: Problem, state: State, rule: Rule) -> tuple[Problem, Fit]:
    """Fit with lines that no phase explains; the clearest are added before the shapes are freed.

    So no lattice is drawn to a foreign line.
    """
    current, pearson = state, 1.0
    left, fit = rule.most, None
    for significance in (rule.significance + 3.0, *(rule.significance,) * 3):
        found = unexplained(problem, current, pearson, significance, left)
        if len(found) == 0 and fit is not None:
            return problem, fit
        left -= len(found)
        problem, current = with_lines(problem, current, found)
        guess = first_guess(problem, current)
        current = solve_linear(problem, replace(current, areas=np.where(current.areas > 0, current.areas, guess)))
        fit = solve(problem, current, tolerance=LOOSE)
        current, pearson = fit.state, fit.pearson
    assert fit is not None
    return problem, fit


def refit_along(problem: Problem, fit: Fit, rule: Rule) -> tuple[Problem, Fit]:
    """Look once more for unexplained lines, after a phase was dropped."""
    found = unexplained(problem, fit.state, fit.pearson, rule.significance, rule.most)
    if not len(found):
        return problem, fit
    problem, state = with_lines(problem, fit.state, found)
    guess = first_guess(problem, state)
    state = solve_linear(problem, replace(state, areas=np.where(state.areas > 0, state.areas, guess)))
    return problem, solve(problem, state, tolerance=LOOSE)
