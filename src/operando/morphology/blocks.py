"""Volumes block by block along z: nothing here ever holds a whole big volume."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from operando.model.errors import OperandoError

BLOCK_BYTES = 96e6


@dataclass(frozen=True)
class Grid:
    """A regular grid: position of the first voxel's centre and spacing, µm, and the shape, along z, y, x."""

    origin: np.ndarray
    spacing: np.ndarray
    shape: tuple[int, int, int]

    @property
    def middle(self) -> np.ndarray:
        """The volume's middle, µm."""
        return self.origin + self.spacing * (np.array(self.shape) - 1) / 2

    @property
    def voxel_volume(self) -> float:
        """In µm³."""
        return float(np.prod(self.spacing))

    def coordinates(self) -> dict[str, np.ndarray]:
        """The axes as coordinates z, y, x in µm."""
        return {
            name: self.origin[i] + self.spacing[i] * np.arange(self.shape[i]) for i, name in enumerate(("z", "y", "x"))
        }


def grid_of(dataset: xr.Dataset, variable: str) -> Grid:
    """The grid of a volume-like variable with coordinates z, y, x in µm."""
    array = dataset[variable]
    axes = [np.asarray(dataset[str(dim)].values, float) for dim in array.dims]
    spacing = [_spacing(axis, str(array.dims[i]), dataset) for i, axis in enumerate(axes)]
    known = [s for s in spacing if s is not None]
    fill = known[-1] if known else 1.0
    steps = np.array([fill if s is None else s for s in spacing])
    nz, ny, nx = array.shape
    return Grid(np.array([axis[0] for axis in axes]), steps, (nz, ny, nx))


def _spacing(axis: np.ndarray, name: str, dataset: xr.Dataset) -> float | None:
    if len(axis) < 2:
        return None
    steps = np.diff(axis)
    if steps.min() <= 0 or np.ptp(steps) > 1e-3 * steps.mean():
        file = dataset.attrs.get("file", "the volume")
        raise OperandoError(f"{file}: its axis {name} is not evenly spaced; give the volume regular coordinates in µm.")
    return float((axis[-1] - axis[0]) / (len(axis) - 1))


def rows_per_block(shape: tuple[int, ...], bytes_per_voxel: float = 4.0) -> int:
    """How many rows along z make a block of about ``BLOCK_BYTES``."""
    return max(1, int(BLOCK_BYTES / (bytes_per_voxel * np.prod(shape[1:]))))


def ranges(total: int, length: int) -> Iterator[tuple[int, int]]:
    """Cut 0…total into consecutive ranges of at most ``length``.

    >>> list(ranges(5, 2))
    [(0, 2), (2, 4), (4, 5)]
    """
    for start in range(0, total, length):
        yield start, min(start + length, total)


def read_rows(array: xr.DataArray, start: int, stop: int) -> np.ndarray:
    """Rows of a lazily indexed variable, reading nothing else."""
    return np.asarray(array.isel({array.dims[0]: slice(start, stop)}).values)


def binned(array: xr.DataArray, factor: int) -> np.ndarray:
    """Mean over cubes of ``factor``³ voxels, float32; rests at the end are left out. NaN stays NaN."""
    shape = tuple(n // factor for n in array.shape)
    result = np.empty(shape, np.float32)
    rows = max(factor, rows_per_block(array.shape) // factor * factor)
    for start, stop in ranges(shape[0] * factor, rows):
        result[start // factor : stop // factor] = bin_array(read_rows(array, start, stop), factor)
    return result


def bin_array(block: np.ndarray, factor: int) -> np.ndarray:
    """Mean over cubes of ``factor``³ voxels of an array in memory, float32."""
    if factor == 1:
        return block.astype(np.float32)
    nz, ny, nx = (n // factor for n in block.shape)
    cut = block[: nz * factor, : ny * factor, : nx * factor]
    mean = np.zeros((nz, ny, nx), np.float32)
    for z in range(factor):
        plane = cut[z::factor]
        rows = np.add.reduceat(plane, np.arange(0, ny * factor, factor), axis=1, dtype=np.float32)
        mean += np.add.reduceat(rows, np.arange(0, nx * factor, factor), axis=2)
    return mean / factor**3


def binned_grid(grid: Grid, factor: int) -> Grid:
    """The grid of the binned volume: its first voxel's centre moves inwards."""
    nz, ny, nx = (n // factor for n in grid.shape)
    return Grid(grid.origin + grid.spacing * (factor - 1) / 2, grid.spacing * factor, (nz, ny, nx))


def binning_for(shape: tuple[int, ...], voxels: float) -> int:
    """The smallest binning that leaves at most ``voxels`` voxels."""
    factor = 1
    while np.prod([n // factor for n in shape]) > voxels:
        factor += 1
    return factor
