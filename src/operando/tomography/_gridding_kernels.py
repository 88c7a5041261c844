"""Compiled kernels of the gridding reconstruction: sixteen slices side by side in the innermost axis.

Eight lanes hold real parts, eight imaginary parts: slice ``i`` is the real and slice ``i + 8`` the imaginary
part of one complex sinogram, and comes back as the real and the imaginary part of one complex image.
"""

import numba
import numpy as np

LANES = 16


@numba.njit(cache=True, nogil=True, inline="always")
def _crossing(low: float, high: float, direction: float, first: float, last: float) -> tuple[float, float]:
    """Part of ``low … high`` along a line on which ``direction`` × position lies between ``first`` and ``last``."""
    if abs(direction) > 1e-12:
        a, b = first / direction, last / direction
        return max(low, min(a, b)), min(high, max(a, b))
    return (low, high) if first <= 0 <= last else (1.0, 0.0)


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def spread_tile(
    lines: np.ndarray,
    cosines: np.ndarray,
    sines: np.ndarray,
    table: np.ndarray,
    grid: np.ndarray,
    v_first: int,
    v_last: int,
    u_first: int,
    u_last: int,
) -> None:
    """Add the samples of all radial lines to the cells ``[v_first:v_last, u_first:u_last]`` of ``grid``.

    ``lines`` (angle, frequency, lane), frequency -half … half; ``grid`` (v, u, lane) with the zero frequency
    at ``half + 2``; ``table`` (fraction, 4) the weights of the four cells around a sample.
    Cells outside the tile belong to other calls, so that tiles can be worked on in any order.
    """
    half = (lines.shape[1] - 1) // 2
    origin = half + 2
    fine = table.shape[0] - 2
    v_low, v_high = v_first - origin - 2.0, v_last - origin + 1.0
    u_low, u_high = u_first - origin - 2.0, u_last - origin + 1.0
    v_mid, u_mid = 0.5 * (v_low + v_high), 0.5 * (u_low + u_high)
    reach = np.hypot(v_high - v_low, u_high - u_low) / 2
    weight_v = np.empty(4, np.float32)
    weight_u = np.empty(4, np.float32)
    for angle in range(lines.shape[0]):
        cosine, sine = cosines[angle], sines[angle]
        if abs(u_mid * sine - v_mid * cosine) > reach:
            continue
        low, high = _crossing(-float(half), float(half), sine, v_low, v_high)
        low, high = _crossing(low, high, cosine, u_low, u_high)
        for k in range(int(np.ceil(low)), int(np.floor(high)) + 1):
            v, u = k * sine + origin, k * cosine + origin
            v_cell, u_cell = int(np.floor(v)), int(np.floor(u))
            place = (v - v_cell) * fine
            at = int(place)
            share = np.float32(place - at)
            for i in range(4):
                weight_v[i] = table[at, i] + share * (table[at + 1, i] - table[at, i])
            place = (u - u_cell) * fine
            at = int(place)
            share = np.float32(place - at)
            for i in range(4):
                weight_u[i] = table[at, i] + share * (table[at + 1, i] - table[at, i])
            for i in range(max(0, v_first - v_cell + 1), min(4, v_last - v_cell + 1)):
                for j in range(max(0, u_first - u_cell + 1), min(4, u_last - u_cell + 1)):
                    weight = weight_v[i] * weight_u[j]
                    for lane in range(LANES):
                        grid[v_cell - 1 + i, u_cell - 1 + j, lane] += weight * lines[angle, k + half, lane]
