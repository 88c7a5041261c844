"""What the anode gained and lost between two scans."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import xarray as xr
from pydantic import Field

from operando.model.constants import NORMAL_95, OUTSIDE_LABEL, UNKNOWN_LABEL
from operando.model.parameters import Parameters
from operando.model.products.morphology import (
    DIFFERENCE,
    Bore,
    Difference,
    Interface,
    Labels,
    Levels,
    PhaseVolumes,
)
from operando.model.step import After, Before, Setting, step
from operando.morphology.blocks import Grid, bin_array, grid_of, ranges, read_rows, rows_per_block
from operando.morphology.cross_check import advance_of, disagreement, uncommon
from operando.morphology.edges import EdgeSums
from operando.morphology.height_map import NAMES
from operando.morphology.inside import Inside
from operando.morphology.missed_void import MissedVoid, unseen_take
from operando.morphology.roles import Roles
from operando.morphology.shares import known, phase_share

CAUSES = ["threshold", "registration", "noise", "grey_scale", "gap"]


class DifferenceParameters(Parameters):
    """How two scans are compared."""

    map_pixels: int = Field(512, ge=16, le=4096, description="the map of what happened where is binned to this size")


_DEFAULTS = DifferenceParameters()


@step(version=6)
def difference(
    before: Before[Labels],
    after: After[Labels],
    bore: Bore,
    before_levels: Before[Levels],
    after_levels: After[Levels],
    before_volumes: Before[PhaseVolumes],
    after_volumes: After[PhaseVolumes],
    before_interface: Before[Interface] | None = None,
    after_interface: After[Interface] | None = None,
    phases: Annotated[tuple[str, ...], Setting("tomography.phases")] = ("void", "electrolyte", "anode"),
    params: DifferenceParameters = _DEFAULTS,
) -> Difference:
    """Net change, gross gain and gross loss of the anode between two scans, in the field that both can trust.

    The net is the sum over voxels of the change of the anode's share, so that edges count with their partial
    volumes. Gain and loss count the voxels that changed, and half of what the partial volumes add to each. The
    net's variance adds up: the class means (how far they vary in space moves both scans' edges together, as far as
    these lie alike in their voxels; how well each scan's own mean is known, and the floor of the threshold, moves
    each by itself), the motions (what they carry over the border of the compared field), the noise of the edge
    voxels, for means that a scan takes from the series its grey scale, and the gap that the labels do not show,
    which takes from the anode and is given back (``MissedVoid``). Where the surface moved by less than a gap must
    measure to be seen, the bound nearer to zero also allows for all of it being void (``unseen_take``). Two scans at
    rest also show gain and loss, from noise and misplacement: the lower bounds allow for that much.

    The net is cross-checked by the height maps: mean advance of the surface × area of the columns known in both. Where
    the two disagree by more than what is not common to both allows, a warning says so.
    """
    grid = grid_of(before, "label")
    roles = Roles.of(phases)
    sums = compare(before, after, grid, roles, len(phases), params.map_pixels)
    missed = [
        MissedVoid.of(interface, one, phases)
        for interface, one in ((before_interface, before_levels), (after_interface, after_levels))
    ]
    sums.net += (missed[1].anode - missed[0].anode) / grid.voxel_volume
    placements = [item["placement_std"].values.astype(float) for item in (before_volumes, after_volumes)]
    levels = (before_levels, after_levels)
    area = Inside.of(bore, grid).area(grid)
    advance = sums.net * grid.voxel_volume / area if area else float("nan")
    variances = _variances(sums, levels, roles, placements, uncommon(advance, grid.spacing[0]) if area else 1.0)
    variances["gap"] = (missed[0].anode_std ** 2 + missed[1].anode_std ** 2) / grid.voxel_volume**2
    net, std = sums.net, float(np.sqrt(sum(variances.values())))
    correction = (net - (sums.gained - sums.lost)) / 2
    gain, loss = sums.gained + correction, sums.lost - correction
    false = false_change(sums, levels, roles, placements)
    half, voxel = NORMAL_95 * std, grid.voxel_volume
    cavity = _cavity_change(before_interface, after_interface)
    unseen = 0.0
    if before_interface is not None and after_interface is not None:
        unseen = unseen_take(net * voxel, advance, cavity[0], after_levels, phases, grid.spacing[0]) / voxel
    less = half + unseen
    total = sum(variances.values())
    surface = advance_of(before_interface, after_interface, grid.spacing).plus(missed[1].anode - missed[0].anode)
    shared = float(np.sqrt(total - variances["noise"])) * voxel
    surface_half = NORMAL_95 * float(np.hypot(surface.std, shared))
    doubt = disagreement(surface, net * voxel, std * voxel, shared, area)
    return DIFFERENCE.new(
        coords={"cause": CAUSES, **_map_coordinates(grid, sums.factor)},
        attrs={"warnings": [*_warnings(sums), *([doubt] if doubt else [])]},
        net=net * voxel,
        net_low=(net - (less if net > 0 else half)) * voxel,
        net_high=(net + (half if net > 0 else less)) * voxel,
        gain=gain * voxel,
        gain_low=min(max(gain - false - less, 0.0), gain) * voxel,
        gain_high=max(gain + half, 0.0) * voxel,
        loss=loss * voxel,
        loss_low=min(max(loss - false - less, 0.0), loss) * voxel,
        loss_high=max(loss + half, 0.0) * voxel,
        cavity_change=cavity[0],
        cavity_change_low=cavity[1],
        cavity_change_high=cavity[2],
        untrusted_volume=sums.unknown * voxel,
        mean_advance=advance,
        surface_change=surface.volume,
        surface_change_low=surface.volume - surface_half,
        surface_change_high=surface.volume + surface_half,
        surface_area=surface.area,
        advance=(sums.advance * grid.spacing[0]).astype(np.float32),
        share_of_error=np.array([variances[name] / total if total else 0.0 for name in CAUSES]),
    )


@dataclass
class Sums:
    """Sums over the common field, in voxels."""

    edges: tuple[EdgeSums, EdgeSums]
    advance: np.ndarray
    factor: int
    slopes: np.ndarray
    steepness: np.ndarray
    total: np.ndarray
    net: float = 0.0
    gained: float = 0.0
    lost: float = 0.0
    unknown: float = 0.0
    inside: float = 0.0


def compare(before: Labels, after: Labels, grid: Grid, roles: Roles, phases: int, map_pixels: int) -> Sums:
    """Go through both scans block by block, once."""
    factor = max(1, -(-max(grid.shape[1:]) // map_pixels))
    plane = tuple(n // factor for n in grid.shape[1:])
    columns = np.zeros(grid.shape[1:])
    sums = Sums(
        (EdgeSums(phases), EdgeSums(phases)), np.zeros(plane), factor, np.zeros((2, 6)), np.zeros((2, 6)), np.zeros(2)
    )
    compared = np.zeros(grid.shape[1:])
    for start, stop in ranges(grid.shape[0], rows_per_block(grid.shape, 40)):
        low, high = max(start - 1, 0), min(stop + 1, grid.shape[0])
        scans = [[read_rows(scan[name], low, high) for name in NAMES] for scan in (before, after)]
        inside = scans[0][0] != OUTSIDE_LABEL
        common = known(scans[0][0]) & known(scans[1][0])
        shares = [
            np.where(common, phase_share(scan[0], scan[1], scan[2], roles.anode), np.float32(0)) for scan in scans
        ]
        core = slice(start - low, start - low + stop - start)
        for which, (scan, share) in enumerate(zip(scans, shares, strict=True)):
            label = np.where(common, scan[0], np.uint8(UNKNOWN_LABEL))[core]
            sums.edges[which].add(label, scan[1][core], scan[2][core])
            _add_slopes(sums, which, share, common, core, low, grid)
            sums.total[which] += share[core].sum(dtype=float)
        was, now = (scan[0][core] == roles.anode for scan in scans)
        valid = common[core]
        sums.gained += float(np.sum(now & ~was & valid))
        sums.lost += float(np.sum(was & ~now & valid))
        sums.unknown += float(np.sum(inside[core] & ~valid))
        sums.inside += float(np.sum(inside[core]))
        columns += (shares[1] - shares[0])[core].sum(axis=0, dtype=float)
        compared += valid.any(axis=0)
    sums.net = float(columns.sum())
    mean = bin_array(columns[None].repeat(factor, axis=0), factor)[0]
    seen = bin_array(compared[None].repeat(factor, axis=0), factor)[0]
    sums.advance = np.where(seen > 0, mean, np.nan)
    return sums


def _add_slopes(
    sums: Sums, which: int, share: np.ndarray, common: np.ndarray, core: slice, low: int, grid: Grid
) -> None:
    """Sums of the share's slopes along the axes, and of their moments: how the volume depends on the motion.

    Only what the motion carries over the border of the compared field survives the sum.
    """
    middle = (np.array(grid.shape) - 1) / 2 * grid.spacing
    weights = [grid.spacing[0] * (np.arange(low, low + share.shape[0]) - middle[0])[:, None, None]]
    weights.append(grid.spacing[1] * (np.arange(share.shape[1])[None, :, None]) - middle[1])
    weights.append(grid.spacing[2] * (np.arange(share.shape[2])[None, None, :]) - middle[2])
    slopes, moments = np.zeros(3), np.zeros((3, 3))
    steep = np.zeros(3)
    for axis in range(3):
        slope = _slope(share, common, axis)[core] / np.float32(grid.spacing[axis])
        slopes[axis] = slope.sum(dtype=float)
        steep[axis] = np.abs(slope).sum(dtype=float)
        for arm in range(3):
            if arm != axis:
                weight = weights[arm][core] if arm == 0 else weights[arm]
                moments[axis, arm] = float(np.sum(slope * weight.astype(np.float32), dtype=float))
    z, y, x = 0, 1, 2
    rotations = [moments[y, x] - moments[x, y], moments[x, z] - moments[z, x], moments[z, y] - moments[y, z]]
    sums.slopes[which] += np.concatenate([slopes, rotations])
    lever = np.linalg.norm(middle) / 2
    sums.steepness[which] += np.concatenate([steep, np.full(3, steep.max() * lever)])


def _slope(share: np.ndarray, common: np.ndarray, axis: int) -> np.ndarray:
    """Central differences where both neighbours are in the common field, else zero; a voxel's unit."""
    result = np.zeros_like(share)
    if share.shape[axis] < 3:
        return result
    inner: list[slice] = [slice(None)] * 3
    ahead, behind = inner.copy(), inner.copy()
    inner[axis], ahead[axis], behind[axis] = slice(1, -1), slice(2, None), slice(None, -2)
    both = common[tuple(ahead)] & common[tuple(behind)] & common[tuple(inner)]
    result[tuple(inner)] = np.where(both, (share[tuple(ahead)] - share[tuple(behind)]) / 2, np.float32(0))
    return result


def _variances(
    sums: Sums, levels: tuple[Levels, Levels], roles: Roles, placements: list[np.ndarray], elsewhere: float
) -> dict[str, float]:
    """The net's variance by cause, voxels squared.

    ``elsewhere``: share of what the class means' variation in space does to an edge that both scans do not have in
    common, because the edge has moved to where it crosses its voxels otherwise.
    """
    anode = roles.anode - 1
    pairs = list(zip(sums.edges, levels, strict=True))
    means = [edges.by_mean(one)[anode] for edges, one in pairs]
    own = [edges.by_mean(one, "mean_drift")[anode] for edges, one in pairs]
    floors = [edges.by_floor(one)[anode] for edges, one in pairs]
    apart = sum(float(np.sum(drift**2)) + floor**2 for drift, floor in zip(own, floors, strict=True))
    apart += elsewhere**2 * sum(float(np.sum(mean**2)) for mean in means) / 2
    moved = sum(float(np.sum((slopes * std[:6]) ** 2)) for slopes, std in zip(sums.slopes, placements, strict=True))
    scale = sum(
        float((edges.by_scale(one)[anode] * std[6]) ** 2) for (edges, one), std in zip(pairs, placements, strict=True)
    )
    return {
        "threshold": float(np.sum((means[1] - means[0]) ** 2)) + apart,
        "registration": moved,
        "noise": float(sum(edges.noise_variance(one)[anode] for edges, one in pairs)),
        "grey_scale": scale,
    }


def false_change(sums: Sums, levels: tuple[Levels, Levels], roles: Roles, placements: list[np.ndarray]) -> float:
    """Gross gain (and as much loss) that noise and misplacement alone would show, voxels.

    An edge misplaced by a normally distributed d gains 0.4 std(d) on average; noise moves an edge by its
    standard deviation over the slope of the share, and the voxels between shares 0.4 and 0.6 tell area over slope.
    """
    anode = roles.anode - 1
    moved = sum(
        float(np.sum((0.4 * steep * std[:6]) ** 2)) for steep, std in zip(sums.steepness, placements, strict=True)
    )
    jitter = 0.0
    for edges, one in zip(sums.edges, levels, strict=True):
        mean, noise = one["mean"].values, float(one["noise"])
        for dark in range(edges.phases):
            low, high = min(dark, anode), max(dark, anode)
            if dark != anode and np.isfinite(mean[[low, high]]).all():
                jitter += 0.4 * edges.steep[low, high] / 0.2 * noise / (mean[high] - mean[low])
    return float(np.sqrt(moved)) + jitter


def _cavity_change(before: xr.Dataset | None, after: xr.Dataset | None) -> tuple[float, float, float]:
    if before is None or after is None:
        return (float("nan"),) * 3
    values = [float(item["cavity_volume"]) for item in (before, after)]
    halves = [float(item["cavity_volume_high"] - item["cavity_volume_low"]) / 2 for item in (before, after)]
    change, half = values[1] - values[0], float(np.hypot(halves[0], halves[1]))
    return change, change - half, change + half


def _map_coordinates(grid: Grid, factor: int) -> dict[str, tuple[str, np.ndarray, str]]:
    result = {}
    for axis, name in ((1, "y_map"), (2, "x_map")):
        count = grid.shape[axis] // factor
        first = grid.origin[axis] + grid.spacing[axis] * (factor - 1) / 2
        result[name] = (name, first + grid.spacing[axis] * factor * np.arange(count), "um")
    return result


def _warnings(sums: Sums) -> list[str]:
    share = sums.unknown / sums.inside if sums.inside else 1.0
    if share < 0.001:
        return []
    return [f"{100 * share:.1f} % of the volume inside the bore could not be compared (untrusted or out of view)"]
