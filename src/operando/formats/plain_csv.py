"""Any table of a cycler with a row of labels, whose columns the configuration names.

``columns = { time_s = "t", voltage_V = "Ewe", current_mA = "I" }``; delimiter and decimal sign are found out.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from operando.formats import _delimited, _record, _text, _times
from operando.formats._delimited import Outline
from operando.model.clock import NOT_A_TIME
from operando.model.errors import BrokenFileError, ConfigurationError
from operando.model.reading import Kind, ReadOptions

NAME = "plain_csv"
TITLE = "plain CSV of a cycler, with a column map (electrochemistry.columns)"
KIND: Kind = "electrochemistry"
EXTENSIONS = (".csv", ".txt", ".tsv", ".dat")
FALLBACK = True

_NAMES: dict[str, tuple[str, float]] = {
    "time_s": ("elapsed", 1.0),
    "time_ms": ("elapsed", 1e-3),
    "time_min": ("elapsed", 60.0),
    "time_h": ("elapsed", 3600.0),
    "unix_time_s": ("unix", 1.0),
    "date_time": ("date_time", 1.0),
    "voltage_V": ("voltage", 1.0),
    "voltage_mV": ("voltage", 1e-3),
    "current_mA": ("current", 1.0),
    "current_A": ("current", 1e3),
    "current_uA": ("current", 1e-3),
    "charge_mAh": ("charge", 1.0),
    "charge_Ah": ("charge", 1e3),
    "temperature_C": ("temperature", 1.0),
    "segment": ("segment", 1.0),
}
_HEAD = 65536


@dataclass(frozen=True)
class _Column:
    ours: str
    index: int
    factor: float


def sniff(path: Path, head: bytes) -> bool:
    """At least three columns of numbers below a row of labels."""
    if not _text.looks_like_text(head):
        return False
    outline = _delimited.outline(head.decode("utf-8-sig", "replace"), complete=len(head) < 4096)
    if outline is None or outline.width < 3 or not outline.labels or outline.has_uncertainty:
        return False
    return not all(map(_text.is_number, outline.labels))


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the columns that ``options.columns`` names as a RECORD product.

    Raises ``ConfigurationError`` for a missing or unknown column, ``BrokenFileError`` for rows that can't be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    outline = _delimited.outline(head.decode("utf-8-sig", "replace"), complete=len(head) < _HEAD)
    if outline is None or not outline.labels:
        raise BrokenFileError(path, "it has no rows of numbers below a row of labels", "leave the file out")
    columns = _mapped(path, outline, options.columns)
    numeric = [column for column in columns if column.ours != "date_time"]
    indices = [column.index for column in numeric]
    layout = _text.Layout(outline.first, indices, outline.width, outline.delimiter, outline.decimal, "utf-8-sig")
    table = _text.read_table(path, layout)
    values = {column.ours: table.values[:, k] * column.factor for k, column in enumerate(numeric)}
    start: np.datetime64 = NOT_A_TIME
    elapsed = values.get("elapsed")
    dated = next((column for column in columns if column.ours == "date_time"), None)
    if dated is not None:
        start, elapsed = _from_dates(path, outline, dated.index, len(table.values), options)
    unix = values.get("unix")
    if elapsed is None and unix is not None:
        elapsed = unix - unix[:1]
    return _record.build(path, _assembled(values, elapsed, unix, start, table.warnings), options)


def _assembled(
    values: Mapping[str, np.ndarray],
    elapsed: np.ndarray | None,
    unix: np.ndarray | None,
    start: np.datetime64,
    warnings: list[str],
) -> _record.Columns:
    return _record.Columns(
        elapsed=np.full(values["voltage"].size, np.nan) if elapsed is None else elapsed,
        voltage=values["voltage"],
        current=values["current"],
        start=start,
        unix=unix,
        extra={name: values[name] for name in ("charge", "temperature", "segment") if name in values},
        warnings=warnings,
        attrs={"format": NAME},
    )


def _mapped(path: Path, outline: Outline, columns: Mapping[str, str]) -> list[_Column]:
    """The columns by our names; raises ``ConfigurationError`` where the map and the file don't fit."""
    unknown = next((name for name in columns if name not in _NAMES), None)
    if unknown is not None:
        near = difflib.get_close_matches(unknown, _NAMES, 1)
        meant = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(_NAMES)}."
        raise ConfigurationError(f"{path}: columns has {unknown!r}{meant}")
    mapped = [
        _Column(_NAMES[name][0], _index(path, outline, label), _NAMES[name][1]) for name, label in columns.items()
    ]
    given = {column.ours for column in mapped}
    if not {"voltage", "current"} <= given or not {"elapsed", "unix", "date_time"} & given:
        labels = ", ".join(repr(label) for label in outline.labels)
        raise ConfigurationError(
            f"{path}: columns must name time, voltage and current, for example columns = {{ time_s = "
            f'"{outline.labels[0]}", voltage_V = "…", current_mA = "…" }}; the file has {labels}.'
        )
    return mapped


def _index(path: Path, outline: Outline, label: str) -> int:
    for header in outline.headers:
        plain = [each.strip().lower() for each in header]
        if label in header:
            return header.index(label)
        if label.strip().lower() in plain:
            return plain.index(label.strip().lower())
    near = difflib.get_close_matches(label, outline.labels, 1)
    meant = f"did you mean {near[0]!r}" if near else f"it has {', '.join(outline.labels)}"
    raise ConfigurationError(f"{path}: the file has no column {label!r}; {meant}.")


def _from_dates(
    path: Path, outline: Outline, index: int, count: int, options: ReadOptions
) -> tuple[np.datetime64, np.ndarray]:
    """Start (UTC) and seconds since it, from a column of dates."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        lines = [line for i, line in enumerate(file) if i >= outline.first and line.strip()]
    rows = [_delimited.fields(line, outline.delimiter) for line in lines[:count]]
    moments = [_times.parse_moment(row[index]) if len(row) > index else None for row in rows]
    times = np.array([_times.to_time(moment, options, str(path)) for moment in moments], "datetime64[ns]")
    local = [None if m is None else m.replace(tzinfo=None) for m in moments]
    first = next((m for m in local if m is not None), None)
    if np.isnat(times).all():
        # Without a zone the order within the file is still known.
        seconds = [np.nan if m is None or first is None else (m - first).total_seconds() for m in local]
        return NOT_A_TIME, np.array(seconds)
    start = times[~np.isnat(times)][0]
    return start, np.where(np.isnat(times), np.nan, (times - start) / np.timedelta64(1, "s"))
