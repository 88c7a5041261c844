"""How far and how fast the anode's surface moves."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from operando.model.constants import NORMAL_95
from operando.model.products.joint import ScanTimeline
from operando.model.products.morphology import ADVANCE, Advance, Interface, Levels, Motions
from operando.model.step import Series, step
from operando.morphology.cross_check import Advance as Moved
from operando.morphology.cross_check import advance_of, uncommon
from operando.morphology.roles import Roles

_NAN = float("nan")


@step(version=2)
def advance(
    interfaces: Series[Interface], levels: Series[Levels], motions: Motions, scan_timeline: ScanTimeline
) -> Advance:
    """Mean advance of the anode's surface from scan to scan, and its velocity in µm/h.

    Advance: mean over the columns whose surface both scans show of how far it moved towards the electrolyte. Velocity:
    that over the time between the middles of the two exposures. The 95 % interval holds the motions' uncertainty along
    z, how far each scan's thresholds drift (an edge moves by that over its slope), what grey values that vary in space
    do to an edge that has moved off its voxels, and the noise of the columns.
    Scans are compared in order of time; those without a surface are passed over.
    """
    when = middles(scan_timeline)
    places = {int(one.attrs["frame"]): k for k, one in enumerate(interfaces) if _is_shown(one)}
    known = (one for one in levels if int(one.attrs["frame"]) in places)
    placed = {int(one.attrs["frame"]): (placing_std(one, motions), pattern_std(one)) for one in known}
    frames = sorted(placed, key=lambda frame: (when.get(frame, 0.0), frame))
    rows = list(_rows(frames, (interfaces[places[frame]] for frame in frames), placed, when))
    table = np.array(rows, float).reshape(len(rows), 6)
    columns: dict[str, Any] = {"hours": table[:, 4], "area": table[:, 5]}
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(table[:, 4] > 0, 1 / table[:, 4], _NAN)
    for name, value, std in (
        ("advance", table[:, 0], table[:, 1]),
        ("since_last", table[:, 2], table[:, 3]),
        ("velocity", table[:, 2] * rate, table[:, 3] * rate),
    ):
        columns |= {name: value, f"{name}_low": value - NORMAL_95 * std, f"{name}_high": value + NORMAL_95 * std}
    return ADVANCE.new(coords={"scan": np.array(frames, int)}, **columns)


def _is_shown(interface: Interface) -> bool:
    return bool(np.isfinite(interface["height"].values).any())


def _rows(
    frames: Sequence[int],
    interfaces: Iterable[xr.Dataset],
    own: dict[int, tuple[float, float]],
    when: dict[int, float],
) -> Iterator[tuple[float, ...]]:
    """Advance since the first scan, since the scan before, each with its std; hours and area to the scan before."""
    first: tuple[int, xr.Dataset] | None = None
    last: tuple[int, xr.Dataset] | None = None
    for frame, now in zip(frames, interfaces, strict=True):
        if first is None or last is None:
            first = frame, now
            yield 0.0, 0.0, _NAN, _NAN, _NAN, _NAN
        else:
            pairs = [(other, advance_of(before, now, voxel_of(now))) for other, before in (first, last)]
            stds = [_std(found, own[other], own[frame], voxel_of(now)[0]) for other, found in pairs]
            (_, whole), (_, step_) = pairs
            yield whole.mean, stds[0], step_.mean, stds[1], when.get(frame, _NAN) - when.get(last[0], _NAN), step_.area
        last = frame, now


def _std(found: Moved, before: tuple[float, float], after: tuple[float, float], voxel: float) -> float:
    """Of a mean advance, µm: its own noise, how each surface is placed, and what of their patterns is not common."""
    placed = before[0] ** 2 + after[0] ** 2
    pattern = uncommon(found.mean, voxel) ** 2 * (before[1] ** 2 + after[1] ** 2) / 2
    return float(np.sqrt(found.mean_std**2 + placed + pattern))


def voxel_of(interface: Interface) -> np.ndarray:
    """Edges of a voxel along z, y, x, µm; along z as along y."""
    y, x = (float(np.diff(interface[name].values[:2])[0]) for name in ("y_map", "x_map"))
    return np.array([y, y, x])


def placing_std(levels: Levels, motions: Motions) -> float:
    """How well one scan's surface is placed as a whole, µm (standard deviation): motion along z, and thresholds."""
    known = np.flatnonzero(motions["scan"].values == int(levels.attrs["frame"]))
    along_z = float(motions["translation_std"].values[known[0], 0]) if known.size else _NAN
    sides = _sides(levels)
    spatial, drift = (levels[name].values[sides].astype(float) for name in ("mean_std", "mean_drift"))
    floor2 = max(float(levels["threshold_std"].values[min(sides)]) ** 2 - float(np.sum(spatial**2)) / 4, 0.0)
    return float(np.hypot(along_z, _moved_by(levels, float(np.sqrt(np.sum(drift**2) / 4 + floor2)))))


def pattern_std(levels: Levels) -> float:
    """What the class means' variation in space does to the surface, µm (standard deviation)."""
    return _moved_by(levels, float(np.linalg.norm(levels["mean_std"].values[_sides(levels)].astype(float))) / 2)


def _moved_by(levels: Levels, threshold_std: float) -> float:
    """How far a threshold that is off by d of the contrast moves the surface, µm: a blurred edge by d √(2π) × blur."""
    contrast = float(np.ptp(levels["mean"].values[_sides(levels)].astype(float)))
    return threshold_std / contrast * float(np.sqrt(2 * np.pi)) * float(levels["blur"])


def _sides(levels: Levels) -> list[int]:
    """Places of electrolyte and anode among the phases."""
    roles = Roles.of(tuple(str(name) for name in levels["phase"].values))
    return [(roles.electrolyte or roles.anode) - 1, roles.anode - 1]


def middles(timeline: ScanTimeline) -> dict[int, float]:
    """Hours of the middle of every exposure that has a time, by the scan's number; from an arbitrary origin."""
    found = {}
    for scan, start, end in zip(*(timeline[name].values for name in ("scan", "start", "end")), strict=True):
        if not (np.isnat(start) or np.isnat(end)):
            middle = start + (end - start) / 2
            found[int(scan)] = float((middle - np.datetime64(0, "ns")) / np.timedelta64(1, "h"))
    return found
