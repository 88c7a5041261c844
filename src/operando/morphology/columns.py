"""Grey values along columns through the anode's surface, aligned to it."""

from dataclasses import dataclass

import numpy as np

from operando.model.constants import UNKNOWN_LABEL
from operando.model.products.morphology import Labels
from operando.model.products.tomography import Volume
from operando.morphology.blocks import grid_of, ranges, read_rows, rows_per_block
from operando.morphology.placement import Placement

LOWEST = -4
"""Columns begin so many voxels inside the anode."""

IN_PLANE = 1.2
"""Voxels by which neighbouring columns are averaged, once they are aligned to the surface."""


@dataclass(frozen=True)
class Columns:
    """Grey values (step, y, x) at whole voxels from the surface, towards the electrolyte; NaN where unknown.

    ``raw`` as sampled, ``calm`` averaged with the neighbours.
    """

    raw: np.ndarray
    calm: np.ndarray

    @property
    def steps(self) -> np.ndarray:
        """Distance from the surface, voxels (step, 1, 1)."""
        return (LOWEST + np.arange(len(self.raw)))[:, None, None]

    def level(self, chosen: np.ndarray, width: float, typical: float | None = None) -> np.ndarray:
        """Mean of the chosen samples (step, y, x) about each column (y, x), with a normal weight of ``width`` voxels.

        Where few were chosen it goes to ``typical``, or else to the median of all that were; NaN with hardly any.
        """
        from scipy import ndimage

        usable = chosen & np.isfinite(self.raw)
        if typical is None:
            typical = float(np.median(self.raw[usable])) if usable.sum() > 100 else float("nan")
        count = ndimage.gaussian_filter(usable.sum(axis=0).astype(float), width)
        total = ndimage.gaussian_filter(np.where(usable, self.raw, 0).sum(axis=0, dtype=float), width)
        weak = 5.0 / (2 * np.pi * width**2)
        return np.asarray((total + weak * typical) / (count + weak))


NEEDED = 6
"""So many voxels beyond the surface must be known, or else nothing is said of the gap there."""


def columns(
    volume: Volume,
    height: np.ndarray,
    facing: int,
    place: Placement,
    wall_um: float,
    length: int,
    stride: int = 1,
    labels: Labels | None = None,
) -> Columns:
    """Read the columns of a surface ``height`` (y, x; rows of the first scan's frame), ``length`` voxels beyond it.

    The map holds every ``stride``-th column of the volume along y and x. Voxels that are unknown in ``labels`` are not
    used, nor columns of which too little beyond the surface is known.
    """
    from operando.morphology._gap_kernels import sample_columns

    grid = grid_of(volume, "mu")
    total = grid.shape[0]
    out = np.full((length - LOWEST, *height.shape), np.nan, np.float32)
    geometry = (grid.spacing, place.centre, place.matrix, place.translation, place.tube, wall_um, place.scale, stride)
    ends = np.array([np.nanmin(height), np.nanmax(height)])
    reach = place.reach_um(grid.spacing) / grid.spacing[0] + 2
    low = max(int(ends[0] - reach - (length if facing < 0 else -LOWEST)), 0)
    high = min(int(ends[1] + reach + (length if facing > 0 else -LOWEST)) + 2, total)
    for start, stop in ranges(high - low, rows_per_block(grid.shape, 8)):
        first, last = max(low + start - 2, 0), min(low + stop + 3, total)
        source = np.ascontiguousarray(read_rows(volume["mu"], first, last), dtype=np.float32)
        wanted = np.array([low + start if low + start > 0 else -1, low + stop])
        sample_columns(source, first, wanted, total, height, facing, LOWEST, geometry, out)
    if labels is not None:
        _leave_out_unknown(out, labels, height, facing, stride)
    return Columns(out, _averaged(out))


def _leave_out_unknown(out: np.ndarray, labels: Labels, height: np.ndarray, facing: int, stride: int) -> None:
    """Set the samples (step, y, x) of unknown voxels to NaN, and whole columns with too many of them near the surface.

    A sample is interpolated between four rows, and counts as unknown if any is.
    """
    total, steps = labels.sizes["z"], LOWEST + np.arange(len(out))
    known = np.isfinite(height)
    lowest = np.floor(np.where(known, height, 0.0)).astype(int)
    spoilt = np.zeros(out.shape, bool)
    reach = (facing * steps[0], facing * steps[-1])
    low = max(int(lowest[known].min(initial=total)) + min(reach) - 1, 0)
    high = min(int(lowest[known].max(initial=0)) + max(reach) + 3, total)
    for start, stop in ranges(max(high - low, 0), rows_per_block((total, *labels["label"].shape[1:]), 4)):
        unknown = read_rows(labels["label"], low + start, low + stop)[:, ::stride, ::stride] == UNKNOWN_LABEL
        if not unknown.any():
            continue
        for n, step in enumerate(steps):
            row = lowest + (facing * step - low - start)
            if row.max() < -2 or row.min() > stop - start:
                continue
            for near in (row - 1, row, row + 1, row + 2):
                there = known & (near >= 0) & (near < stop - start)
                spoilt[n] |= there & np.take_along_axis(unknown, np.clip(near, 0, stop - start - 1)[None], axis=0)[0]
    out[spoilt] = np.nan
    out[:, spoilt[-LOWEST - 1 : NEEDED - LOWEST].any(axis=0)] = np.nan


def _averaged(raw: np.ndarray) -> np.ndarray:
    """Every step averaged in its plane, leaving out what is unknown."""
    from scipy import ndimage

    result = np.empty_like(raw)
    for step, plane in enumerate(raw):
        known = np.isfinite(plane)
        weight = ndimage.gaussian_filter(known.astype(np.float32), IN_PLANE, truncate=3.0)
        total = ndimage.gaussian_filter(np.where(known, plane, np.float32(0)), IN_PLANE, truncate=3.0)
        result[step] = np.where(known, total / np.maximum(weight, np.float32(1e-6)), np.float32(np.nan))
    return result
