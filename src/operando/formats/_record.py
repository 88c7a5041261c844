"""What every cycler reader does with its columns: sign, order in time, duplicates, absolute time."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.formats._times import after
from operando.model.clock import NOT_A_TIME, parse_time
from operando.model.errors import BrokenFileError, ConfigurationError
from operando.model.products.raw import RECORD
from operando.model.reading import ReadOptions

_ABSURD_V, _ABSURD_S = 1e4, 4e9
"""No cell has such a voltage, no file lasts that long: a decimal comma or a unit was misread."""

_TOLERATED_SHARE = 0.01
"""More rows than this going back in time are no glitch but a broken record."""


@dataclass
class Columns:
    """A cycler file's columns as read: seconds, volts, and milliamperes by the instrument's own sign.

    ``unix`` are absolute times where each row has one (s since 1970); ``start`` is the absolute time of
    ``elapsed`` = 0. ``extra`` holds the optional variables of RECORD.
    """

    elapsed: np.ndarray
    voltage: np.ndarray
    current: np.ndarray
    start: np.datetime64 = NOT_A_TIME
    unix: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    current_kind: str = "instantaneous"
    warnings: list[str] = field(default_factory=list)
    attrs: dict[str, Any] = field(default_factory=dict)


def build(path: Path, columns: Columns, options: ReadOptions) -> xr.Dataset:
    """Check the columns and make them a RECORD product.

    ``attrs["current_kind"]`` is ``"instantaneous"``, or ``"mean"`` where the instrument gives the mean current
    since the row before. Raises ``BrokenFileError`` for a file without usable rows or with time running
    backwards, ``ConfigurationError`` where an absolute time is needed and unknown.
    """
    keep = _finite(path, columns)
    keep &= _forward(path, columns, keep)
    if not keep.any():
        raise BrokenFileError(path, "it holds no complete row of time, voltage and current", "leave the file out")
    times = _times(path, columns, options)[keep]
    sign = 1.0 if options.positive_current == "charge" else -1.0
    extra = {name: values[keep] for name, values in columns.extra.items()}
    if "charge" in extra:
        extra["charge"] = sign * extra["charge"]
    return RECORD.new(
        time=times,
        elapsed=columns.elapsed[keep],
        voltage=columns.voltage[keep],
        current=sign * columns.current[keep],
        attrs={**columns.attrs, "current_kind": columns.current_kind, "warnings": columns.warnings},
        **extra,
    )


def _finite(path: Path, columns: Columns) -> np.ndarray:
    if not columns.elapsed.size:
        raise BrokenFileError(path, "it holds no rows", "leave the file out")
    keep = np.isfinite(columns.elapsed) & np.isfinite(columns.voltage) & np.isfinite(columns.current)
    absurd = keep & ((np.abs(columns.voltage) > _ABSURD_V) | (np.abs(columns.elapsed) > _ABSURD_S))
    if absurd.sum() > _TOLERATED_SHARE * keep.sum() + 1:
        row = int(np.argmax(absurd))
        found = f"row {row + 1} has {columns.voltage[row]:.6g} V at {columns.elapsed[row]:.6g} s"
        raise BrokenFileError(path, found, "check its decimal sign and units")
    if absurd.any():
        columns.warnings.append(f"{absurd.sum()} rows have an impossible voltage or time; left out.")
    keep &= ~absurd
    lost = int((~keep).sum())
    if lost > absurd.sum():
        columns.warnings.append(f"{lost - absurd.sum()} of {keep.size} rows lack time, voltage or current; left out.")
    return keep


def _forward(path: Path, columns: Columns, keep: np.ndarray) -> np.ndarray:
    """Rows that neither repeat the row before nor go back in time."""
    elapsed = np.where(keep, columns.elapsed, -np.inf)
    latest = np.maximum.accumulate(elapsed)
    back = keep & (elapsed < latest)
    if back.sum() > _TOLERATED_SHARE * keep.sum() + 1:
        row = int(np.argmax(back))
        found = (
            f"row {row + 1} goes back in time from {latest[row]:.6g} s to {elapsed[row]:.6g} s, as do {back.sum()} rows"
        )
        raise BrokenFileError(path, found, "split the file where its clock starts again")
    if back.any():
        row = int(np.argmax(back))
        columns.warnings.append(
            f"{back.sum()} rows go back (row {row + 1}: from {latest[row]:.6g} to {elapsed[row]:.6g} s); left out."
        )
    same = _repeats(columns) & keep & ~back
    if same.any():
        columns.warnings.append(f"{same.sum()} rows repeat the row before; left out.")
    return ~back & ~same


def _repeats(columns: Columns) -> np.ndarray:
    """True where a row equals the one before in everything; the same instant alone is a change of technique."""
    same = np.ones(columns.elapsed.size, bool)
    same[:1] = False
    for values in (columns.elapsed, columns.voltage, columns.current, *columns.extra.values()):
        same[1:] &= (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    return same


def _times(path: Path, columns: Columns, options: ReadOptions) -> np.ndarray:
    if columns.unix is not None and np.isfinite(columns.unix).any():
        back = int((np.diff(columns.unix[np.isfinite(columns.unix)]) < 0).sum())
        if back:
            columns.warnings.append(f"absolute times go back {back} times: the cycler's clock was set.")
        return after(np.datetime64(0, "ns"), columns.unix)
    return after(known_start(path, columns.start, options), columns.elapsed)


def known_start(path: Path, start: np.datetime64, options: ReadOptions) -> np.datetime64:
    """``start``, else the configured one; raises ``ConfigurationError`` where one is needed and unknown."""
    if np.isnat(start) and options.start_time:
        start = parse_time(options.start_time, options.time_zone, str(path))
    if np.isnat(start) and options.require_time:
        raise ConfigurationError(
            f"{path}: its rows have no absolute time; add start_time (its clock at 0 s) to [electrochemistry], "
            'for example "2018-05-04T08:00:00+02:00".'
        )
    return start
