"""Loops over columns that cross the anode's surface, compiled; see ``_kernels``."""

import math
from typing import Any

import numpy as np

from operando.morphology._kernels import _sample, compiled

STARTS = (
    -1.0,
    0.5,
    1.0,
    1.5,
    2.0,
    2.5,
    3.0,
    4.0,
    5.5,
    7.5,
    10.0,
    13.0,
    17.0,
    22.0,
    29.0,
    38.0,
    50.0,
    65.0,
    85.0,
    110.0,
)
"""Gaps in voxels from which a fit may begin."""

LEAST_GAP = 2.0


@compiled
def sample_columns(
    source: Any, first: Any, wanted: Any, total: Any, height: Any, facing: Any, lowest: Any, geometry: Any, out: Any
) -> Any:
    """Grey values along every column at whole voxels from its surface (``height``, rows), towards the electrolyte.

    ``source`` holds rows from ``first`` of ``total``; ``out`` (step, y, x) begins at ``lowest`` steps. Only points
    whose row lies in the range ``wanted`` are filled. ``geometry`` = spacing, centre, matrix, translation, tube, wall,
    scale as in ``resample`` (µm from the first voxel's centre, points near the wall are read further inside), stride:
    the map holds every ``stride``-th column.
    """
    spacing, centre, matrix, translation, tube, wall, scale, stride = geometry
    steps, ny, nx = out.shape
    radius = tube[5]
    for j in range(ny):
        for k in range(nx):
            if np.isnan(height[j, k]):
                continue
            for n in range(steps):
                z = (height[j, k] + facing * (lowest + n)) * spacing[0]
                y, x = j * stride * spacing[1], k * stride * spacing[2]
                if radius < 1e300 and wall > 0.0:
                    axis_y = tube[1] + (z - tube[0]) * tube[3]
                    axis_x = tube[2] + (z - tube[0]) * tube[4]
                    dy, dx = y - axis_y, x - axis_x
                    distance = math.sqrt(dy * dy + dx * dx)
                    if distance > radius - wall:
                        y = axis_y + dy * (radius - wall) / distance
                        x = axis_x + dx * (radius - wall) / distance
                qz, qy, qx = z - centre[0], y - centre[1], x - centre[2]
                pz = matrix[0, 0] * qz + matrix[0, 1] * qy + matrix[0, 2] * qx + centre[0] + translation[0]
                vz = pz / spacing[0]
                row = math.floor(vz)
                if not (-0.5 <= vz <= total - 0.5) or row < wanted[0] or row >= wanted[1]:
                    continue
                py = matrix[1, 0] * qz + matrix[1, 1] * qy + matrix[1, 2] * qx + centre[1] + translation[1]
                px = matrix[2, 0] * qz + matrix[2, 1] * qy + matrix[2, 2] * qx + centre[2] + translation[2]
                out[n, j, k] = scale * _sample(source, vz - first, py / spacing[1], px / spacing[2])


@compiled
def _below(x: Any) -> Any:
    """Share of a normal distribution below x."""
    if x > 5.0:
        return 1.0
    if x < -5.0:
        return 0.0
    return 0.5 * math.erfc(-x * 0.7071067811865476)


@compiled
def _density(x: Any) -> Any:
    return 0.3989422804014327 * math.exp(-0.5 * x * x) if abs(x) < 5.0 else 0.0


@compiled
def _normal_equations(
    profile: Any, lowest: Any, stop: Any, levels: Any, widths: Any, shift: Any, gap: Any, sums: Any
) -> Any:
    """Sums of the least squares for shift and gap: a11, a12, a22, b1, b2; returns the squared misfit per sample.

    ``levels`` = void, electrolyte, anode; ``widths`` of the near edge and of the far one.
    """
    void, electrolyte, anode = levels[0], levels[1], levels[2]
    width, far_width = widths
    sums[:] = 0.0
    misfit, count = 0.0, 0
    for n in range(stop):
        value = profile[n]
        if np.isnan(value):
            continue
        near = (lowest + n - shift) / width
        far = (lowest + n - shift - gap) / far_width
        model = void + (anode - void) * (1.0 - _below(near)) + (electrolyte - void) * _below(far)
        at_far = -(electrolyte - void) * _density(far) / far_width
        by_shift = (anode - void) * _density(near) / width + at_far
        rest = value - model
        misfit += rest * rest
        count += 1
        sums[0] += by_shift * by_shift
        sums[1] += by_shift * at_far
        sums[2] += at_far * at_far
        sums[3] += by_shift * rest
        sums[4] += at_far * rest
    return misfit / max(count, 1)


@compiled
def _improve(profile: Any, lowest: Any, stop: Any, levels: Any, widths: Any, start: Any, rounds: Any, sums: Any) -> Any:
    """Gauss-Newton from a gap, keeping the best: shift, gap and misfit.

    Steps are limited but not damped: no gap at all is a saddle, where damped steps would stop.
    """
    shift, gap = 0.0, start
    best_shift, best_gap, best = 0.0, start, 1e300
    for _ in range(rounds):
        misfit = _normal_equations(profile, lowest, stop, levels, widths, shift, gap, sums)
        if misfit < best:
            best, best_shift, best_gap = misfit, shift, gap
        a11, a12, a22 = sums[0] + 1e-9, sums[1], 1.001 * sums[2] + 1e-9
        determinant = a11 * a22 - a12 * a12
        if determinant <= 0.0:
            break
        by_shift = (sums[3] * a22 - sums[4] * a12) / determinant
        by_gap = (a11 * sums[4] - a12 * sums[3]) / determinant
        shift = min(max(shift + min(max(by_shift, -0.5), 0.5), -2.0), 2.0)
        gap = min(max(gap + min(max(by_gap, -1.0), 1.0), -LEAST_GAP), stop + lowest - 3.0)
        if abs(by_shift) < 1e-3 and abs(by_gap) < 1e-3:
            break
    return best_shift, best_gap, best


@compiled
def _beyond(profile: Any, lowest: Any, stop: Any, levels: Any, widths: Any, shift: Any, gap: Any) -> Any:
    """Squared misfit per sample from the surface on, so that the anode's own noise has no part in it."""
    total, count = 0.0, 0
    for n in range(-lowest, stop):
        if np.isnan(profile[n]):
            continue
        near, far = (lowest + n - shift) / widths[0], (lowest + n - shift - gap) / widths[1]
        model = levels[0] + (levels[2] - levels[0]) * (1.0 - _below(near)) + (levels[1] - levels[0]) * _below(far)
        total += (profile[n] - model) ** 2
        count += 1
    return total / max(count, 1)


@compiled
def fit_columns(profiles: Any, lowest: Any, levels: Any, widths: Any, out: Any) -> Any:
    """Fit anode | void | electrolyte to every column: ``out`` = shift, gap, misfit, misfit beyond (4, y, x).

    ``profiles`` (step, y, x); ``levels`` = void, electrolyte, anode (3, y, x) and ``widths`` of the near edge and of
    the far one (2, y, x, voxels) are maps.
    NaN where a column has no surface. The gap may come out negative, so that noise averages to nothing where
    there is none.
    """
    steps, ny, nx = profiles.shape
    sums, own, profile = np.zeros(5), np.zeros(3), np.zeros(steps)
    out[:] = np.nan
    for j in range(ny):
        for k in range(nx):
            own[:] = levels[:, j, k]
            width = (widths[0, j, k], widths[1, j, k])
            if np.isnan(profiles[-lowest, j, k] + own.sum() + widths[:, j, k].sum()):
                continue
            profile[:] = profiles[:, j, k]
            start, lowest_misfit = 0.0, 1e300
            for candidate in STARTS:
                if candidate > steps + lowest - 4.0:
                    break
                misfit = _normal_equations(profile, lowest, steps, own, width, 0.0, candidate, sums)
                misfit -= sums[3] * sums[3] / (sums[0] + 1e-9) / steps  # with the best shift, in first order
                if misfit < lowest_misfit:
                    start, lowest_misfit = candidate, misfit
            stop = min(steps, math.ceil(max(start, 0.0) * 1.25 + 7.0) - lowest)
            shift, gap, misfit = _improve(profile, lowest, stop, own, width, start, 15, sums)
            out[0, j, k], out[1, j, k], out[2, j, k] = shift, gap, misfit
            out[3, j, k] = _beyond(profile, lowest, stop, own, width, shift, gap)


@compiled
def edge_misfit(profiles: Any, lowest: Any, stop: Any, levels: Any, widths: Any, gaps: Any, out: Any) -> Any:
    """Squared misfit of every column's first ``stop`` steps with its gap known (``out``: y, x); the shift is fitted.

    ``gaps`` (y, x) in voxels, ``levels`` and ``widths`` as in ``fit_columns``. NaN where a column has no surface.
    """
    steps, ny, nx = profiles.shape
    sums, own, profile = np.zeros(5), np.zeros(3), np.zeros(steps)
    out[:] = np.nan
    for j in range(ny):
        for k in range(nx):
            own[:] = levels[:, j, k]
            width = (widths[0, j, k], widths[1, j, k])
            if np.isnan(profiles[-lowest, j, k] + own.sum() + widths[:, j, k].sum() + gaps[j, k]):
                continue
            profile[:] = profiles[:, j, k]
            best, shift = 1e300, 0.0
            for _ in range(6):
                best = min(best, _normal_equations(profile, lowest, stop, own, width, shift, gaps[j, k], sums))
                shift = min(max(shift + min(max(sums[3] / (sums[0] + 1e-9), -0.5), 0.5), -2.0), 2.0)
            out[j, k] = best
