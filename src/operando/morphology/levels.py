"""The grey classes as one scan shows them."""

import numpy as np
from pydantic import Field

from operando.model.parameters import Parameters
from operando.model.products.morphology import LEVELS, Classes, Histogram, Levels
from operando.model.step import step
from operando.morphology.mixture import local_mean


class LevelsParameters(Parameters):
    """How far a scan's own grey values may lie from the series'."""

    reach: float = Field(
        0.2, ge=0, le=0.45, description="share of the contrast to the nearest class within which a mean is looked for"
    )
    least_voxels: int = Field(500, ge=10, description="with fewer voxels of a class the series' mean is used")


_DEFAULTS = LevelsParameters()


@step(version=3)
def levels(histogram: Histogram, classes: Classes, params: LevelsParameters = _DEFAULTS) -> Levels:
    """Take each class's mean from this scan's own histogram, near the mean that the series has.

    An anode that alloys loses density and a beam's spectrum hardens with what it passes: with one mean for the series
    the half-way threshold would move the surface of such a scan. A class that this scan hardly shows keeps the
    series' mean. The standard deviation is how far the mean varies between the sectors of this scan: a pattern that
    other scans share, as a hardened beam leaves it. The drift is how far a mean varies at one place from scan to scan
    beside what is common to all places, which a scan's own mean follows.
    """
    grey, core = histogram["grey"].values.astype(float), histogram["core"].values
    series = classes["mean"].values.astype(float)
    mean, std, drift = (
        series.copy(),
        classes["mean_std"].values.astype(float),
        classes["mean_drift"].values.astype(float),
    )
    seen = np.zeros(len(series), bool)
    for p, width in enumerate(classes["width"].values):
        if not np.isfinite(series[p]):
            continue
        reach = params.reach * _gap(series, p)
        width = min(float(width), reach / 2) if np.isfinite(reach) else float(width)
        own = own_mean(grey, core.sum(axis=0), series[p], width, reach)
        near = np.abs(grey - own) <= 2.5 * width
        if not abs(own - series[p]) <= reach or core[:, near].sum() < params.least_voxels:
            continue
        seen[p] = True
        mean[p], std[p] = own, _spread(grey, core, own, width, near)
        drift[p] = max(float(classes["sector_drift"][p]), width / np.sqrt(core[:, near].sum()))
    floor2 = np.maximum(classes["threshold_std"].values ** 2 - _pair_variance(classes["mean_std"].values), 0.0)
    return LEVELS.new(
        coords={"phase": classes["phase"].values, "boundary": classes["boundary"].values},
        mean=mean,
        own=seen,
        mean_std=std,
        mean_drift=drift,
        threshold=(mean[1:] + mean[:-1]) / 2,
        threshold_std=np.sqrt(_pair_variance(std) + floor2),
        width=classes["width"].values,
        blur=float(classes["blur"]),
        streaks=float(classes["streaks"]),
        noise=float(classes["noise"]),
        noise_correlation=float(classes["noise_correlation"]),
    )


def own_mean(grey: np.ndarray, counts: np.ndarray, mean: float, width: float, reach: float) -> float:
    """Mean of the peak of a histogram nearest to ``mean`` within ``reach``; NaN if there is none.

    >>> grey = np.arange(0, 10, 0.1)
    >>> counts = 1e4 * np.exp(-0.5 * ((grey - 5.5) / 0.4) ** 2)
    >>> round(own_mean(grey, counts, 5.0, 0.4, 1.0), 2)
    5.5
    """
    from scipy import ndimage

    step = grey[1] - grey[0]
    smooth = ndimage.gaussian_filter1d(counts.astype(float), max(0.5 * width / step, 1.0))
    inner = (smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:])
    tops = 1 + np.flatnonzero(inner & (np.abs(grey[1:-1] - mean) <= max(reach, 1.5 * step)))
    if not len(tops):
        return float("nan")
    return local_mean(grey, counts, float(grey[tops[np.argmax(smooth[tops])]]), width)


def _spread(grey: np.ndarray, core: np.ndarray, mean: float, width: float, near: np.ndarray) -> float:
    """How far a class's mean varies between sectors."""
    local = np.array([local_mean(grey, sector, mean, width) for sector in core])
    weight = np.where(np.isfinite(local), core[:, near].sum(axis=1), 0.0)
    variance = float(np.average((np.nan_to_num(local) - mean) ** 2, weights=weight)) if weight.any() else 0.0
    return max(float(np.sqrt(variance)), 1e-3 * (grey[1] - grey[0]))


def _gap(mean: np.ndarray, p: int) -> float:
    """Contrast to the nearest other class; infinite for a lone one."""
    others = np.delete(mean, p)
    others = others[np.isfinite(others)]
    return float(np.abs(others - mean[p]).min()) if len(others) else float("inf")


def _pair_variance(std: np.ndarray) -> np.ndarray:
    """Variance of the middle between neighbouring means."""
    return np.asarray((std[1:] ** 2 + std[:-1] ** 2) / 4)
