"""Where the cell of the first scan is found in this one."""

from typing import Literal

import numpy as np
from pydantic import Field

from operando.model.errors import OperandoError
from operando.model.parameters import Parameters
from operando.model.products.morphology import MOTION, Bore, Motion
from operando.model.products.tomography import Volume
from operando.model.step import First, step
from operando.morphology.alignment import Alignment, Settings, align
from operando.morphology.blocks import Grid, binned, binned_grid, binning_for, grid_of
from operando.morphology.inside import Inside
from operando.morphology.rigid import Rigid

AXES = ["z", "y", "x"]


class RegisterParameters(Parameters):
    """What the motion is solved on, and how."""

    region: Literal["still", "outside", "everything"] = Field(
        "still",
        description="still: all but the surroundings of the brightest phase in the bore; outside: only what lies "
        "outside the bore; everything: the whole field. Parts that changed are weighed down in any case",
    )
    margin_um: float = Field(50.0, ge=0, description="how far from the brightest phase nothing is used (still)")
    largest_motion_um: float = Field(
        100.0, gt=0, description="motions beyond this are believed only on strong evidence"
    )
    voxels: float = Field(8e6, ge=1e5, le=1e9, description="the volumes are binned to at most so many voxels")
    points: int = Field(200_000, ge=5_000, le=5_000_000, description="voxels that are compared")


_DEFAULTS = RegisterParameters()


@step(version=1)
def register(volume: Volume, first: First[Volume], bore: Bore, params: RegisterParameters = _DEFAULTS) -> Motion:
    """Solve the rigid motion of the cell since the first scan, on parts that don't react.

    Both scans are binned to a size that fits in memory, then aligned coarse to fine with weights against
    parts that changed. The grey scale that brings this scan's mu to the first scan's is solved with it.
    The standard deviations come from how much separate regions of the cell disagree; a direction that the
    image does not fix (rotation about a smooth tube) keeps its wide prior. The first scan's motion is zero.
    """
    grid = grid_of(first, "mu")
    if volume["mu"].shape != grid.shape:
        file = volume.attrs.get("file", "this scan")
        raise OperandoError(
            f"{file}: its volume has {volume['mu'].shape} voxels, the first scan's has {grid.shape}; "
            "reconstruct all scans on one grid."
        )
    factor = binning_for(grid.shape, params.voxels)
    fixed = np.nan_to_num(binned(first["mu"], factor))
    moving = np.nan_to_num(binned(volume["mu"], factor))
    coarse = binned_grid(grid, factor)
    usable, warnings = region(fixed, coarse, Inside.of(bore, grid), params)
    before = correlation(fixed, moving, usable, coarse, Rigid(centre=coarse.middle))
    if np.array_equal(fixed, moving):
        found = Alignment(Rigid(centre=coarse.middle), 1.0, np.zeros((7, 7)), float(usable.sum()))
    else:
        settings = Settings(points=params.points, translation_prior_um=params.largest_motion_um)
        found = align(fixed, moving, usable, coarse, settings)
    after = correlation(fixed, moving, usable, coarse, found.motion)
    return _pack(found, grid, before, after, warnings)


def region(fixed: np.ndarray, grid: Grid, inside: Inside, params: RegisterParameters) -> tuple[np.ndarray, list[str]]:
    """Which voxels of the binned first scan are compared, and a warning if that is not what was asked for."""
    axes = grid.coordinates()
    in_bore = inside.mask(axes["z"], axes["y"], axes["x"])
    in_field = Inside(inside.centre, inside.slope, np.inf, inside.field_radius, inside.field_centre).mask(
        axes["z"], axes["y"], axes["x"]
    )
    if params.region == "everything" or not inside.has_tube:
        return in_field, []
    if params.region == "outside":
        usable = in_field & ~in_bore
    else:
        usable = in_field & ~near_brightest(fixed, in_bore, grid, params.margin_um)
    if usable.sum() < 0.02 * in_field.sum():
        return in_field, [
            "hardly anything lies away from the brightest phase, so that the motion was solved on the whole field"
        ]
    return usable, []


def near_brightest(fixed: np.ndarray, in_bore: np.ndarray, grid: Grid, margin_um: float) -> np.ndarray:
    """Voxels of the bore within ``margin_um`` of its brightest phase (the upper of three Otsu classes)."""
    from scipy import ndimage
    from skimage.filters import threshold_multiotsu

    values = fixed[in_bore]
    sample = values[:: max(1, len(values) // 500_000)]
    if sample.size < 100 or np.ptp(sample) == 0:
        return np.zeros_like(in_bore)
    threshold = threshold_multiotsu(sample, classes=3, nbins=128)[-1]
    bright = ndimage.binary_opening(in_bore & (fixed > threshold), iterations=1)
    distance = ndimage.distance_transform_edt(~bright, sampling=grid.spacing) if bright.any() else np.inf
    return in_bore & (distance <= margin_um)


def correlation(fixed: np.ndarray, moving: np.ndarray, usable: np.ndarray, grid: Grid, motion: Rigid) -> float:
    """Normalised cross-correlation of the (at most 4 million) compared voxels after ``motion``.

    The outer twentieth at every face is left out: there the reconstruction ends.
    """
    from scipy import ndimage

    inner = np.zeros_like(usable)
    inner[tuple(slice(n // 20, n - n // 20) for n in usable.shape)] = True
    index = np.flatnonzero(usable & inner)
    index = index[:: max(1, len(index) // 4_000_000)]
    position = grid.origin + np.stack(np.unravel_index(index, usable.shape), axis=1) * grid.spacing
    target = ((motion(position) - grid.origin) / grid.spacing).T
    inside = np.all((target >= 0) & (target <= np.array(grid.shape)[:, None] - 1), axis=0)
    b = ndimage.map_coordinates(moving, target[:, inside], order=1, mode="nearest")
    a = fixed.ravel()[index[inside]]
    if a.size < 2 or a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _pack(found: Alignment, grid: Grid, before: float, after: float, warnings: list[str]) -> Motion:
    # The binned volume's middle may lie up to half a voxel of the coarse grid beside the volume's own.
    shift = grid.middle - found.motion.centre
    motion = Rigid(found.motion.matrix, found.motion.translation + found.motion.matrix @ shift - shift, grid.middle)
    std = np.sqrt(np.diag(found.covariance))
    return MOTION.new(
        coords={"axis": AXES},
        attrs={"warnings": warnings},
        translation=motion.translation,
        translation_std=std[:3],
        rotation=motion.rotation,
        rotation_std=std[3:6],
        correlation=after,
        correlation_before=before,
        grey_scale=found.scale,
        grey_scale_std=std[6],
    )
