"""The grey scale of a scan from the electrolyte away from the anode; on bare arrays."""

from dataclasses import dataclass, replace

import numpy as np

from operando.morphology.blocks import Grid
from operando.morphology.inside import Inside
from operando.morphology.rigid import Rigid

_LEAST_VOXELS = 2000
_FLOOR = 0.002
"""What pressing together or hardening may change without any drift of the scale."""


@dataclass(frozen=True)
class Scale:
    """Factor that brings a scan's mu to the first scan's, with its standard deviation."""

    value: float
    std: float


def bulk_scale(
    fixed: np.ndarray, moving: np.ndarray, grid: Grid, inside: Inside, motion: Rigid, margin_um: float
) -> Scale | None:
    """Compare the medians inside the bore, away from its brightest phase; ``None`` where too little is left.

    NaN is what can't be trusted and is left out.

    A thin tube's grey values are decided by what the opaque anode casts on it; the electrolyte is the larger and
    better known amount of matter that does not react. Its median does not feel pores.
    """
    axes = grid.coordinates()
    in_bore = inside.mask(axes["z"], axes["y"], axes["x"])
    away = replace(inside, radius=inside.radius - 4 * float(grid.spacing[1])).mask(axes["z"], axes["y"], axes["x"])
    away &= ~near_brightest(fixed, in_bore, grid, margin_um)
    reach = float(np.abs(motion(grid.middle) - grid.middle).max())
    away &= ~near_brightest(moving, in_bore, grid, margin_um + reach)
    first = fixed[away & np.isfinite(fixed)]
    if first.size < _LEAST_VOXELS:
        return None
    shift = np.rint((motion(grid.middle) - grid.middle) / grid.spacing).astype(int)
    later = np.roll(moving, tuple(-shift), axis=(0, 1, 2))[_inner(away, shift)]
    later = later[np.isfinite(later)]
    if later.size < _LEAST_VOXELS:
        return None
    medians = [float(np.median(values)) for values in (first, later)]
    spreads = [1.4826 * float(np.median(np.abs(v - m))) for v, m in zip((first, later), medians, strict=True)]
    if min(medians) <= 0 or max(spreads) > 0.5 * min(medians):
        return None
    # Neighbouring voxels err together: eight of them count as one; a median is 1.25 times less certain than a mean.
    errors = [1.25 * s / m / np.sqrt(v.size / 8) for s, m, v in zip(spreads, medians, (first, later), strict=True)]
    return Scale(medians[0] / medians[1], float(np.sqrt(errors[0] ** 2 + errors[1] ** 2 + _FLOOR**2)))


def _inner(mask: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The mask without the voxels that a shift brings in from beyond the border."""
    result = mask.copy()
    for axis, by in enumerate(shift):
        if by:
            cut: list[slice] = [slice(None)] * 3
            cut[axis] = slice(-by, None) if by > 0 else slice(None, -by)
            result[tuple(cut)] = False
    return result


def near_brightest(image: np.ndarray, in_bore: np.ndarray, grid: Grid, margin_um: float) -> np.ndarray:
    """Voxels of the bore within ``margin_um`` of its brightest phase (the upper of three Otsu classes)."""
    from scipy import ndimage
    from skimage.filters import threshold_multiotsu

    values = image[in_bore & np.isfinite(image)]
    sample = values[:: max(1, len(values) // 500_000)]
    if sample.size < 100 or np.ptp(sample) == 0:
        return np.zeros_like(in_bore)
    threshold = threshold_multiotsu(sample, classes=3, nbins=128)[-1]
    bright = ndimage.binary_opening(in_bore & (image > threshold), iterations=1)
    distance = ndimage.distance_transform_edt(~bright, sampling=grid.spacing) if bright.any() else np.inf
    return in_bore & (distance <= margin_um)
