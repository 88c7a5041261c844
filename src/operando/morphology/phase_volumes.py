"""How much of each phase a scan shows."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from operando.model.constants import NORMAL_95, OUTSIDE_LABEL, UNKNOWN_LABEL
from operando.model.parameters import Parameters
from operando.model.products.morphology import (
    PHASE_VOLUMES,
    Bore,
    Interface,
    Labels,
    Levels,
    Motions,
    PhaseVolumes,
)
from operando.model.step import Own, Setting, step
from operando.morphology.blocks import Grid, grid_of, ranges, read_rows, rows_per_block
from operando.morphology.edges import EdgeSums
from operando.morphology.inside import Inside
from operando.morphology.missed_void import MissedVoid
from operando.morphology.placement import Placement
from operando.morphology.roles import Roles
from operando.morphology.shares import phase_share


class PhaseVolumesParameters(Parameters):
    """How volumes are counted."""

    untrusted_row: float = Field(
        0.5, gt=0, le=1, description="a row can't be trusted when more than this share of it inside the bore can't"
    )


_DEFAULTS = PhaseVolumesParameters()


@step(version=8)
def phase_volumes(
    labels: Labels,
    bore: Bore,
    levels: Levels,
    motions: Own[Motions] | None = None,
    phases: Annotated[tuple[str, ...], Setting("tomography.phases")] = ("void", "electrolyte", "anode"),
    interface: Interface | None = None,
    params: PhaseVolumesParameters = _DEFAULTS,
) -> PhaseVolumes:
    """Add up each phase inside the bore and the scan's own field of view, partial volumes as parts.

    The void between anode and electrolyte is taken from the interface, where it is fitted; what the labels show of it
    goes to the electrolyte, less what a void that they do not show takes from the anode (``MissedVoid``). The 95 %
    interval holds the uncertainty of the class means (edges move by it), of the bore's radius, the noise of the edge
    voxels, and that of the fitted gap; where gaps can't be measured, one that may be hidden everywhere, and that the
    void seen on the anode may be none. Unknown voxels inside the bore are counted apart, as no phase.
    """
    grid = grid_of(labels, "label")
    place = Placement.of(bore, motions, grid)
    sums = _add_up(labels, grid, len(phases))
    voxel, shift = grid.voxel_volume, float(place.motion.translation[0] / grid.spacing[0])
    in_view = rows_in_view(grid.shape[0], shift)
    shown = np.where(in_view, 1 - sums.untrusted / np.maximum(sums.inside, 1), 0.0)
    own, first = at_the_ends(sums.rows, shown, shift)
    volume = (sums.volume + own) * voxel
    sums.untrusted[~in_view] = 0
    sums.inside[~in_view] = 0
    std = _deviation(sums, levels, bore) * voxel
    centroid = grid.origin + grid.spacing * (sums.moment / np.where(sums.volume > 0, sums.volume, np.nan)[:, None])
    volume = volume + _fitted_gap(interface, levels, phases)
    normal = np.hypot(NORMAL_95 * std, _gap_bounds(interface, bore, levels, grid, phases))
    below, above = normal + _doubted(interface, phases)
    elsewhere = (first - own) * voxel
    untrusted = float(sums.untrusted.sum() * voxel)
    slack = NORMAL_95 * voxel * np.sqrt(max(float(sums.untrusted.sum()), 0.0))
    inside = float(sums.inside.sum())
    return PHASE_VOLUMES.new(
        coords={"phase": list(phases), "axis": ["z", "y", "x"], "edge": ["first", "last"]},
        attrs={"warnings": _warnings(sums, inside)},
        volume=volume,
        volume_low=volume - below,
        volume_high=volume + above,
        in_first_field=volume + elsewhere,
        in_first_field_low=volume + elsewhere - below,
        in_first_field_high=volume + elsewhere + above,
        untrusted_volume=untrusted,
        untrusted_volume_low=max(untrusted - slack, 0.0),
        untrusted_volume_high=untrusted + slack,
        untrusted_rows=bad_rows(sums.untrusted, sums.inside, params.untrusted_row),
        centroid=centroid,
        placement_std=place.std,
        untrusted_share=float(sums.untrusted.sum()) / inside if inside else float("nan"),
    )


@dataclass
class _Sums:
    """Running sums over blocks, in voxels."""

    volume: np.ndarray
    moment: np.ndarray
    edges: EdgeSums
    untrusted: np.ndarray
    inside: np.ndarray
    rows: np.ndarray


def _add_up(labels: Labels, grid: Grid, phases: int) -> _Sums:
    count = grid.shape[0]
    moment, rows = np.zeros((phases, 3)), np.zeros((phases, count))
    sums = _Sums(np.zeros(phases), moment, EdgeSums(phases), np.zeros(count), np.zeros(count), rows)
    for start, stop in ranges(grid.shape[0], rows_per_block(grid.shape, 16)):
        label, other, share = (read_rows(labels[name], start, stop) for name in ("label", "other", "share"))
        sums.inside[start:stop] = (label != OUTSIDE_LABEL).sum(axis=(1, 2))
        sums.untrusted[start:stop] = (label == UNKNOWN_LABEL).sum(axis=(1, 2))
        sums.edges.add(label, other, share)
        for p in range(phases):
            part = phase_share(label, other, share, p + 1)
            total = part.sum(axis=(1, 2), dtype=float)
            sums.volume[p] += total.sum()
            sums.rows[p, start:stop] = total
            sums.moment[p, 0] += (total * np.arange(start, stop)).sum()
            sums.moment[p, 1] += (part.sum(axis=(0, 2), dtype=float) * np.arange(grid.shape[1])).sum()
            sums.moment[p, 2] += (part.sum(axis=(0, 1), dtype=float) * np.arange(grid.shape[2])).sum()
    return sums


def _fitted_gap(interface: Interface | None, levels: Levels, phases: tuple[str, ...]) -> np.ndarray:
    """What the fit of the gap adds to each phase beyond what the labels show, µm³ (phase,)."""
    roles, result = Roles.of(phases), np.zeros(len(phases))
    missed = MissedVoid.of(interface, levels, phases)
    if roles.void is not None and roles.electrolyte is not None:
        result[roles.void - 1], result[roles.anode - 1] = missed.volume, missed.anode
        result[roles.electrolyte - 1] = -missed.volume - missed.anode
    return result


def _gap_bounds(
    interface: Interface | None, bore: Bore, levels: Levels, grid: Grid, phases: tuple[str, ...]
) -> np.ndarray:
    """How much less and more (2, phase) each phase may be because of the gap before the anode, µm³.

    Where it could not be measured, a gap as wide as twice the edge's tail may be hidden everywhere.
    """
    roles, result = Roles.of(phases), np.zeros((2, len(phases)))
    if interface is None or roles.void is None or roles.electrolyte is None or int(interface["facing"]) == 0:
        return result
    volume, low, high = (float(interface[f"cavity_volume{side}"]) for side in ("", "_low", "_high"))
    less, more = volume - low, high - volume
    if not np.isfinite(volume):
        hidden = 2 * (2 * float(levels["blur"]) + float(grid.spacing[0]))
        less, more = 0.0, hidden * Inside.of(bore, grid).area(grid)
    result[:, roles.void - 1] = less, more
    result[:, roles.electrolyte - 1] = more, less
    result[:, roles.anode - 1] = NORMAL_95 * MissedVoid.of(interface, levels, phases).anode_std
    return result


def _doubted(interface: Interface | None, phases: tuple[str, ...]) -> np.ndarray:
    """How much less and more (2, phase) there is if the void on the anode is streaks, µm³; it is or it is not."""
    roles, result = Roles.of(phases), np.zeros((2, len(phases)))
    if interface is not None and roles.void is not None and roles.electrolyte is not None:
        result[0, roles.void - 1] = result[1, roles.electrolyte - 1] = float(interface["void_doubted"])
    return result


def rows_in_view(count: int, shift: float) -> np.ndarray:
    """Which rows of the first scan's frame a scan shows whose cell moved by ``shift`` rows; bool."""
    seen = np.arange(count) + shift
    return (seen >= -0.5) & (seen <= count - 0.5)


def at_the_ends(rows: np.ndarray, shown: np.ndarray, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """What the scan's own field of view and the first scan's hold beyond the voxels that were counted; (phase,).

    A cell that moved by ``shift`` rows along z shows that much more at one end of the detector, or of what the slits
    light, and that much less at the other; both have about the content of the rows beside. ``rows``: voxels of each
    phase in each row (phase, row); ``shown``: share of each row that was counted.

    One row has left the field, and a row that the first scan's frame does not have is seen instead:

    >>> own, first = at_the_ends(np.array([[4.0, 4.0, 4.0, 0.0]]), np.array([1.0, 1, 1, 0]), 1.0)
    >>> own.tolist(), first.tolist()
    ([4.0], [4.0])
    """
    low, high = _at_an_end(rows, shown, shift), _at_an_end(rows[:, ::-1], shown[::-1], -shift)
    return low[0] + high[0], low[1] + high[1]


def _at_an_end(rows: np.ndarray, shown: np.ndarray, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """The same at the end where rows begin; nothing where no clear edge of the field is seen."""
    some = np.flatnonzero(shown > 0)
    nothing = np.zeros(len(rows))
    if shift == 0 or some.size < 3 or shown[some[0] + 2] < 0.9:
        return nothing, nothing
    first, whole = int(some[0]), int(some[0]) + 2
    counted = whole + 0.5 - float(shown[first : whole + 1].sum())
    edge = -0.5 if first == 0 else float(np.rint(counted + shift + 0.5)) - 0.5
    content = rows[:, whole] / shown[whole]
    return (counted - edge + shift) * content, (counted - edge) * content


def _deviation(sums: _Sums, levels: Levels, bore: Bore) -> np.ndarray:
    """Standard deviation of each phase's volume, in voxels."""
    from_means = sums.edges.by_mean(levels)
    variance = (from_means**2).sum(axis=1) + sums.edges.by_floor(levels) ** 2 + sums.edges.noise_variance(levels)
    radius = float(bore["radius"])
    if np.isfinite(radius):
        variance += (sums.volume * 2 * float(bore["radius_std"]) / radius) ** 2
    return np.sqrt(variance)


def bad_rows(untrusted: np.ndarray, inside: np.ndarray, share: float) -> np.ndarray:
    """First and last row of each range of rows with too many unknown voxels; int64 (range, 2).

    >>> bad_rows(np.array([0, 9, 8, 0, 7]), np.full(5, 10), 0.5).tolist()
    [[1, 2], [4, 4]]
    """
    bad = untrusted > share * np.maximum(inside, 1)
    borders = np.flatnonzero(np.diff(np.concatenate([[0], bad.astype(np.int8), [0]])))
    return np.stack([borders[::2], borders[1::2] - 1], axis=1).astype(np.int64)


def _warnings(sums: _Sums, inside: float) -> list[str]:
    share = float(sums.untrusted.sum()) / inside if inside else 1.0
    return [f"{100 * share:.1f} % of the volume inside the bore can't be trusted"] if share > 0.001 else []
