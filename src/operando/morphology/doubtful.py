"""Void that the labels show on the anode, where the fit of the gap sees none or can't be believed.

Between two dense parts a hardened beam leaves streaks as dark as a void. They end on the anode, as cavities do, so that
neither their place nor their shape tells them from one; a bubble out in the electrolyte is none of this.
"""

import numpy as np

from operando.model.products.morphology import Labels
from operando.morphology.blocks import Grid, ranges, read_rows, rows_per_block
from operando.morphology.components import Components, connected
from operando.morphology.roles import Roles
from operando.morphology.shares import phase_share

REACH = 2
"""So many voxels of the anode's blurred edge may lie between the anode and a void that touches it; and so wide is the
edge of the void in which voxels have a share of it."""


def void_on_anode(labels: Labels, grid: Grid, roles: Roles) -> float:
    """Voxels of void in the connected parts that touch the anode, partial volumes as parts."""
    if roles.void is None:
        return 0.0
    length = rows_per_block(grid.shape, 16)
    voids = connected(lambda a, b: read_rows(labels["label"], a, b) == roles.void, grid.shape[0], length)
    touching = _touching(labels, voids, roles.anode)
    total = 0.0
    for start, stop in ranges(grid.shape[0], length) if touching.any() else ():
        low, high = max(start - REACH, 0), min(stop + REACH, grid.shape[0])
        near = _grown(touching[voids.rows(low, high)])[start - low : stop - low]
        label, other, share = (read_rows(labels[name], start, stop) for name in ("label", "other", "share"))
        total += float(phase_share(label, other, share, roles.void)[near].sum(dtype=float))
    return total


def _touching(labels: Labels, voids: Components, anode: int) -> np.ndarray:
    """Which parts, by number, touch the anode."""
    result = np.zeros(len(voids.size), bool)
    for start, stop, number in voids.blocks():
        low, high = max(start - REACH, 0), min(stop + REACH, voids.total)
        near = _grown(read_rows(labels["label"], low, high) == anode)[start - low : stop - low]
        result[np.unique(number[near])] = True
    result[0] = False
    return result


def _grown(mask: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    return np.asarray(ndimage.binary_dilation(mask, iterations=REACH)) if mask.any() else mask
