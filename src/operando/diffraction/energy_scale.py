"""The energy scale of a detector element from lines of known energy, and with a powder's lines its angle as well.

A line of known energy E in channel n says c0 + c1 n + c2 n² = E; a powder's line of known spacing d says
c0 + c1 n + c2 n² = h c / (2 d sin θ). Both are linear in the coefficients and in 1 / sin θ: one weighted least squares
gives all four with their covariance. Without a line of known energy gain and angle can't be told apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.optimize import least_squares
from scipy.signal import find_peaks, peak_prominences

from operando.diffraction.sources import Known
from operando.model.constants import HC_KEV_ANGSTROM

FWHM = 2.354820045
"""FWHM over standard deviation of a Gaussian."""

_REACH = 1.4
"""Half a window in FWHM of the line."""

_CLEAR = 8.0
"""Area over its standard deviation from which a line counts."""

_FEWEST_CHANNELS, _FEWEST_COUNTS = 9, 10

_MOST_PEAKS, _MOST_OFFSET_KEV, _SAME_KEV = 14, 3.0, 0.2

_OUTLIER = 4.0
"""Standard deviations from the others' scale at which a line is taken for another one, or for a disturbed one."""


@dataclass(frozen=True)
class Position:
    """Where a line stands: its name, channel with standard deviation, and what it is known by.

    ``energy`` in keV, or ``spacing`` in Å where a powder's line; the other is NaN.
    """

    name: str
    channel: float
    std: float
    energy: float
    spacing: float


@dataclass(frozen=True)
class Scale:
    """``coefficients`` (3,) keV with ``covariance``; 2θ in degrees, NaN without a powder.

    ``residual_kev`` (lines,) of the lines, NaN where one was left out; ``chi_squared`` per degree of freedom, by
    which the covariance is widened where it exceeds one; NaN where no line is left over.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    two_theta: float
    two_theta_std: float
    residual_kev: np.ndarray
    chi_squared: float
    freedom: int


def position(
    counts: np.ndarray, known: Known, coefficients: np.ndarray, width_kev: float, spacing: float = np.nan
) -> Position | None:
    """Find a peak near where the starting scale puts it; ``None`` where it does not stand clearly out there.

    A Poisson fit of Gaussians with known distances and shares on a straight background, in channels. What the
    counts scatter about it beyond chance widens the standard deviation. ``spacing`` (Å): it is a powder's line.
    """
    energy = np.polynomial.polynomial.polyval(np.arange(len(counts), dtype=float), coefficients)
    low, high = known.energies.min() - _REACH * width_kev, known.energies.max() + _REACH * width_kev
    part = slice(*np.searchsorted(energy, [low, high]))
    seen = np.asarray(counts, float)[part]
    if len(seen) < _FEWEST_CHANNELS or low < energy[0] or high > energy[-1] or seen.max() < _FEWEST_COUNTS:
        return None
    gain = float(np.median(np.diff(energy[part])))
    found = _fitted(seen, (known.energies - known.middle) / gain, known.shares, width_kev / gain / FWHM)
    if found is None:
        return None
    at_known = np.nan if np.isfinite(spacing) else known.middle
    return Position(known.name, part.start + found[0], found[1], at_known, spacing)


def _fitted(counts: np.ndarray, offsets: np.ndarray, shares: np.ndarray, sigma: float) -> tuple[float, float] | None:
    """Centre of mass of a peak in channels of its window and its standard deviation."""
    n = len(counts)
    channel = np.arange(n, dtype=float)
    edge = max(2, n // 8)
    level = max(float(np.r_[counts[:edge], counts[-edge:]].mean()), 0.5)
    area = max(float(counts.sum()) - level * n, 10.0)

    def roots(theta: np.ndarray) -> np.ndarray:
        z = (channel[:, None] - theta[0] - offsets) / np.exp(theta[1])
        peak = theta[2] * np.exp(-0.5 * z**2) @ shares / (np.sqrt(2.0 * np.pi) * np.exp(theta[1]))
        expected = np.maximum(peak + theta[3] + (theta[4] - theta[3]) * channel / n, 1e-3)
        return signed_roots(counts, expected)

    start = float(np.argmax(np.convolve(counts, np.ones(3), "same"))) if len(offsets) == 1 else n / 2.0
    inside = (0.15 * n, 0.85 * n)
    found = least_squares(
        roots,
        [float(np.clip(start, *inside)), np.log(sigma), area, level, level],
        bounds=([0.1 * n, np.log(sigma / 3.0), 0.0, 0.0, 0.0], [0.9 * n, np.log(sigma * 3.0), np.inf, np.inf, np.inf]),
        x_scale=[1.0, 0.2, np.sqrt(area) + 1.0, np.sqrt(level) + 1.0, np.sqrt(level) + 1.0],
    )
    covariance = np.linalg.pinv(found.jac.T @ found.jac)
    clear = found.x[2] > _CLEAR * np.sqrt(covariance[2, 2])
    sharp = abs(found.x[1] - np.log(sigma)) < np.log(2.0)
    if not (clear and sharp and inside[0] < found.x[0] < inside[1]):
        return None
    misfit = max(1.0, 2.0 * float(found.cost) / (n - 5))
    return float(found.x[0]), float(np.sqrt(covariance[0, 0] * misfit))


def signed_roots(counts: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Signed square roots of each channel's Poisson deviance."""
    ratio = np.where(counts > 0.0, counts * np.log(np.maximum(counts, 1e-9) / expected), 0.0)
    return np.asarray(np.sign(counts - expected) * np.sqrt(np.maximum(2.0 * (expected - counts + ratio), 0.0)))


def solve(positions: Sequence[Position], gain: float, cell_doubt: float = 0.0) -> Scale | None:
    """Energy scale and angle from lines; ``None`` where they are too few, or none has a known energy.

    ``gain`` (keV a channel) weighs the channels' errors; ``cell_doubt``: relative standard deviation of the powder's
    cell. A line that does not go with the others is left out, one after the other. The curvature is held at nothing
    where the lines are too few to tell it and still check each other.
    """
    keys = ("channel", "std", "energy", "spacing")
    lines = _Lines(*(np.array([getattr(one, key) for one in positions], float) for key in keys))
    used = np.ones(len(positions), bool)
    while True:
        powder = np.isfinite(lines.spacing[used])
        left, fixed, angle = int(used.sum()), int((~powder).sum()), bool(powder.any())
        order = 2 if left > 3 + angle else 1
        if fixed < 1 or left < order + 1 + angle:
            return None
        scale, pull = _solved(lines, gain, used, order, cell_doubt)
        worst = int(np.argmax(np.where(used, pull, 0.0)))
        if pull[worst] < _OUTLIER or left - 1 <= order + 1 + angle:
            return scale
        used[worst] = False


@dataclass(frozen=True)
class _Lines:
    """Arrays along lines: channel and its standard deviation, known energy (keV) or spacing (Å), else NaN."""

    channel: np.ndarray
    std: np.ndarray
    energy: np.ndarray
    spacing: np.ndarray

    def equations(self, order: int) -> tuple[np.ndarray, np.ndarray]:
        """Columns of the coefficients and, where there is a powder, of 1 / sin θ; the right side."""
        powder = np.isfinite(self.spacing)
        columns = [self.channel**power for power in range(order + 1)]
        if powder.any():
            columns.append(np.where(powder, -HC_KEV_ANGSTROM / 2.0 / np.where(powder, self.spacing, 1.0), 0.0))
        return np.stack(columns, axis=1), np.where(powder, 0.0, self.energy)


def _solved(lines: _Lines, gain: float, used: np.ndarray, order: int, cell_doubt: float) -> tuple[Scale, np.ndarray]:
    """The scale from the lines in use, and how far each stands from the others' in standard deviations."""
    design, known = lines.equations(order)
    seen = np.abs(design[used]).max(axis=0) > 0.0
    size = np.where(seen, np.sqrt((design[used] ** 2).sum(axis=0)), np.inf)
    std = lines.std * gain
    weighted = design[used] / size / std[used, None]
    covariance = np.linalg.pinv(weighted.T @ weighted, hermitian=True)
    best = covariance @ weighted.T @ (known[used] / std[used])
    residual = known - design / size @ best
    freedom = int(used.sum() - seen.sum())
    squares = (residual / std)[used] ** 2
    chi_squared = float(squares.sum() / freedom) if freedom else np.nan
    wide = covariance * max(1.0, np.nan_to_num(chi_squared)) / np.outer(size, size)
    free = std.copy()
    leverage = np.einsum("li,ij,lj->l", weighted, covariance, weighted)
    free[used] *= np.sqrt(np.maximum(1.0 - leverage, 1e-3))
    pull = np.abs(residual) / free
    others = (squares.sum() - pull**2) / max(freedom - 1, 1)
    angle = _angle(best / size, wide, cell_doubt) if len(best) > order + 1 and seen[-1] else (np.nan, np.nan)
    coefficients, spread = np.zeros(3), np.zeros((3, 3))
    part = slice(order + 1)
    coefficients[part], spread[part, part] = (best / size)[part], wide[part, part]
    shown = np.where(used, residual, np.nan)
    return Scale(coefficients, spread, *angle, shown, chi_squared, freedom), pull / np.sqrt(np.maximum(1.0, others))


def _angle(best: np.ndarray, covariance: np.ndarray, cell_doubt: float) -> tuple[float, float]:
    """2θ in degrees and its standard deviation from 1 / sin θ."""
    theta = np.arcsin(1.0 / best[-1])
    relative = np.hypot(np.sqrt(covariance[-1, -1]) / best[-1], cell_doubt)
    return float(np.degrees(2.0 * theta)), float(np.degrees(2.0 * np.tan(theta) * relative))


def guess(counts: np.ndarray, lines: Sequence[Known]) -> np.ndarray | None:
    """Offset and gain (3,; no curvature) for a spectrum without any scale: what puts most lines onto peaks.

    ``None`` where fewer than three lines fall onto clear peaks, for two fit any scale.
    """
    smooth = np.convolve(np.asarray(counts, float), np.full(5, 0.2), "same")
    peaks, _ = find_peaks(np.sqrt(smooth), prominence=4.0 * 0.5 / np.sqrt(5.0), width=2.0)
    strength = peak_prominences(np.sqrt(smooth), peaks)[0]
    peaks = np.sort(peaks[np.argsort(-strength)][:_MOST_PEAKS]).astype(float)
    energies = np.array([one.middle for one in lines])
    best, most = None, (2, 0.0)
    for a, b in combinations(range(len(energies)), 2):
        for p, q in combinations(peaks, 2):
            gain = (energies[b] - energies[a]) / (q - p)
            offset = energies[a] - gain * p
            if not (gain > 0.0 and abs(offset) < _MOST_OFFSET_KEV):
                continue
            off = np.abs(offset + gain * peaks[:, None] - energies).min(axis=0) / (_SAME_KEV + 0.003 * energies)
            score = (int((off < 1.0).sum()), -float(off[off < 1.0].sum()))
            if score > most:
                best, most = np.array([offset, gain, 0.0]), score
    return best
