"""Loops over channels that numpy can't express without dense Jacobians. Import inside the step."""

import numba
import numpy as np

from operando.diffraction._normal_equations import deviance_of

_FLOOR = 1e-9


@numba.njit(cache=True, nogil=True)
def matched_filter(
    residual: np.ndarray, model: np.ndarray, energy: np.ndarray, channel_width: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Score and information of the area of a line put at each channel, on top of ``model``.

    ``variance`` of the line (keV²) per channel. score / information is the area it would take,
    score² / information / 2 the log-likelihood it would gain.
    """
    n = residual.size
    score = np.zeros(n)
    information = np.zeros(n)
    for i in range(n):
        reach = 3.0 * np.sqrt(variance[i])
        norm = 1.0 / np.sqrt(2 * np.pi * variance[i])
        j = i
        while j >= 0 and energy[i] - energy[j] <= reach:
            j -= 1
        j += 1
        while j < n and energy[j] - energy[i] <= reach:
            p = channel_width[j] * norm * np.exp(-0.5 * (energy[j] - energy[i]) ** 2 / variance[i])
            score[i] += p * residual[j] / model[j]
            information[i] += p * p / model[j]
            j += 1
    return score, information


@numba.njit(cache=True, nogil=True)
def single_line(
    counts: np.ndarray, energy: np.ndarray, channel_width: np.ndarray, centre: float, variance: float, iterations: int
) -> tuple[float, float, float, float]:
    """Poisson fit of one Gaussian on a straight background: what a naive analysis does.

    Returns energy, its standard deviation, area, its standard deviation; NaN where it does not converge.
    """
    n = counts.size
    middle = energy[n // 2]
    nothing = (np.nan, np.nan, np.nan, np.nan)
    edge = max(1, n // 6)
    level = max((counts[:edge].sum() + counts[-edge:].sum()) / (2.0 * edge), 0.3)
    theta = np.array([max(counts.sum() - level * n, 1.0), centre, np.log(variance), level, 0.0])
    old = np.inf
    damping = 1e-3
    trial = theta.copy()
    step = np.zeros(5)
    information = np.zeros((5, 5))
    score = np.zeros(5)
    done = False
    for _ in range(iterations):
        deviance, new_score, new_information = _single_line_equations(counts, energy, channel_width, middle, trial)
        if deviance <= old + 1e-9:
            theta[:] = trial
            score[:] = new_score
            information[:] = new_information
            done = old - deviance < 1e-4
            old = deviance
            damping = max(damping * 0.2, 1e-9)
        else:
            damping *= 5.0
        if done or damping > 1e9 or not np.isfinite(old):
            break
        damped = information.copy()
        for a in range(5):
            damped[a, a] = damped[a, a] * (1.0 + damping) + 1e-12
        step[:] = np.linalg.solve(damped, score)
        trial[:] = theta + step
        if trial[2] > theta[2] + 1.0 or trial[2] < theta[2] - 1.0:
            trial[2] = theta[2] + np.sign(step[2])
    if not done or theta[0] <= 0.0 or theta[1] < energy[0] or theta[1] > energy[-1]:
        return nothing
    covariance = np.linalg.inv(information + 1e-12 * np.eye(5))
    return theta[1], np.sqrt(covariance[1, 1]), theta[0], np.sqrt(covariance[0, 0])


@numba.njit(cache=True, nogil=True)
def _single_line_equations(
    counts: np.ndarray, energy: np.ndarray, channel_width: np.ndarray, middle: float, theta: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Deviance, score and information by area, energy, log variance, level and slope."""
    deviance = 0.0
    score = np.zeros(5)
    information = np.zeros((5, 5))
    variance = np.exp(theta[2])
    for i in range(counts.size):
        x = energy[i] - theta[1]
        profile = channel_width[i] * np.exp(-0.5 * x * x / variance) / np.sqrt(2 * np.pi * variance)
        height = theta[0] * profile
        mu = height + theta[3] + theta[4] * (energy[i] - middle)
        if mu <= _FLOOR:
            return np.inf, score, information
        g = (profile, height * x / variance, height * 0.5 * (x * x / variance - 1.0), 1.0, energy[i] - middle)
        deviance += deviance_of(counts[i], mu)
        for a in range(5):
            score[a] += (counts[i] / mu - 1.0) * g[a]
            for b in range(5):
                information[a, b] += g[a] * g[b] / mu
    return deviance, score, information
