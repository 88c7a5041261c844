"""The light around each pixel that glare spreads, on a coarse grid: it is smooth."""

import numpy as np

COARSE = 48
"""Cells along the longer edge of the detector."""


def cell_size(rows: int, columns: int) -> int:
    """Pixels along each edge of a cell."""
    return max(1, -(-max(rows, columns) // COARSE))


def cells(length: int, count: int) -> np.ndarray:
    """Middles of ``count`` cells over ``length`` pixels."""
    size = -(-length // count)
    first = np.arange(count) * size
    return (first + np.minimum(first + size, length) - 1) / 2


def binned(image: np.ndarray) -> np.ndarray:
    """Mean of each cell of an image (row, column), NaN left out."""
    rows, columns = image.shape
    size = cell_size(rows, columns)
    wide = np.full((-(-rows // size) * size, -(-columns // size) * size), np.nan, np.float32)
    wide[:rows, :columns] = image
    blocks = wide.reshape(wide.shape[0] // size, size, wide.shape[1] // size, size)
    known = np.isfinite(blocks)
    count = known.sum((1, 3))
    total = np.where(known, blocks, 0).sum((1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nanmean(image)).astype(np.float32)


def spread(coarse: np.ndarray, shape: tuple[int, int], radius: float | None) -> np.ndarray:
    """Convolve cells with (1 + r²/radius²)^-1.5; beyond the edges the image goes on unchanged.

    ``radius`` in pixels, ``None``: the mean of the whole field everywhere. ``shape``: of the fine image.
    """
    if radius is None:
        return np.full_like(coarse, coarse.mean())
    size = cell_size(*shape)
    reach = int(np.clip(3 * radius / size, 3, COARSE))
    wide = np.pad(coarse, reach, mode="edge")
    y, x = (np.fft.fftfreq(n) * n * size for n in wide.shape)
    kernel = (1 + (y[:, None] ** 2 + x**2) / radius**2) ** -1.5
    blurred = np.fft.irfft2(np.fft.rfft2(wide) * np.fft.rfft2(kernel / kernel.sum()), wide.shape)
    return blurred[reach : reach + coarse.shape[0], reach : reach + coarse.shape[1]].astype(np.float32)


def interpolated(values: np.ndarray, place: np.ndarray, wanted: np.ndarray, axis: int) -> np.ndarray:
    """Interpolate linearly along an axis, constant beyond the ends."""
    if len(place) == 1:
        return np.repeat(values, len(wanted), axis=axis)
    right = np.clip(np.searchsorted(place, wanted), 1, len(place) - 1)
    share = np.clip((wanted - place[right - 1]) / (place[right] - place[right - 1]), 0, 1).astype(np.float32)
    share = np.expand_dims(share, [other for other in range(values.ndim) if other != axis])
    return np.take(values, right - 1, axis) * (1 - share) + np.take(values, right, axis) * share
