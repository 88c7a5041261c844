"""The trust map at the places where it is needed."""

from dataclasses import dataclass

import numpy as np

from operando.model.products.tomography import UNTRUSTED_SHARE, Trust
from operando.morphology.blocks import Grid

_LEAST_ROWS = 8
"""Fewer rows than these are no ground to solve a motion or find a wall on."""


@dataclass(frozen=True)
class CoarseTrust:
    """Which coarse voxels can't be trusted, between two heights; positions in µm."""

    untrusted: np.ndarray
    origin: np.ndarray
    spacing: np.ndarray

    @classmethod
    def between(cls, trust: Trust | None, low: float, high: float) -> "CoarseTrust | None":
        """Read the rows that lie between two heights (µm) and their neighbours; ``None`` if there is no map."""
        if trust is None:
            return None
        axes = [np.asarray(trust[name].values, float) for name in ("z_coarse", "y_coarse", "x_coarse")]
        spacing = np.array([axis[1] - axis[0] if len(axis) > 1 else 1e9 for axis in axes])
        first = int(np.clip(np.searchsorted(axes[0], low - spacing[0]), 0, len(axes[0]) - 1))
        last = int(np.clip(np.searchsorted(axes[0], high + spacing[0]), first, len(axes[0]) - 1))
        rows = trust["starved_share"].isel(z_coarse=slice(first, last + 1)).values
        origin = np.array([axes[0][first], axes[1][0], axes[2][0]])
        return cls(~(np.asarray(rows) <= UNTRUSTED_SHARE), origin, spacing)

    def at(self, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Whether the nearest coarse voxel is untrusted, on the grid of three axes; bool (z, y, x)."""
        index = [self._nearest(values, i) for i, values in enumerate((z, y, x))]
        return self.untrusted[np.ix_(*index)]

    def at_points(self, points: np.ndarray) -> np.ndarray:
        """The same at points (…, 3)."""
        index = [self._nearest(points[..., i], i) for i in range(3)]
        return self.untrusted[tuple(index)]

    def _nearest(self, values: np.ndarray, axis: int) -> np.ndarray:
        index = np.rint((values - self.origin[axis]) / self.spacing[axis]).astype(int)
        return np.clip(index, 0, self.untrusted.shape[axis] - 1)


def seen_rows(grid: Grid, maps: tuple[Trust | None, ...]) -> slice:
    """From the first to the last row that every map lets trust half of; all rows where there is none such."""
    z, y, x = grid.coordinates().values()
    y, x = (axis[:: max(1, len(axis) // 64)] for axis in (y, x))
    seen = np.ones(len(z), bool)
    away = np.hypot((y - grid.middle[1])[:, None], x - grid.middle[2])
    field = away <= min(np.ptp(y), np.ptp(x)) / 2
    for trust in maps:
        coarse = CoarseTrust.between(trust, z[0], z[-1])
        if coarse is not None:
            seen &= coarse.at(z, y, x)[:, field].mean(axis=1) < 0.5
    rows = np.flatnonzero(seen)
    return slice(int(rows[0]), int(rows[-1]) + 1) if rows.size >= _LEAST_ROWS else slice(0, len(z))
