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
    from operando.tomography._backproject_kernels import add_along_rays

    coarse, (cosines, sines), weights = _binned(starved, angles)
    columns = coarse.shape[2]
    middle = (columns - 1) / 2 + (centre - (starved.shape[2] - 1) / 2) / COARSE
    outside = _share_outside(columns, weights.tobytes(), cosines.tobytes(), sines.tobytes(), middle)
    shares = np.repeat(outside[None], len(coarse), axis=0)
    pieces = [(row, a, b) for row in np.flatnonzero(coarse.any((1, 2))) for a, b in split(columns, 8)]

    def work(piece: int) -> None:
        row, first, last = pieces[piece]
        add_along_rays(coarse[row], weights, cosines, sines, middle, shares[row], first, last)

    over_pieces(work, len(pieces))
    return shares


@lru_cache(maxsize=2)
def _share_outside(columns: int, weights: bytes, cosines: bytes, sines: bytes, middle: float) -> np.ndarray:
    """Share of each coarse voxel's rays that no column measured: it depends on the geometry only."""
    from operando.tomography._backproject_kernels import share_outside

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

    size = difference.shape[1]
    edges = np.arange(0, size, COARSE)
    area = np.diff(edges, append=size)
    square = np.add.reduceat(np.add.reduceat(np.square(difference), edges, axis=1, dtype=float), edges, axis=2)
    square /= area[:, None] * area
    smooth = ndimage.uniform_filter(square.astype(np.float64), (1, 3, 3), mode="nearest")
    return np.sqrt(np.maximum(smooth, 0.0)).astype(np.float32)  # a running sum may end a rounding below zero


def alternating(projections: int) -> np.ndarray:
    """Signs that turn a reconstruction into (even - odd) / 2 of the two half data sets' reconstructions.

    >>> alternating(3).tolist()
    [1.0, -1.0, 1.0]
    """
    return np.where(np.arange(projections) % 2 == 0, 1.0, -1.0).astype(np.float32)
