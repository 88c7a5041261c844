"""Loops over voxels, compiled. Single-threaded and free of the interpreter's lock: the caller decides on threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

_F = TypeVar("_F", bound=Callable[..., Any])


def compiled(function: _F) -> _F:
    return cast(_F, numba.njit(cache=True, nogil=True)(function))


@compiled
def _keys(t: Any) -> Any:
    """Weights of Keys' cubic convolution (a = -1/2) for the four samples around a fraction t."""
    t2 = t * t
    t3 = t2 * t
    return -0.5 * t + t2 - 0.5 * t3, 1.0 - 2.5 * t2 + 1.5 * t3, 0.5 * t + 2.0 * t2 - 1.5 * t3, 0.5 * (t3 - t2)


@compiled
def _sample(source: Any, pz: Any, py: Any, px: Any) -> Any:
    """Cubic sample at a position in voxels; NaN where it has no neighbours."""
    nz, ny, nx = source.shape
    if not (-0.5 <= pz <= nz - 0.5 and -0.5 <= py <= ny - 0.5 and -0.5 <= px <= nx - 0.5):
        return np.nan
    iz, iy, ix = math.floor(pz), math.floor(py), math.floor(px)
    wz, wy, wx = _keys(pz - iz), _keys(py - iy), _keys(px - ix)
    total = 0.0
    for a in range(4):
        if wz[a] == 0.0:
            continue
        z = min(max(iz + a - 1, 0), nz - 1)
        for b in range(4):
            weight = wz[a] * wy[b]
            if weight == 0.0:
                continue
            y = min(max(iy + b - 1, 0), ny - 1)
            for c in range(4):
                if wx[c] != 0.0:
                    x = min(max(ix + c - 1, 0), nx - 1)
                    total += weight * wx[c] * source[z, y, x]
    return total


@compiled
def sample_points(image: Any, points: Any) -> Any:
    """Cubic samples at positions in voxels (n, 3), float64; positions beyond the border are moved onto it."""
    nz, ny, nx = image.shape
    result = np.empty(len(points))
    for n in range(len(points)):
        pz = min(max(points[n, 0], 0.0), nz - 1.0)
        py = min(max(points[n, 1], 0.0), ny - 1.0)
        px = min(max(points[n, 2], 0.0), nx - 1.0)
        result[n] = _sample(image, pz, py, px)
    return result


@compiled
def slope_points(image: Any, points: Any) -> Any:
    """Central differences along z, y, x at the voxels nearest to positions (n, 3)."""
    nz, ny, nx = image.shape
    result = np.empty((len(points), 3))
    for n in range(len(points)):
        i = min(max(round(points[n, 0]), 1), nz - 2)
        j = min(max(round(points[n, 1]), 1), ny - 2)
        k = min(max(round(points[n, 2]), 1), nx - 2)
        result[n, 0] = 0.5 * (image[i + 1, j, k] - image[i - 1, j, k])
        result[n, 1] = 0.5 * (image[i, j + 1, k] - image[i, j - 1, k])
        result[n, 2] = 0.5 * (image[i, j, k + 1] - image[i, j, k - 1])
    return result


@compiled
def resample(
    source: Any,
    source_start: Any,
    source_rows: Any,
    rows: Any,
    spacing: Any,
    centre: Any,
    matrix: Any,
    translation: Any,
    tube: Any,
    wall: Any,
    out: Any,
    missing: Any,
) -> Any:
    """Sample ``source`` (rows from ``source_start`` of ``source_rows``) where the points of the first scan are now.

    ``tube`` = axis z, y, x, slope y, slope x, radius; points beyond ``radius - wall`` are read there instead, so that
    the blurred wall is not mistaken for a phase. ``rows`` are the output's row numbers; lengths in µm from the first
    voxel's centre. ``missing`` counts the voxels inside the field whose rows are not in ``source``.
    """
    shape = out.shape
    radius = tube[5]
    lost = 0
    for i in range(shape[0]):
        z = rows[i] * spacing[0]
        axis_y = tube[1] + (z - tube[0]) * tube[3]
        axis_x = tube[2] + (z - tube[0]) * tube[4]
        for j in range(shape[1]):
            for k in range(shape[2]):
                y, x = j * spacing[1], k * spacing[2]
                if radius < 1e300:
                    dy, dx = y - axis_y, x - axis_x
                    distance = math.sqrt(dy * dy + dx * dx)
                    if distance > radius + 4.0 * spacing[1]:
                        out[i, j, k] = np.nan
                        continue
                    if wall > 0.0 and distance > radius - wall:
                        y = axis_y + dy * (radius - wall) / distance
                        x = axis_x + dx * (radius - wall) / distance
                qz, qy, qx = z - centre[0], y - centre[1], x - centre[2]
                pz = matrix[0, 0] * qz + matrix[0, 1] * qy + matrix[0, 2] * qx + centre[0] + translation[0]
                py = matrix[1, 0] * qz + matrix[1, 1] * qy + matrix[1, 2] * qx + centre[1] + translation[1]
                px = matrix[2, 0] * qz + matrix[2, 1] * qy + matrix[2, 2] * qx + centre[2] + translation[2]
                vz, vy, vx = pz / spacing[0], py / spacing[1], px / spacing[2]
                if not (-0.5 <= vz <= source_rows - 0.5):
                    out[i, j, k] = np.nan
                    continue
                value = _sample(source, vz - source_start, vy, vx)
                if np.isnan(value):
                    lost += 1
                out[i, j, k] = value
    missing[0] = lost
    return out


@compiled
def accumulate(
    block: Any,
    first_row: Any,
    spacing: Any,
    centre: Any,
    matrix: Any,
    translation: Any,
    tube: Any,
    margin: Any,
    bad: Any,
    low: Any,
    width: Any,
    limit2: Any,
    extent: Any,
    out: Any,
) -> Any:
    """Histogram of the inner rows of ``block`` inside the bore; see ``histogram``.

    ``out`` = core counts (region, grey), edge counts (grey), sum of squared gradients on edges (grey).
    ``bad`` marks untrusted voxels. Positions in µm from the first voxel's centre.
    """
    core, edge, edge_square = out
    bins = edge.size
    depth, ny, nx = block.shape
    radius = tube[5] - margin
    for i in range(1, depth - 1):
        z = (first_row + i) * spacing[0]
        for j in range(1, ny - 1):
            for k in range(1, nx - 1):
                value = block[i, j, k]
                if bad[i, j, k] or np.isnan(value):
                    continue
                qz = z - centre[0] - translation[0]
                qy = j * spacing[1] - centre[1] - translation[1]
                qx = k * spacing[2] - centre[2] - translation[2]
                fz = matrix[0, 0] * qz + matrix[1, 0] * qy + matrix[2, 0] * qx + centre[0]
                fy = matrix[0, 1] * qz + matrix[1, 1] * qy + matrix[2, 1] * qx + centre[1]
                fx = matrix[0, 2] * qz + matrix[1, 2] * qy + matrix[2, 2] * qx + centre[2]
                dy = fy - tube[1] - (fz - tube[0]) * tube[3]
                dx = fx - tube[2] - (fz - tube[0]) * tube[4]
                distance2 = dy * dy + dx * dx
                if radius < 1e300 and distance2 > radius * radius:
                    continue
                gz = block[i + 1, j, k] - block[i - 1, j, k]
                gy = block[i, j + 1, k] - block[i, j - 1, k]
                gx = block[i, j, k + 1] - block[i, j, k - 1]
                square = 0.25 * (gz * gz + gy * gy + gx * gx)
                if np.isnan(square):
                    continue
                index = min(max(math.floor((value - low) / width), 0), bins - 1)
                if square <= limit2:
                    outer = distance2 > 0.5 * radius * radius if radius < 1e300 else dx > 0
                    layer = min(max(int(4.0 * fz / extent), 0), 3)
                    core[2 * layer + (1 if outer else 0), index] += 1
                else:
                    edge[index] += 1
                    edge_square[index] += square


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
def smooth_labels(grey: Any, label: Any, mean: Any, variance: Any, coupling: Any, rounds: Any) -> Any:
    """Iterated conditional modes of a Potts model over the six neighbours, in two alternating colours."""
    nz, ny, nx = label.shape
    for turn in range(2 * rounds):
        for i in range(nz):
            for j in range(ny):
                for k in range((turn + i + j) % 2, nx, 2):
                    if 0 < label[i, j, k] < 254 and _differs(label, i, j, k):
                        label[i, j, k] = _likeliest(grey[i, j, k], label, i, j, k, mean, variance, coupling)
    return label


@compiled
def _nearest_other(label: Any, i: Any, j: Any, k: Any, reach: Any, towards_bright: Any) -> Any:
    """Nearest other phase within ``reach`` voxels; 0 if there is none."""
    nz, ny, nx = label.shape
    own = label[i, j, k]
    nearest, second = 1000000, 0
    for a in range(max(i - reach, 0), min(i + reach + 1, nz)):
        for b in range(max(j - reach, 0), min(j + reach + 1, ny)):
            for c in range(max(k - reach, 0), min(k + reach + 1, nx)):
                found = label[a, b, c]
                distance2 = 2 * ((a - i) ** 2 + (b - j) ** 2 + (c - k) ** 2)
                if found == own or found == 0 or found == 255 or distance2 > 2 * reach * reach:
                    continue
                if (found > own) != towards_bright:
                    distance2 += 1
                if distance2 < nearest:
                    nearest, second = distance2, found
    return second


@compiled
def edge_shares(
    grey: Any, label: Any, darkest: Any, brightest: Any, mean: Any, wide: Any, reach: Any, other: Any, share: Any
) -> Any:
    """Second phase and coded share of every voxel within ``reach`` of another phase, from its grey value.

    The share is linear in grey and not clipped, so that noise averages out over an edge; but towards a phase whose
    grey value varies by more than noise (``wide``) it ends at the whole. ``other`` is the nearest
    other phase; among equally near ones that on the side of the voxel's grey value.
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
                second = _nearest_other(label, i, j, k, reach, grey[i, j, k] > mean[own - 1])
                if second == 0:
                    continue
                part = (grey[i, j, k] - mean[second - 1]) / (mean[own - 1] - mean[second - 1])
                if part > 1.0 and wide[own - 1]:
                    part = 1.0
                if part < 0.0 and wide[second - 1]:
                    part = 0.0
                other[i, j, k] = second
                share[i, j, k] = min(max(math.floor(85.0 * (part + 1.0) + 0.5), 0), 255)
