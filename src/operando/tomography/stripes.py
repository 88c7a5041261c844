"""Stripes as what a column shows beyond its neighbours at every angle, taken off without touching anything else."""

from itertools import pairwise

import numpy as np

KNOTS = 6
"""Levels of attenuation at which a column's offset is estimated: a faulty gain grows with attenuation."""
LEAST_ANGLES = 60
"""Angles that a median needs."""


def subtract_offsets(sinogram: np.ndarray, width: int = 9, sigmas: float = 3.0) -> np.ndarray:
    """Subtract each column's own offset, as a function of the line integral.

    The offset is the median over angles of what the column shows beyond the running median of its neighbours:
    an edge of the sample moves through a column and leaves that median alone, and the edge of a round wall about
    the axis, though it stands still, is monotone, which a running median keeps. Offsets that the noise explains
    (``sigmas`` standard deviations) are left. Sinogram (angle, column), float32; ``width`` columns, odd: twice
    as wide as the widest stripe, and narrower than the sample's finest round part.
    """
    from operando.tomography._rings_kernels import by_level, order_keys, running_median, subtract_between

    columns_first = np.ascontiguousarray(sinogram.T)
    wide = _continued(columns_first, min(width // 2, len(columns_first) - 1))
    smooth = np.empty_like(wide)
    running_median(wide, width, smooth)
    smooth = smooth[(len(wide) - len(columns_first)) // 2 :][: len(columns_first)]
    keys = np.empty(smooth.shape, np.uint64)
    order_keys(smooth, keys)
    keys.sort(axis=1)
    residual = by_level(keys, columns_first, smooth)
    groups = min(KNOTS, max(1, len(sinogram) // LEAST_ANGLES))
    edges = np.linspace(0, len(sinogram), groups + 1).round().astype(int)
    offset, level = np.empty((2, sinogram.shape[1], groups), np.float32)
    overall = _offset(residual.copy(), sigmas)
    residual -= overall[:, None]
    for place, (first, last) in enumerate(pairwise(edges)):
        offset[:, place] = overall + _offset(residual[:, first:last], sigmas)
        middle = keys[:, (first + last) // 2] & np.uint64(0xFFFFFFFF)
        level[:, place] = np.take_along_axis(smooth, middle.astype(np.int64)[:, None], axis=1)[:, 0]
    corrected = sinogram.copy()
    subtract_between(smooth, level, offset, corrected)
    return corrected


def _continued(columns: np.ndarray, reach: int) -> np.ndarray:
    """Turn ``reach`` columns about either edge, so that a slope goes on: a sample that the field cuts has one there."""
    before, after = 2 * columns[:1] - columns[reach:0:-1], 2 * columns[-1:] - columns[-2 : -reach - 2 : -1]
    return np.concatenate([before, columns, after])


def _offset(residual: np.ndarray, sigmas: float) -> np.ndarray:
    """Median of each column among some angles, 0 where it is not significant; sorts ``residual`` in place."""
    residual.sort(axis=1)
    count = residual.shape[1]
    low, middle, high = (residual[:, min(count - 1, int(share * count))] for share in (0.25, 0.5, 0.75))
    error = 1.2533 * (high - low) / 1.349 / np.sqrt(count)
    return np.where(np.abs(middle) > sigmas * error, middle, 0)
