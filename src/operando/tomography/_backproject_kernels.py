"""Compiled kernel of the direct back projection."""

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
