"""An axis of rotation that is tilted in the detector's plane: the centre drifts from row to row."""

import numpy as np


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


def untilted(frames: np.ndarray, angle: float, centre: float) -> np.ndarray:
    """Turn frames (angle, row, column) by ``angle`` (rad) about the axis in the middle row, by linear interpolation."""
    from scipy import ndimage

    cosine, sine = np.cos(angle), np.sin(angle)
    middle = np.array([(frames.shape[1] - 1) / 2, centre])
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    offset = middle - matrix @ middle
    turned = [ndimage.affine_transform(frame, matrix, offset, order=1, mode="nearest") for frame in frames]
    return np.stack(turned).astype(np.float32)
