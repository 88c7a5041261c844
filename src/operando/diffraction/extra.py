"""Lines that no named phase explains: found in the residual, fitted along, listed."""

import numpy as np

from operando.diffraction.locate import residual_score
from operando.diffraction.phases import Pattern
from operando.diffraction.problem import FWHM_SQUARED, Problem, State, detector_variance, place, with_phases


def unexplained(problem: Problem, state: State, pearson: float, significance: float, most: int) -> np.ndarray:
    """Energies (keV) of peaks in the residual above ``significance`` standard deviations, the clearest first.

    A peak nearer to a line of the model than 0.7 of its width is that line's misfit and is left alone.
    """
    score, information = residual_score(problem, state)
    clear = np.where(information > 0, score / np.sqrt(np.maximum(information * max(pearson, 1.0), 1e-12)), 0.0)
    top = (clear[1:-1] >= clear[:-2]) & (clear[1:-1] > clear[2:]) & (clear[1:-1] > significance)
    peaks = np.flatnonzero(top) + 1
    peaks = peaks[np.argsort(-clear[peaks])]
    placed = place(problem, state.shapes)
    taken = list(placed.energy[state.areas[problem.layout.group[placed.order]] > 0.0])
    width = np.sqrt(FWHM_SQUARED * detector_variance(problem, problem.energy))
    kept: list[float] = []
    for peak in peaks:
        energy = problem.energy[peak]
        if all(abs(energy - other) > 0.7 * width[peak] for other in taken):
            kept.append(float(energy))
            taken.append(float(energy))
    return np.array(kept[:most])


def with_lines(problem: Problem, state: State, energies: np.ndarray) -> tuple[Problem, State]:
    """The problem with one free line more at each energy, each a phase of its own called ''."""
    if not len(energies):
        return problem, state
    return with_phases(problem, state, [_single(problem.energy_times_d / energy) for energy in energies])


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
