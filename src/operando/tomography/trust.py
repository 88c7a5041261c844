"""How far a reconstruction can be trusted: the share of starved rays through each voxel, and its noise."""

from functools import lru_cache

import numpy as np

from operando.tomography._threads import over_pieces, split
from operando.tomography.angles import angle_weights

COARSE = 4
"""Voxels of the volume along each edge of one voxel of the maps."""


def starved_share(starved: np.ndarray, angles: np.ndarray, centre: float) -> np.ndarray:
    """Share of starved rays through each coarse voxel, by unfiltered back projection.

    ``starved`` (row, angle, column), rows a multiple of four but for the last slab; returns float32
    (z_coarse, y_coarse, x_coarse) between 0 and 1. A ray beside the detector counts as starved.
    """
    from operando.tomography._trust_kernels import ROWS

    coarse, (cosines, sines), weights = _binned(starved, angles)
    columns = coarse.shape[2]
    middle = (columns - 1) / 2 + (centre - (starved.shape[2] - 1) / 2) / COARSE
    outside = _share_outside(columns, weights.tobytes(), cosines.tobytes(), sines.tobytes(), middle)
    coarse *= (weights / weights.sum()).astype(np.float32)[:, None]
    shares = np.repeat(outside[None], len(coarse), axis=0)
    for first in range(0, len(coarse), ROWS):
        shares[first : first + ROWS] += _crossed(coarse[first : first + ROWS], cosines, sines, middle)
    return shares


def _crossed(projections: np.ndarray, cosines: np.ndarray, sines: np.ndarray, middle: float) -> np.ndarray:
    """Sum of what each voxel's rays carry: up to four projections (row, angle, column) to images (row, y, x)."""
    from operando.tomography._trust_kernels import ROWS, add_along_rays

    rows, angles, columns = projections.shape
    together = np.zeros((angles, columns, ROWS), np.float32)
    together[..., :rows] = np.moveaxis(projections, 0, 2)
    images = np.zeros((columns, columns, ROWS), np.float32)
    pieces = split(columns, 16)
    over_pieces(lambda piece: add_along_rays(together, cosines, sines, middle, images, *pieces[piece]), len(pieces))
    return np.moveaxis(images, 2, 0)[:rows]


@lru_cache(maxsize=2)
def _share_outside(columns: int, weights: bytes, cosines: bytes, sines: bytes, middle: float) -> np.ndarray:
    """Share of each coarse voxel's rays that no column measured: it depends on the geometry only."""
    from operando.tomography._trust_kernels import share_outside

    image = np.empty((columns, columns), np.float32)
    pieces = split(columns, 16)
    weight, cosine, sine = (np.frombuffer(table) for table in (weights, cosines, sines))

    def work(piece: int) -> None:
        first, last = pieces[piece]
        share_outside(columns, weight, cosine, sine, middle, image, first, last)

    over_pieces(work, len(pieces))
    return image


def _binned(starved: np.ndarray, angles: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Average over four rows, four columns and up to four neighbouring angles."""
    rows, _, columns = starved.shape
    together = COARSE if _is_fine(angles, columns) else 1
    angle_edges = np.arange(0, len(angles), together)
    row_edges, column_edges = np.arange(0, rows, COARSE), np.arange(0, columns, COARSE)
    coarse = np.stack([
        _block_mean(starved[row : row + COARSE], angle_edges, column_edges, columns, len(angles)) for row in row_edges
    ])
    weights = np.add.reduceat(angle_weights(angles), angle_edges)
    count = np.diff(angle_edges, append=len(angles))
    mean = np.add.reduceat(angles, angle_edges) / count
    return coarse, (np.cos(mean), np.sin(mean)), weights


def _is_fine(angles: np.ndarray, columns: int) -> bool:
    """Whether four steps of the angle move the field's edge by no more than two coarse columns."""
    return len(angles) > 8 and float(np.max(np.abs(np.diff(angles)))) * COARSE * columns / 2 <= 2 * COARSE


def _block_mean(
    starved: np.ndarray, angle_edges: np.ndarray, column_edges: np.ndarray, columns: int, angles: int
) -> np.ndarray:
    total = starved.sum(0, dtype=np.uint16)
    total = np.add.reduceat(np.add.reduceat(total, column_edges, axis=1, dtype=np.float32), angle_edges, axis=0)
    area = np.outer(np.diff(angle_edges, append=angles), np.diff(column_edges, append=columns))
    return (total / (area * len(starved))).astype(np.float32)


def odd_even_noise(difference: np.ndarray) -> np.ndarray:
    """Standard deviation in coarse voxels from images of (odd - even projections) / 2: (z_coarse, y, x) to coarse.

    Each image stands for its block of four rows; the square is averaged over three coarse voxels each way.
    """
    from scipy import ndimage

    from operando.tomography._trust_kernels import mean_squares

    size = -(-difference.shape[1] // COARSE)
    square = np.empty((len(difference), size, size))
    pieces = [(image, a, b) for image in range(len(difference)) for a, b in split(size, 4)]

    def work(piece: int) -> None:
        image, first, last = pieces[piece]
        mean_squares(difference[image], COARSE, square[image], first, last)

    over_pieces(work, len(pieces))
    smooth = ndimage.uniform_filter(square, (1, 3, 3), mode="nearest")
    return np.sqrt(np.maximum(smooth, 0.0)).astype(np.float32)  # a running sum may end a rounding below zero


def alternating(projections: int) -> np.ndarray:
    """Signs that turn a reconstruction into (even - odd) / 2 of the two half data sets' reconstructions.

    >>> alternating(3).tolist()
    [1.0, -1.0, 1.0]
    """
    return np.where(np.arange(projections) % 2 == 0, 1.0, -1.0).astype(np.float32)
