"""SPEC data files with multi-channel spectra in ``@A`` arrays, as EDDI and many other beamlines write them.

Format: https://certif.com/spec_manual/mca_user.html. One file holds any number of scans, each with any number of
points; every ``@A`` of a point is one detector element.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import xarray as xr

from operando.formats import _spectra, _text, _times
from operando.model.clock import NOT_A_TIME
from operando.model.errors import BrokenFileError
from operando.model.reading import Kind, ReadOptions

NAME = "spec_mca"
TITLE = "SPEC with @A arrays (EDDI style), also SPEC-like .mca"
KIND: Kind = "diffraction"
EXTENSIONS = (".spec", ".dat", ".mca", ".spc")

_RING = re.compile(r"^(sr|ring|machine|storage|s-r|bessy|topup)[ _-]?(ring)?[ _-]?cur", re.IGNORECASE)
_LIVE = re.compile(r"^(live|lt|ltime|livetime|live[ _]time)$", re.IGNORECASE)
_REAL = re.compile(r"^(real|rt|rtime|realtime|real[ _]time|seconds|sec|exposure|count[ _]time)$", re.IGNORECASE)


@dataclass
class _Point:
    """One spectrum while it is put together; ``arrays`` are the texts of its ``@`` blocks."""

    scan: "_Scan"
    arrays: dict[str, str] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)


@dataclass
class _Scan:
    """What a scan's header says of all its points."""

    number: str
    command: str
    epoch: float
    offset: timedelta | None
    motors: dict[str, float] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    date: datetime | None = None
    preset: float = float("nan")
    live: float = float("nan")
    real: float = float("nan")
    stored: tuple[float, float, float] | None = None
    """First and last stored channel and how many detector channels make one of them."""
    coefficients: list[float] = field(default_factory=list)


def sniff(path: Path, head: bytes) -> bool:
    """Text that starts with ``#F`` or ``#S`` and goes on as SPEC does."""
    if not _text.looks_like_text(head) or not head.startswith((b"#F ", b"#S ")):
        return False
    return b"\n#S " in head or b"\n#D " in head or b"\n#@" in head or b"\n@A" in head


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read all spectra of the file as a SPECTRA product; coordinate ``scan`` is the number of its scan.

    Dates have no zone. Where the header gives the epoch of the same moment (``#E``), the zone follows from it;
    else ``options.time_zone`` is needed. Points of one scan have times of their own only where there is a column
    ``Epoch`` or ``Time``. Raises ``BrokenFileError`` where no spectrum is there or an array is cut off.
    """
    warnings: list[str] = []
    points = _points(path, _text.read_small(path).split("\n"), warnings)
    if not points:
        raise BrokenFileError(path, "it holds no @A arrays", "give SPEC files with MCA spectra, or leave it out")
    counts, points = _counts(path, points, warnings)
    elements = counts.shape[1]
    live, real = _durations(points, elements)
    if np.isnan(live).all():
        warnings.append("the file has no live time (#@CTIME or a column); dead time is unknown.")
    ring = np.array([_named(point, _RING) for point in points])
    return _spectra.build(
        path,
        counts,
        options,
        live_time=live,
        real_time=real,
        start=_starts(path, points, real, options, warnings),
        energy_coefficients=_coefficients(points, elements, warnings),
        warnings=warnings,
        coords={"scan": (("spectrum",), [p.scan.number for p in points], "text")},
        attrs={"format": NAME, "commands": {p.scan.number: p.scan.command for p in points}},
        **({"ring_current": ring} if np.isfinite(ring).any() else {}),
    )


def _points(path: Path, lines: list[str], warnings: list[str]) -> list[_Point]:
    """Go through the file once; a data line and the ``@`` blocks around it make one point."""
    points: list[_Point] = []
    header = _Header()
    point: _Point | None = None
    rows = iter(enumerate(lines, 1))
    for number, line in rows:
        if line.startswith("#"):
            header.take(line)
            if line.startswith("#S "):
                point = None
        elif line.startswith("@"):
            name, _, block = line.partition(" ")
            block = _continued(path, block, rows, number)
            if header.scan is None:
                raise BrokenFileError(path, f"line {number} has an array before the first #S", "copy the file again")
            if point is None or name in point.arrays:
                point = _Point(header.scan)
                points.append(point)
            point.arrays[name] = block
        elif line.strip() and header.scan is not None and header.scan.labels:
            point = _with_values(points, point, header.scan, line, warnings)
    return [p for p in points if p.arrays]


def _continued(path: Path, block: str, rows: Iterable[tuple[int, str]], first: int) -> str:
    """Join lines that end in a backslash."""
    parts = [block]
    while parts[-1].rstrip().endswith("\\"):
        _, line = next(iter(rows), (0, ""))
        if not line.strip():
            raise BrokenFileError(path, f"the array of line {first} is cut off", "copy it again or leave it out")
        parts.append(line)
    return " ".join(part.rstrip().rstrip("\\") for part in parts)


def _with_values(
    points: list[_Point], point: _Point | None, scan: _Scan, line: str, warnings: list[str]
) -> _Point | None:
    """Give a data line to the point whose arrays came before it, or begin the point of those to come."""
    values = [_text.number(word) for word in line.split()]
    if len(values) != len(scan.labels):
        said = f"scan {scan.number}: a row has {len(values)} values for {len(scan.labels)} labels; not used."
        if said not in warnings:
            warnings.append(said)
        return point
    if point is None or point.values or point.scan is not scan:
        point = _Point(scan)
        points.append(point)
    point.values = dict(zip(scan.labels, values, strict=True))
    return point


@dataclass
class _Header:
    """The header lines seen so far."""

    scan: _Scan | None = None
    epoch: float = float("nan")
    file_date: datetime | None = None
    names: dict[str, list[str]] = field(default_factory=dict)

    def take(self, line: str) -> None:
        key, _, rest = line[1:].partition(" ")
        rest = rest.strip()
        if key == "S":
            number, _, command = rest.partition(" ")
            self.scan = _Scan(number, command.strip(), self.epoch, self._offset())
        elif key == "F":
            self.scan, self.epoch, self.file_date = None, float("nan"), None
        elif key == "E":
            self.epoch = _text.number(rest)
        elif key == "D":
            self._date(rest)
        elif re.fullmatch(r"[HO]\d+", key):
            self.names[key] = rest.split("  ") if key.startswith("O") else rest.split()
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
        quarters = (self.file_date - utc).total_seconds() / 900
        nearest = round(quarters)
        return timedelta(minutes=15 * nearest) if abs(quarters - nearest) < 0.02 and abs(nearest) <= 56 else None

    def _of_scan(self, scan: _Scan, key: str, rest: str) -> None:
        numbers = [_text.number(word) for word in rest.split()]
        if key == "L":
            scan.labels = re.split(r"\s{2,}|\t", rest) if "  " in rest else rest.split()
        elif key == "T" and numbers:
            scan.preset = numbers[0]
        elif key == "@CTIME" and len(numbers) >= 3:
            _, scan.live, scan.real = numbers[:3]
        elif key == "@CHANN" and len(numbers) >= 4 and numbers[1] <= numbers[2] and numbers[3] >= 1:
            scan.stored = (numbers[1], numbers[2], numbers[3])
        elif key == "@CALIB" and len(numbers) >= 2:
            scan.coefficients = [*numbers, 0.0][:3]
        elif re.fullmatch(r"V\d+", key):
            names = self.names.get(f"H{key[1:]}", [])
            scan.motors.update(zip(names, numbers, strict=False))


def _counts(path: Path, points: list[_Point], warnings: list[str]) -> tuple[np.ndarray, list[_Point]]:
    """(spectrum, element, channel) of all points that have the commonest shape, and these points."""
    stacks = [_stack(path, point) for point in points]
    shapes = [stack.shape for stack in stacks]
    common = max(sorted(set(shapes)), key=shapes.count)
    other = [point.scan.number for point, shape in zip(points, shapes, strict=True) if shape != common]
    if other:
        warnings.append(f"{len(other)} spectra (first in scan {other[0]}) are not {common[0]} × {common[1]}; left out.")
    kept = [i for i, shape in enumerate(shapes) if shape == common]
    counts = np.stack([stacks[i] for i in kept])
    whole = counts.astype(np.int64)
    return (whole if np.array_equal(whole, counts) else counts), [points[i] for i in kept]


def _stack(path: Path, point: _Point) -> np.ndarray:
    rows = []
    for name, block in point.arrays.items():
        words = block.split()
        try:
            values = np.array(words, float)
        except ValueError:
            values = np.full(len(words), np.nan)
        if not values.size or not np.isfinite(values).all() or np.abs(values).max() > 1e15:
            found = f"scan {point.scan.number}: {name} has {values.size} channels, some of them no counts"
            raise BrokenFileError(path, found, "copy the file again")
        expected = _expected(point.scan)
        if expected is not None and values.size != expected:
            found = f"scan {point.scan.number}: {name} has {values.size} of {expected} channels"
            raise BrokenFileError(path, found, "the file is truncated; copy it again or leave it out")
        rows.append(values)
    if len({row.size for row in rows}) > 1:
        sizes = ", ".join(str(row.size) for row in rows)
        found = f"scan {point.scan.number}: its arrays have {sizes} channels"
        raise BrokenFileError(path, found, "the file is truncated; copy it again or leave it out")
    return np.stack(rows)


def _expected(scan: _Scan) -> int | None:
    """Channels an array should have by the header."""
    if scan.stored is None:
        return None
    first, last, reduction = scan.stored
    return int((last - first) // reduction) + 1


def _named(point: _Point, pattern: re.Pattern[str]) -> float:
    """A value of the point by its label, else of the scan's header."""
    for values in (point.values, point.scan.motors):
        for name, value in values.items():
            if pattern.match(name.strip()):
                return value
    return float("nan")


def _durations(points: list[_Point], elements: int) -> tuple[np.ndarray, np.ndarray]:
    """Live and real time, (spectrum, element) in s: a column of the point, else the scan's header."""
    live = [_first(_named(p, _LIVE), p.scan.live) for p in points]
    real = [_first(_named(p, _REAL), p.scan.real, p.scan.preset) for p in points]
    return np.repeat(np.array([live]).T, elements, axis=1), np.repeat(np.array([real]).T, elements, axis=1)


def _first(*values: float) -> float:
    return next((value for value in values if np.isfinite(value)), float("nan"))


def _coefficients(points: list[_Point], elements: int, warnings: list[str]) -> np.ndarray:
    known = [p.scan for p in points if len(p.scan.coefficients) == 3 and p.scan.coefficients[1] != 0]
    unique = list(dict.fromkeys(map(_of_stored_channels, known)))
    if not unique:
        return np.full((elements, 3), np.nan)
    if len(unique) > 1:
        warnings.append(f"the file has {len(unique)} energy calibrations; the first, {unique[0]}, is used.")
    return np.tile(np.array(unique[0]), (elements, 1))


def _of_stored_channels(scan: _Scan) -> tuple[float, float, float]:
    """Coefficients for the stored channels: ``#@CALIB`` counts the detector's, of which only some may be stored."""
    a, b, c = scan.coefficients
    first, _, step = scan.stored or (0.0, 0.0, 1.0)
    return a + b * first + c * first**2, step * (b + 2 * c * first), c * step**2


def _starts(
    path: Path, points: list[_Point], real: np.ndarray, options: ReadOptions, warnings: list[str]
) -> np.ndarray:
    seen: set[int] = set()
    starts = []
    for point, lasting in zip(points, real[:, 0], strict=True):
        starts.append(_start(path, point, lasting, id(point.scan) in seen, options))
        seen.add(id(point.scan))
    unknown = int(np.isnat(np.array(starts)).sum())
    if unknown:
        warnings.append(f"{unknown} of {len(points)} spectra have no time of their own.")
    return np.array(starts, "datetime64[ns]")


def _start(path: Path, point: _Point, lasting: float, later: bool, options: ReadOptions) -> np.datetime64:
    """Start of counting: from the point's ``Epoch`` (its end, in seconds since ``#E``), or the scan's date."""
    scan = point.scan
    since_epoch = point.values.get("Epoch", float("nan"))
    if np.isfinite(since_epoch) and np.isfinite(lasting):
        base = 0.0 if since_epoch > 1e8 else scan.epoch
        return _times.one_after(np.datetime64(0, "ns"), base + since_epoch - lasting)
    since_start = point.values.get("Time", float("nan"))
    if later and not np.isfinite(since_start):
        return NOT_A_TIME
    if scan.date is not None and scan.date.tzinfo is None and options.time_zone is None and scan.offset is not None:
        zoned = (scan.date - scan.offset).replace(tzinfo=UTC)
        begin = _times.to_time(zoned, options, str(path))
    else:
        begin = _times.to_time(scan.date, options, str(path))
    passed = since_start - lasting if np.isfinite(since_start) and np.isfinite(lasting) else 0.0
    return _times.one_after(begin, max(passed, 0.0))
