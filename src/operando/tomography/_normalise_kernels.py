"""Compiled kernels of normalisation: one pass over the counts."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, error_model="numpy")
def transmission_of(
    counts: np.ndarray,
    dark: np.ndarray,
    early: np.ndarray,
    late: np.ndarray,
    share: float,
    current: float,
    limit: np.ndarray,
    transmission: np.ndarray,
    starved: np.ndarray,
) -> int:
    """Divide one frame (row, column) by the open beam between two groups of flats; count values not finite."""
    lost = 0
    for row in range(counts.shape[0]):
        for column in range(counts.shape[1]):
            beam = (early[row, column] + share * (late[row, column] - early[row, column])) * current
            value = (np.float32(counts[row, column]) - dark[row, column]) / beam
            transmission[row, column] = value
            starved[row, column] = not value > limit[row, column]
            lost += not np.isfinite(value)
    return lost


@numba.njit(cache=True, nogil=True)
def remove_zingers(
    stack: np.ndarray, noise: np.ndarray, shot: np.ndarray, sigmas: float, least: float, first: int, last: int
) -> int:
    """Replace single bright pixels in rows ``first:last`` of a stack (angle, row, column); return how many.

    A zinger stands above all its four neighbours in angle and column by more than the noise allows. The
    neighbours' values are read from ``stack`` and written there as well: a replaced pixel is a local maximum,
    so that no neighbour of it can have been one. Rows know nothing of each other.
    """
    angles, _, columns = stack.shape
    found = 0
    if angles < 3 or columns < 3:
        return 0
    for angle in range(angles):
        # At the ends both neighbours lie on the same side.
        before, after = (angle - 1 if angle else 2), (angle + 1 if angle < angles - 1 else angles - 3)
        for row in range(first, last):
            for column in range(columns):
                left, right = (column - 1 if column else 2), (column + 1 if column < columns - 1 else columns - 3)
                value = stack[angle, row, column]
                one, two = stack[angle, row, left], stack[angle, row, right]
                three, four = stack[before, row, column], stack[after, row, column]
                highest = max(max(one, two), max(three, four))
                excess = value - highest - least
                if excess > 0:
                    variance = noise[row, column] ** 2 + shot[row] * max(highest, 0.0)
                    if excess * excess > sigmas * sigmas * variance:
                        lowest = min(min(one, two), min(three, four))
                        stack[angle, row, column] = (one + two + three + four - highest - lowest) / 2
                        found += 1
    return found


@numba.njit(cache=True, nogil=True)
def bridge(stack: np.ndarray, faulty: np.ndarray) -> None:
    """Fill faulty pixels (row, column) of every frame linearly from the good ones beside them in the row."""
    frames, rows, columns = stack.shape
    for row in range(rows):
        column = 0
        while column < columns:
            if not faulty[row, column]:
                column += 1
                continue
            stop = column
            while stop < columns and faulty[row, stop]:
                stop += 1
            for frame in range(frames):
                left = stack[frame, row, column - 1] if column > 0 else stack[frame, row, min(stop, columns - 1)]
                right = stack[frame, row, stop] if stop < columns else left
                for place in range(column, stop):
                    share = np.float32((place - column + 1) / (stop - column + 1))
                    stack[frame, row, place] = left + share * (right - left)
            column = stop


@numba.njit(cache=True, nogil=True)
def bridge_frames(stack: np.ndarray, starved: np.ndarray) -> int:
    """Replace values that are not finite by the nearest finite one in the row, and flag them as starved."""
    frames, rows, columns = stack.shape
    found = 0
    for frame in range(frames):
        for row in range(rows):
            for column in range(columns):
                if np.isfinite(stack[frame, row, column]):
                    continue
                found += 1
                starved[frame, row, column] = True
                fill = np.float32(0)
                for away in range(1, columns):
                    if column >= away and np.isfinite(stack[frame, row, column - away]):
                        fill = stack[frame, row, column - away]
                        break
                    if column + away < columns and np.isfinite(stack[frame, row, column + away]):
                        fill = stack[frame, row, column + away]
                        break
                stack[frame, row, column] = fill
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def line_integral(
    transmission: np.ndarray,
    starved: np.ndarray,
    noise: np.ndarray,
    limit: np.ndarray,
    level: np.ndarray,
    early: np.ndarray,
    late: np.ndarray,
    share: np.ndarray,
    least: float,
    attenuation: np.ndarray,
) -> None:
    """-ln of the glare-corrected transmission (angle, row, column); starved rays not below one noise.

    What is not above ``limit`` (row, column) after the correction is starved too. The glare is the row's ``level``
    times the veil between ``early`` and ``late`` (angle, row, column).
    """
    angles, rows, columns = transmission.shape
    for angle in range(angles):
        for row in range(rows):
            own = level[row]
            scale = np.float32(1) / (np.float32(1) - own)
            for column in range(columns):
                value = transmission[angle, row, column]
                if own > 0:
                    before = early[angle, row, column]
                    veil = before + share[angle] * (late[angle, row, column] - before)
                    value = (value - own * veil) * scale
                if starved[angle, row, column] or value <= limit[row, column]:
                    starved[angle, row, column] = True
                    value = max(value, max(noise[row, column], least))
                attenuation[angle, row, column] = -np.log(value)


@numba.njit(cache=True, nogil=True)
def calm(
    transmission: np.ndarray,
    noise: np.ndarray,
    shot: np.ndarray,
    target: float,
    result: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Write into ``result`` the rays, and for dark ones the mean of as many around them as bring noise to ``target``.

    Dark is a ray (angle, row, column) whose own relative noise is above ``target``. At most seven columns of
    three neighbouring projections are taken, and never a bright ray: an edge stays where it is. Rows without beam
    (infinite ``shot``) stay as they are.
    """
    angles, rows, columns = transmission.shape
    for angle in range(first, last):
        for row in range(rows):
            result[angle, row] = transmission[angle, row]
            if not np.isfinite(shot[row]):
                continue
            for column in range(columns):
                value = transmission[angle, row, column]
                own = noise[row, column] ** 2 + shot[row] * max(value, 0.0)
                if value > 0 and own <= (target * value) ** 2:
                    continue
                for reach in range(1, 4):
                    along = 0 if reach == 1 else 1
                    total, variance, count = 0.0, 0.0, 0
                    for a in range(max(0, angle - along), min(angles, angle + along + 1)):
                        for c in range(max(0, column - reach), min(columns, column + reach + 1)):
                            other = transmission[a, row, c]
                            expected = noise[row, c] ** 2 + shot[row] * max(other, 0.0)
                            if other <= 0 or expected > (target * other) ** 2:
                                total += other
                                variance += expected
                                count += 1
                    if total > 0 and variance <= (target * total) ** 2:
                        break
                result[angle, row, column] = total / count
