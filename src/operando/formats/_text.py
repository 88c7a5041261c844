"""Numbers in text files: decimal commas, ragged ends, big tables in bounded memory."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from operando.model.errors import BrokenFileError

SMALL_FILE_BYTES = 256 * 2**20
"""No spectrum in text is bigger; such a file is refused before it is read."""

_BLOCK_LINES = 50_000
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eEdD][+-]?\d+)?\Z")


def number(written: str) -> float:
    """A number with decimal point or comma; NaN for anything else.

    >>> number("-1,5E+000")
    -1.5
    """
    written = written.strip()
    if not _NUMBER.match(written):
        return float("nan")
    return float(written.replace(",", ".").replace("d", "e").replace("D", "e"))


def is_number(written: str) -> bool:
    """Whether the text is one number."""
    return bool(_NUMBER.match(written.strip()))


def looks_like_text(head: bytes) -> bool:
    """Whether the first bytes can be a text file: no NUL, few control characters."""
    return bool(head) and b"\0" not in head and sum(b < 9 or 13 < b < 32 for b in head) <= len(head) // 100


def read_small(path: Path, encoding: str = "latin-1") -> str:
    """The whole of a small text file with plain newlines; raises ``BrokenFileError`` for a huge one."""
    size = path.stat().st_size
    if size > SMALL_FILE_BYTES:
        raise BrokenFileError(path, f"it has {size / 2**20:.0f} MiB, too much for a spectrum in text", "check the file")
    return path.read_bytes().decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True)
class Table:
    """Columns of a text table; ``warnings`` are sentences on rows that could not be used."""

    values: np.ndarray
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """How a text table is written. ``width`` is the number of fields of a whole row."""

    skip: int
    columns: Sequence[int]
    width: int
    delimiter: str = "\t"
    decimal: str = "."
    encoding: str = "latin-1"


def read_table(path: Path, layout: Layout) -> Table:
    """Read some columns of a table, block by block; an empty field is NaN.

    A last row that is cut off is left out with a warning; any other row that can't be read raises
    ``BrokenFileError`` with its line number.
    """
    blocks: list[np.ndarray] = []
    warnings: list[str] = []
    with path.open(encoding=layout.encoding, errors="replace") as file:
        _skip(file, layout.skip)
        line = layout.skip + 1
        while lines := list(islice(file, _BLOCK_LINES)):
            blocks.append(_block(path, lines, line, layout, warnings))
            line += len(lines)
    empty = np.empty((0, len(layout.columns)))
    return Table(np.concatenate([empty, *blocks]), warnings)


def _skip(lines: Iterator[str], count: int) -> None:
    for _ in islice(lines, count):
        pass


def _block(path: Path, lines: list[str], first: int, layout: Layout, warnings: list[str]) -> np.ndarray:
    rows = [line for line in lines if line.strip()]
    if not rows:
        return np.empty((0, len(layout.columns)))
    if layout.decimal == ",":
        rows = [row.replace(",", ".") for row in rows]
    blanks = layout.delimiter == " "
    if blanks or all(row.count(layout.delimiter) >= layout.width - 1 for row in rows):
        try:
            return np.loadtxt(
                rows,
                delimiter=None if blanks else layout.delimiter,
                usecols=tuple(layout.columns),
                ndmin=2,
                comments=None,
                quotechar='"',
            )
        except ValueError:
            pass  # An empty field or a broken row: found and named below.
    return _careful_block(path, lines, first, layout, warnings)


def _careful_block(path: Path, lines: list[str], first: int, layout: Layout, warnings: list[str]) -> np.ndarray:
    """The slow way, row by row, which knows the line that can't be read."""
    last = max(i for i, line in enumerate(lines) if line.strip())
    rows: list[list[float]] = []
    for i, line in enumerate(lines):
        if not line.strip():
            continue
        row = _row(line, layout)
        if row is None and i == last and len(lines) < _BLOCK_LINES:
            warnings.append(f"line {first + i} is cut off ({line.strip()[:40]!r}); left out.")
        elif row is None:
            found = f"line {first + i} can't be read ({line.strip()[:60]!r})"
            raise BrokenFileError(path, found, "repair or remove this line")
        else:
            rows.append(row)
    return np.array(rows, float).reshape(len(rows), len(layout.columns))


def _row(line: str, layout: Layout) -> list[float] | None:
    fields = line.split() if layout.delimiter == " " else line.rstrip("\r\n").split(layout.delimiter)
    if len(fields) < layout.width:
        return None
    values = []
    for column in layout.columns:
        written = fields[column].strip().strip('"')
        if layout.decimal == ".":
            written = written if "," not in written else "?"
        value = float("nan") if written.lower() in {"", "nan", "na", "none"} else number(written)
        if np.isnan(value) and written.lower() not in {"", "nan", "na", "none"}:
            return None
        values.append(value)
    return values


def matrix(path: Path, lines: Sequence[str], width: int, first_line: int) -> np.ndarray:
    """Rows of ``width`` blank-separated numbers; raises ``BrokenFileError`` naming the first line that is not."""
    try:
        values = np.loadtxt(lines, ndmin=2, comments=None) if lines else np.empty((0, width))
    except ValueError:
        values = np.empty((0, 0))
    if values.shape[1] == width:
        return values
    for i, line in enumerate(lines):
        fields = line.split()
        if len(fields) != width or not all(is_number(f) for f in fields):
            found = f"line {first_line + i} should hold {width} numbers but reads {line.strip()[:60]!r}"
            raise BrokenFileError(path, found, "copy the file again")
    raise BrokenFileError(path, f"its rows don't hold {width} numbers each", "copy the file again")
