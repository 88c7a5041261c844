"""Which of the named phases a spectrum really needs: each doubtful one is left out and the fit repeated."""

from dataclasses import replace

import numpy as np

from operando.diffraction.detection import needed_gain
from operando.diffraction.extra import Rule, refit_along
from operando.diffraction.pawley import LOOSE, Fit, solve, solve_linear
from operando.diffraction.problem import (
    FWHM_SQUARED,
    Problem,
    detector_variance,
    first_guess,
    place,
    without_phase,
)

_CLEARLY = 3.0
"""A phase whose undisturbed lines alone gain this many times what is needed is not put to the test."""

_BEYOND = 10.0
"""A fit without the phase is given up while it stands this many times worse than what is needed, and stays so."""


def own_evidence(problem: Problem, fit: Fit, number: int) -> float:
    """Log-likelihood gained by those lines of a phase that stand more than a width from every other line.

    Lines of other phases count even where the fit left them empty: this phase may have taken their counts.
    """
    placed = place(problem, fit.state.shapes)
    phase = problem.layout.phase[placed.order]
    width = np.sqrt(FWHM_SQUARED * placed.variance)
    group = problem.layout.group[placed.order]
    named = np.array([one.name != "" for one in problem.patterns] + [False])[phase]
    disturbing = (phase != number) & (named | (fit.state.areas[group] > 0.0))
    own = phase == number
    apart = np.abs(placed.energy[own][:, None] - placed.energy[disturbing])
    groups = np.unique(group[own][np.all(apart >= width[own][:, None], axis=1)])
    variance = np.diag(fit.covariance)[groups]
    return 0.5 * float((fit.state.areas[groups] ** 2 / variance).sum())


def full_evidence(problem: Problem, fit: Fit, number: int) -> float:
    """The same from all lines of the phase (quadratic approximation)."""
    part = problem.layout.area_slices[number]
    areas, covariance = fit.state.areas[part], fit.covariance[part, part]
    seen = areas > 0.0
    if not seen.any():
        return 0.0
    inner = covariance[np.ix_(seen, seen)]
    scale = np.sqrt(np.diag(inner))
    solved = np.linalg.lstsq(inner / np.outer(scale, scale), areas[seen] / scale, rcond=1e-10)[0]
    return max(0.0, 0.5 * float(areas[seen] / scale @ solved))


def keep_present(
    problem: Problem, fit: Fit, named: int, rate: float, trials: float, rule: Rule
) -> tuple[Problem, Fit, list[int], list[float]]:
    """Drop each named phase whose absence costs less than noise would gain by it, the least evident first.

    Without the phase, lines of no phase may take its place; each pays what it had to stand out by to be found.

    Returns the problem and fit of what is left, where each named phase stands in it (-1: dropped), and the
    log-likelihood that each gains.
    """
    place_of, evidence = list(range(named)), [0.0] * named
    full = {phase: full_evidence(problem, fit, phase) for phase in range(named)}
    while full:
        phase = min(full, key=lambda one: full[one])
        all_lines = full.pop(phase)
        at = place_of[phase]
        part = problem.layout.area_slices[at]
        needed = needed_gain(rate, part.stop - part.start, trials)
        if own_evidence(problem, fit, at) > _CLEARLY * needed:
            evidence[phase] = all_lines
            continue
        hopeless = fit.objective + 2.0 * _BEYOND * needed * max(fit.pearson, 1.0)
        fewer, without = _left_out(problem, fit, at, rule, hopeless)
        more_lines = len(fewer.patterns) + 1 - len(problem.patterns)
        lost = (without.objective - fit.objective) / 2.0 / max(fit.pearson, 1.0)
        evidence[phase] = max(0.0, lost + more_lines * rule.significance**2 / 2.0)
        if evidence[phase] < needed:
            problem, fit = fewer, without
            place_of = [-1 if one == at else one - (one > at) for one in place_of]
            full = {phase: full_evidence(problem, fit, place_of[phase]) for phase in full}
    return problem, fit, place_of, evidence


def _left_out(problem: Problem, fit: Fit, number: int, rule: Rule, hopeless: float) -> tuple[Problem, Fit]:
    fewer, state = without_phase(problem, fit.state, number)
    guess = first_guess(fewer, state)
    state = solve_linear(fewer, replace(state, areas=np.where(state.areas > 0.0, state.areas, guess)))
    return refit_along(fewer, solve(fewer, state, tolerance=LOOSE, hopeless=hopeless), rule)


def residual_areas(problem: Problem, fit: Fit, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas (lines,) that lines of a dropped phase could still take, and standard deviations.

    NaN within a width of a line of the model: there nobody can tell.
    """
    from operando.diffraction._kernels import matched_filter

    score, information = matched_filter(
        problem.counts - fit.model,
        fit.model,
        problem.energy,
        problem.channel_width,
        detector_variance(problem, problem.energy),
    )
    top = np.interp(energies, problem.energy, score)
    bottom = np.maximum(np.interp(energies, problem.energy, information), 1e-12)
    placed = place(problem, fit.state.shapes)
    lit = placed.energy[fit.state.areas[problem.layout.group[placed.order]] > 0.0]
    width = np.sqrt(FWHM_SQUARED * detector_variance(problem, energies))
    hidden = np.array([(np.abs(energy - lit) < w).any() for energy, w in zip(energies, width, strict=True)], bool)
    areas, stds = np.maximum(top / bottom, 0.0), np.sqrt(max(fit.pearson, 1.0) / bottom)
    return np.where(hidden, np.nan, areas), np.where(hidden, np.nan, stds)
