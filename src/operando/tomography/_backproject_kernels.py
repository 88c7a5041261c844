"""Compiled kernels of the direct back projection and of the map of starved rays."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def spread(
    projections: np.ndarray,
    cosines: np.ndarray,
    sines: np.ndarray,
    centre: float,
    image: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Add every projection (angle, column) along its rays to rows ``first:last`` of ``image`` (y, x)."""
    columns = projections.shape[1]
    middle = (image.shape[0] - 1) / 2
    for y in range(first, last):
        for angle in range(projections.shape[0]):
            start = centre + (y - middle) * sines[angle] - middle * cosines[angle]
            for x in range(image.shape[1]):
                column = start + x * cosines[angle]
                left = int(np.floor(column))
                share = column - left
                if left >= 0 and left < columns - 1:
                    image[y, x] += (1 - share) * projections[angle, left] + share * projections[angle, left + 1]
                elif left == columns - 1 and share == 0:
                    image[y, x] += projections[angle, left]


@numba.njit(cache=True, nogil=True)
def share_outside(
    columns: int,
    weights: np.ndarray,
    cosines: np.ndarray,
    sines: np.ndarray,
    centre: float,
    image: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Write into rows ``first:last`` of ``image`` the share of each voxel's rays that pass beside the detector."""
    middle = (image.shape[0] - 1) / 2
    total = weights.sum()
    for y in range(first, last):
        for x in range(image.shape[1]):
            image[y, x] = 0
        for angle in range(len(weights)):
            start = centre + (y - middle) * sines[angle] - middle * cosines[angle] + 0.5
            for x in range(image.shape[1]):
                column = int(np.floor(start + x * cosines[angle]))
                if column < 0 or column >= columns:
                    image[y, x] += weights[angle] / total


@numba.njit(cache=True, nogil=True)
def add_along_rays(
    projections: np.ndarray,
    weights: np.ndarray,
    cosines: np.ndarray,
    sines: np.ndarray,
    centre: float,
    image: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Add to rows ``first:last`` of ``image`` the weighted mean of the rays that cross each voxel."""
    columns = projections.shape[1]
    middle = (image.shape[0] - 1) / 2
    total = weights.sum()
    for angle in range(projections.shape[0]):
        if not projections[angle].any():
            continue
        weight = weights[angle] / total
        for y in range(first, last):
            start = centre + (y - middle) * sines[angle] - middle * cosines[angle] + 0.5
            for x in range(image.shape[1]):
                column = int(np.floor(start + x * cosines[angle]))
                if column >= 0 and column < columns:
                    image[y, x] += weight * projections[angle, column]
