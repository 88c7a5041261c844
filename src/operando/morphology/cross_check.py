"""A net volume cross-checked by how far the surface advanced, column by column; on height maps."""

from dataclasses import dataclass, replace

import numpy as np

from operando.model.constants import NORMAL_95
from operando.model.products.morphology import Interface

MOST_UNSEEN = 0.05
"""With a larger share of the bore's columns unknown, what happened there may explain a disagreement: no warning."""

HALF_A_VOXEL = 0.5
"""An edge that moved so far has nothing in common any more with what threshold and voxels made of it before."""

_FLOOR = 0.02
"""How far the mean height of a rough, blurred surface may lie beside its mean share, voxels."""


@dataclass(frozen=True)
class Advance:
    """How far the anode's surface moved towards the electrolyte, over the columns known in both scans.

    ``volume`` (mean × area) with the standard deviation that is its own: the noise of the columns and what a height
    at half of the share misses; µm³. ``area`` of these columns, µm². ``mean``: µm.
    """

    volume: float
    std: float
    area: float

    def plus(self, volume: float) -> "Advance":
        """The same with a volume (µm³) more."""
        return replace(self, volume=self.volume + volume)

    @property
    def mean(self) -> float:
        """Mean advance, µm."""
        return self.volume / self.area if self.area else float("nan")

    @property
    def mean_std(self) -> float:
        """Its own standard deviation, µm."""
        return self.std / self.area if self.area else float("nan")


NOTHING = Advance(float("nan"), float("nan"), 0.0)


def advance_of(before: Interface | None, after: Interface | None, voxel: np.ndarray) -> Advance:
    """From two height maps of one grid, voxel (z, y, x) in µm."""
    if before is None or after is None or int(after["facing"]) == 0 or int(before["facing"]) == 0:
        return NOTHING
    heights = [one["height"].values.astype(float) for one in (before, after)]
    moved = int(after["facing"]) * (heights[1] - heights[0])
    known = moved[np.isfinite(moved)]
    if not known.size:
        return NOTHING
    pixel = float(voxel[1] * voxel[2])
    jitter = column_noise(moved) / np.sqrt(known.size)
    std = float(np.hypot(jitter, _FLOOR * voxel[0]))
    return Advance(float(known.sum()) * pixel, std * known.size * pixel, known.size * pixel)


def uncommon(advance: float, voxel: float) -> float:
    """Share of what grey values that vary in space do to an edge that is not the same before and after an advance.

    A hardened rim moves both surfaces alike only while they cross their voxels alike. ``advance`` and ``voxel`` in µm.

    >>> uncommon(0.0, 2.0), uncommon(0.5, 2.0), uncommon(-9.0, 2.0)
    (0.0, 0.5, 1.0)
    """
    return min(abs(advance) / voxel / HALF_A_VOXEL, 1.0)


def column_noise(moved: np.ndarray) -> float:
    """Noise of single columns of a map (y, x), from how neighbours along x differ; zero where there are none."""
    steps = np.diff(moved, axis=1)
    steps = steps[np.isfinite(steps)]
    return 1.4826 * float(np.median(np.abs(steps))) / np.sqrt(2) if steps.size else 0.0


def disagreement(advance: Advance, net: float, net_std: float, shared_std: float, bore_area: float) -> str:
    """A sentence if net change and advance × area contradict each other, else nothing; µm³ and µm².

    What thresholds and motions do to both alike (``shared_std``) can't tell them apart.
    """
    if not advance.area > (1 - MOST_UNSEEN) * bore_area:
        return ""
    limit = NORMAL_95 * float(np.sqrt(max(net_std**2 - shared_std**2, 0.0) + advance.std**2))
    if abs(net - advance.volume) <= limit:
        return ""
    return (
        f"net change {net:.3g} um3, but the surface advanced by {advance.mean:.3g} um over {advance.area:.3g} um2, "
        f"that is {advance.volume:.3g} um3: something changed off the surface, or one of the two is wrong"
    )
