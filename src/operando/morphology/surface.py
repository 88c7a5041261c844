"""The anode's surface as a height map, and the cavities before it, block by block from labels."""

from dataclasses import dataclass

import numpy as np

from operando.model.products.morphology import Labels
from operando.morphology.blocks import Grid, grid_of, ranges, read_rows, rows_per_block
from operando.morphology.components import Components, connected
from operando.morphology.roles import Roles
from operando.morphology.shares import phase_share

_REACH = 4
NAMES = ("label", "other", "share")


@dataclass(frozen=True)
class HeightMap:
    """Height of the anode's surface and the void before it, in voxels (y, x); NaN where unknown."""

    height: np.ndarray
    gap: np.ndarray
    facing: int


@dataclass(frozen=True)
class Cavities:
    """The void before the surface, one row a cavity: volume in voxels, centroid in voxels, faces shared with it."""

    volume: np.ndarray
    centroid: np.ndarray
    touch: np.ndarray
    number: np.ndarray
    parts: Components


def facing_of(centroid: np.ndarray, roles: Roles) -> int:
    """Where the anode's surface looks, from centroids (phase, axis): 1 growing z, -1 falling z, 0 unknown."""
    if roles.electrolyte is None:
        return 0
    step = centroid[roles.electrolyte - 1, 0] - centroid[roles.anode - 1, 0]
    return int(np.sign(step)) if np.isfinite(step) else 0


def main_body(labels: Labels, grid: Grid, roles: Roles, smallest_share: float = 0.05) -> tuple[Components, np.ndarray]:
    """Connected parts of the anode, and which of them (by number) are the anode itself and no loose particle."""

    def mask(start: int, stop: int) -> np.ndarray:
        return read_rows(labels["label"], start, stop) == roles.anode

    parts = connected(mask, grid.shape[0], rows_per_block(grid.shape, 16))
    is_main = parts.size > smallest_share * parts.size.max()
    is_main[0] = False
    return parts, is_main


def height_map(labels: Labels, roles: Roles, facing: int, body: tuple[Components, np.ndarray]) -> HeightMap:
    """Walk down every column from the electrolyte's side until the anode's main body is met.

    The height is where the anode's share passes one half, by linear interpolation between two voxels.
    """
    from operando.morphology._surface_kernels import descend

    grid = grid_of(labels, "label")
    parts, is_main = body
    plane = grid.shape[1:]
    state = np.zeros(plane, np.uint8)
    before = np.zeros(plane)
    height, gap = np.full(plane, np.nan), np.zeros(plane)
    blocks = list(enumerate(ranges(grid.shape[0], parts.length)))
    for index, (start, stop) in blocks[::-1] if facing > 0 else blocks:
        label, other, share = (read_rows(labels[name], start, stop) for name in NAMES)
        main = is_main[parts.block(index, start, stop)]
        descend(label, other, share, main, before, start, facing, roles.anode, roles.void or 254, state, height, gap)
    gap[np.isnan(height)] = np.nan
    return HeightMap(height, gap, facing)


def cavities(labels: Labels, roles: Roles, surface: HeightMap, body: tuple[Components, np.ndarray]) -> Cavities | None:
    """The connected parts of the void that lie before the anode's surface; ``None`` without a void phase."""
    from operando.morphology._surface_kernels import cavity_sums

    if roles.void is None or surface.facing == 0:
        return None
    grid = grid_of(labels, "label")

    def mask(start: int, stop: int) -> np.ndarray:
        return read_rows(labels["label"], start, stop) == roles.void

    parts = connected(mask, grid.shape[0], body[0].length)
    volume, touch = np.zeros(len(parts.size)), np.zeros(len(parts.size), np.int64)
    moment = np.zeros((len(parts.size), 3))
    for start, stop in ranges(grid.shape[0], parts.length):
        low, high = max(start - _REACH, 0), min(stop + _REACH, grid.shape[0])
        label, other, share = (read_rows(labels[name], low, high) for name in NAMES)
        main = body[1][body[0].rows(low, high)]
        cavity_sums(
            label,
            other,
            share,
            parts.rows(low, high),
            start - low,
            stop - low,
            low,
            surface.height,
            surface.facing,
            roles.void,
            _REACH,
            volume,
            moment,
            touch,
            main,
        )
    number = np.flatnonzero(touch > 0)
    centroid = moment[number] / np.where(volume[number] > 0, volume[number], np.nan)[:, None]
    return Cavities(volume[number], centroid, touch[number], number, parts)


def anode_share(labels: Labels, start: int, stop: int, roles: Roles) -> np.ndarray:
    """Share of the anode in rows start…stop, float32."""
    label, other, share = (read_rows(labels[name], start, stop) for name in NAMES)
    return phase_share(label, other, share, roles.anode)
