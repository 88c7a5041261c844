"""The inside of the bore as numbers and masks: a small frozen thing made from the ``Bore`` product."""

from dataclasses import dataclass, replace

import numpy as np

from operando.model.products.morphology import Bore
from operando.morphology.blocks import Grid
from operando.morphology.rigid import Rigid


@dataclass(frozen=True)
class Inside:
    """The bore's axis, radius and the reconstructed circle, in µm and the first scan's frame."""

    centre: np.ndarray
    slope: np.ndarray
    radius: float
    field_radius: float
    field_centre: np.ndarray

    @classmethod
    def of(cls, bore: Bore, grid: Grid) -> "Inside":
        """From the product; the field of view is centred on the grid's y and x."""
        return cls(
            np.asarray(bore["centre"].values, float),
            np.asarray(bore["slope"].values, float),
            float(bore["radius"]),
            float(bore["field_radius"]),
            grid.middle[1:],
        )

    @property
    def has_tube(self) -> bool:
        """Whether a wall was found."""
        return bool(np.isfinite(self.radius))

    def axis_at(self, z: np.ndarray | float) -> np.ndarray:
        """Where the tube's axis passes a height (µm): y, x."""
        return self.centre[1:] + np.multiply.outer(np.asarray(z, float) - self.centre[0], self.slope)

    def moved(self, motion: Rigid) -> "Inside":
        """The bore where a scan shows it, after the cell's motion."""
        ends = np.array([[z, *self.axis_at(z)] for z in (self.centre[0] - 1000.0, self.centre[0] + 1000.0)])
        low, high = motion(ends)
        slope = (high - low)[1:] / (high - low)[0]
        return replace(self, centre=motion(self.centre), slope=slope)

    def mask(self, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Which voxels of the rows ``z`` lie inside bore and field; bool (z, y, x)."""
        result = np.ones((len(z), len(y), len(x)), bool)
        if np.isfinite(self.field_radius):
            result &= _within(y - self.field_centre[0], x - self.field_centre[1], self.field_radius)
        if self.has_tube:
            for i, (axis_y, axis_x) in enumerate(self.axis_at(z)):
                result[i] &= _within(y - axis_y, x - axis_x, self.radius)
        return result

    def columns(self, z: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        """Between which x (µm) everything lies that is inside somewhere in the rows ``z`` and the lines ``y``."""
        low, high = -np.inf, np.inf
        if np.isfinite(self.field_radius):
            low, high = _chord(self.field_centre[None], y, self.field_radius)
        if self.has_tube:
            of_tube = _chord(self.axis_at(z), y, self.radius)
            low, high = max(low, of_tube[0]), min(high, of_tube[1])
        return low, high

    def area(self, grid: Grid) -> float:
        """Cross-section of bore and field at middle height, µm²."""
        axes = grid.coordinates()
        mask = self.mask(grid.middle[:1], axes["y"], axes["x"])
        return float(mask.sum() * grid.spacing[1] * grid.spacing[2])


def _within(dy: np.ndarray, dx: np.ndarray, radius: float) -> np.ndarray:
    """Where the hypotenuse is at most ``radius``; bool (y, x). The slow one is asked only where it is close."""
    square = np.add.outer(dy**2, dx**2)
    result = square <= radius**2
    rows, columns = np.nonzero(np.abs(square - radius**2) < 1e-9 * radius**2)
    result[rows, columns] = np.hypot(dy[rows], dx[columns]) <= radius
    return result


def _chord(centres: np.ndarray, y: np.ndarray, radius: float) -> tuple[float, float]:
    """Least and largest x of circles about ``centres`` (n, 2: y, x) between the first and last of ``y``."""
    away = np.clip(centres[:, 0], y[0], y[-1]) - centres[:, 0]
    half = np.sqrt(np.clip(radius**2 - away**2, 0, None))
    met = np.abs(away) <= radius
    if not met.any():
        return np.inf, -np.inf
    return float((centres[:, 1] - half)[met].min()), float((centres[:, 1] + half)[met].max())
