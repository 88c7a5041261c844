"""Compiled kernels for writing arrays: integers from numbers, and the coarser levels, in one pass each."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def to_integers(values: np.ndarray, offset: float, scale: float, integers: np.ndarray) -> tuple[float, float]:
    """Write (value - offset) / scale, rounded, into ``integers`` (uint16); returns the lowest and highest value.

    Both (row, column), float32. One value that is not finite makes both returned numbers NaN. Where they don't fit,
    the integers mean nothing.
    """
    less, width = np.float32(offset), np.float32(scale)
    low, high = np.float32(np.inf), np.float32(-np.inf)
    finite = True
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            value = values[row, column]
            finite &= abs(value) < np.inf
            low = value if value < low else low
            high = value if value > high else high
            integers[row, column] = np.uint16(np.rint((value - less) / width))
    return (float(low), float(high)) if finite else (np.nan, np.nan)


@numba.njit(cache=True, nogil=True)
def mean_of_eight(upper: np.ndarray, lower: np.ndarray, mean: np.ndarray) -> None:
    """Mean of 2 × 2 × 2 voxels of two neighbouring planes (y, x) in float32; an odd last row or column counts twice."""
    rows, columns = upper.shape
    for y in range(mean.shape[0]):
        a, b = 2 * y, min(2 * y + 1, rows - 1)
        for x in range(mean.shape[1]):
            c, d = 2 * x, min(2 * x + 1, columns - 1)
            left = (np.float32(upper[a, c]) + lower[a, c]) + (np.float32(upper[b, c]) + lower[b, c])
            right = (np.float32(upper[a, d]) + lower[a, d]) + (np.float32(upper[b, d]) + lower[b, d])
            mean[y, x] = (left + right) * np.float32(0.125)


@numba.njit(cache=True, nogil=True)
def to_bytes(values: np.ndarray, low: float, scale: float, grey: np.ndarray) -> None:
    """Write (value - low) × scale, rounded and held between 0 and 255, into ``grey`` (uint8); both (row, column)."""
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            value = np.rint((values[row, column] - np.float32(low)) * np.float32(scale))
            grey[row, column] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))


@numba.njit(cache=True, nogil=True)
def mean_of_blocks(block: np.ndarray, factor: int, mean: np.ndarray) -> None:
    """Mean of all planes of bytes (z, y, x) in squares of ``factor`` x ``factor``, rounded; fewer at the ends."""
    depth, rows, columns = block.shape
    for y in range(mean.shape[0]):
        bottom = min((y + 1) * factor, rows)
        for x in range(mean.shape[1]):
            right = min((x + 1) * factor, columns)
            total = 0
            for i in range(depth):
                for j in range(y * factor, bottom):
                    for k in range(x * factor, right):
                        total += block[i, j, k]
            mean[y, x] = np.rint(total / (depth * (bottom - y * factor) * (right - x * factor)))
