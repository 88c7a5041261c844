"""Rigid registration of two arrays: robust inverse-compositional Gauss-Newton, coarse to fine.

Method: S. Baker and I. Matthews, Int. J. Comput. Vis. 56 (2004) 221 (https://doi.org/10.1023/B:VISI.0000011205.11775.fd),
with Tukey's biweight against parts that changed, and cluster-robust standard deviations (one cluster a cell of space,
since neighbouring voxels err together).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from operando.morphology.blocks import Grid, bin_array, binned_grid
from operando.morphology.rigid import Rigid, displacement_jacobian

_TUKEY = 4.685
_CELLS = 6
_CORRELATED = 50.0
"""How many smoothed voxels err together: (2 sqrt(pi))³ for a Gaussian of one voxel, rounded up."""
_FLOOR_VOXELS = 0.005
"""Error of interpolation that no statistics shows, in voxels of the finest level."""


@dataclass(frozen=True)
class Alignment:
    """The motion, the grey scale that goes with it, and their covariance (translation, rotation, scale)."""

    motion: Rigid
    scale: float
    covariance: np.ndarray
    effective_points: float


@dataclass(frozen=True)
class _Points:
    """Where the first scan is compared: values, steepest descent, cell of space."""

    position: np.ndarray
    value: np.ndarray
    jacobian: np.ndarray
    cell: np.ndarray


@dataclass(frozen=True)
class Settings:
    """How to align."""

    points: int = 200_000
    iterations: int = 30
    translation_prior_um: float = 100.0
    rotation_prior_rad: float = 0.02


def align(fixed: np.ndarray, moving: np.ndarray, usable: np.ndarray, grid: Grid, settings: Settings) -> Alignment:
    """Find the motion that brings ``moving`` onto ``fixed`` where ``usable``; arrays (z, y, x) on one grid."""
    found = Alignment(Rigid(centre=grid.middle), _scale(fixed, moving, usable), np.zeros((7, 7)), 0.0)
    for factor in _levels(fixed.shape):
        level_grid = binned_grid(grid, factor)
        level_usable = bin_array(usable.astype(np.float32), factor) > 0.999
        arrays = (bin_array(fixed, factor), bin_array(moving, factor))
        if level_usable.sum() < 500:
            continue
        found = _align_level(*arrays, level_usable, level_grid, found, settings, finest=factor == 1)
    return found


def _levels(shape: tuple[int, ...]) -> list[int]:
    factors = [1]
    while min(shape) / (factors[-1] * 2) >= 16:
        factors.append(factors[-1] * 2)
    return factors[::-1]


def _scale(fixed: np.ndarray, moving: np.ndarray, usable: np.ndarray) -> float:
    a, b = fixed[usable], moving[usable]
    total = float(np.dot(b, b))
    return float(np.dot(a, b)) / total if total > 0 else 1.0


def _align_level(
    fixed: np.ndarray,
    moving: np.ndarray,
    usable: np.ndarray,
    grid: Grid,
    start: Alignment,
    settings: Settings,
    finest: bool,
) -> Alignment:
    from scipy import ndimage

    smooth_fixed, smooth_moving = (ndimage.gaussian_filter(a, 1.0, truncate=3.0) for a in (fixed, moving))
    points = _choose_points(smooth_fixed, usable, grid, settings.points)
    spline = ndimage.spline_filter(smooth_moving, order=3, output=np.float32, mode="nearest")
    scaling = np.array([1.0] * 3 + [_lever(grid)] * 3 + [1.0])
    prior = np.array([settings.translation_prior_um] * 3 + [settings.rotation_prior_rad] * 3 + [10.0])
    motion, scale = start.motion, start.scale
    covariance, effective = start.covariance, 0.0
    for _ in range(settings.iterations):
        residual, design, inside = _residuals(points, spline, motion, scale, grid)
        sigma = max(1.4826 * float(np.median(np.abs(residual[inside]))), 1e-6 * float(np.abs(points.value).max()))
        weight = np.where(inside, _tukey(residual / (_TUKEY * sigma)), 0.0)
        step, covariance = _solve(design, residual, weight, points.cell, sigma, prior, scaling, motion, scale)
        motion, scale, effective = motion.after(step[:6]), scale + step[6], float(weight.sum())
        if np.abs(step[:3]).max() < 1e-4 * grid.spacing.min() and np.abs(step[3:6]).max() * _lever(grid) < 1e-4:
            break
    if finest:
        floor = _FLOOR_VOXELS * grid.spacing.mean()
        covariance = covariance + np.diag([floor**2] * 3 + [(floor / _lever(grid)) ** 2] * 3 + [0.0])
    return Alignment(motion, scale, covariance, effective)


def _lever(grid: Grid) -> float:
    """A typical distance from the middle, µm, that turns a rotation into a displacement."""
    return float(np.linalg.norm(grid.spacing * np.array(grid.shape)) / 4)


def _tukey(u: np.ndarray) -> np.ndarray:
    return np.where(np.abs(u) < 1, (1 - u**2) ** 2, 0.0)


def _choose_points(image: np.ndarray, usable: np.ndarray, grid: Grid, count: int) -> _Points:
    """The steepest usable voxels of every cell of space, so that no single strong edge decides alone."""
    gradient = np.stack([g / grid.spacing[i] for i, g in enumerate(np.gradient(image))])
    steepness = np.sqrt((gradient**2).sum(axis=0))
    inner = np.zeros(image.shape, bool)
    inner[1:-1, 1:-1, 1:-1] = True
    index = np.flatnonzero(usable & inner)
    place = np.stack(np.unravel_index(index, image.shape), axis=1)
    cells = np.minimum(place * _CELLS // np.array(image.shape), _CELLS - 1) @ np.array([_CELLS**2, _CELLS, 1])
    chosen = []
    per_cell = max(200, count // _CELLS**3)
    flat = steepness.ravel()[index]
    order = np.lexsort((-flat, cells))
    borders = np.searchsorted(cells[order], np.arange(_CELLS**3 + 1))
    for low, high in pairwise(borders):
        steep = min(per_cell * 4 // 5, high - low)
        rest = order[low + steep : high]
        stride = max(1, len(rest) // max(1, per_cell // 5))
        chosen.append(np.concatenate([order[low : low + steep], rest[::stride]]))
    chosen_index = np.concatenate(chosen)
    where = place[chosen_index]
    position = grid.origin + where * grid.spacing
    slope = gradient.reshape(3, -1)[:, index[chosen_index]].T
    jacobian = np.einsum("ni,nij->nj", slope, displacement_jacobian(position, grid.middle))
    return _Points(position, image.ravel()[index[chosen_index]].astype(float), jacobian, cells[chosen_index])


def _residuals(
    points: _Points, spline: np.ndarray, motion: Rigid, scale: float, grid: Grid
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from scipy import ndimage

    target = (motion(points.position) - grid.origin) / grid.spacing
    inside = np.all((target >= 0.5) & (target <= np.array(grid.shape) - 1.5), axis=1)
    sampled = ndimage.map_coordinates(spline, target.T, order=3, prefilter=False, mode="nearest").astype(float)
    design = np.concatenate([points.jacobian, -sampled[:, None]], axis=1)
    return scale * sampled - points.value, design, inside


def _solve(
    design: np.ndarray,
    residual: np.ndarray,
    weight: np.ndarray,
    cell: np.ndarray,
    sigma: float,
    prior: np.ndarray,
    scaling: np.ndarray,
    motion: Rigid,
    scale: float,
) -> tuple[np.ndarray, np.ndarray]:
    """One weighted step towards residual zero, and the cluster-robust covariance.

    Where the data say nothing (rotation about the axis of a smooth tube), the prior keeps the motion at
    zero and the covariance at the prior's.
    """
    weighted = design * weight[:, None]
    gathered = np.zeros((_CELLS**3, 7))
    np.add.at(gathered, cell, weighted * residual[:, None])
    clusters = max(1, np.count_nonzero(gathered.any(axis=1)))
    variance = _CORRELATED * sigma**2
    penalty = variance / prior**2
    state = np.concatenate([motion.translation, motion.rotation, [1.0 - scale]])
    scaled = (design.T @ weighted + np.diag(penalty)) / np.outer(scaling, scaling)
    inverse = np.linalg.inv(scaled) / np.outer(scaling, scaling)
    meat = gathered.T @ gathered * clusters / max(1, clusters - 7) + np.diag(penalty * variance)
    return inverse @ (weighted.T @ residual + penalty * state), inverse @ meat @ inverse
