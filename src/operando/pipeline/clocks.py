"""What the headers say of time: scans at one instant, scans outside the cycler's record, clocks that run backwards."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import xarray as xr

from operando.model.clock import to_text
from operando.model.errors import OperandoError
from operando.pipeline import raw


def check_clocks(found: raw.RawFiles) -> Iterator[tuple[str, str]]:
    """Yield file and sentence for everything about time that looks wrong."""
    windows = {name: _windows(found.of(name)) for name in ("scan", "spectrum")}
    for name, there in windows.items():
        yield from _twins(there, name)
        yield from _disorder(there, name)
    record = _record_window(found)
    if record is not None:
        for name, there in windows.items():
            yield from _outside(there, name, record)


Window = tuple[str, np.datetime64, np.datetime64]


def _windows(frames: tuple[raw.RawFrame, ...]) -> list[Window]:
    opened = ((frame, data) for frame in frames if (data := _opened(frame)) is not None)
    return [(frame.file, _time(data, "start"), _time(data, "end")) for frame, data in opened if raw.has_time(data)]


def _opened(frame: raw.RawFrame) -> xr.Dataset | None:
    """The raw product; ``None`` for a file that has become unreadable, of which others tell."""
    try:
        return raw.open_frame(frame)
    except (OperandoError, OSError):
        return None


def _time(data: xr.Dataset, name: str) -> np.datetime64:
    return np.datetime64(data[name].values.item(), "ns")


def _twins(windows: list[Window], name: str) -> Iterator[tuple[str, str]]:
    seen: dict[np.datetime64, str] = {}
    for file, start, _ in windows:
        if start in seen and seen[start] != file:
            wrong = f"one of the two {name}s has a wrong time"
            yield file, f"{file}: starts at {to_text(start)} like {seen[start]}; {wrong}."
        seen.setdefault(start, file)


def _disorder(windows: list[Window], name: str) -> Iterator[tuple[str, str]]:
    for (before, earlier, _), (file, later, _) in pairwise(windows):
        if later < earlier:
            order = f"{name}s are taken in the order of their names"
            yield file, f"{file}: starts at {to_text(later)}, before {before} ({to_text(earlier)}); {order}."


def _record_window(found: raw.RawFiles) -> tuple[np.datetime64, np.datetime64] | None:
    records = [data for frame in found.of("record") if (data := _opened(frame)) is not None]
    times = [record["time"].values for record in records]
    times = [t[~np.isnat(t)] for t in times]
    times = [t for t in times if t.size]
    return (min(t.min() for t in times), max(t.max() for t in times)) if times else None


NAMED = 3
"""So many files are named one by one; of more, the first and the last."""


def _outside(
    windows: list[Window], name: str, record: tuple[np.datetime64, np.datetime64]
) -> Iterator[tuple[str, str]]:
    outside = [(file, start) for file, start, end in windows if end < record[0] or start > record[1]]
    within = f"lies outside the cycler's record ({to_text(record[0])} … {to_text(record[1])})"
    if len(outside) <= NAMED:
        for file, start in outside:
            yield file, f"{file}: this {name} ({to_text(start)}) {within}; it gets no charge."
    else:
        first, last = outside[0], outside[-1]
        yield (
            first[0],
            f"{first[0]} ({to_text(first[1])}) and {len(outside) - 1} more up to {last[0]}: each {name} {within}; "
            "they get no charge.",
        )
