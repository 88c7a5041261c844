"""The numbered states of a figure: which scans are shown, and what the cell was doing then."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from operando.figures.abscissa import TimeAxis
from operando.figures.source import Source


@dataclass(frozen=True)
class State:
    """A numbered scan: ``hour`` and ``voltage`` are NaN where unknown."""

    number: int
    scan: int
    hour: float
    voltage: float
    step: str

    @property
    def caption(self) -> str:
        """What stands over the slice: number, time, step."""
        parts = [f"{self.hour:.1f} h" if np.isfinite(self.hour) else f"scan {self.scan}", self.step]
        return ", ".join(part for part in parts if part)


def choose(source: Source, axis: TimeAxis | None, count: int, cycles: tuple[int, ...] | None = None) -> list[State]:
    """Choose up to ``count`` scans with a volume: first and last, then the ends of the protocol's steps, well apart."""
    scans = source.frames("volume")
    timeline = source.table("scan_timeline")
    if not scans:
        return []
    rows = _rows(scans, timeline, axis)
    if cycles is not None:
        rows = [row for row in rows if row[4] in cycles] or rows
    chosen = _spaced(rows, _turning_points(rows), count)
    return [State(i + 1, *rows[k][:4]) for i, k in enumerate(chosen)]


Row = tuple[int, float, float, str, int, int]
"""Scan, hour, voltage, kind of step, cycle, step."""


def _rows(scans: list[int], timeline: xr.Dataset | None, axis: TimeAxis | None) -> list[Row]:
    known = {} if timeline is None else {int(scan): i for i, scan in enumerate(timeline["scan"].values)}
    return [_row(scan, timeline, known.get(scan), axis) for scan in scans]


def _row(scan: int, timeline: xr.Dataset | None, place: int | None, axis: TimeAxis | None) -> Row:
    if timeline is None or place is None:
        return scan, np.nan, np.nan, "", -1, -1
    one = timeline.isel(scan=place)
    hour = np.nan
    if axis is not None:
        hour = float(np.mean([axis.hours(one[edge].values[None])[0] for edge in ("start", "end")]))
    step, cycle = int(one["step"].values), int(one["cycle"].values)
    return scan, hour, float(one["voltage"].values), str(one["step_kind"].values), cycle, step


def _turning_points(rows: list[Row]) -> list[int]:
    """Places where the step changes: the last scan of each step."""
    steps = [row[5] for row in rows]
    return [i for i in range(len(rows) - 1) if steps[i] >= 0 and steps[i] != steps[i + 1]]


def _spaced(rows: list[Row], preferred: list[int], count: int) -> list[int]:
    """First and last, the preferred ones, then whatever fills the widest gap; never nearer than half the usual gap."""
    hours = np.array([row[1] for row in rows])
    where = hours if np.isfinite(hours).all() else np.arange(len(rows), dtype=float)
    count = min(count, len(rows))
    chosen = [0, len(rows) - 1][:count]
    nearest = 0.5 * (where[-1] - where[0]) / max(count - 1, 1)
    for k in preferred:
        if len(chosen) < count and min(abs(where[k] - where[c]) for c in chosen) >= nearest:
            chosen.append(k)
    while len(chosen) < count:
        distance = np.array([min(abs(w - where[c]) for c in chosen) for w in where])
        distance[chosen] = -1.0
        chosen.append(int(distance.argmax()))
    return sorted(chosen)
