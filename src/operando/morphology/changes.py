"""Where the anode gained and lost between two scans, voxel by voxel: a label volume for other programs.

For the same as a coloured surface see ``mesh.change_mesh``; for volumes with intervals see ``difference``, which counts
partial volumes: sums over these labels are whole voxels and have no interval.
"""

from collections.abc import Iterator

import numpy as np

from operando.model.constants import OUTSIDE_LABEL, UNKNOWN_LABEL
from operando.model.errors import OperandoError
from operando.model.products.morphology import Labels
from operando.morphology.blocks import ranges, read_rows, rows_per_block
from operando.morphology.roles import Roles

REST, STAYED, GAINED, LOST = 1, 2, 3, 4
"""Inside and anode in neither scan, in both, only in the later, only in the earlier. 0 outside, 255 unknown in one."""


def change_labels(before: np.ndarray, after: np.ndarray, anode: int) -> np.ndarray:
    """What became of every voxel, uint8; ``before`` and ``after`` are labels of the same voxels.

    >>> change_labels(np.array([0, 2, 3, 2, 3, 255]), np.array([0, 2, 3, 3, 2, 3]), anode=3).tolist()
    [0, 1, 2, 3, 4, 255]
    """
    was, is_now = before == anode, after == anode
    result = np.full(before.shape, REST, np.uint8)
    result[was & is_now] = STAYED
    result[is_now & ~was] = GAINED
    result[was & ~is_now] = LOST
    result[(before == UNKNOWN_LABEL) | (after == UNKNOWN_LABEL)] = UNKNOWN_LABEL
    result[(before == OUTSIDE_LABEL) | (after == OUTSIDE_LABEL)] = OUTSIDE_LABEL
    return result


def change_blocks(before: Labels, after: Labels) -> Iterator[tuple[int, np.ndarray]]:
    """First row and ``change_labels`` (z, y, x) of block after block; the two volumes are never held whole."""
    if before["label"].shape != after["label"].shape:
        raise OperandoError(
            f"labels of {before['label'].shape} and {after['label'].shape} voxels can't be compared; "
            "both must be in the first scan's frame."
        )
    anode = Roles.of(tuple(after.attrs["phases"])).anode
    shape = after["label"].shape
    for start, stop in ranges(shape[0], rows_per_block(shape, 6)):
        earlier, later = (read_rows(one["label"], start, stop) for one in (before, after))
        yield start, change_labels(earlier, later, anode)
