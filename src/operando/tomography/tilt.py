"""An axis of rotation that is tilted in the detector's plane: the centre drifts from row to row."""

import numpy as np

from operando.tomography._threads import over_pieces

SPLINE_REACH = 10
"""Rows over which a cubic spline still feels the edge: 0.27^10 = 2e-6."""


def estimate_tilt(rows: np.ndarray, centres: np.ndarray, stds: np.ndarray) -> tuple[float, float]:
    """Angle (rad) and standard deviation from the centres (px) found at some detector rows: weighted straight line.

    >>> angle, std = estimate_tilt(np.array([0.0, 50, 100]), np.array([10.0, 10.5, 11.0]), np.full(3, 0.01))
    >>> round(angle, 4)
    0.01
    """
    design = np.column_stack([np.ones(len(rows)), rows]) / stds[:, None]
    covariance = np.linalg.inv(design.T @ design)
    slope = float((covariance @ design.T @ (centres / stds))[1])
    return float(np.arctan(slope)), float(np.sqrt(covariance[1, 1]) / (1 + slope**2))


def untilted(
    frames: np.ndarray, angle: float, centre: float, middle_row: float | None = None, order: int = 3
) -> np.ndarray:
    """Turn frames (angle, row, column) by ``angle`` (rad) about a point, by splines of this order; float32.

    ``middle_row`` and ``centre``: the point, by default in the middle of the rows. A positive angle undoes a
    centre that grows with the row.
    """
    from scipy import ndimage

    row = (frames.shape[1] - 1) / 2 if middle_row is None else middle_row
    cosine, sine = np.cos(angle), np.sin(angle)
    middle = np.array([row, centre])
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    offset = middle - matrix @ middle
    turned = np.empty(frames.shape, np.float32)

    def work(place: int) -> None:
        frame = frames[place].astype(np.float32)
        ndimage.affine_transform(frame, matrix, offset, output=turned[place], order=order, mode="nearest")

    over_pieces(work, len(frames))
    return turned


def tilt_reach(angle: float, columns: int) -> int:
    """Rows on either side that a slab needs."""
    return int(np.ceil(abs(np.sin(angle)) * columns / 2)) + SPLINE_REACH if angle else 0
