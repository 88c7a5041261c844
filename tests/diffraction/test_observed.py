"""The information that intervals come from: the likelihood's own curvature, by hand and in many draws."""

from dataclasses import replace

import numpy as np
from made import Phase, expected, spectrum

from operando.diffraction.calibrate import calibrate
from operando.diffraction.correct import correct
from operando.diffraction.element import ElementFit, FitParameters, fit_spectrum
from operando.diffraction.observed import observed
from operando.diffraction.pawley import solve
from operando.diffraction.problem import evaluate, split
from operando.materials.catalogue import load

MATERIALS = (load("In"), load("InLi"))
PARAMS = FitParameters(free_lines=False)


def weak(seed: int, counts: float = 600.0) -> ElementFit:
    """A fit of In that hardly stands out beside InLi."""
    mean, _ = expected([Phase("In", counts), Phase("InLi", 3000.0)], level=60.0)
    one = spectrum(np.random.default_rng(seed).poisson(mean), live=100.0)
    calibration = calibrate(one, MATERIALS, None)
    return fit_spectrum(correct(one, calibration), calibration, MATERIALS, PARAMS)[0]


def test_it_is_the_slope_of_the_score() -> None:
    one = weak(1)
    problem, linear = one.problem, one.problem.linear
    expected_one = solve(problem, one.fit.state)
    found = observed(problem, expected_one).information
    # At expected counts the score's slope is the Fisher information alone, so that the difference is the rest.
    noiseless = replace(problem, counts=expected_one.model)
    theta = expected_one.state.joined()
    std = 1.0 / np.sqrt(np.diag(found))
    largest = 0.0
    for column in range(linear, linear + problem.layout.edges):
        step = np.zeros_like(theta)
        step[column] = 0.02 * std[column]
        rows = np.r_[: problem.layout.groups, linear : len(theta) - 2]
        slope = [
            (evaluate(each, split(each, theta - step))[1] - evaluate(each, split(each, theta + step))[1])[rows]
            / (2 * step[column])
            for each in (problem, noiseless)
        ]
        by_hand = (slope[0] - slope[1]) * std[rows] * std[column]
        ours = ((found - expected_one.information)[rows, column]) * std[rows] * std[column]
        # Weights are those of expected counts, and places curve a little with the lattice: both are of this order.
        np.testing.assert_allclose(ours, by_hand, atol=0.04)
        largest = max(largest, float(np.abs(ours).max()))
    assert largest > 0.1


def test_a_weak_phase_is_told_a_wider_interval_on_average() -> None:
    ratios = []
    for seed in range(12):
        one = weak(seed)
        before = solve(one.problem, one.fit.state)
        place = one.problem.linear
        ratios.append(np.sqrt(one.fit.covariance[place, place] / before.covariance[place, place]))
    assert 1.02 < np.median(ratios) < 1.12


def test_a_strong_phase_keeps_its_interval() -> None:
    one = weak(3, counts=30000.0)
    before, place = solve(one.problem, one.fit.state), one.problem.linear
    assert abs(one.fit.covariance[place, place] / before.covariance[place, place] - 1.0) < 0.02
