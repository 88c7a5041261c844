"""Bore and motion of one scan in the form that compiled loops take: µm from the first voxel's centre."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from operando.model.products.morphology import Bore
from operando.morphology.blocks import Grid
from operando.morphology.inside import Inside
from operando.morphology.rigid import Rigid


@dataclass(frozen=True)
class Placement:
    """Where the scan lies: motion, grey scale, tube (axis z, y, x, slope y, slope x, radius).

    ``origin`` is the first voxel's centre of the whole scan, also where only some rows are at hand.
    """

    motion: Rigid
    scale: float
    centre: np.ndarray
    matrix: np.ndarray
    translation: np.ndarray
    tube: np.ndarray
    std: np.ndarray
    origin: np.ndarray
    extent: tuple[int, int, int]

    @classmethod
    def of(cls, bore: Bore, motions: xr.Dataset | None, grid: Grid) -> "Placement":
        """From the products; ``motions`` is this scan's row, with or without the dimension ``scan``."""
        inside = Inside.of(bore, grid)
        origin = np.asarray(bore["origin"].values, float)
        middle = origin + grid.spacing * (np.asarray(bore["extent"].values, float) - 1) / 2
        translation, rotation, scale, std = _row(motions)
        motion = Rigid.of(translation, rotation, middle)
        axis = inside.centre - origin
        tube = np.array([*axis, *inside.slope, inside.radius if inside.has_tube else 1e301])
        return cls(motion, scale, middle - origin, motion.matrix, motion.translation, tube, std, origin, _extent(bore))

    def first_row(self, grid: Grid) -> int:
        """Number, in the whole scan, of the first row of ``grid``."""
        return round(float((grid.origin[0] - self.origin[0]) / grid.spacing[0]))

    def reach_um(self, spacing: np.ndarray) -> float:
        """The largest distance along z, µm, between a voxel of the scan and where it is read."""
        ends = [[0.0, n - 1.0] for n in self.extent]
        points = self.origin + np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3) * spacing
        return float(np.abs((self.motion(points) - points)[:, 0]).max())


def _extent(bore: Bore) -> tuple[int, int, int]:
    nz, ny, nx = (int(n) for n in bore["extent"].values)
    return nz, ny, nx


def _row(motions: xr.Dataset | None) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    if motions is None:
        return np.zeros(3), np.zeros(3), 1.0, np.zeros(7)
    row = motions.squeeze("scan") if "scan" in motions.dims else motions
    parts = [np.atleast_1d(row[f"{name}_std"].values) for name in ("translation", "rotation", "grey_scale")]
    std = np.concatenate(parts).astype(float)
    return row["translation"].values, row["rotation"].values, float(row["grey_scale"]), std
