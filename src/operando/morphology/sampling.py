"""What a scan shows at the voxels of a block of the first scan's frame, from the rows that this takes and no more."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from operando.model.products.tomography import Trust
from operando.morphology.blocks import Grid, ranges, read_rows
from operando.morphology.coarse_trust import CoarseTrust
from operando.morphology.inside import Inside
from operando.morphology.placement import Placement

BLOCK_VOXELS = 6e6
"""Voxels of a block with what its filters see around it: some 150 MB of temporaries."""

_LEAST_EDGE = 16
_NO_TUBE = 1e301

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Lie:
    """Where the voxels of the first scan lie in this one, in voxels of the whole scan: n is found at turn @ n + shift.

    ``tube`` as ``resample`` takes it.
    """

    turn: np.ndarray
    shift: np.ndarray
    tube: np.ndarray
    rows: int

    @classmethod
    def of(cls, place: Placement, grid: Grid, wall_voxels: float) -> "Lie":
        """From the placement in µm."""
        z, y, x = grid.spacing
        middle_z, axis_y, axis_x, slope_y, slope_x, radius = place.tube
        axis = [(axis_y - middle_z * slope_y) / y, (axis_x - middle_z * slope_x) / y]
        size = [radius / y, wall_voxels] if radius < 1e300 else [_NO_TUBE, 0.0]
        return cls(
            turn=place.matrix * grid.spacing / grid.spacing[:, None],
            shift=(place.centre - place.matrix @ place.centre + place.translation) / grid.spacing,
            tube=np.array([*axis, slope_y * z / y, slope_x * z / y, *size, x / y]),
            rows=place.extent[0],
        )

    def heights(self, rows: slice, plane: tuple[int, int]) -> tuple[float, float]:
        """The least and the largest row, as fractions, at which the rows ``rows`` are found."""
        ends = ([rows.start, rows.stop - 1.0], [0.0, plane[0] - 1.0], [0.0, plane[1] - 1.0])
        found = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1) @ self.turn[0] + self.shift[0]
        return float(found.min()), float(found.max())


@dataclass(frozen=True)
class Source:
    """Rows of a scan from ``start`` on, float32 (z, y, x), and what its grey values are multiplied by."""

    values: np.ndarray
    start: int
    scale: float

    @classmethod
    def read(cls, array: xr.DataArray, first: int, lie: Lie, rows: slice, scale: float) -> "Source":
        """Read what the rows ``rows`` of the first scan take; ``first`` is the number of the first row at hand."""
        low, high = lie.heights(rows, (array.sizes["y"], array.sizes["x"]))
        start = int(np.clip(np.floor(low) - 1, first, first + array.sizes["z"] - 1))
        stop = int(np.clip(np.floor(high) + 3, start + 1, first + array.sizes["z"]))
        values = read_rows(array, start - first, stop - first)
        return cls(np.ascontiguousarray(values, dtype=np.float32), start, scale)

    def sample(self, box: Box, lie: Lie) -> np.ndarray:
        """Grey values of a block, float32; NaN beyond the scan's field of view."""
        from operando.morphology._kernels import resample

        out = np.empty(_shape(box), np.float32)
        return resample(self.values, self.start, lie.rows, _corner(box), lie.turn, lie.shift, lie.tube, self.scale, out)


@dataclass(frozen=True)
class Distrust:
    """Where the scan can't be trusted: a coarse map, and where the voxels of the first scan lie in it."""

    coarse: np.ndarray
    turn: np.ndarray
    shift: np.ndarray

    @classmethod
    def of(cls, trust: Trust | None, place: Placement, grid: Grid, lie: Lie, rows: slice) -> "Distrust | None":
        """For the rows ``rows`` of the first scan; ``None`` where everything is trusted."""
        low, high = (place.origin[0] + grid.spacing[0] * row for row in lie.heights(rows, grid.shape[1:]))
        found = CoarseTrust.between(trust, low, high)
        if found is None or not found.untrusted.any():
            return None
        shift = (place.origin + grid.spacing * lie.shift - found.origin) / found.spacing
        turn = lie.turn * grid.spacing[:, None] / found.spacing[:, None]
        return cls(np.ascontiguousarray(found.untrusted), turn, shift)

    def at(self, box: Box) -> np.ndarray:
        """Which voxels of a block are not trusted; bool (z, y, x)."""
        from operando.morphology._kernels import nearest_coarse

        return nearest_coarse(self.coarse, _corner(box), self.turn, self.shift, np.empty(_shape(box), np.bool_))


def _corner(box: Box) -> np.ndarray:
    return np.array([part.start for part in box], np.int64)


def _shape(box: Box) -> tuple[int, ...]:
    return tuple(part.stop - part.start for part in box)


def blocks(
    rows: slice, extent: tuple[int, int, int], reach: int, inside: Inside, axes: list[np.ndarray]
) -> Iterator[Box]:
    """Cut the inside of the bore in ``rows`` into blocks that are small enough with ``reach`` voxels around them.

    Slices are in voxels of the whole scan; ``axes`` are its coordinates (µm).
    """
    edge = block_edge((rows.stop - rows.start, *extent[1:]), reach)
    for start, stop in ranges(rows.stop - rows.start, edge):
        z = slice(rows.start + start, rows.start + stop)
        for first, last in ranges(extent[1], edge):
            y = slice(first, last)
            ends = inside.columns(axes[0][z], axes[1][y])
            if ends[0] > ends[1]:
                continue
            low = max(int(np.searchsorted(axes[2], ends[0])) - 1, 0)
            high = min(int(np.searchsorted(axes[2], ends[1])) + 2, extent[2])
            for left, right in ranges(high - low, edge):
                yield z, y, slice(low + left, low + right)


def block_edge(shape: tuple[int, ...], reach: int) -> int:
    """The longest edge of blocks that have, with what is around them, at most ``BLOCK_VOXELS`` voxels."""
    edge = max(shape)
    while edge > _LEAST_EDGE and np.prod([min(edge, n) + 2.0 * reach for n in shape]) > BLOCK_VOXELS:
        edge = max(_LEAST_EDGE, int(0.9 * edge))
    return edge


def around(box: Box, extent: tuple[int, int, int], reach: int) -> Box:
    """The block with ``reach`` voxels around it, as far as there are any."""
    z, y, x = (slice(max(p.start - reach, 0), min(p.stop + reach, n)) for p, n in zip(box, extent, strict=True))
    return z, y, x
