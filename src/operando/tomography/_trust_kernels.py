"""Compiled kernels of the trust map: rays that were starved or missed the detector, and the noise."""

import numba
import numpy as np

ROWS = 4
"""Coarse rows that go through the volume side by side: what a ray crosses is the same for all."""


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
def _reach(projections: np.ndarray, angle: int) -> tuple[int, int]:
    """First column that is not zero in some row, and the first one after the last."""
    first, last = projections.shape[1], 0
    for column in range(projections.shape[1]):
        for row in range(ROWS):
            if projections[angle, column, row] != 0:
                first, last = min(first, column), column + 1
    return first, last


@numba.njit(cache=True, nogil=True)
def add_along_rays(
    projections: np.ndarray,
    cosines: np.ndarray,
    sines: np.ndarray,
    centre: float,
    images: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Add weighted projections (angle, column, row) along their rays to rows ``first:last`` of images (y, x, row)."""
    size = images.shape[1]
    middle = (images.shape[0] - 1) / 2
    for angle in range(projections.shape[0]):
        low, high = _reach(projections, angle)
        if low >= high:
            continue
        cosine = cosines[angle]
        for y in range(first, last):
            start = centre + (y - middle) * sines[angle] - middle * cosine + 0.5
            left, right = 0, size
            if abs(cosine) > 1e-6:  # one voxel more at either end: which columns it meets is asked below
                one, other = (low - start) / cosine, (high - start) / cosine
                left = int(min(max(min(one, other) - 1, 0), size))
                right = int(min(max(max(one, other) + 2, 0), size))
            for x in range(left, right):
                place = start + x * cosine
                if low <= place < high:
                    column = int(place)
                    for row in range(ROWS):
                        images[y, x, row] += projections[angle, column, row]


@numba.njit(cache=True, nogil=True)
def mean_squares(image: np.ndarray, size: int, coarse: np.ndarray, first: int, last: int) -> None:
    """Mean square of ``image`` (y, x) in blocks of ``size`` x ``size``, for rows ``first:last`` of ``coarse``."""
    for y in range(first, last):
        top, bottom = y * size, min((y + 1) * size, image.shape[0])
        for x in range(coarse.shape[1]):
            left, right = x * size, min((x + 1) * size, image.shape[1])
            total = 0.0
            for i in range(top, bottom):
                for j in range(left, right):
                    total += np.float64(image[i, j]) ** 2
            coarse[y, x] = total / ((bottom - top) * (right - left))
