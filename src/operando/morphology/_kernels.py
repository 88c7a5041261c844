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
    source: Any, start: Any, rows: Any, corner: Any, turn: Any, shift: Any, tube: Any, scale: Any, out: Any
) -> Any:
    """Sample ``source`` where the voxels of a block of the first scan are now, cubic; NaN beyond the scan's field.

    Everything is in voxels of the whole scan, so that a block gets the same bits whatever it was cut from: ``source``
    holds rows from ``start`` on of a scan of ``rows`` rows, ``corner`` is the block's first voxel (z, y, x), a voxel n
    is found at ``turn @ n + shift``. ``tube`` = axis y, x at row 0 and its slopes, radius, how far inside the radius
    grey values are taken (so that the blurred wall is not mistaken for a phase), pixel x over pixel y; lengths in
    pixels along y.
    """
    radius, taken, aspect = tube[4], tube[4] - tube[5], tube[6]
    for i in range(out.shape[0]):
        z = float(corner[0] + i)
        axis_y, axis_x = tube[0] + z * tube[2], tube[1] + z * tube[3]
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                y, x = float(corner[1] + j), float(corner[2] + k)
                if radius < 1e300:
                    dy, dx = y - axis_y, x * aspect - axis_x
                    square = dy * dy + dx * dx
                    if square > (radius + 4.0) ** 2:
                        out[i, j, k] = np.nan
                        continue
                    if tube[5] > 0.0 and square > taken * taken:
                        part = taken / math.sqrt(square)
                        y, x = axis_y + dy * part, (axis_x + dx * part) / aspect
                vz = turn[0, 0] * z + turn[0, 1] * y + turn[0, 2] * x + shift[0]
                vy = turn[1, 0] * z + turn[1, 1] * y + turn[1, 2] * x + shift[1]
                vx = turn[2, 0] * z + turn[2, 1] * y + turn[2, 2] * x + shift[2]
                out[i, j, k] = scale * _sample_rows(source, start, rows, vz, vy, vx)
    return out


@compiled
def _sample_rows(source: Any, start: Any, nz: Any, pz: Any, py: Any, px: Any) -> Any:
    """As ``_sample``, where only the rows of the scan from ``start`` on are at hand."""
    ny, nx = source.shape[1:]
    if not (-0.5 <= pz <= nz - 0.5 and -0.5 <= py <= ny - 0.5 and -0.5 <= px <= nx - 0.5):
        return np.nan
    iz, iy, ix = math.floor(pz), math.floor(py), math.floor(px)
    fz, fy, fx = pz - iz, py - iy, px - ix
    if fz == 0.0 and fy == 0.0 and fx == 0.0:
        return float(source[iz - start, iy, ix])
    wz, wy, wx = _keys(fz), _keys(fy), _keys(fx)
    first_z, last_z = (1, 2) if fz == 0.0 else (0, 4)
    first_y, last_y = (1, 2) if fy == 0.0 else (0, 4)
    x0, x1, x2, x3 = max(ix - 1, 0), max(ix, 0), min(ix + 1, nx - 1), min(ix + 2, nx - 1)
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    for a in range(first_z, last_z):
        z = min(max(iz + a - 1, 0), nz - 1) - start
        for b in range(first_y, last_y):
            weight = wz[a] * wy[b]
            y = min(max(iy + b - 1, 0), ny - 1)
            s0 += weight * source[z, y, x0]
            s1 += weight * source[z, y, x1]
            s2 += weight * source[z, y, x2]
            s3 += weight * source[z, y, x3]
    return s1 if fx == 0.0 else wx[0] * s0 + wx[1] * s1 + wx[2] * s2 + wx[3] * s3


@compiled
def nearest_coarse(coarse: Any, corner: Any, turn: Any, shift: Any, out: Any) -> Any:
    """What a coarse map says at the voxels of a block; a voxel n is found at ``turn @ n + shift`` of the map."""
    nz, ny, nx = coarse.shape
    for i in range(out.shape[0]):
        z = float(corner[0] + i)
        for j in range(out.shape[1]):
            y = float(corner[1] + j)
            for k in range(out.shape[2]):
                x = float(corner[2] + k)
                a = round(turn[0, 0] * z + turn[0, 1] * y + turn[0, 2] * x + shift[0])
                b = round(turn[1, 0] * z + turn[1, 1] * y + turn[1, 2] * x + shift[1])
                c = round(turn[2, 0] * z + turn[2, 1] * y + turn[2, 2] * x + shift[2])
                out[i, j, k] = coarse[min(max(a, 0), nz - 1), min(max(b, 0), ny - 1), min(max(c, 0), nx - 1)]
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
