"""The one time axis of a figure: hours since the experiment's first moment."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xarray as xr

from operando.figures.reading import at_frames
from operando.figures.source import Source

NANOSECONDS_PER_HOUR = 3.6e12
TIME_LABEL = "Time (h)"
NUMBERED = "Spectrum (number)"
LONGEST_FILL = 1.5
"""A frame stands for the time around it, but not for more than this many usual spacings: gaps stay empty."""


INSTRUMENTS = {"cell": "curve", "scan": "scan_timeline", "spectrum": "spectrum_timeline"}
"""The table that holds each instrument's times."""


@dataclass(frozen=True)
class TimeAxis:
    """Hours since ``origin``: the cycler's first sample, or else the first frame.

    ``first`` and ``last`` are the ends of all instruments' times; ``shared`` is false where an instrument lies
    so far from the others that one axis can't show both.
    """

    origin: np.datetime64
    first: float
    last: float
    shared: bool = True

    @property
    def span(self) -> float:
        """Hours from first to last, never zero."""
        return (self.last - self.first) or 1.0

    @property
    def limits(self) -> tuple[float, float]:
        """Ends of the drawn axis: a little room on both sides."""
        return self.first - 0.01 * self.span, self.last + 0.01 * self.span

    def hours(self, times: np.ndarray) -> np.ndarray:
        """Turn ``datetime64[ns]`` into hours, NaN where there is no time."""
        elapsed = (np.asarray(times, "datetime64[ns]") - self.origin).astype("int64") / NANOSECONDS_PER_HOUR
        return np.where(np.isnat(times), np.nan, elapsed)


def time_axis(source: Source, instrument: str | None = None) -> TimeAxis | None:
    """Span all instruments' times, or one's; ``None`` where nothing has a time."""
    wanted = list(INSTRUMENTS) if instrument is None else [instrument]
    times = {name: found for name in wanted if (found := _times(source.table(INSTRUMENTS[name]))).size}
    if not times:
        return None
    origin = times["cell"].min() if "cell" in times else min(found.min() for found in times.values())
    whole = TimeAxis(origin, 0.0, 0.0)
    spans = [(float(whole.hours(found.min())), float(whole.hours(found.max()))) for found in times.values()]
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    return TimeAxis(origin, first, last, _near(spans))


def _times(table: xr.Dataset | None) -> np.ndarray:
    if table is None:
        return np.array([], "datetime64[ns]")
    times = np.concatenate([table[name].values.ravel() for name in ("time", "start", "end") if name in table])
    known: np.ndarray = times[~np.isnat(times)]
    return known


def _near(spans: list[tuple[float, float]]) -> bool:
    """No gap between instruments is longer than all that they measured."""
    spans = sorted(spans)
    measured = sum(end - start for start, end in spans)
    reached, gap = spans[0][1], 0.0
    for start, end in spans[1:]:
        gap = max(gap, start - reached)
        reached = max(reached, end)
    return gap <= measured


def middle_hours(timeline: xr.Dataset | None, axis: TimeAxis | None) -> np.ndarray | None:
    """Middle of every exposure in hours; ``None`` where no frame has a time."""
    if timeline is None or axis is None:
        return None
    middle = (axis.hours(timeline["start"].values) + axis.hours(timeline["end"].values)) / 2
    return middle if np.isfinite(middle).any() else None


def spectrum_abscissa(source: Source, frames: list[int]) -> tuple[np.ndarray, str]:
    """Where spectra stand along x and what that axis is: hours, or their numbers where they have no times."""
    timeline = source.table("spectrum_timeline")
    middles = middle_hours(timeline, time_axis(source))
    if timeline is None or middles is None:
        return np.array(frames, float), NUMBERED
    return at_frames(timeline, "spectrum", frames, middles), TIME_LABEL


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
