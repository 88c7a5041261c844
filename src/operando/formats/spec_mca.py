"""SPEC data files with multi-channel spectra in ``@A`` arrays, as EDDI and many other beamlines write them.

One file holds any number of scans, each with any number of points; every array of a point is one detector element.
EDDI's own columns are known: ``MCA_Real``, ``MCA_Live``, ``R_strom`` and the motor ``zwei_theta``.
"""

import re
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.formats import _spec, _spectra, _text, _times
from operando.formats._spec import Detector, Point
from operando.model.clock import NOT_A_TIME
from operando.model.errors import BrokenFileError
from operando.model.reading import Kind, ReadOptions

NAME = "spec_mca"
TITLE = "SPEC with @A arrays (EDDI style), also SPEC-like .mca"
KIND: Kind = "diffraction"
EXTENSIONS = (".spec", ".dat", ".mca", ".spc")

_RING = re.compile(r"^(r_strom$|ringstrom$|(sr|ring|machine|storage|s-r|topup)[ _-]?(ring)?[ _-]?cur)", re.IGNORECASE)
_LIVE = re.compile(r"^(mca_?)?(live|lt|ltime|livetime|live[ _]time)$", re.IGNORECASE)
_REAL = re.compile(
    r"^(mca_?)?(real|rt|rtime|realtime|real[ _]time)$|^(seconds|sec|exposure|count[ _]time)$", re.IGNORECASE
)
_TWO_THETA = re.compile(r"^(zwei_?theta|two_?theta|2_?theta|tth)$", re.IGNORECASE)


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
    points = [point for scan in _spec.scans(path, _text.read_small(path), warnings) for point in scan.points()]
    if not points:
        raise BrokenFileError(path, "it holds no @A arrays", "give SPEC files with MCA spectra, or leave it out")
    counts, points = _counts(path, points, warnings)
    elements = counts.shape[1]
    live, real = _durations(points, elements)
    if np.isnan(live).all():
        warnings.append("the file has no live time (#@CTIME or a column); dead time is unknown.")
    return _spectra.build(
        path,
        counts,
        options,
        live_time=live,
        real_time=real,
        start=_starts(path, points, real, options, warnings),
        energy_coefficients=_coefficients(points, elements, warnings),
        two_theta=_two_theta(points, elements, warnings),
        warnings=warnings,
        coords={"scan": (("spectrum",), [p.scan.number for p in points], "text")},
        attrs={"format": NAME, "commands": {p.scan.number: p.scan.command for p in points}},
        **_ring_current(points),
    )


def _counts(path: Path, points: list[Point], warnings: list[str]) -> tuple[np.ndarray, list[Point]]:
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


def _stack(path: Path, point: Point) -> np.ndarray:
    """(element, channel) of one point."""
    rows = [_channels(path, point, index) for index in range(len(point.arrays))]
    if len({row.size for row in rows}) > 1:
        sizes = ", ".join(str(row.size) for row in rows)
        found = f"scan {point.scan.number}: its arrays have {sizes} channels"
        raise BrokenFileError(path, found, "the file is truncated; copy it again or leave it out")
    return np.stack(rows)


def _channels(path: Path, point: Point, index: int) -> np.ndarray:
    tag, block = point.arrays[index]
    words = block.split()
    try:
        values = np.array(words, float)
    except ValueError:
        values = np.full(len(words), np.nan)
    where = f"scan {point.scan.number}: {tag} has {values.size}"
    if not values.size or not np.isfinite(values).all() or np.abs(values).max() > 1e15:
        raise BrokenFileError(path, f"{where} channels, some of them no counts", "copy the file again")
    stored = point.scan.detector(index).stored
    if stored is not None and values.size != (expected := int((stored[1] - stored[0]) // stored[2]) + 1):
        found = f"{where} of {expected} channels"
        raise BrokenFileError(path, found, "the file is truncated; copy it again or leave it out")
    return values


def _named(point: Point, pattern: re.Pattern[str]) -> float:
    """A value of the point by its label, else of the scan's header and motors."""
    labels, of_scan = point.scan.named(pattern)
    values = point.values or {}
    return _first(*(values.get(label, float("nan")) for label in labels), of_scan)


def _durations(points: list[Point], elements: int) -> tuple[np.ndarray, np.ndarray]:
    """Live and real time, (spectrum, element) in s: a column of the point, else the scan's header."""
    live = [[_first(_named(p, _LIVE), p.scan.detector(e).live) for e in range(elements)] for p in points]
    real = [[_first(_named(p, _REAL), p.scan.detector(e).real, p.scan.preset) for e in range(elements)] for p in points]
    return np.array(live), np.array(real)


def _first(*values: float) -> float:
    return next((value for value in values if np.isfinite(value)), float("nan"))


def _ring_current(points: list[Point]) -> dict[str, Any]:
    ring = np.array([_first(_named(point, _RING), point.scan.ring_current) for point in points])
    return {"ring_current": ring} if np.isfinite(ring).any() else {}


def _two_theta(points: list[Point], elements: int, warnings: list[str]) -> np.ndarray:
    """2θ in degrees from the motor of that name, if it stood still."""
    angles = np.array([_named(point, _TWO_THETA) for point in points])
    known = angles[np.isfinite(angles)]
    if known.size and np.ptp(known) > 1e-3:
        warnings.append(f"2θ moves from {known.min():g} to {known.max():g} deg within the file; not used.")
        return np.full(elements, np.nan)
    return np.full(elements, known[0] if known.size else np.nan)


def _coefficients(points: list[Point], elements: int, warnings: list[str]) -> np.ndarray:
    """Coefficients of each element, for the stored channels."""
    rows = [_of_element(points, element, warnings) for element in range(elements)]
    return np.array(rows)


def _of_element(points: list[Point], element: int, warnings: list[str]) -> tuple[float, float, float]:
    detectors = {id(point.scan): point.scan.detector(element) for point in points}.values()
    known = [found for found in map(_of_stored_channels, detectors) if found is not None]
    unique = list(dict.fromkeys(known))
    if len(unique) > 1:
        warnings.append(f"element {element} has {len(unique)} energy calibrations; the first, {unique[0]}, is used.")
    return unique[0] if unique else (np.nan, np.nan, np.nan)


def _of_stored_channels(detector: Detector) -> tuple[float, float, float] | None:
    """``#@CALIB`` counts the detector's channels, of which only some may be stored."""
    if detector.coefficients is None or not np.isfinite(detector.coefficients).all() or detector.coefficients[1] == 0:
        return None
    a, b, c = detector.coefficients
    first, _, step = detector.stored or (0.0, 0.0, 1.0)
    return a + b * first + c * first**2, step * (b + 2 * c * first), c * step**2


def _starts(path: Path, points: list[Point], real: np.ndarray, options: ReadOptions, warnings: list[str]) -> np.ndarray:
    seen: set[int] = set()
    starts = []
    for point, lasting in zip(points, real[:, 0], strict=True):
        starts.append(_start(path, point, lasting, id(point.scan) in seen, options))
        seen.add(id(point.scan))
    unknown = int(np.isnat(np.array(starts)).sum())
    if unknown:
        warnings.append(f"{unknown} of {len(points)} spectra have no time of their own.")
    return np.array(starts, "datetime64[ns]")


def _start(path: Path, point: Point, lasting: float, later: bool, options: ReadOptions) -> np.datetime64:
    """Start of counting: from the point's ``Epoch`` (its end, in seconds since ``#E``), or the scan's date."""
    scan, values = point.scan, point.values or {}
    since_epoch = values.get("Epoch", float("nan"))
    if np.isfinite(since_epoch) and np.isfinite(lasting):
        base = 0.0 if since_epoch > 1e8 else scan.epoch
        return _times.one_after(np.datetime64(0, "ns"), base + since_epoch - lasting)
    since_start = values.get("Time", float("nan"))
    if later and not np.isfinite(since_start):
        return NOT_A_TIME
    date = scan.date
    if date is not None and date.tzinfo is None and options.time_zone is None and scan.offset is not None:
        date = (date - scan.offset).replace(tzinfo=UTC)
    begin = _times.to_time(date, options, str(path))
    passed = since_start - lasting if np.isfinite(since_start) and np.isfinite(lasting) else 0.0
    return _times.one_after(begin, max(passed, 0.0))
