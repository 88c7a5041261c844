"""Find a small piece of one volume in another to a fraction of a voxel, by normalised cross-correlation."""

from dataclasses import dataclass

import numpy as np

from operando.model.products.tomography import Volume
from operando.morphology.blocks import Grid
from operando.morphology.placement import Placement
from operando.morphology.rigid import Rigid

_CORRELATED = 8
"""Noise counts as common to so many voxels."""


@dataclass(frozen=True)
class Piece:
    """A cube of grey values about a place; ``offsets`` from it along z, y, x in µm."""

    values: np.ndarray
    offsets: list[np.ndarray]


@dataclass(frozen=True)
class Shift:
    """Where the piece was found, µm, with standard deviation, and how well it fits."""

    shift: np.ndarray
    std: np.ndarray
    correlation: float
    lead: float = float("inf")
    """By how many standard deviations of chance this place fits better than the best one elsewhere."""


def sample_around(volume: Volume, at: np.ndarray, half: float, grid: Grid, place: Placement | None) -> Piece:
    """Sample a cube with its centre at ``at`` (µm, first scan's frame), on a grid with whole voxels; NaN outside."""
    from scipy import ndimage

    motion = place.motion if place is not None else Rigid(centre=grid.middle)
    count = np.maximum(np.round(half / grid.spacing).astype(int), 1)
    offsets = [grid.spacing[i] * np.arange(-count[i], count[i] + 1) for i in range(3)]
    mesh = np.stack(np.meshgrid(*offsets, indexing="ij"), axis=-1)
    target = (motion(at + mesh) - grid.origin) / grid.spacing
    low = np.clip(np.floor(target.min(axis=(0, 1, 2))).astype(int) - 3, 0, np.array(grid.shape) - 1)
    high = np.clip(np.ceil(target.max(axis=(0, 1, 2))).astype(int) + 4, low + 1, grid.shape)
    window = volume["mu"].isel(z=slice(low[0], high[0]), y=slice(low[1], high[1]), x=slice(low[2], high[2]))
    source = np.nan_to_num(window.values).astype(np.float32) * np.float32(place.scale if place is not None else 1.0)
    values = ndimage.map_coordinates(source, (target - low).reshape(-1, 3).T, order=3, mode="nearest")
    outside = np.any((target < 0) | (target > np.array(grid.shape) - 1), axis=-1)
    values = values.reshape(mesh.shape[:3])
    values[outside] = np.nan
    return Piece(values, offsets)


def locate(template: np.ndarray, scene: np.ndarray, spacing: np.ndarray) -> Shift:
    """Shift (µm) of the template within the scene, both with whole voxels and the same centre.

    The best whole shift of the normalised cross-correlation is refined by Gauss-Newton on the ball inside the
    template, with brightness and contrast free. The standard deviation follows from residual and gradient, with the
    noise taken as correlated over eight voxels, and no better than a hundredth of a voxel. The lead over other places
    is a difference of Fisher's z (https://doi.org/10.2307/2331838).
    """
    from skimage.feature import match_template

    filled = np.nan_to_num(scene, nan=float(np.nanmedian(scene)) if np.isfinite(scene).any() else 0.0)
    pattern = np.nan_to_num(template, nan=float(np.nanmedian(template)) if np.isfinite(template).any() else 0.0)
    if pattern.std() == 0 or filled.std() == 0:
        return Shift(np.full(3, np.nan), np.full(3, np.nan), float("nan"))
    scores = match_template(filled, pattern)
    peak = np.array(np.unravel_index(np.argmax(scores), scores.shape))
    start = peak - (np.array(scores.shape) - 1) / 2
    fine, std, correlation = refine(pattern, filled, start)
    return Shift(fine * spacing, np.maximum(std, 0.01) * spacing, correlation, _lead(scores, peak, template.shape))


def _lead(scores: np.ndarray, peak: np.ndarray, shape: tuple[int, ...]) -> float:
    """The peak's Fisher z over that of the best place more than half a template away, in its standard deviation."""
    away = np.abs(np.indices(scores.shape) - peak[:, None, None, None])
    elsewhere = (away > (np.array(shape)[:, None, None, None] - 1) / 2).any(axis=0)
    if not elsewhere.any():
        return float("inf")
    best, rival = (np.arctanh(min(float(part.max()), 0.9999)) for part in (scores, scores[elsewhere]))
    return float((best - rival) * np.sqrt(_ball(shape).sum() / _CORRELATED))


def refine(template: np.ndarray, scene: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Gauss-Newton for a shift in voxels: the shift, its standard deviation, the correlation there."""
    from scipy import ndimage

    spline = ndimage.spline_filter(scene, order=3, mode="nearest")
    margin = (np.array(scene.shape) - np.array(template.shape)) / 2
    ball = _ball(template.shape)
    index = np.indices(template.shape)[:, ball] + margin[:, None]
    slopes = np.stack([g[ball] for g in np.gradient(template)], axis=1)
    shift, covariance = start.astype(float), np.zeros((3, 3))
    values = template[ball]
    for _ in range(30):
        sampled = ndimage.map_coordinates(spline, index + shift[:, None], order=3, prefilter=False, mode="nearest")
        design = np.column_stack([slopes, -sampled, np.ones_like(sampled)])
        solution, *_ = np.linalg.lstsq(design[:, 3:], -values, rcond=None)
        residual = solution[0] * sampled - solution[1] - values
        step = np.linalg.lstsq(design, residual, rcond=None)[0][:3]
        variance = _CORRELATED * float(residual @ residual) / max(len(residual) - 5, 1)
        covariance = variance * np.linalg.pinv(design.T @ design)[:3, :3]
        shift = shift - np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-4:
            break
    final = ndimage.map_coordinates(spline, index + shift[:, None], order=3, prefilter=False, mode="nearest")
    return shift, np.sqrt(np.diag(covariance)), float(np.corrcoef(final, values)[0, 1])


def _ball(shape: tuple[int, ...]) -> np.ndarray:
    """Voxels within the largest ellipsoid of a box."""
    middle = (np.array(shape) - 1) / 2
    distance = [((np.arange(n) - m) / max(m, 0.5)) ** 2 for n, m in zip(shape, middle, strict=True)]
    return np.asarray(distance[0][:, None, None] + distance[1][:, None] + distance[2] <= 1.0)
