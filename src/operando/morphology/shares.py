"""Partial volumes: how the share of an edge voxel is written in eight bits, and what volumes follow.

``share`` = 85 (1 + s): s = 0 is 85, s = 1 is 170, and noise may carry s from -1 to 2 without being clipped, so
that sums over an edge have no bias.
"""

import numpy as np

from operando.model.constants import OUTSIDE_LABEL, UNKNOWN_LABEL

FULL = 170
EMPTY = 85


def decoded(share: np.ndarray) -> np.ndarray:
    """Share of the voxel that is its label, float32.

    >>> decoded(np.array([85, 170, 255], np.uint8)).tolist()
    [0.0, 1.0, 2.0]
    """
    return share.astype(np.float32) / np.float32(85) - np.float32(1)


def phase_share(label: np.ndarray, other: np.ndarray, share: np.ndarray, phase: int) -> np.ndarray:
    """Share of each voxel that is ``phase``; 0 outside and where unknown. float32, from -1 to 2."""
    part = decoded(share)
    result = np.where(label == phase, part, np.float32(0))
    mixed = (other == phase) & (label != phase)
    result[mixed] = 1 - part[mixed]
    return result


def known(label: np.ndarray) -> np.ndarray:
    """Voxels that lie inside the bore and have a phase."""
    return (label != OUTSIDE_LABEL) & (label != UNKNOWN_LABEL)
