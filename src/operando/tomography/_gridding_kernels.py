"""Compiled kernels of the gridding reconstruction: sixteen slices side by side in the innermost axis.

Eight lanes hold real parts, eight imaginary parts: slice ``2 i`` is the real and slice ``2 i + 1`` the imaginary
part of one complex sinogram, and comes back as the real and the imaginary part of one complex image. Rounding mixes
the two, so that neighbours share: whatever even number of rows a scan is cut into, the bits are the same.
"""

import numba
import numpy as np

from operando.tomography._fft_kernels import (
    LANES,
    WIDTH,
    add_rotated,
    add_scaled,
    aligned,
    copy_point,
    copy_swapped,
    rotate_point,
    spread_point,
    transform,
)

__all__ = [
    "BLOCK",
    "LANES",
    "RIM",
    "WIDTH",
    "aligned",
    "spread_tile",
    "to_lines",
    "transform_columns",
    "transform_rows",
]

RIM = WIDTH // 2 + 1
"""Cells around the grid that samples at its edge reach."""
BLOCK = 16
"""Columns of the image that are written at once: one cache line."""


@numba.njit(cache=True, nogil=True, inline="always")
def _lane_of(slice_number: int) -> int:
    return slice_number // 2 + (slice_number % 2) * (LANES // 2)


@numba.njit(cache=True, nogil=True)
def to_lines(
    sinograms: np.ndarray,
    response: np.ndarray,
    shift: np.ndarray,
    tail: np.ndarray,
    width: int,
    radices: np.ndarray,
    tables: np.ndarray,
    points: np.ndarray,
    other: np.ndarray,
    coarse: np.ndarray,
    lines: np.ndarray,
    zero: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Transform and filter the projections ``first:last`` of up to sixteen sinograms (slice, angle, column).

    ``response`` (angle, frequency ≥ 0, 2): filter, shift and weight; ``shift`` the same without the filter, and
    ``tail`` (mode, bin, 2) from bins of ``width`` columns to the lowest frequencies (see ``gridding``).
    ``points``, ``other`` (size, lane) and ``coarse`` (bin, lane) are room to work in. Writes ``lines`` (angle,
    frequency from 1 - size/2 to size/2 - 1, lane) without their zero frequency, which goes to ``zero`` (angle, lane).
    """
    slices, _, columns = sinograms.shape
    size = points.shape[0]
    half = size // 2 - 1
    lowest = tail.shape[0] // 2
    for angle in range(first, last):
        points[:] = 0
        for one in range(slices):
            lane = _lane_of(one)
            for column in range(min(columns, size)):
                points[column, lane] = sinograms[one, angle, column]
        coarse[:] = 0
        for column in range(min(columns, size)):
            for lane in range(LANES):
                coarse[column // width, lane] += points[column, lane]
        for column in range(size, columns):
            for one in range(slices):
                lane, value = _lane_of(one), sinograms[one, angle, column]
                points[column - size, lane] += value
                coarse[column // width, lane] += value
        flipped = transform(points, other, radices, tables)
        spectrum = other if flipped else points
        line = lines[angle]
        for k in range(-half, half + 1):
            sign = np.float32(1 if k >= 0 else -1)
            at = abs(k)
            rotate_point(spectrum, k % size, line, k + half, response[angle, at, 0], sign * response[angle, at, 1])
        for k in range(-lowest, lowest + 1):
            sign = np.float32(1 if k >= 0 else -1)
            real, imaginary = shift[angle, abs(k), 0], sign * shift[angle, abs(k), 1]
            for b in range(coarse.shape[0]):
                a, c = tail[k + lowest, b, 0], tail[k + lowest, b, 1]
                add_rotated(coarse, b, line, k + half, a * real - c * imaginary, a * imaginary + c * real)
        for lane in range(LANES):
            zero[angle, lane] = line[half, lane]
            line[half, lane] = 0


@numba.njit(cache=True, nogil=True, inline="always")
def _crossing(low: float, high: float, direction: float, first: float, last: float) -> tuple[float, float]:
    """Part of ``low … high`` along a line on which ``direction`` × position lies between ``first`` and ``last``."""
    if abs(direction) > 1e-12:
        a, b = first / direction, last / direction
        return max(low, min(a, b)), min(high, max(a, b))
    return (low, high) if first <= 0 <= last else (1.0, 0.0)


@numba.njit(cache=True, nogil=True, inline="always")
def _weigh(table: np.ndarray, fraction: float, weights: np.ndarray) -> None:
    """Interpolate the weights of the cells around a sample."""
    place = fraction * (table.shape[0] - 2)
    at = int(place)
    share = np.float32(place - at)
    for i in range(WIDTH):
        weights[i] = table[at, i] + share * (table[at + 1, i] - table[at, i])


@numba.njit(cache=True, nogil=True)
def spread_tile(
    lines: np.ndarray,
    cosines: np.ndarray,
    sines: np.ndarray,
    table: np.ndarray,
    band: np.ndarray,
    v_first: int,
    v_last: int,
    u_first: int,
    u_last: int,
) -> None:
    """Fill the cells ``[v_first:v_last, u_first:u_last]`` of the grid with what all radial lines bring there.

    ``lines`` (angle, frequency, lane), frequency -half … half; ``band`` (v, u, lane): the grid's rows from
    ``v_first`` on. The zero frequency lies at ``half + RIM``; ``table`` (fraction, WIDTH) the weights of the
    cells around a sample.
    Cells outside the tile belong to other calls, so that tiles can be worked on in any order.
    """
    half = (lines.shape[1] - 1) // 2
    origin = half + RIM
    pitch = band.shape[1]
    points, cells = lines.reshape(-1, LANES), band.reshape(-1, LANES)
    v_low, v_high = v_first - origin - WIDTH / 2, v_last - origin - 1 + WIDTH / 2
    u_low, u_high = u_first - origin - WIDTH / 2, u_last - origin - 1 + WIDTH / 2
    v_mid, u_mid = 0.5 * (v_low + v_high), 0.5 * (u_low + u_high)
    reach = np.hypot(v_high - v_low, u_high - u_low) / 2
    weight_v, weight_u = np.empty(WIDTH, np.float32), np.empty(WIDTH, np.float32)
    band[: v_last - v_first, u_first:u_last] = 0
    for angle in range(lines.shape[0]):
        cosine, sine = cosines[angle], sines[angle]
        if abs(u_mid * sine - v_mid * cosine) > reach:
            continue
        low, high = _crossing(-float(half), float(half), sine, v_low, v_high)
        low, high = _crossing(low, high, cosine, u_low, u_high)
        for k in range(int(np.ceil(low)), int(np.floor(high)) + 1):
            v, u = k * sine + origin, k * cosine + origin
            v_cell, u_cell = int(np.ceil(v - WIDTH / 2)), int(np.ceil(u - WIDTH / 2))
            _weigh(table, v_cell - v + WIDTH / 2, weight_v)
            _weigh(table, u_cell - u + WIDTH / 2, weight_u)
            at = angle * lines.shape[1] + k + half
            if v_cell >= v_first and v_cell + WIDTH <= v_last and u_cell >= u_first and u_cell + WIDTH <= u_last:
                spread_point(points, at, cells, (v_cell - v_first) * pitch + u_cell, pitch, weight_v, weight_u)
                continue
            for i in range(max(0, v_first - v_cell), min(WIDTH, v_last - v_cell)):
                for j in range(max(0, u_first - u_cell), min(WIDTH, u_last - u_cell)):
                    place = (v_cell - v_first + i) * pitch + u_cell + j
                    add_scaled(points, at, cells, place, weight_v[i] * weight_u[j])


@numba.njit(cache=True, nogil=True)
def fold_rows(grid: np.ndarray, first: int, last: int) -> None:
    """Add the first rows to those one period further, for the grid is periodic; columns ``first:last``."""
    size = grid.shape[0] - 2 * RIM + 1
    for v in range(2 * RIM - 1):
        for u in range(first, last):
            for lane in range(LANES):
                grid[size + v, u, lane] += grid[v, u, lane]


@numba.njit(cache=True, nogil=True)
def transform_rows(
    band: np.ndarray,
    grid: np.ndarray,
    radices: np.ndarray,
    tables: np.ndarray,
    points: np.ndarray,
    other: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Inverse transform of a ``band``; only the image's columns go to the rows ``first:last`` of ``grid``."""
    size, columns = points.shape[0], grid.shape[1]
    half = size // 2 - 1
    for v in range(first, last):
        row, target = band[v - first], grid[v]
        for u in range(2 * RIM - 1):
            for lane in range(LANES):
                row[size + u, lane] += row[u, lane]
        for u in range(2 * RIM - 1, size + 2 * RIM - 1):
            copy_swapped(row, u, points, (u - half - RIM) % size)
        flipped = transform(points, other, radices, tables)
        result = other if flipped else points
        for x in range(columns):
            copy_point(result, (x - columns // 2) % size, target, x)


@numba.njit(cache=True, nogil=True)
def transform_columns(
    grid: np.ndarray,
    taper: np.ndarray,
    steady: np.ndarray,
    radius: float,
    radices: np.ndarray,
    tables: np.ndarray,
    points: np.ndarray,
    other: np.ndarray,
    block: np.ndarray,
    images: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Inverse transform of the columns ``first:last`` and write them as images (slice, y, x).

    Divides by the kernel's transform, adds the zero frequency ``steady`` (lane) and leaves 0 outside the circle
    of ``radius``. ``block`` (y, BLOCK, lane) is room to work in.
    """
    size, columns = points.shape[0], images.shape[2]
    half = size // 2 - 1
    pitch = grid.shape[1]
    cells, held = grid.reshape(-1, LANES), block.reshape(-1, LANES)
    middle = (columns - 1) / 2
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        for x in range(count):
            for v in range(2 * RIM - 1, size + 2 * RIM - 1):
                copy_point(cells, v * pitch + start + x, points, (v - half - RIM) % size)
            flipped = transform(points, other, radices, tables)
            result = other if flipped else points
            for y in range(columns):
                copy_swapped(result, (y - columns // 2) % size, held, y * BLOCK + x)
        for y in range(columns):
            reach = np.sqrt(max(radius * radius - (y - middle) ** 2, 0.0))
            for image in range(images.shape[0]):
                lane = _lane_of(image)
                for x in range(count):
                    inside = abs(start + x - middle) <= reach
                    value = block[y, x, lane] * (taper[y] * taper[start + x]) + steady[lane]
                    images[image, y, start + x] = value if inside else 0
