"""Gamry Framework ``.DTA``: text with tables, in the machine's locale (decimal commas), with impedance."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr

from operando.formats import _impedance, _record, _text, _times
from operando.model.errors import BrokenFileError
from operando.model.reading import Kind, ReadOptions

NAME = "gamry_dta"
TITLE = "Gamry Framework (.DTA), with impedance"
KIND: Kind = "electrochemistry"
EXTENSIONS = (".dta",)

_ENDLESS = 99999
"""What Gamry promises where the number of rows isn't known beforehand."""

_OPEN_CIRCUIT = "CORPOT"
_TABLE = re.compile(r"^(\w+)\tTABLE(?:\t(\d+))?")
_DATE = re.compile(r"^\D*(\d{1,2})[/.-](\d{1,2})[/.-]")


@dataclass
class _Table:
    name: str
    promised: int | None
    line: int
    labels: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def column(self, *names: str) -> np.ndarray | None:
        """Numbers of the first of ``names`` that is there."""
        found = next((self.labels.index(name) for name in names if name in self.labels), None)
        return None if found is None else np.array([_text.number(row[found]) for row in self.rows])


@dataclass
class _File:
    path: Path
    header: dict[str, list[str]] = field(default_factory=dict)
    tables: list[_Table] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def named(self, prefix: str) -> list[_Table]:
        return [table for table in self.tables if table.name.startswith(prefix)]


def sniff(path: Path, head: bytes) -> bool:
    """Text that starts with ``EXPLAIN`` and a ``TAG``."""
    return head.startswith(b"EXPLAIN") and b"\nTAG\t" in head


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the curves as a RECORD product; else open circuit, with zero current; else impedance's DC values.

    Gamry counts an anodic current as positive unless set otherwise: see ``positive_current``. Tables whose time
    starts again follow the one before. Raises ``BrokenFileError`` for a truncated file, ``ConfigurationError`` for
    a date whose zone is unknown.
    """
    file = _parse(path)
    tables = file.named("CURVE") or file.named("OCVCURVE") or file.named("ZCURVE")
    tag = " ".join(file.header.get("TAG", []))
    if not any(table.rows for table in tables):
        raise BrokenFileError(path, "it holds no curve of voltage against time", "leave the file out")
    pieces = [_curve(path, table, index, tag) for index, table in enumerate(tables) if table.rows]
    shift = 0.0
    for piece in pieces:
        if piece[0, 0] + shift < shift and shift:
            raise BrokenFileError(path, "its curves have negative times", "leave the file out")
        piece[:, 0] += shift if shift and piece[0, 0] < shift else 0.0
        shift = float(piece[-1, 0])
    elapsed, voltage, current, segment = np.concatenate(pieces).T
    moment = _moment(file)
    columns = _record.Columns(
        elapsed=elapsed,
        voltage=voltage,
        current=current,
        start=_times.to_time(moment, options, str(path)),
        extra={"segment": segment},
        warnings=file.warnings,
        attrs={"format": NAME, "technique": tag, **_local(moment)},
    )
    return _record.build(path, columns, options)


def read_impedance(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the impedance spectra as an IMPEDANCE product, with no spectrum if the file holds none."""
    file = _parse(path)
    start = _times.to_time(_moment(file), options, str(path))
    points = [np.empty((0, 4))]
    for table in file.named("ZCURVE"):
        columns = [table.column("Freq"), table.column("Zreal"), table.column("Zimag"), table.column("Time", "T")]
        known = [column for column in columns if column is not None]
        if len(known) < len(columns):
            raise BrokenFileError(path, f"its {table.name} has columns {', '.join(table.labels)}", "export it again")
        # A row without frequency ends a spectrum.
        points += [np.stack(known, axis=1), np.full((1, 4), np.nan)]
    return _impedance.build(path, np.concatenate(points), start, options, NAME)


def _parse(path: Path) -> _File:
    """Header entries and tables of the file."""
    file = _File(path)
    table: _Table | None = None
    for number, line in enumerate(_text.read_small(path).split("\n"), 1):
        if found := _TABLE.match(line):
            table = _Table(found[1], int(found[2]) if found[2] else None, number)
            file.tables.append(table)
        elif table is not None and line.startswith("\t"):
            _row(table, line.split("\t")[1:])
        elif line.strip():
            table = None
            key, *values = line.split("\t")
            file.header.setdefault(key, values[1:] if len(values) > 1 else values)
    for table in file.tables:
        _check(file, table)
    return file


def _row(table: _Table, fields: list[str]) -> None:
    """The first two lines of a table are labels and units."""
    stripped = [each.strip() for each in fields]
    if not table.labels:
        table.labels = stripped
    elif not table.units:
        table.units = stripped
    else:
        table.rows.append(stripped)


def _check(file: _File, table: _Table) -> None:
    """A cut last row is left out with a warning; rows that a table promises must be there."""
    width = len(table.labels) - (1 if table.labels and not table.labels[-1] else 0)
    if table.rows and len(table.rows[-1]) < width:
        file.warnings.append(f"the last row of {table.name} is cut off; left out.")
        table.rows.pop()
    short = next((i for i, row in enumerate(table.rows) if len(row) < width), None)
    if short is not None:
        found = f"line {table.line + 3 + short} has {len(table.rows[short])} of {width} columns"
        raise BrokenFileError(file.path, found, "copy the file again")
    if table.promised not in {None, _ENDLESS} and len(table.rows) < (table.promised or 0):
        file.warnings.append(f"{table.name} promises {table.promised} rows, {len(table.rows)} are there.")


def _curve(path: Path, table: _Table, index: int, tag: str) -> np.ndarray:
    """Rows of (s, V, mA, index)."""
    seconds, voltage = table.column("T", "Time"), table.column("Vf", "Vu", "Vm", "Vdc")
    if seconds is None or voltage is None:
        raise BrokenFileError(path, f"its {table.name} has columns {', '.join(table.labels)}", "export it again")
    amperes = table.column("Im", "Idc")
    if amperes is None:
        at_rest = table.name.startswith("OCV") or tag == _OPEN_CIRCUIT
        amperes = np.zeros(seconds.size) if at_rest else np.full(seconds.size, np.nan)
    return np.stack([seconds, voltage, amperes * 1e3, np.full(seconds.size, float(index))], axis=1)


def _moment(file: _File) -> datetime | None:
    """Start of the experiment, local. Dates with decimal commas beside them are day first, others month first."""
    date = (file.header.get("DATE") or [""])[0]
    time = (file.header.get("TIME") or [""])[0]
    comma = any(
        "," in row[0] or "," in row[-1] or "," in "".join(row) for table in file.tables for row in table.rows[:1]
    )
    moment = _times.parse_moment(f"{date} {time}", day_first=comma)
    numbers = _DATE.match(date)
    if moment is not None and numbers and numbers[1] != numbers[2] and max(map(int, numbers.groups())) <= 12:
        said = f"the date {date} was read as {moment:%Y-%m-%d}."
        if said not in file.warnings:
            file.warnings.append(said)
    return moment


def _local(moment: datetime | None) -> dict[str, str]:
    return {} if moment is None else {"local_start": moment.isoformat()}
