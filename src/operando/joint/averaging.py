"""Means over an exposure of a record that is linear between its samples: the only place that resamples time."""

import numpy as np


def running_integral(seconds: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Integral of the piecewise-linear record from its first sample to each sample."""
    return np.concatenate([[0.0], np.cumsum(np.diff(seconds) * (values[1:] + values[:-1]) / 2)])


def integral_at(seconds: np.ndarray, values: np.ndarray, integral: np.ndarray, at: float) -> float:
    """The exact integral at a time between two samples (``integral``: the one at the samples)."""
    k = int(np.clip(np.searchsorted(seconds, at, "right") - 1, 0, seconds.size - 2))
    elapsed = at - seconds[k]
    width = seconds[k + 1] - seconds[k]
    slope = (values[k + 1] - values[k]) / width if width > 0 else 0.0
    return float(integral[k] + elapsed * (values[k] + 0.5 * slope * elapsed))


def exposure_means(
    seconds: np.ndarray, values: np.ndarray, stretch: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> np.ndarray:
    """Mean of ``values`` over every exposure, from ``starts`` to ``ends`` (seconds on the record's axis).

    NaN where an exposure isn't held by one unbroken stretch of the record: nothing is extrapolated. An exposure
    of no length gives the value at its instant. NaN samples make the means that contain them NaN.
    """
    integral = running_integral(seconds, values)
    means = np.full(starts.size, np.nan)
    for k in np.flatnonzero(inside_record(seconds, stretch, starts, ends)):
        length = ends[k] - starts[k]
        if length > 0:
            first, last = (integral_at(seconds, values, integral, float(at)) for at in (starts[k], ends[k]))
            means[k] = (last - first) / length
        else:
            means[k] = np.interp(starts[k], seconds, values)
    return means


def inside_record(seconds: np.ndarray, stretch: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """True where the whole exposure lies in one unbroken stretch of the record."""
    if seconds.size < 2:
        return np.zeros(starts.size, bool)
    with np.errstate(invalid="ignore"):
        inside = (starts >= seconds[0]) & (ends <= seconds[-1]) & (starts <= ends)
    first = np.clip(np.searchsorted(seconds, starts, "right") - 1, 0, seconds.size - 1)
    last = np.clip(np.searchsorted(seconds, ends, "left"), 0, seconds.size - 1)
    return np.asarray(inside & (stretch[first] == stretch[last]))
