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
_LEAST_OF_CELL = 50
_FLOOR_VOXELS = 0.005
"""Error of interpolation that no statistics shows, in voxels of the finest level."""


@dataclass(frozen=True)
class Alignment:
    """The motion, the grey scale that goes with it, and their covariance (translation, rotation, scale).

    ``loose`` holds the directions (columns; translation in µm, rotation in rad times the lever) that the images
    do not fix: along them the motion is zero and the covariance zero too.
    """

    motion: Rigid
    scale: float
    covariance: np.ndarray
    loose: np.ndarray


@dataclass(frozen=True)
class _Points:
    """Where the first scan is compared: values, slope (1/µm), steepest descent, cell of space."""

    position: np.ndarray
    value: np.ndarray
    steepness: np.ndarray
    jacobian: np.ndarray
    cell: np.ndarray


@dataclass(frozen=True)
class Settings:
    """How to align."""

    points: int = 60_000
    iterations: int = 12
    tolerance_voxels: float = 1e-3
    significance: float = 6.0
    """How many standard deviations of common structure a direction needs to count as fixed by the images."""


def align(
    fixed: np.ndarray,
    moving: np.ndarray,
    usable: np.ndarray,
    grid: Grid,
    settings: Settings,
    telling_z: np.ndarray | None = None,
) -> Alignment:
    """Find the motion that brings ``moving`` onto ``fixed`` where ``usable``; arrays (z, y, x) on one grid.

    At every level only the directions along which both images share structure are solved: along others noise
    would decide. ``telling_z``: the first image without what changes along z in every scan in another way; its slopes
    along z stand as instruments for those of ``fixed``.
    """
    telling_z = fixed if telling_z is None else telling_z
    scale = _scale(fixed, moving, usable)
    found = Alignment(Rigid(centre=grid.middle), scale, np.zeros((7, 7)), np.eye(6))
    for factor in _levels(fixed.shape):
        level_usable = _away_from_edges(bin_array(usable.astype(np.float32), factor) > 0.999)
        if level_usable.sum() < 500:
            continue
        one, other, steep = (bin_array(image, factor) for image in (fixed, moving, telling_z))
        level = _Level(one, other, steep, binned_grid(grid, factor), settings)
        found = level.align(level_usable, found, settings.iterations if factor > 1 else 2 * settings.iterations)
    return found


def _away_from_edges(usable: np.ndarray) -> np.ndarray:
    """Without the two rows next to rows that are left out, for the smoothing reaches over."""
    from scipy import ndimage

    return ndimage.binary_erosion(usable, np.ones((5, 1, 1), bool), border_value=1)


def _levels(shape: tuple[int, ...]) -> list[int]:
    factors = [1]
    while min(shape) / (factors[-1] * 2) >= 16:
        factors.append(factors[-1] * 2)
    return factors[::-1]


def _scale(fixed: np.ndarray, moving: np.ndarray, usable: np.ndarray) -> float:
    a, b = fixed[usable], moving[usable]
    total = float(np.dot(b, b))
    return float(np.dot(a, b)) / total if total > 0 else 1.0


class _Level:
    """One level of the pyramid."""

    def __init__(
        self, fixed: np.ndarray, moving: np.ndarray, telling_z: np.ndarray, grid: Grid, settings: Settings
    ) -> None:
        from scipy import ndimage

        smooth = [ndimage.gaussian_filter(a, 1.0, truncate=3.0) for a in (fixed, moving, telling_z)]
        self.fixed, self.moving, self.telling_z = smooth
        self.grid, self.settings = grid, settings
        self.free = np.eye(6)
        self.scaling = np.array([1.0] * 3 + [lever(grid)] * 3)

    def align(self, usable: np.ndarray, start: Alignment, iterations: int) -> Alignment:
        """Gauss-Newton with weights until nothing moves, twice: more may be shared once it is better aligned."""
        points = _choose_points(self.fixed, self.telling_z, usable, self.grid, self.settings.points)
        motion, scale = start.motion, start.scale
        for _ in range(2):
            loose = self._loose(points, motion, scale)
            if loose.shape[1]:
                self.free = np.linalg.svd(loose)[0][:, loose.shape[1] :]
                motion = self._held(motion)
            else:
                self.free = np.eye(6)
            for _ in range(iterations):
                residual, sampled, weight = self._residuals(points, motion, scale)
                step, change = self._step(points, residual, sampled, weight)
                motion, scale = motion.after(step), scale + change
                if np.abs(step * self.scaling).max() < self.settings.tolerance_voxels * self.grid.spacing.min():
                    break
        return Alignment(motion, scale, self._covariance(points, motion, scale), self._loose(points, motion, scale))

    def _held(self, motion: Rigid) -> Rigid:
        """The motion without what lies along the loose directions."""
        state = np.concatenate([motion.translation, motion.rotation]) * self.scaling
        kept = self.free @ (self.free.T @ state) / self.scaling
        return Rigid.of(kept[:3], kept[3:], motion.centre)

    def _residuals(self, points: _Points, motion: Rigid, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        from operando.morphology._kernels import sample_points

        target, inside = self._targets(points, motion)
        sampled = sample_points(self.moving, target)
        residual = scale * sampled - points.value
        sigma = _noise(np.abs(residual), points.cell, inside) + 1e-6 * float(np.abs(points.value).max())
        weight = _tukey(residual / (_TUKEY * sigma)) * (sigma.min() / sigma) ** 2
        weight *= _structure(points.steepness * float(self.grid.spacing.mean()), sigma)
        return residual, sampled, np.where(inside, weight, 0.0)

    def _targets(self, points: _Points, motion: Rigid) -> tuple[np.ndarray, np.ndarray]:
        target = (motion(points.position) - self.grid.origin) / self.grid.spacing
        return target, np.all((target >= 0.5) & (target <= np.array(self.grid.shape) - 1.5), axis=1)

    def _basis(self) -> np.ndarray:
        """Columns: what may change (the free directions, and the grey scale), in units of each parameter."""
        basis = np.zeros((7, self.free.shape[1] + 1))
        basis[:6, :-1] = self.free / self.scaling[:, None]
        basis[6, -1] = 1.0
        return basis

    def _step(
        self, points: _Points, residual: np.ndarray, sampled: np.ndarray, weight: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """The weighted step towards residual zero, of motion and grey scale."""
        basis = self._basis()
        design = np.column_stack([points.jacobian, -sampled]) @ basis
        weighted = design * weight[:, None]
        solution = basis @ np.linalg.lstsq(design.T @ weighted, weighted.T @ residual, rcond=1e-10)[0]
        return solution[:6], float(solution[6])

    def _covariance(self, points: _Points, motion: Rigid, scale: float) -> np.ndarray:
        """Covariance of motion and grey scale along the free directions; zero along the others.

        The products of both images' slopes take the place of squared slopes: noise, being independent, adds nothing
        to them (errors in variables). What neighbouring voxels do together is summed over cells of space.
        """
        basis = self._basis()
        residual, sampled, weight = self._residuals(points, motion, scale)
        mine = np.column_stack([points.jacobian, -sampled]) @ basis
        theirs = np.column_stack([self._moving_jacobian(points, motion) * scale, -sampled]) @ basis
        weighted = mine * weight[:, None]
        gathered = _by_cell(points.cell, weighted * residual[:, None])
        count = max(8, int(np.count_nonzero(gathered.any(axis=1))))
        inverse = np.linalg.pinv(weighted.T @ theirs, rcond=1e-8)
        meat = gathered.T @ gathered * (count / (count - 7))
        inner = inverse @ meat @ inverse.T
        floor = _FLOOR_VOXELS * float(self.grid.spacing.mean())
        inner[:-1, :-1] += floor**2 * np.eye(len(inner) - 1)
        return basis @ inner @ basis.T

    def _loose(self, points: _Points, motion: Rigid, scale: float) -> np.ndarray:
        """Directions (columns) along which the images share less than half of their slopes, and no more than chance.

        Chance is what the slopes of unrelated places share: those of one image against those of the other
        somewhere else.
        """
        from scipy.linalg import eigh

        _, _, weight = self._residuals(points, motion, scale)
        mine = points.jacobian / self.scaling
        theirs = self._moving_jacobian(points, motion) / self.scaling * scale
        weighted = mine * weight[:, None]
        shared = weighted.T @ theirs
        own = weighted.T @ mine
        parts, vectors = eigh((shared + shared.T) / 2, own + (1e-9 * np.trace(own) / 6 + 1e-300) * np.eye(6))
        vectors = vectors / np.linalg.norm(vectors, axis=0)
        places = len(mine) * np.arange(1, 13) // 13
        chance = np.array([_along(weighted, np.roll(theirs, place, axis=0), vectors) for place in places])
        spread = np.sqrt(np.mean(chance**2, axis=0)) + 1e-300
        chancy = _along(weighted, theirs, vectors) < self.settings.significance * spread
        return vectors[:, chancy & (parts < 0.5)]

    def _moving_jacobian(self, points: _Points, motion: Rigid) -> np.ndarray:
        from operando.morphology._kernels import slope_points

        target, _ = self._targets(points, motion)
        turned = (slope_points(self.moving, target) / self.grid.spacing) @ motion.matrix
        return np.einsum("ni,nij->nj", turned, displacement_jacobian(points.position, self.grid.middle))


def _along(mine: np.ndarray, theirs: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """What two images' slopes share along each direction (columns of ``vectors``)."""
    return np.einsum("ik,ij,jk->k", vectors, mine.T @ theirs, vectors)


def _noise(size: np.ndarray, cell: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Standard deviation of the residuals around each point: that of its cell of space, as far as the cell tells.

    Beside an opaque anode the noise is many times that elsewhere, and slopes are steep for nothing but noise.
    """
    everywhere = 1.4826 * float(np.median(size[inside])) if inside.any() else 0.0
    sigma = np.full(_CELLS**3, everywhere)
    order = np.flatnonzero(inside)[np.argsort(cell[inside], kind="stable")]
    borders = np.searchsorted(cell[order], np.arange(_CELLS**3 + 1))
    for number, (low, high) in enumerate(pairwise(borders)):
        if high - low >= _LEAST_OF_CELL:
            sigma[number] = max(1.4826 * float(np.median(size[order[low:high]])), 0.2 * everywhere)
    return sigma[cell]


def _structure(slope: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Weights of slopes (a voxel) by what is more than noise in them, as Wiener's filter has it, twice.

    White noise smoothed by one voxel changes from voxel to voxel by 0.56 of itself along each axis; a residual holds
    that of two images. What is as steep as that counts a sixteenth.
    """
    expected = 3 * (0.56 / np.sqrt(2) * noise) ** 2
    return (slope**2 / (slope**2 + 3 * expected + 1e-300)) ** 2


def _by_cell(cell: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sums over the cells of space: (cell, column)."""
    return np.stack([np.bincount(cell, column, minlength=_CELLS**3) for column in values.T], axis=1)


def lever(grid: Grid) -> float:
    """A typical distance from the middle, µm, that turns a rotation into a displacement."""
    return float(np.linalg.norm(grid.spacing * np.array(grid.shape)) / 4)


def _tukey(u: np.ndarray) -> np.ndarray:
    return np.where(np.abs(u) < 1, (1 - u**2) ** 2, 0.0)


def _choose_points(image: np.ndarray, telling_z: np.ndarray, usable: np.ndarray, grid: Grid, count: int) -> _Points:
    """The steepest usable voxels of every cell of space, so that no single strong edge decides alone."""
    slopes = (np.gradient(telling_z, axis=0), *np.gradient(image, axis=(1, 2)))
    gradient = np.stack([slope / step for slope, step in zip(slopes, grid.spacing, strict=True)])
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
        steep = min(per_cell * 4 // 5, int(high - low))
        rest = order[int(low) + int(steep) : int(high)]
        stride = max(1, len(rest) // max(1, per_cell // 5))
        chosen.append(np.concatenate([order[int(low) : int(low) + int(steep)], rest[::stride]]))
    chosen_index = np.concatenate(chosen)
    where = place[chosen_index]
    position = grid.origin + where * grid.spacing
    slope = gradient.reshape(3, -1)[:, index[chosen_index]].T
    jacobian = np.einsum("ni,nij->nj", slope, displacement_jacobian(position, grid.middle))
    value = image.ravel()[index[chosen_index]].astype(float)
    return _Points(position, value, np.linalg.norm(slope, axis=1), jacobian, cells[chosen_index])
