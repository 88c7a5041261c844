"""How far and how fast the anode's surface moves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from operando.model.constants import NORMAL_95
from operando.model.products.joint import ScanTimeline
from operando.model.products.morphology import ADVANCE, Advance, Interface, Levels, Motions
from operando.model.step import Series, step
from operando.morphology.cross_check import advance_of
from operando.morphology.roles import Roles

_NAN = float("nan")


@step(version=1)
def advance(
    interfaces: Series[Interface], levels: Series[Levels], motions: Motions, scan_timeline: ScanTimeline
) -> Advance:
    """Mean advance of the anode's surface from scan to scan, and its velocity in µm/h.

    Advance: mean over the columns whose surface both scans show of how far it moved towards the electrolyte. Velocity:
    that over the time between the middles of the two exposures. The 95 % interval holds the motions' uncertainty along
    z, how far each scan's thresholds drift (an edge moves by that over its slope), and the noise of the columns.
    Scans are compared in order of time; those without a surface are passed over.
    """
    when = middles(scan_timeline)
    own = {int(one.attrs["frame"]): placing_std(one, motions) for one in levels}
    shown = [(int(one.attrs["frame"]), one) for one in interfaces if np.isfinite(one["height"].values).any()]
    shown = sorted((pair for pair in shown if pair[0] in own), key=lambda pair: (when.get(pair[0], 0.0), pair[0]))
    rows = [_row(shown, k, own, when) for k in range(len(shown))]
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
    return ADVANCE.new(coords={"scan": np.array([frame for frame, _ in shown], int)}, **columns)


def _row(
    shown: Sequence[tuple[int, xr.Dataset]], k: int, own: dict[int, float], when: dict[int, float]
) -> tuple[float, ...]:
    """Advance since the first scan, since the scan before, each with its std; hours and area to the scan before."""
    frame, now = shown[k]
    if k == 0:
        return 0.0, 0.0, _NAN, _NAN, _NAN, _NAN
    (first, start), (last, before) = shown[0], shown[k - 1]
    whole, step_ = advance_of(start, now, voxel_of(now)), advance_of(before, now, voxel_of(now))
    stds = [
        float(np.sqrt(found.mean_std**2 + own[other] ** 2 + own[frame] ** 2))
        for found, other in ((whole, first), (step_, last))
    ]
    hours = when.get(frame, _NAN) - when.get(last, _NAN)
    return whole.mean, stds[0], step_.mean, stds[1], hours, step_.area


def voxel_of(interface: Interface) -> np.ndarray:
    """Edges of a voxel along z, y, x, µm; along z as along y."""
    y, x = (float(np.diff(interface[name].values[:2])[0]) for name in ("y_map", "x_map"))
    return np.array([y, y, x])


def placing_std(levels: Levels, motions: Motions) -> float:
    """How well one scan's surface is placed as a whole, µm (standard deviation): motion along z, and thresholds.

    A threshold that drifts by d of the contrast moves a blurred edge by d √(2π) times its blur.
    """
    frame = int(levels.attrs["frame"])
    known = np.flatnonzero(motions["scan"].values == frame)
    along_z = float(motions["translation_std"].values[known[0], 0]) if known.size else _NAN
    roles = Roles.of(tuple(str(name) for name in levels["phase"].values))
    sides = [(roles.electrolyte or roles.anode) - 1, roles.anode - 1]
    mean, std, drift = (levels[name].values[sides].astype(float) for name in ("mean", "mean_std", "mean_drift"))
    floor2 = max(float(levels["threshold_std"].values[min(sides)]) ** 2 - float(np.sum(std**2)) / 4, 0.0)
    shift = np.sqrt(float(np.sum(drift**2)) / 4 + floor2) / abs(mean[1] - mean[0])
    return float(np.hypot(along_z, shift * np.sqrt(2 * np.pi) * float(levels["blur"])))


def middles(timeline: ScanTimeline) -> dict[int, float]:
    """Hours of the middle of every exposure that has a time, by the scan's number; from an arbitrary origin."""
    found = {}
    for scan, start, end in zip(*(timeline[name].values for name in ("scan", "start", "end")), strict=True):
        if not (np.isnat(start) or np.isnat(end)):
            middle = start + (end - start) / 2
            found[int(scan)] = float((middle - np.datetime64(0, "ns")) / np.timedelta64(1, "h"))
    return found
