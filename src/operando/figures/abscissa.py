"""The one time axis of a figure: hours since the experiment's first moment."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xarray as xr

from operando.figures.source import Source

NANOSECONDS_PER_HOUR = 3.6e12
TIME_LABEL = "Time (h)"
LONGEST_FILL = 1.5
"""A frame stands for the time around it, but not for more than this many usual spacings: gaps stay empty."""


@dataclass(frozen=True)
class TimeAxis:
    """Hours since ``origin``; ``span`` is the last hour of any instrument."""

    origin: np.datetime64
    span: float

    def hours(self, times: np.ndarray) -> np.ndarray:
        """Turn ``datetime64[ns]`` into hours, NaN where there is no time."""
        elapsed = (np.asarray(times, "datetime64[ns]") - self.origin).astype("int64") / NANOSECONDS_PER_HOUR
        return np.where(np.isnat(times), np.nan, elapsed)


def time_axis(source: Source) -> TimeAxis | None:
    """Span all instruments' times; ``None`` where nothing has a time."""
    found = [
        product[name].values.ravel()
        for product in (source.table("curve"), source.table("scan_timeline"), source.table("spectrum_timeline"))
        if product is not None
        for name in ("time", "start", "end")
        if name in product
    ]
    times = np.concatenate(found) if found else np.array([], "datetime64[ns]")
    times = times[~np.isnat(times)]
    if times.size == 0:
        return None
    origin = times.min()
    return TimeAxis(origin, float((times.max() - origin).astype("int64") / NANOSECONDS_PER_HOUR) or 1.0)


def middle_hours(timeline: xr.Dataset | None, axis: TimeAxis | None) -> np.ndarray | None:
    """Middle of every exposure in hours; ``None`` where no frame has a time."""
    if timeline is None or axis is None:
        return None
    middle = (axis.hours(timeline["start"].values) + axis.hours(timeline["end"].values)) / 2
    return middle if np.isfinite(middle).any() else None


def cell_edges(middles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right edges of the cells that frames at ascending ``middles`` fill in a heat map.

    >>> left, right = cell_edges(np.array([0.0, 1.0, 2.0, 9.0]))
    >>> right.tolist()
    [0.5, 1.5, 2.75, 9.75]
    """
    if middles.size < 2:
        return middles - 0.5, middles + 0.5
    reach = LONGEST_FILL * float(np.median(np.diff(middles))) / 2
    between = (middles[1:] + middles[:-1]) / 2
    right = np.minimum(np.append(between, np.inf), middles + reach)
    left = np.maximum(np.insert(between, 0, -np.inf), middles - reach)
    return left, right


def thinned(x: np.ndarray, y: np.ndarray, bins: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Keep the lowest and highest sample of each of ``bins`` runs, so that a long record still shows every step."""
    if x.size <= 2 * bins:
        return x, y
    starts = np.linspace(0, x.size, bins + 1).astype(int)
    keep = {0, x.size - 1}
    filled = np.nan_to_num(y, nan=np.nanmin(y) if np.isfinite(y).any() else 0.0)
    for low, high in pairwise(starts):
        keep.update((low + int(filled[low:high].argmin()), low + int(filled[low:high].argmax())))
    chosen = np.array(sorted(keep))
    return x[chosen], y[chosen]
