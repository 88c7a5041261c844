"""BioLogic EC-Lab ``.mpt``: text export in the machine's locale (decimal commas, Latin-1), times without a zone."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr

from operando.formats import _biologic, _impedance, _record, _text, _times
from operando.model.errors import BrokenFileError
from operando.model.reading import Kind, ReadOptions

NAME = "biologic_mpt"
TITLE = "BioLogic EC-Lab text (.mpt), with impedance"
KIND: Kind = "electrochemistry"
EXTENSIONS = (".mpt", ".txt")

_MAGIC = (b"EC-Lab ASCII FILE", b"BT-Lab ASCII FILE")
_MAX_HEADER_LINES = 100_000


@dataclass(frozen=True)
class _Header:
    path: Path
    lines: list[str]
    labels: list[str]
    decimal: str
    time_is_number: bool

    def read(self, names: list[str]) -> _text.Table:
        columns = [self.labels.index(name) for name in names]
        layout = _text.Layout(len(self.lines), columns, len(self.labels), "\t", self.decimal, "latin-1")
        return _text.read_table(self.path, layout)


def sniff(path: Path, head: bytes) -> bool:
    """Text that starts with EC-Lab's or BT-Lab's first line."""
    return head.startswith(_MAGIC)


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the file as a RECORD product; ``attrs["voltage_column"]`` says which of EC-Lab's potentials it is.

    The cell's voltage is ``Ecell`` where the file has it, else ``Ewe``. Without a column of the current it is
    dq/dt, the mean since the row before. Raises ``BrokenFileError`` for a truncated or inconsistent file,
    ``ConfigurationError`` for an acquisition start whose zone is unknown.
    """
    header = _header(path)
    wanted = _biologic.wanted(header.labels)
    if not header.time_is_number:
        wanted.remove(_biologic.TIME)
    table = header.read(wanted)
    columns = dict(zip(wanted, table.values.T, strict=True))
    if not header.time_is_number:
        columns[_biologic.TIME] = _seconds(header, len(table.values))
    record = _biologic.columns(path, columns, _technique(header), table.warnings)
    record.start = _start(header, options)
    record.attrs |= {"format": NAME, **_local_start(header)}
    return _record.build(path, record, options)


def read_impedance(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the impedance spectra as an IMPEDANCE product, with no spectrum if the file holds none."""
    header = _header(path)
    names = ["freq/Hz", "Re(Z)/Ohm", "-Im(Z)/Ohm", _biologic.TIME]
    if not set(names) <= set(header.labels) or not header.time_is_number:
        return _impedance.build(path, np.empty((0, 4)), _start(header, options), options, NAME)
    values = header.read(names).values
    values[:, 2] *= -1
    return _impedance.build(path, values, _start(header, options), options, NAME)


def _header(path: Path) -> _Header:
    with path.open(encoding="latin-1") as file:
        lines = [file.readline().rstrip("\n") for _ in range(2)]
        stated = re.match(r"Nb header lines\s*:\s*(\d+)", lines[1])
        if stated is None or not 3 <= int(stated[1]) <= _MAX_HEADER_LINES:
            found = f"its second line reads {lines[1][:60]!r}, not the number of header lines"
            raise BrokenFileError(path, found, "export it again with EC-Lab")
        for _ in range(int(stated[1]) - 2):
            line = file.readline()
            if not line:
                raise BrokenFileError(path, f"it ends within its {stated[1]} header lines", "export it again")
            lines.append(line.rstrip("\n"))
        first_row = file.readline()
    labels = [label.strip() for label in lines[-1].rstrip("\t").split("\t")]
    if "time/s" not in labels:
        found = f"the last of its {len(lines)} header lines has no time/s but reads {lines[-1][:60]!r}"
        raise BrokenFileError(path, found, "export it again with time/s as one of the columns")
    fields = first_row.split("\t")
    moment = fields[labels.index("time/s")] if len(fields) >= len(labels) else "0"
    decimal = "," if "," in first_row and "." not in first_row.replace(moment, "") else "."
    return _Header(path, lines, labels, decimal, _text.is_number(moment))


def _technique(header: _Header) -> str:
    return header.lines[3].strip() if len(header.lines) > 3 else ""


def _local_start(header: _Header) -> dict[str, str]:
    moment = _acquisition(header)
    return {} if moment is None else {"local_start": moment.isoformat()}


def _acquisition(header: _Header) -> datetime | None:
    dates = [line.split(":", 1)[1] for line in header.lines if re.match(r"(Acquisition started|Modify) on\s*:", line)]
    started = next((line for line in header.lines if re.match(r"Acquisition started on\s*:", line)), None)
    # EC-Lab writes the month first; a first number above 12 anywhere in the header shows the other order.
    day_first = any(int(found[1]) > 12 for found in map(re.compile(r"\s*(\d+)[/.-]").match, dates) if found)
    return None if started is None else _times.parse_moment(started.split(":", 1)[1], day_first)


def _start(header: _Header, options: ReadOptions) -> np.datetime64:
    return _times.to_time(_acquisition(header), options, str(header.path))


def _seconds(header: _Header, count: int) -> np.ndarray:
    """Seconds since the acquisition's start of rows whose time is written as a date."""
    column = header.labels.index(_biologic.TIME)
    with header.path.open(encoding="latin-1") as file:
        rows = [line.split("\t") for line in file.readlines()[len(header.lines) :] if line.strip()]
    moments = [_times.parse_moment(row[column]) for row in rows[:count]]
    origin = _acquisition(header) or next((m for m in moments if m), None)
    return np.array([
        np.nan if m is None or origin is None or m.tzinfo else (m - origin).total_seconds() for m in moments
    ])
