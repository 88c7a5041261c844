"""Line intensities of phases with known atoms, explained by each phase's volume and one smooth response."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

_FEWEST_OVER = 3
"""Lines that must be left over after every number was fitted, so that their scatter is known."""

CLEAR = 3.0
"""Standard deviations by which a line stands clearly out."""

_START = 0.3
"""Relative scatter of the lines that the iteration starts from."""


@dataclass(frozen=True)
class Averaged:
    """``areas`` (lines,) averaged over the series with ``stds``, and each spectrum's amount relative to the average.

    ``amounts`` and ``amount_stds`` (spectra,), ``chi_squared`` (spectra,) per degree of freedom of lines that keep
    their ratios; amounts are unbounded, so that nothing is pushed up where a phase is gone.
    """

    areas: np.ndarray
    stds: np.ndarray
    amounts: np.ndarray
    amount_stds: np.ndarray
    chi_squared: np.ndarray


def averaged(areas: np.ndarray, stds: np.ndarray) -> Averaged:
    """Split areas (spectra, lines) into lines that keep their ratios and an amount of each spectrum; NaN is unknown.

    Every line has one weight in all spectra, its mean precision, so that no upward fluctuation weighs less.
    """
    known = np.isfinite(areas) & (stds > 0.0)
    count = known.sum(axis=0)
    squared = np.where(known, stds, 0.0) ** 2
    variance = squared.sum(axis=0) / np.maximum(count, 1)
    weight = known / np.where(variance > 0.0, variance, 1.0)
    value = np.where(known, areas, 0.0)
    amount = np.ones(len(areas))
    for _ in range(30):
        line = (weight * value).T @ amount / np.maximum(weight.T @ amount**2, 1e-300)
        amount = (weight * value) @ line / np.maximum(weight @ line**2, 1e-300)
        mean = amount[known.any(axis=1)].mean() if known.any() else 1.0
        amount = amount / (mean if mean > 0.0 else 1.0)
    information = weight @ line**2
    amount_std = np.where(information > 0.0, np.sqrt((weight**2 * squared) @ line**2), np.nan)
    amount_std = amount_std / np.where(information > 0.0, information, 1.0)
    off = np.where(known, value - np.outer(amount, line), 0.0) ** 2 / np.where(squared > 0.0, squared, 1.0)
    freedom = np.maximum(known.sum(axis=1) - 1, 1)
    precision = (known / np.where(squared > 0.0, squared, 1.0)).T @ amount**2
    return Averaged(
        np.where(count > 0, line, np.nan),
        np.where(precision > 0.0, np.maximum(precision, 1e-300) ** -0.5, np.nan),
        np.where(information > 0.0, amount, np.nan),
        amount_std,
        off.sum(axis=1) / freedom,
    )


@dataclass(frozen=True)
class Explained:
    """Logarithms of each phase's volume and the coefficients of the smooth factor, with their covariance.

    ``scatter`` is the relative scatter of the lines about it beyond counting (texture, atoms, overlaps);
    ``freedom`` the degrees of freedom that it rests on; ``expected`` (lines,) the areas.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    scatter: float
    freedom: int
    expected: np.ndarray


def smooth_terms(energy: np.ndarray, at: float, count: int) -> np.ndarray:
    """The first ``count`` of ln E, E⁻³ and E relative to ``at`` (energies, count).

    ln E and E are how a synchrotron's spectrum falls, E⁻³ is how matter absorbs away from its edges.
    """
    relative = np.asarray(energy, float) / at
    return np.stack([np.log(relative), relative**-3.0 - 1.0, relative - 1.0], axis=1)[:, :count]


def terms_affordable(lines: int, phases: int) -> int:
    """How many smooth terms so many lines can tell, besides each phase's volume."""
    return int(np.clip(lines - phases - _FEWEST_OVER, 0, 3))


def explain(areas: np.ndarray, stds: np.ndarray, known: np.ndarray, design: np.ndarray) -> Explained:
    """Fit areas (lines,) by exp(``known`` + design × coefficients), with counting errors and a common relative scatter.

    Areas enter as they are, not as logarithms, so that lines that vanish in the noise count too. The scatter is what
    brings chi-squared to its degrees of freedom. Raises ``ValueError`` with fewer lines than numbers to fit.
    """
    freedom = len(areas) - design.shape[1]
    if freedom < _FEWEST_OVER:
        raise ValueError(f"{len(areas)} lines can't tell {design.shape[1]} numbers and their own scatter.")
    clear = areas > CLEAR * stds
    if np.linalg.matrix_rank(design[clear]) < design.shape[1]:
        raise ValueError("too few lines stand out of the noise.")
    start = np.log(areas[clear]) - known[clear]
    coefficients = np.linalg.lstsq(design[clear], start, rcond=None)[0]
    scatter = _START
    for _ in range(60):
        expected = np.exp(known + design @ coefficients)
        weight = expected**2 / (stds**2 + (scatter * expected) ** 2)
        root = np.sqrt(weight)[:, None]
        step = np.linalg.lstsq(root * design, root[:, 0] * (areas / expected - 1.0), rcond=None)[0]
        coefficients = coefficients + step / max(1.0, float(np.abs(design @ step).max()))
        expected = np.exp(known + design @ coefficients)
        before, scatter = scatter, _scatter(areas - expected, stds, expected, freedom)
        if np.abs(step).max() < 1e-9 and abs(scatter - before) < 1e-9:
            break
    weight = expected**2 / (stds**2 + (scatter * expected) ** 2)
    return Explained(coefficients, np.linalg.inv(design.T @ (weight[:, None] * design)), scatter, freedom, expected)


def _scatter(off: np.ndarray, stds: np.ndarray, expected: np.ndarray, freedom: int) -> float:
    """Relative scatter (Mandel and Paule) that brings chi-squared down to its degrees of freedom; 0 if it is below."""

    def excess(scatter: float) -> float:
        return float((off**2 / (stds**2 + (scatter * expected) ** 2)).sum() - freedom)

    if excess(0.0) <= 0.0:
        return 0.0
    highest = 1.0
    while excess(highest) > 0.0 and highest < 1e6:
        highest *= 4.0
    return float(brentq(excess, 0.0, highest, xtol=1e-12))


def shares(
    volumes: np.ndarray, counting: np.ndarray, covariance: np.ndarray, freedom: int, draws: int = 2000
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares (spectra, phases) of the sum, and the bounds of their 95 % interval.

    ``volumes`` and ``counting`` (their standard deviations from this spectrum's counts; spectra, phases);
    ``covariance`` (phases, phases) of the logarithms that all spectra share, known from ``freedom`` degrees of
    freedom. Drawn with a fixed seed; a volume that counting left below zero counts as zero.
    """
    random = np.random.default_rng(7)
    phases = volumes.shape[1]
    student = np.sqrt(freedom / random.chisquare(freedom, draws))[:, None]
    common = random.standard_normal((draws, phases)) @ _root(covariance).T * student
    noise = random.standard_normal((draws, phases))
    value, low, high = np.full((3, *volumes.shape), np.nan)
    for row, (volume, std) in enumerate(zip(volumes, counting, strict=True)):
        seen = np.isfinite(volume + std)
        best = np.where(seen, np.maximum(volume, 0.0), 0.0)
        if seen.sum() < 2 or not best.sum() > 0.0:
            continue
        drawn = np.maximum(volume + std * noise, 0.0)[:, seen] * np.exp(common[:, seen])
        drawn = drawn / np.maximum(drawn.sum(axis=1, keepdims=True), 1e-300)
        value[row, seen] = best[seen] / best.sum()
        low[row, seen], high[row, seen] = np.percentile(drawn, [2.5, 97.5], axis=0)
    return value, np.fmin(low, value), np.fmax(high, value)


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
