"""Grey classes of a histogram: a mixture of normal distributions, on bare arrays."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np


@dataclass(frozen=True)
class Mixture:
    """Classes from dark to bright: share, mean and standard deviation; a class not found has NaN."""

    share: np.ndarray
    mean: np.ndarray
    width: np.ndarray
    likelihood: float = -np.inf


def peaks(grey: np.ndarray, counts: np.ndarray, noise: float, most: int) -> np.ndarray:
    """Grey values of the highest separate peaks of a histogram, dark to bright.

    Peaks are local maxima of the histogram smoothed by the noise (or two bins), that rise at least 30 % of their
    height above the valley to the next one, and hold at least 1 in 20 000 voxels.
    """
    from scipy import ndimage, signal

    step = grey[1] - grey[0]
    smooth = ndimage.gaussian_filter1d(counts.astype(float), max(0.5 * noise / step, 2.0))
    padded = np.concatenate([[0.0], smooth, [0.0]])
    found, properties = signal.find_peaks(padded, prominence=0)
    width = max(noise / step, 2.0)
    sound = (properties["prominences"] > 0.3 * padded[found]) & (padded[found] * width * 2.5 > 5e-5 * counts.sum())
    found = found[sound]
    mass = padded[found]
    return np.sort(grey[found[np.argsort(-mass, kind="stable")[:most]] - 1])


def fit(grey: np.ndarray, counts: np.ndarray, starts: np.ndarray, noise: float, rounds: int = 200) -> Mixture:
    """Expectation maximisation on a histogram from given means, with a flat background against outliers.

    A class's width stays between a quarter of the noise (at least half a bin) and 0.3 of the distance to its nearest
    neighbour, its mean within that distance of its start: a rare class does not wander off to a big one.
    """
    step = grey[1] - grey[0]
    mean = np.array(starts, float)
    span = grey[-1] - grey[0]
    gaps = np.concatenate([[np.inf], np.diff(mean), [np.inf]])
    widest = 0.3 * np.minimum(np.minimum(gaps[1:], gaps[:-1]), span)
    narrowest = max(0.25 * noise, 0.5 * step)
    lowest, highest = mean - widest, mean + widest
    width = np.clip(np.full(len(mean), max(noise, step)), narrowest, np.maximum(widest, narrowest))
    share = np.full(len(mean), 1 / len(mean))
    total = max(counts.sum(), 1)
    background, previous = 0.01, -np.inf
    for _ in range(rounds):
        density = share * np.exp(-0.5 * ((grey[:, None] - mean) / width) ** 2) / (width * np.sqrt(2 * np.pi))
        every = density.sum(axis=1) * (1 - background) + background / span
        part = counts[:, None] * density * (1 - background) / every[:, None]
        mass = np.maximum(part.sum(axis=0), 1e-12)
        mean = np.clip((part * grey[:, None]).sum(axis=0) / mass, lowest, highest)
        spread = np.sqrt((part * (grey[:, None] - mean) ** 2).sum(axis=0) / mass)
        width = np.clip(spread, narrowest, np.maximum(widest, narrowest))
        share = mass / mass.sum()
        background = float(np.clip(1 - mass.sum() / total, 1e-6, 0.2))
        likelihood = float(np.dot(counts, np.log(every))) / total
        if abs(likelihood - previous) < 1e-10:
            break
        previous = likelihood
    order = np.argsort(mean, kind="stable")
    return Mixture(share[order], mean[order], width[order], likelihood)


def local_mean(grey: np.ndarray, counts: np.ndarray, mean: float, width: float, least: int = 200) -> float:
    """Mean of one class in one sector: of the counts within 2.5 widths, centred thrice; NaN if too few.

    More rounds would let a sector without a clear peak wander off to its neighbour.
    """
    for _ in range(3):
        near = np.abs(grey - mean) <= max(2.5 * width, 1.5 * (grey[1] - grey[0]))
        total = counts[near].sum()
        if total < least:
            return float("nan")
        updated = float(np.dot(counts[near], grey[near]) / total)
        if abs(updated - mean) < 1e-6 * width:
            break
        mean = updated
    return mean


def assign(found: np.ndarray, phases: int, empty: float | None, noise: float) -> list[np.ndarray]:
    """Candidate starts for ``phases`` classes from fewer or more peaks; missing ones are NaN.

    ``empty`` is the grey value of nothing, if the darkest phase is a void. Where it lies on the scale of the
    contrasts (the darkest peak is nearer to it than 0.45 of the brightest), the darkest class must be near it: the peak
    there, or ``empty`` itself if no void has opened yet. So a rare bright speck is not taken for a phase.
    """
    if empty is None or len(found) == 0 or not _on_scale(found, phases, empty, noise):
        return _choices(found, phases)
    second = found[1] if len(found) > 1 else np.inf
    reach = 2 * noise if len(found) < phases else max(2 * noise, 0.15 * (second - empty))
    if second < np.inf and found[0] - empty <= reach:
        near, rest = found[0], found[1:]
    else:
        near, rest = empty, found
    return [np.array([near, *choice]) for choice in _choices(rest, phases - 1)]


def _on_scale(found: np.ndarray, phases: int, empty: float, noise: float) -> bool:
    lowest, highest = found[0] - empty, found[-1] - empty
    return bool(lowest >= -4 * noise and (len(found) < phases or lowest < 0.45 * highest))


def _choices(found: np.ndarray, count: int) -> list[np.ndarray]:
    if len(found) >= count:
        return [np.array(choice) for choice in combinations(found, count)]
    return [np.array([*found, *[np.nan] * (count - len(found))])]
