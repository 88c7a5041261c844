"""SPEC's data files as scans and points: headers, rows of values, and the ``@`` arrays around them.

Format: https://certif.com/spec_manual/mca_user.html.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from operando.formats import _text, _times
from operando.model.errors import BrokenFileError

_Line = TypeVar("_Line")
_CUT = "copy it again or leave it out"


@dataclass
class Detector:
    """What the header says of one detector: a line for each may stand in the header."""

    coefficients: tuple[float, float, float] | None = None
    stored: tuple[float, float, float] | None = None
    """First and last stored channel, and how many detector channels make one of them."""
    live: float = math.nan
    real: float = math.nan


@dataclass
class Point:
    """One acquisition: the values of its row by label, and the texts of its arrays, one an element."""

    scan: "Scan"
    values: dict[str, float] | None = None
    arrays: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Scan:
    """One scan. ``offset`` is the zone's offset from UTC where the file's head tells it."""

    number: str
    command: str
    epoch: float
    offset: timedelta | None
    motors: dict[str, float] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    date: datetime | None = None
    preset: float = math.nan
    ring_current: float = math.nan
    elements: int | None = None
    calibrations: list[tuple[float, float, float]] = field(default_factory=list)
    channels: list[tuple[float, float, float]] = field(default_factory=list)
    durations: list[tuple[float, float]] = field(default_factory=list)
    items: list[dict[str, float] | tuple[str, str]] = field(default_factory=list)
    lookups: dict[re.Pattern[str], tuple[list[str], float]] = field(default_factory=dict, repr=False)

    def detector(self, element: int) -> Detector:
        """The header's lines for one element; a single line holds for all."""
        live, real = _of(self.durations, element) or (math.nan, math.nan)
        return Detector(_of(self.calibrations, element), _of(self.channels, element), live, real)

    def named(self, pattern: re.Pattern[str]) -> tuple[list[str], float]:
        """Labels that the pattern matches, and the value of the first motor or header entry that it matches."""
        if pattern not in self.lookups:
            motors = [v for name, v in self.motors.items() if pattern.match(name.strip()) and math.isfinite(v)]
            labels = [label for label in self.labels if pattern.match(label.strip())]
            self.lookups[pattern] = labels, motors[0] if motors else math.nan
        return self.lookups[pattern]

    def points(self) -> list[Point]:
        """Group rows and arrays. Rows may stand before or after their arrays; some may be missing."""
        arrays = [item for item in self.items if isinstance(item, tuple)]
        rows = len(self.items) - len(arrays)
        capacity = self._elements(arrays, rows)
        points: list[Point] = []
        for item in self.items:
            last = points[-1] if points else None
            if isinstance(item, tuple):
                if last is None or len(last.arrays) >= capacity:
                    points.append(last := Point(self))
                last.arrays.append(item)
            elif last is None or last.values is not None or len(last.arrays) < capacity:
                points.append(Point(self, item))
            else:
                last.values = item
        return [point for point in points if point.arrays]

    def _elements(self, arrays: Sequence[tuple[str, str]], rows: int) -> int:
        """How many arrays make a point."""
        if self.elements is not None:
            return self.elements
        if rows and arrays and len(arrays) % rows == 0:
            return len(arrays) // rows
        if (tags := len({tag for tag, _ in arrays})) > 1:
            return tags
        return max(len(self.channels), 1) if not rows and len(arrays) % max(len(self.channels), 1) == 0 else 1


def _of(lines: Sequence[_Line], element: int) -> _Line | None:
    if not lines:
        return None
    return lines[element] if element < len(lines) else lines[0]


def scans(path: Path, content: str, warnings: list[str]) -> list[Scan]:
    """All scans of a file; raises ``BrokenFileError`` for an array that is cut off or outside a scan."""
    header = _Header()
    found: list[Scan] = []
    rows = iter(enumerate(content.split("\n"), 1))
    for number, line in rows:
        if line.startswith("#"):
            header.take(line)
            if line.startswith("#S ") and header.scan is not None:
                found.append(header.scan)
        elif line.startswith("@"):
            tag, _, block = line.partition(" ")
            block = _continued(path, block, rows, number)
            if header.scan is None:
                raise BrokenFileError(path, f"line {number} has an array before the first #S", "copy the file again")
            header.scan.items.append((tag, block))
        elif line.strip() and header.scan is not None and header.scan.labels:
            _row(header.scan, line, warnings)
    return found


def _continued(path: Path, block: str, rows: Iterator[tuple[int, str]], first: int) -> str:
    """Join lines that end in a backslash."""
    parts = [block]
    while parts[-1].rstrip().endswith("\\"):
        _, line = next(rows, (0, ""))
        if not line.strip():
            raise BrokenFileError(path, f"the array of line {first} is cut off", _CUT)
        parts.append(line)
    return " ".join(part.rstrip().rstrip("\\") for part in parts)


def _row(scan: Scan, line: str, warnings: list[str]) -> None:
    values = [_text.number(word) for word in line.split()]
    if len(values) == len(scan.labels):
        scan.items.append(dict(zip(scan.labels, values, strict=True)))
        return
    said = f"scan {scan.number}: a row has {len(values)} values for {len(scan.labels)} labels; not used."
    if said not in warnings:
        warnings.append(said)


@dataclass
class _Header:
    """The header lines seen so far."""

    scan: Scan | None = None
    epoch: float = math.nan
    file_date: datetime | None = None
    names: dict[str, list[str]] = field(default_factory=dict)

    def take(self, line: str) -> None:
        key, _, rest = line[1:].partition(" ")
        rest = rest.strip()
        if key == "S":
            number, _, command = rest.partition(" ")
            self.scan = Scan(number, command.strip(), self.epoch, self._offset())
        elif key == "F":
            self.scan, self.epoch, self.file_date = None, math.nan, None
        elif key == "E":
            self.epoch = _text.number(rest)
        elif key == "D":
            self._date(rest)
        elif re.fullmatch(r"[HO]\d+", key):
            self.names[key] = re.split(r"\s{2,}", rest) if "  " in rest else rest.split()
        elif self.scan is not None:
            self._of_scan(self.scan, key, rest)

    def _date(self, rest: str) -> None:
        moment = _times.parse_moment(rest)
        if self.scan is None:
            self.file_date = moment
        elif self.scan.date is None:
            self.scan.date = moment

    def _offset(self) -> timedelta | None:
        """The zone's offset from UTC, where the file's head gives one moment as local date and as epoch."""
        if self.file_date is None or not 0 < self.epoch < 1e11:
            return None
        utc = _times.from_unix(self.epoch).replace(tzinfo=None)
        quarters = (self.file_date.replace(tzinfo=None) - utc).total_seconds() / 900
        nearest = round(quarters)
        return timedelta(minutes=15 * nearest) if abs(quarters - nearest) < 0.02 and abs(nearest) <= 56 else None

    def _of_scan(self, scan: Scan, key: str, rest: str) -> None:
        numbers = [_text.number(word) for word in rest.split()]
        if key == "L":
            scan.labels = re.split(r"\s{2,}|\t", rest) if "  " in rest else rest.split()
        elif key == "T" and numbers:
            scan.preset = numbers[0]
        elif re.fullmatch(r"[VP]\d+", key):
            names = self.names.get({"V": "H", "P": "O"}[key[0]] + key[1:], [])
            scan.motors.update(zip(names, numbers, strict=False))
        elif key.startswith("@"):
            _of_detector(scan, key, numbers)


def _of_detector(scan: Scan, key: str, numbers: list[float]) -> None:
    """Lines about detectors; EDDI adds ``#@RC``, the ring current in mA."""
    if key == "@CTIME" and len(numbers) >= 3:
        scan.durations.append((numbers[1], numbers[2]))
    elif key == "@CHANN" and len(numbers) >= 4 and numbers[1] <= numbers[2] and numbers[3] >= 1:
        scan.channels.append((numbers[1], numbers[2], numbers[3]))
    elif key == "@CALIB" and len(numbers) >= 2:
        scan.calibrations.append((numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else 0.0))
    elif key == "@MCA_NB" and numbers and 1 <= numbers[0] <= 10_000:
        scan.elements = int(numbers[0])
    elif key == "@RC" and numbers:
        scan.ring_current = numbers[0]
