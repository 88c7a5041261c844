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
            distance = np.hypot((y - self.field_centre[0])[:, None], (x - self.field_centre[1])[None])
            result &= distance <= self.field_radius
        if self.has_tube:
            for i, (axis_y, axis_x) in enumerate(self.axis_at(z)):
                result[i] &= np.hypot((y - axis_y)[:, None], (x - axis_x)[None]) <= self.radius
        return result

    def area(self, grid: Grid) -> float:
        """Cross-section of bore and field at middle height, µm²."""
        axes = grid.coordinates()
        mask = self.mask(grid.middle[:1], axes["y"], axes["x"])
        return float(mask.sum() * grid.spacing[1] * grid.spacing[2])
