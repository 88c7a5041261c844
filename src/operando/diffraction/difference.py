"""The spectrum minus the pristine one, with honest variance: what is often shown."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Difference:
    """``counts`` n - s n0, ``std`` its standard deviation, ``significance`` their ratio (all (channels,)).

    ``bipolar`` (k, 2): channel ranges where a clear surplus stands beside a clear deficit: a line that moved or
    changed its width, which a difference can't tell from lines that come and go.
    """

    counts: np.ndarray
    std: np.ndarray
    significance: np.ndarray
    scale: float
    bipolar: np.ndarray


def difference(
    counts: np.ndarray,
    pristine: np.ndarray,
    scale: float,
    width_channels: float,
    significance: float = 5.0,
    pristine_scale_std: float = 0.0,
) -> Difference:
    """Subtract ``scale`` × the pristine counts (live time × ring current); variance n + s² n0 + (δs n0)².

    ``width_channels`` is a line's FWHM: significance is summed over it before surplus and deficit are paired.
    """
    counts, pristine = np.asarray(counts, float), np.asarray(pristine, float)
    left = counts - scale * pristine
    variance = counts + scale**2 * pristine + (pristine_scale_std * pristine) ** 2
    std = np.sqrt(np.maximum(variance, 1.0))
    return Difference(left, std, left / std, scale, _bipolar(left, variance, width_channels, significance))


def _bipolar(left: np.ndarray, variance: np.ndarray, width: float, needed: float) -> np.ndarray:
    window = np.ones(max(1, round(width)))
    summed = np.convolve(left, window, "same") / np.sqrt(np.maximum(np.convolve(variance, window, "same"), 1.0))
    reach = max(1, round(1.5 * width))
    surplus = np.flatnonzero(summed > needed)
    deficit = np.flatnonzero(summed < -needed)
    if not len(surplus) or not len(deficit):
        return np.zeros((0, 2), int)
    nearest = deficit[np.clip(np.searchsorted(deficit, surplus), 0, len(deficit) - 1)]
    before = deficit[np.clip(np.searchsorted(deficit, surplus) - 1, 0, len(deficit) - 1)]
    partner = np.where(np.abs(before - surplus) < np.abs(nearest - surplus), before, nearest)
    paired = np.abs(partner - surplus) <= reach
    spans = np.sort(np.stack([surplus[paired], partner[paired]], axis=1), axis=1)
    return _joined(spans)


def _joined(spans: np.ndarray) -> np.ndarray:
    joined: list[list[int]] = []
    for first, last in spans[np.argsort(spans[:, 0])] if len(spans) else []:
        if joined and first <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], int(last))
        else:
            joined.append([int(first), int(last)])
    return np.array(joined, int).reshape(-1, 2)
