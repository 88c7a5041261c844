"""How a table of plain text is laid out: comments, a row of labels, the delimiter, the decimal sign."""

import csv
import re
from dataclasses import dataclass

from operando.formats._text import is_number

_COMMENT = re.compile(r"^\s*[#%!;']")
_DATE = re.compile(r"\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}([T ]|$)")
_NOTHING = {"", "nan", "na", "none", "null"}
_UNCERTAINTY = re.compile(r"^(e|err.*|sigma|std.*|esd|unc.*|s\.?d\.?|.*error)$", re.IGNORECASE)
MAX_HEADER_LINES = 500


@dataclass(frozen=True)
class Outline:
    """What the beginning of the file shows.

    ``headers`` are all rows above the numbers that have as many fields (labels, units). ``first`` is the index of
    the first row of numbers, ``delimiter`` is ``" "`` for any blanks.
    """

    comments: tuple[str, ...]
    headers: tuple[tuple[str, ...], ...]
    first: int
    delimiter: str
    decimal: str
    width: int
    rows: tuple[tuple[str, ...], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The first row above the numbers that names every column."""
        return self.headers[0] if self.headers else ()

    @property
    def has_uncertainty(self) -> bool:
        """Whether the third column is called an uncertainty."""
        return len(self.labels) == 3 and bool(_UNCERTAINTY.match(self.labels[2].strip()))


def outline(head: str, complete: bool) -> Outline | None:
    """Find rows of at least two numbers and what stands above them; ``None`` if there are none.

    ``complete`` says that the last line of ``head`` is whole.
    """
    lines = head.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not complete and len(lines) > 1:
        lines = lines[:-1]
    for delimiter in ("\t", ";", ",", " "):
        for first, line in enumerate(lines[:MAX_HEADER_LINES]):
            if not _is_row(fields(line, delimiter)):
                continue
            found = _from(lines, first, delimiter)
            if found is not None:
                return found
            break
    return None


def fields(line: str, delimiter: str) -> list[str]:
    """The fields of a line, without quotes and blanks around them."""
    if delimiter == " ":
        return line.split()
    if '"' not in line:
        return [field.strip() for field in line.rstrip("\r\n").split(delimiter)]
    try:
        return [field.strip() for field in next(csv.reader([line.strip("\r\n")], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _is_row(row: list[str]) -> bool:
    numbers = sum(map(is_number, row))
    return numbers >= 2 and all(is_number(f) or f.lower() in _NOTHING or _DATE.match(f) for f in row[:2])


def _from(lines: list[str], first: int, delimiter: str) -> Outline | None:
    rows = [tuple(fields(line, delimiter)) for line in lines[first:] if line.strip()]
    width = len(rows[0])
    if any(len(row) != width for row in rows) or not 2 <= width <= 500:
        return None
    above = [line for line in lines[:first] if line.strip()]
    comments = tuple(line.strip() for line in above if _COMMENT.match(line))
    rows_above = [tuple(fields(line, delimiter)) for line in above if not _COMMENT.match(line)]
    headers = tuple(row for row in rows_above if len(row) == width)
    comma = delimiter != "," and any("," in field for row in rows for field in row if is_number(field))
    return Outline(comments, headers, first, delimiter, "," if comma else ".", width, tuple(rows))
