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
    2 unknown voxel passed last, 3 nothing of the bore's content passed yet, or the bore's outside passed last: an anode
    met there goes on to where nothing is seen, and has no surface. ``gap`` gathers the run of void passed last, in
    voxels, until the surface is met.
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
                    height[j, k] = np.nan if state[j, k] >= 2 else first_row + i + facing * beyond
                    gap[j, k] = np.nan if state[j, k] >= 2 else max(gap[j, k] + of_void, 0.0)
                    state[j, k] = 1
                    continue
                if own == 255 or own == 0:
                    state[j, k] = 2 if own == 255 else 3
                    gap[j, k] = 0.0
                else:
                    state[j, k] = 0
                    gap[j, k] = gap[j, k] + of_void if own == void else max(of_void, 0.0)
                before[j, k] = of_anode
