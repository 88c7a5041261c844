"""Loops over columns and cavities, compiled; see ``_kernels``."""

from typing import Any

import numpy as np

from operando.morphology._kernels import compiled


@compiled
def descend(
    label: Any,
    other: Any,
    share: Any,
    main: Any,
    before: Any,
    first_row: Any,
    facing: Any,
    anode: Any,
    void: Any,
    state: Any,
    height: Any,
    gap: Any,
) -> Any:
    """Go down every column of a block towards the anode and note where its surface is met.

    The rows come in the order of the walk: ``facing`` is +1 if the surface faces growing z, so that the walk goes
    to falling z. ``before`` holds the anode's share in the row passed last (y, x). ``state``: 0 walking, 1 met,
    2 unknown voxel passed last. ``gap`` gathers the run of void passed last, in voxels, until the surface is met.
    """
    depth, ny, nx = label.shape
    for step in range(depth):
        i = depth - 1 - step if facing > 0 else step
        for j in range(ny):
            for k in range(nx):
                if state[j, k] == 1:
                    continue
                own, second = label[i, j, k], other[i, j, k]
                part = share[i, j, k] / 85.0 - 1.0
                of_anode = part if own == anode else (1.0 - part if second == anode else 0.0)
                of_void = part if own == void else (1.0 - part if second == void else 0.0)
                if own == anode and main[i, j, k]:
                    fall = of_anode - before[j, k]
                    beyond = 0.5
                    if fall > 1e-3:
                        beyond = min(max((of_anode - 0.5) / fall, 0.0), 1.0)
                    height[j, k] = np.nan if state[j, k] == 2 else first_row + i + facing * beyond
                    gap[j, k] = np.nan if state[j, k] == 2 else max(gap[j, k] + of_void, 0.0)
                    state[j, k] = 1
                    continue
                if own == 255:
                    state[j, k] = 2
                    gap[j, k] = 0.0
                elif own != 0:
                    state[j, k] = 0
                    gap[j, k] = gap[j, k] + of_void if own == void else max(of_void, 0.0)
                before[j, k] = of_anode


@compiled
def cavity_sums(
    label: Any,
    other: Any,
    share: Any,
    part: Any,
    first: Any,
    last: Any,
    first_row: Any,
    height: Any,
    facing: Any,
    void: Any,
    reach: Any,
    volume: Any,
    moment: Any,
    touch: Any,
    anode_main: Any,
) -> Any:
    """Add the void in front of the surface, partial volumes as parts, to the cavity (``part``) nearest to it.

    ``touch`` counts the faces that each cavity shares with the anode's main body. Only rows first…last of the block
    are added; the others are there to be looked at.
    """
    depth, ny, nx = label.shape
    for i in range(first, last):
        for j in range(ny):
            for k in range(nx):
                own = label[i, j, k]
                if own == 0 or own == 255 or np.isnan(height[j, k]):
                    continue
                if facing * (first_row + i - height[j, k]) < -1.0:
                    continue
                value = share[i, j, k] / 85.0 - 1.0
                if own == void:
                    index = part[i, j, k]
                    for d in range(6):
                        z = i + (1 if d == 0 else (-1 if d == 1 else 0))
                        y = j + (1 if d == 2 else (-1 if d == 3 else 0))
                        x = k + (1 if d == 4 else (-1 if d == 5 else 0))
                        if 0 <= z < depth and 0 <= y < ny and 0 <= x < nx and anode_main[z, y, x]:
                            touch[index] += 1
                elif other[i, j, k] == void:
                    value = 1.0 - value
                    index = _nearest_part(part, i, j, k, reach)
                else:
                    continue
                if index > 0:
                    volume[index] += value
                    moment[index, 0] += value * (first_row + i)
                    moment[index, 1] += value * j
                    moment[index, 2] += value * k


@compiled
def _nearest_part(part: Any, i: Any, j: Any, k: Any, reach: Any) -> Any:
    depth, ny, nx = part.shape
    nearest, found = 1000000, 0
    for a in range(max(i - reach, 0), min(i + reach + 1, depth)):
        for b in range(max(j - reach, 0), min(j + reach + 1, ny)):
            for c in range(max(k - reach, 0), min(k + reach + 1, nx)):
                if part[a, b, c] > 0:
                    distance2 = (a - i) ** 2 + (b - j) ** 2 + (c - k) ** 2
                    if distance2 < nearest:
                        nearest, found = distance2, part[a, b, c]
    return found
