"""How much of each phase a scan shows."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from operando.model.constants import NORMAL_95, OUTSIDE_LABEL, UNKNOWN_LABEL
from operando.model.parameters import Parameters
from operando.model.products.morphology import PHASE_VOLUMES, Bore, Classes, Labels, Motions, PhaseVolumes
from operando.model.step import Own, Setting, step
from operando.morphology.blocks import Grid, grid_of, ranges, read_rows, rows_per_block
from operando.morphology.edges import EdgeSums
from operando.morphology.gaps import hidden_gap
from operando.morphology.inside import Inside
from operando.morphology.placement import Placement
from operando.morphology.roles import Roles
from operando.morphology.shares import phase_share


class PhaseVolumesParameters(Parameters):
    """How volumes are counted."""

    untrusted_row: float = Field(
        0.5, gt=0, le=1, description="a row can't be trusted when more than this share of it inside the bore can't"
    )


_DEFAULTS = PhaseVolumesParameters()


@step(version=2)
def phase_volumes(
    labels: Labels,
    bore: Bore,
    classes: Classes,
    motions: Own[Motions] | None = None,
    phases: Annotated[tuple[str, ...], Setting("tomography.phases")] = ("void", "electrolyte", "anode"),
    params: PhaseVolumesParameters = _DEFAULTS,
) -> PhaseVolumes:
    """Add up each phase inside the bore and the scan's own field of view, partial volumes as parts.

    The 95 % interval holds the uncertainty of the class means (edges move by it), of the bore's radius, the noise of
    the edge voxels, and gaps beside the anode that can't be seen (see ``gaps``). Unknown voxels inside the bore are
    counted apart, as no phase.
    """
    grid = grid_of(labels, "label")
    place = Placement.of(bore, motions, grid)
    sums = _add_up(labels, grid, len(phases))
    voxel = grid.voxel_volume
    volume = sums.volume * voxel + own_field(sums.rows, float(place.motion.translation[0] / grid.spacing[0])) * voxel
    in_view = rows_in_view(grid.shape[0], float(place.motion.translation[0] / grid.spacing[0]))
    sums.untrusted[~in_view] = 0
    sums.inside[~in_view] = 0
    std = _deviation(sums, classes, bore) * voxel
    centroid = grid.origin + grid.spacing * (sums.moment / np.where(sums.volume > 0, sums.volume, np.nan)[:, None])
    hidden = _hidden(bore, classes, grid, phases)
    untrusted = float(sums.untrusted.sum() * voxel)
    slack = NORMAL_95 * voxel * np.sqrt(max(float(sums.untrusted.sum()), 0.0))
    inside = float(sums.inside.sum())
    return PHASE_VOLUMES.new(
        coords={"phase": list(phases), "axis": ["z", "y", "x"], "edge": ["first", "last"]},
        attrs={"warnings": _warnings(sums, inside)},
        volume=volume,
        volume_low=volume - NORMAL_95 * std - hidden[0],
        volume_high=volume + NORMAL_95 * std + hidden[1],
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


def _hidden(bore: Bore, classes: Classes, grid: Grid, phases: tuple[str, ...]) -> np.ndarray:
    """What each phase may hold less and more (2, phase), µm³, if thin gaps beside the anode can't be seen."""
    roles = Roles.of(phases)
    result = np.zeros((2, len(phases)))
    if roles.void is not None and roles.electrolyte is not None:
        thickness = hidden_gap(classes, roles, float(grid.spacing[0]))
        area = Inside.of(bore, grid).area(grid) if thickness else 0.0
        result[0, roles.electrolyte - 1] = result[1, roles.void - 1] = thickness * area
    return result


def rows_in_view(count: int, shift: float) -> np.ndarray:
    """Which rows of the first scan's frame a scan shows whose cell moved by ``shift`` rows; bool."""
    seen = np.arange(count) + shift
    return (seen >= -0.5) & (seen <= count - 0.5)


def own_field(rows: np.ndarray, shift: float) -> np.ndarray:
    """What the scan's own field of view holds beyond the whole rows of the first scan's frame, voxels (phase,).

    A cell that moved by ``shift`` rows along z shows that much more at one end, and a part of a row at the other;
    both have about the content of the row beside. ``rows``: voxels of each phase in each row (phase, row).

    >>> own_field(np.array([[4.0, 4.0, 4.0, 0.0]]), 1.0).tolist()
    [4.0]
    """
    if shift == 0:
        return np.zeros(len(rows))
    seen = np.flatnonzero(rows_in_view(rows.shape[1], shift))
    near, far = (seen[0], seen[-1]) if shift > 0 else (seen[-1], seen[0])
    part = rows.shape[1] - abs(shift) - len(seen)
    return np.asarray(rows[:, near] * abs(shift) + rows[:, far] * part)


def _deviation(sums: _Sums, classes: Classes, bore: Bore) -> np.ndarray:
    """Standard deviation of each phase's volume, in voxels."""
    from_means = sums.edges.by_mean(classes)
    variance = (from_means**2).sum(axis=1) + sums.edges.by_floor(classes) ** 2 + sums.edges.noise_variance(classes)
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
