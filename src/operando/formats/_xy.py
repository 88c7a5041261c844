"""Two- and three-column text: what the readers of patterns and of counts share."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from operando.formats import _delimited, _text, _times
from operando.formats._delimited import Outline
from operando.model.clock import NOT_A_TIME
from operando.model.errors import BrokenFileError
from operando.model.reading import ReadOptions

_START = re.compile(
    r"\b(time at start|start[ _]?(?:time|date)?|date(?:[ _]?time)?|acquired|measured)\b[^=:]*[=:]\s*(.+)", re.I
)
_END = re.compile(r"\b(time at end|end[ _]?(?:time|date)?|stop[ _]?time)\b[^=:]*[=:]\s*(.+)", re.I)
_UNITS = {"kev": "keV", "ev": "eV", "deg": "deg", "degree": "deg", "degrees": "deg", "°": "deg", "angstrom": "angstrom"}


_HEAD_BYTES = 65536


@dataclass
class Columns:
    """The columns of the file and what its comments say."""

    values: np.ndarray
    outline: Outline
    warnings: list[str] = field(default_factory=list)

    def named(self, pattern: str) -> float:
        """A number from the comments, by the words before it; NaN if there is none."""
        for comment in self.outline.comments:
            if found := re.search(rf"\b(?:{pattern})\b[^=:]*[=:]\s*([-+0-9.,eE]+)", comment, re.IGNORECASE):
                return _text.number(found[1])
        return float("nan")


def outline_of(head: bytes) -> Outline | None:
    """Layout of text with a few columns of numbers; ``None`` for anything else."""
    if not _text.looks_like_text(head):
        return None
    return _delimited.outline(head.decode("utf-8", "replace"), complete=len(head) < 4096)


def read_columns(path: Path) -> Columns:
    """The first columns of the file; a cut last row is left out with a warning, any other bad row is an error."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    outline = _delimited.outline(head.decode("utf-8-sig", "replace"), complete=len(head) < _HEAD_BYTES)
    if outline is None:
        raise BrokenFileError(path, "it has no rows of numbers", "leave the file out")
    used = range(min(outline.width, 3))
    layout = _text.Layout(outline.first, used, outline.width, outline.delimiter, outline.decimal, "utf-8-sig")
    table = _text.read_table(path, layout)
    if not len(table.values):
        raise BrokenFileError(path, "it has no rows of numbers", "leave the file out")
    return Columns(table.values, outline, table.warnings)


def label(columns: Columns, index: int) -> str:
    """Name of a column: from the row of labels, else from the last comment if it has as many names."""
    if columns.outline.labels:
        return columns.outline.labels[index]
    for comment in reversed(columns.outline.comments):
        words = re.split(r"\t|\s{2,}|[,;]", comment.lstrip("#%!;' \t"))
        if len(words) == columns.outline.width:
            return words[index].strip()
    return ""


def unit_in(words: str) -> str:
    """A unit of energy or angle named in a label, ours if known, else empty."""
    for word in re.split(r"[^A-Za-z°Å]+", words):
        if word.lower() in _UNITS:
            return _UNITS[word.lower()]
    return ""


def times(path: Path, columns: Columns, options: ReadOptions) -> tuple[np.datetime64, np.datetime64]:
    """Start and end that the comments tell; an end from the exposure's middle or length where they tell that."""
    start = _moment(path, columns, _START, options)
    end = _moment(path, columns, _END, options)
    middle = columns.named("time from start")
    lasting = columns.named("real time|exposure time|count time")
    if np.isnat(end) and np.isfinite(lasting):
        end = _times.one_after(start, lasting)
    elif np.isnat(end) and np.isfinite(middle):
        end = _times.one_after(start, 2 * middle)
        columns.warnings.append(
            f"its header gives {middle:.3f} s from the start, read as the exposure's middle: the end is twice that."
        )
    return start, end


def _moment(path: Path, columns: Columns, pattern: re.Pattern[str], options: ReadOptions) -> np.datetime64:
    for comment in columns.outline.comments:
        if found := pattern.search(comment):
            moment = _times.parse_moment(found[2])
            if moment is not None:
                return _times.to_time(moment, options, str(path))
    return NOT_A_TIME
