"""Loops over labels, compiled: a Potts model, false middles, shares of edge voxels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from operando.morphology._kernels import compiled


@compiled
def remove_false_middle(label: Any, darkest: Any, brightest: Any) -> Any:
    """Mark with 254 the voxels of a phase that is only the blurred edge between a darker and a brighter one.

    Such a voxel has both a darker and a brighter phase near it (``darkest``, ``brightest``: the extremes around), and
    no voxel next to it, itself included, whose six neighbours are all of its phase.
    """
    nz, ny, nx = label.shape
    result = label.copy()
    for i in range(nz):
        for j in range(ny):
            for k in range(nx):
                own = label[i, j, k]
                if own <= 1 or own >= 254 or darkest[i, j, k] >= own or brightest[i, j, k] <= own:
                    continue
                if not _has_core(label, i, j, k, 1):
                    result[i, j, k] = 254
    return result


@compiled
def _has_core(label: Any, i: Any, j: Any, k: Any, reach: Any) -> Any:
    nz, ny, nx = label.shape
    own = label[i, j, k]
    for a in range(max(i - reach, 0), min(i + reach + 1, nz)):
        for b in range(max(j - reach, 0), min(j + reach + 1, ny)):
            for c in range(max(k - reach, 0), min(k + reach + 1, nx)):
                if label[a, b, c] == own and _is_core(label, a, b, c):
                    return True
    return False


@compiled
def _is_core(label: Any, a: Any, b: Any, c: Any) -> Any:
    nz, ny, nx = label.shape
    own = label[a, b, c]
    for d in range(6):
        z = a + (1 if d == 0 else (-1 if d == 1 else 0))
        y = b + (1 if d == 2 else (-1 if d == 3 else 0))
        x = c + (1 if d == 4 else (-1 if d == 5 else 0))
        if 0 <= z < nz and 0 <= y < ny and 0 <= x < nx:
            found = label[z, y, x]
            if found != own and found != 0 and found < 254:
                return False
    return True


@compiled
def settle_false_middle(grey: Any, marked: Any, darkest: Any, brightest: Any, mean: Any) -> Any:
    """Give the marked voxels (254) to the darker or the brighter phase around them, whichever is nearer in grey."""
    nz, ny, nx = marked.shape
    for i in range(nz):
        for j in range(ny):
            for k in range(nx):
                if marked[i, j, k] == 254:
                    dark, bright = darkest[i, j, k], brightest[i, j, k]
                    middle = 0.5 * (mean[dark - 1] + mean[bright - 1])
                    marked[i, j, k] = bright if grey[i, j, k] > middle else dark
    return marked


@compiled
def _neighbour(label: Any, i: Any, j: Any, k: Any, side: Any) -> Any:
    """Label of one of the six neighbours; 0 beyond the border."""
    nz, ny, nx = label.shape
    z = i + (1 if side == 0 else (-1 if side == 1 else 0))
    y = j + (1 if side == 2 else (-1 if side == 3 else 0))
    x = k + (1 if side == 4 else (-1 if side == 5 else 0))
    if 0 <= z < nz and 0 <= y < ny and 0 <= x < nx:
        return label[z, y, x]
    return label.dtype.type(0)


@compiled
def _differs(label: Any, i: Any, j: Any, k: Any) -> Any:
    for side in range(6):
        found = _neighbour(label, i, j, k, side)
        if found != label[i, j, k] and 0 < found < 254:
            return True
    return False


@compiled
def _likeliest(value: Any, label: Any, i: Any, j: Any, k: Any, mean: Any, variance: Any, coupling: Any) -> Any:
    """Phase of the lowest energy: squared misfit and unlike neighbours."""
    best, lowest = label[i, j, k], 1e300
    for p in range(1, mean.size + 1):
        if np.isnan(mean[p - 1]):
            continue
        energy = (value - mean[p - 1]) ** 2 / (2.0 * variance)
        for side in range(6):
            found = _neighbour(label, i, j, k, side)
            if found != p and 0 < found < 254:
                energy += coupling
        if energy < lowest:
            best, lowest = p, energy
    return best


@compiled
def _wake(awake: Any, i: Any, j: Any, k: Any) -> Any:
    """Mark the six neighbours."""
    nz, ny, nx = awake.shape
    awake[max(i - 1, 0), j, k] = True
    awake[min(i + 1, nz - 1), j, k] = True
    awake[i, max(j - 1, 0), k] = True
    awake[i, min(j + 1, ny - 1), k] = True
    awake[i, j, max(k - 1, 0)] = True
    awake[i, j, min(k + 1, nx - 1)] = True


@compiled
def smooth_labels(
    grey: Any, label: Any, awake: Any, mean: Any, variance: Any, coupling: Any, rounds: Any, colour: Any
) -> Any:
    """Iterated conditional modes of a Potts model over the six neighbours, in two alternating colours.

    ``awake`` marks at least the voxels that have an unlike neighbour; the others can't change. ``colour`` is that of
    the first voxel, so that a part of a volume is coloured as the whole is.
    """
    nz, ny, nx = label.shape
    for turn in range(2 * rounds):
        for i in range(nz):
            for j in range(ny):
                for k in range((turn + colour + i + j) % 2, nx, 2):
                    if not awake[i, j, k] or not 0 < label[i, j, k] < 254 or not _differs(label, i, j, k):
                        continue
                    best = _likeliest(grey[i, j, k], label, i, j, k, mean, variance, coupling)
                    if best != label[i, j, k]:
                        label[i, j, k] = best
                        _wake(awake, i, j, k)
    return label


@compiled
def _nearest_other(label: Any, i: Any, j: Any, k: Any, around: Any, towards_bright: Any) -> Any:
    """Nearest other phase, among equally near ones on the side asked for; 0 if there is none. ``around`` is sorted."""
    nz, ny, nx = label.shape
    own = label[i, j, k]
    second, square = 0, 0
    for n in range(len(around)):
        if second != 0 and around[n, 3] != square:
            break
        a, b, c = i + around[n, 0], j + around[n, 1], k + around[n, 2]
        if not (0 <= a < nz and 0 <= b < ny and 0 <= c < nx):
            continue
        found = label[a, b, c]
        if found == own or found == 0 or found == 255:
            continue
        if (found > own) == towards_bright:
            return found
        if second == 0:
            second, square = found, around[n, 3]
    return second


@compiled
def _level(
    grey: Any, label: Any, darkest: Any, brightest: Any, i: Any, j: Any, k: Any, phase: Any, mean: Any, reach: Any
) -> Any:
    """Mean grey value of a phase around a voxel, of every second voxel that no other phase is near.

    As if ten voxels of the phase's mean in the scan were among them, so that it goes over to that where few are there.
    """
    nz, ny, nx = label.shape
    total, count = 10.0 * mean[phase - 1], 10
    for a in range(i - reach, i + reach + 1, 2):
        for b in range(j - reach, j + reach + 1, 2):
            for c in range(k - reach, k + reach + 1, 2):
                if not (0 <= a < nz and 0 <= b < ny and 0 <= c < nx) or label[a, b, c] != phase:
                    continue
                if darkest[a, b, c] == brightest[a, b, c]:
                    total += grey[a, b, c]
                    count += 1
    return total / count, count > 20


@compiled
def edge_shares(
    grey: Any,
    label: Any,
    darkest: Any,
    brightest: Any,
    mean: Any,
    wide: Any,
    uneven: Any,
    local: Any,
    around: Any,
    other: Any,
    share: Any,
) -> Any:
    """Second phase and coded share of every voxel near another phase, from its grey value.

    ``around`` holds the steps to the voxels near one (z, y, x, square of the length), nearest first. ``other`` is the
    nearest other phase; among equally near ones that on the side of the voxel's grey value.

    The share is linear in grey and not clipped, so that noise averages out over an edge. A phase whose mean varies in
    space (``uneven``) is taken as it is within ``local`` voxels. Where too little of it is there to tell, and towards
    other phases whose grey value varies by more than noise (``wide``), the share ends at the whole.
    """
    nz, ny, nx = label.shape
    for i in range(nz):
        for j in range(ny):
            for k in range(nx):
                own = label[i, j, k]
                other[i, j, k] = own
                share[i, j, k] = 170
                if own == 0 or own == 255 or darkest[i, j, k] == brightest[i, j, k]:
                    continue
                second = _nearest_other(label, i, j, k, around, grey[i, j, k] > mean[own - 1])
                if second == 0:
                    continue
                whole, none = mean[own - 1], mean[second - 1]
                ends_at_whole, ends_at_none = wide[own - 1], wide[second - 1]
                if uneven[own - 1]:
                    whole, found = _level(grey, label, darkest, brightest, i, j, k, own, mean, local)
                    ends_at_whole = not found
                if uneven[second - 1]:
                    none, found = _level(grey, label, darkest, brightest, i, j, k, second, mean, local)
                    ends_at_none = not found
                part = (grey[i, j, k] - none) / (whole - none)
                if part > 1.0 and ends_at_whole:
                    part = 1.0
                if part < 0.0 and ends_at_none:
                    part = 0.0
                other[i, j, k] = second
                share[i, j, k] = min(max(math.floor(85.0 * (part + 1.0) + 0.5), 0), 255)
