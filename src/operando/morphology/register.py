"""Where the cell of the first scan is found in this one."""

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from operando.model.errors import OperandoError
from operando.model.parameters import Parameters
from operando.model.products.morphology import MOTION, Bore, Motion
from operando.model.products.tomography import Trust, Volume
from operando.model.step import First, step
from operando.morphology.alignment import Alignment, Settings, align, lever
from operando.morphology.blocks import Grid, binned, binned_grid, binning_for, grid_of
from operando.morphology.bulk_scale import bulk_scale, near_brightest
from operando.morphology.coarse_trust import CoarseTrust, seen_rows
from operando.morphology.inside import Inside
from operando.morphology.rigid import Rigid

AXES = ["z", "y", "x"]


class RegisterParameters(Parameters):
    """What the motion is solved on, and how."""

    region: Literal["tube", "electrolyte", "everything"] = Field(
        "tube",
        description="tube: the tube's inner wall and what lies beyond; electrolyte: also the bore far from its "
        "brightest phase, which a growing anode may push along; everything: the whole field. Parts that changed "
        "are weighed down anyway",
    )
    margin_um: float = Field(50.0, ge=0, description="how far from the brightest phase the electrolyte is not used")
    largest_motion_um: float | None = Field(
        None,
        gt=0,
        description="how far the cell may have moved where the image does not tell; null: as far as it moved across",
    )
    voxels: float = Field(8e6, ge=1e5, le=1e9, description="the volumes are binned to at most so many voxels")
    points: int = Field(60_000, ge=5_000, le=5_000_000, description="voxels that are compared")


_DEFAULTS = RegisterParameters()


@step(version=4)
def register(
    volume: Volume,
    first: First[Volume],
    bore: Bore,
    trust: Trust | None = None,
    first_trust: First[Trust] | None = None,
    params: RegisterParameters = _DEFAULTS,
) -> Motion:
    """Solve the rigid motion of the cell since the first scan, on parts that don't react.

    The rows that both scans can be trusted in are binned to a size that fits in memory, then aligned coarse to fine
    with weights against parts that changed and against noise: rows in the slits' shadow hold the same nothing in
    every scan, and would say that nothing moves. Outside the bore each row's mean at each radius is taken away, for
    what an opaque anode casts there moves with it. The grey scale that brings this scan's mu to the first scan's is
    that of the electrolyte away from the anode where both scans can be trusted; without a tube, or with too little
    electrolyte, that of the aligned parts. The standard deviations come from how much separate regions disagree, and
    hold in the middle of the compared rows. A direction that the image does not fix (along and about a smooth tube)
    stays at zero, with the standard deviation of what it may have moved. The first scan's motion is zero. Without a
    tube the whole field is used.
    """
    grid = grid_of(first, "mu")
    if volume["mu"].shape != grid.shape:
        file = volume.attrs.get("file", "this scan")
        raise OperandoError(
            f"{file}: its volume has {volume['mu'].shape} voxels, the first scan's has {grid.shape}; "
            "reconstruct all scans on one grid."
        )
    inside = Inside.of(bore, grid)
    seen = seen_rows(grid, (first_trust, trust))
    part = grid_of(first.isel(z=seen), "mu")
    factor = binning_for(part.shape, params.voxels)
    fixed, moving = (np.nan_to_num(binned(scan["mu"].isel(z=seen), factor)) for scan in (first, volume))
    coarse = binned_grid(part, factor)
    trusted = (_trusted(fixed, first_trust, coarse), _trusted(moving, trust, coarse))
    usable, warnings = region(fixed, moving, np.isfinite(trusted[0] + trusted[1]), coarse, inside, params)
    before = correlation(fixed, moving, usable, coarse, Rigid(centre=coarse.middle))
    if np.array_equal(fixed, moving):
        found = Alignment(Rigid(centre=coarse.middle), 1.0, np.zeros((7, 7)), np.zeros((6, 0)))
    else:
        found = _solve(fixed, moving, usable, coarse, inside, params)
        warnings += sentences(found, coarse)
        found = _scaled(found, *trusted, coarse, inside, params)
    after = correlation(fixed, moving, usable, coarse, found.motion)
    return _pack(found, grid, before, after, warnings)


def _solve(
    fixed: np.ndarray, moving: np.ndarray, usable: np.ndarray, grid: Grid, inside: Inside, params: RegisterParameters
) -> Alignment:
    """Align, with rings about the tube's axis taken away: in the later scan first about the old, then the new axis."""
    settings = Settings(points=params.points)
    if not inside.has_tube or params.region == "everything":
        return _with_prior(align(fixed, moving, usable, grid, settings), grid, params)
    plain, telling_z = (without_rings(fixed, grid, inside, wall_too) for wall_too in (False, True))
    found = align(plain, without_rings(moving, grid, inside), usable, grid, settings, telling_z)
    for _ in range(2):
        rest = without_rings(moving, grid, inside.moved(found.motion))
        found = align(plain, rest, usable, grid, settings, telling_z)
    return _with_prior(found, grid, params)


def _trusted(image: np.ndarray, trust: Trust | None, grid: Grid) -> np.ndarray:
    """The image with NaN where it can't be trusted."""
    axes = grid.coordinates()
    coarse = CoarseTrust.between(trust, axes["z"][0], axes["z"][-1])
    return image if coarse is None else np.where(coarse.at(axes["z"], axes["y"], axes["x"]), np.nan, image)


def _scaled(
    found: Alignment, fixed: np.ndarray, moving: np.ndarray, grid: Grid, inside: Inside, params: RegisterParameters
) -> Alignment:
    """With the grey scale of the electrolyte away from the anode, where there is a tube and enough of it.

    A tenth of what the tube says otherwise joins the standard deviation.
    """
    if not inside.has_tube or params.region == "everything":
        return found
    bulk = bulk_scale(fixed, moving, grid, inside, found.motion, params.margin_um)
    if bulk is None:
        return found
    covariance = found.covariance.copy()
    covariance[6] = covariance[:, 6] = 0.0
    covariance[6, 6] = bulk.std**2 + (0.1 * (found.scale - bulk.value)) ** 2
    return replace(found, scale=bulk.value, covariance=covariance)


def _with_prior(found: Alignment, grid: Grid, params: RegisterParameters) -> Alignment:
    """The directions that the images leave loose get the standard deviation of what the cell may have moved.

    Without a given value that is how far it moved along the directions that are fixed, at least half a voxel.
    """
    loose = found.loose
    if not loose.shape[1]:
        return found
    fixed = 3 - np.linalg.matrix_rank(loose[:3], tol=0.5)
    across = float(np.linalg.norm(found.motion.translation)) / np.sqrt(max(fixed, 1))
    free_motion = params.largest_motion_um or max(across, 0.5 * float(grid.spacing.min()))
    scaling = np.array([1.0] * 3 + [lever(grid)] * 3)
    basis = loose / scaling[:, None]
    covariance = found.covariance.copy()
    covariance[:6, :6] += free_motion**2 * basis @ basis.T
    return replace(found, covariance=covariance)


def sentences(found: Alignment, grid: Grid) -> list[str]:
    """One for each axis along which nothing fixes the cell."""
    std = np.sqrt(np.diag(found.covariance))[:3]
    return [
        f"nothing that stays still fixes the cell along {axis}: taken as unmoved, give or take {value:.2g} um"
        for axis, value, share in zip(AXES, std, np.linalg.norm(found.loose[:3], axis=1), strict=True)
        if share > 0.5
    ]


def without_rings(image: np.ndarray, grid: Grid, inside: Inside, wall_too: bool = False) -> np.ndarray:
    """Outside the bore, each row's mean at each radius from the bore's axis taken away; a copy.

    The step at the wall itself stays, up to three voxels outside it nothing is changed; not so with ``wall_too``.
    """
    result = image.copy()
    axes = grid.coordinates()
    pixel = float(grid.spacing[1])
    for i, (axis_y, axis_x) in enumerate(inside.axis_at(axes["z"])):
        radius = np.hypot((axes["y"] - axis_y)[:, None], (axes["x"] - axis_x)[None])
        beyond = radius > inside.radius + (-8 if wall_too else 3) * pixel
        ring = np.rint(radius[beyond] / pixel).astype(int)
        total = np.bincount(ring, image[i][beyond])
        result[i][beyond] -= (total / np.maximum(np.bincount(ring), 1))[ring].astype(np.float32)
    return result


def region(
    fixed: np.ndarray,
    moving: np.ndarray,
    trusted: np.ndarray,
    grid: Grid,
    inside: Inside,
    params: RegisterParameters,
) -> tuple[np.ndarray, list[str]]:
    """Which voxels of the binned first scan are compared, and a warning if that is not what was asked for.

    ``trusted``: the voxels that both scans can be trusted in.
    """
    axes = grid.coordinates()
    in_bore = inside.mask(axes["z"], axes["y"], axes["x"])
    in_field = replace(inside, radius=np.inf).mask(axes["z"], axes["y"], axes["x"])
    if params.region == "everything" or not inside.has_tube:
        return in_field, []
    if params.region == "tube":
        wall = replace(inside, radius=inside.radius - 4 * float(grid.spacing[1]))
        beyond = ~wall.mask(axes["z"], axes["y"], axes["x"])
        usable = in_field & beyond & steady_rows(fixed, moving, in_bore)[:, None, None]
    else:
        usable = in_field & ~near_brightest(fixed, in_bore, grid, params.margin_um)
    if (usable & trusted).sum() >= 0.02 * in_field.sum():
        return usable & trusted, []
    if usable.sum() < 0.02 * in_field.sum():
        return in_field, [
            "hardly anything lies away from what reacts, so that the motion was solved on the whole field"
        ]
    return usable, ["hardly anything that stays still can be trusted, so that the motion was solved on it all"]


def steady_rows(fixed: np.ndarray, moving: np.ndarray, in_bore: np.ndarray, margin: int = 4) -> np.ndarray:
    """Rows in which the bore's content neither changes along z nor between the scans, and ``margin`` rows around.

    Elsewhere streaks of the opaque anode reach into the tube, and move with the anode's surface.
    """
    from scipy import ndimage

    means = np.array([[image[i][in_bore[i]].mean() for i in range(len(image))] for image in (fixed, moving)])
    span = np.ptp(means)
    if span < 0.1 * np.abs(means).max():
        return np.ones(len(fixed), bool)
    slope = np.abs(np.gradient(means, axis=1)).max(axis=0)
    changing = (slope > 0.01 * span) | (np.abs(means[1] - means[0]) > 0.04 * span)
    return ~ndimage.binary_dilation(changing, iterations=margin)


def correlation(fixed: np.ndarray, moving: np.ndarray, usable: np.ndarray, grid: Grid, motion: Rigid) -> float:
    """Normalised cross-correlation of the (at most 4 million) compared voxels after ``motion``.

    The outer sixteenth at every face is left out: there the reconstruction ends.
    """
    from scipy import ndimage

    inner = np.zeros_like(usable)
    inner[tuple(slice(n // 16, n - n // 16) for n in usable.shape)] = True
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
