"""The anode's surface as a height map, and what the labels show before it, block by block; in voxels."""

from dataclasses import dataclass

import numpy as np

from operando.model.products.morphology import Labels
from operando.morphology.blocks import Grid, grid_of, ranges, read_rows, rows_per_block
from operando.morphology.components import Components, connected
from operando.morphology.rim import Opened
from operando.morphology.roles import Roles
from operando.morphology.shares import phase_share

NAMES = ("label", "other", "share")


@dataclass(frozen=True)
class HeightMap:
    """Height of the anode's surface and the void before it, in voxels (y, x); NaN where unknown."""

    height: np.ndarray
    gap: np.ndarray
    facing: int


def facing_of(first: Labels, roles: Roles, rows: int = 48) -> int:
    """Where the anode's surface looks: 1 growing z, -1 falling z, 0 unknown; from evenly spread rows of the first scan.

    An anode that few rows show (the rest is opaque) is looked for in ever more rows.
    """
    if roles.electrolyte is None:
        return 0
    total = first.sizes["z"]
    while True:
        chosen = np.unique(np.linspace(0, total - 1, min(rows, total)).round().astype(int))
        counts = np.zeros((2, len(chosen)))
        for i, row in enumerate(chosen):
            plane = read_rows(first["label"], int(row), int(row) + 1)
            counts[:, i] = [np.sum(plane == roles.anode), np.sum(plane == roles.electrolyte)]
        if counts.sum(axis=1).all():
            anode, electrolyte = (counts * chosen).sum(axis=1) / counts.sum(axis=1)
            return int(np.sign(electrolyte - anode))
        if rows >= total:
            return 0
        rows *= 4


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

    The height is where the anode's share passes one half, by linear interpolation between two voxels. An anode that
    goes on to the wall of a tilted bore or to the end of the field has no surface there.
    """
    from operando.morphology._surface_kernels import descend

    grid = grid_of(labels, "label")
    parts, is_main = body
    plane = grid.shape[1:]
    state = np.full(plane, 3, np.uint8)
    before = np.zeros(plane)
    height, gap = np.full(plane, np.nan), np.zeros(plane)
    blocks = list(enumerate(ranges(grid.shape[0], parts.length)))
    for index, (start, stop) in blocks[::-1] if facing > 0 else blocks:
        label, other, share = (read_rows(labels[name], start, stop) for name in NAMES)
        main = is_main[parts.block(index, start, stop)]
        descend(label, other, share, main, before, start, facing, roles.anode, roles.void or 254, state, height, gap)
    gap[np.isnan(height)] = np.nan
    return HeightMap(height, gap, facing)


def counted_gap(labels: Labels, roles: Roles, surface: HeightMap, gaps: Opened) -> float:
    """Voxels of void that the labels show in the open gaps, partial volumes as parts."""
    if roles.void is None:
        return 0.0
    total = 0.0
    grid = grid_of(labels, "label")
    for start, stop in ranges(grid.shape[0], rows_per_block(grid.shape, 16)):
        label, other, share = (read_rows(labels[name], start, stop) for name in NAMES)
        beyond = surface.facing * (np.arange(start, stop)[:, None, None] - surface.height)
        inside = gaps.everywhere & (beyond > -1.0) & (beyond < gaps.gap + 1.5)
        if inside.any():
            total += float(phase_share(label, other, share, roles.void)[inside].sum(dtype=float))
    return total
