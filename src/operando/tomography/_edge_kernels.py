"""Compiled kernels of the exponential edge gradient."""

import math

import numpy as np
from numba import njit

FAINTEST = np.float32(6e-6)
"""Light below e^-12 is none."""


@njit(cache=True, nogil=True, fastmath=True)
def blurred(image: np.ndarray, weights: np.ndarray, between: np.ndarray, result: np.ndarray) -> None:
    """Blur an image (row, column) along both axes; its edges go on. ``weights`` from the middle on."""
    rows, columns = image.shape
    reach = len(weights) - 1
    for row in range(rows):
        between[row] = weights[0] * image[row]
        for step in range(1, reach + 1):
            above, below = image[max(row - step, 0)], image[min(row + step, rows - 1)]
            between[row] += weights[step] * (above + below)
    for row in range(rows):
        line, target = between[row], result[row]
        for column in range(columns):
            target[column] = weights[0] * line[column]
        for step in range(1, reach + 1):
            for column in range(step, columns - step):
                target[column] += weights[step] * (line[column - step] + line[column + step])
            for column in range(min(step, columns)):
                target[column] += weights[step] * (line[0] + line[min(column + step, columns - 1)])
            for column in range(max(columns - step, step), columns):
                target[column] += weights[step] * (line[column - step] + line[columns - 1])


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _straight(light: np.float32, table: np.ndarray, per_unit: float) -> np.float32:
    """What follows -ln of the light, looked up; below 0 the first slope goes on."""
    place = -math.log(max(light, FAINTEST)) * per_unit
    first = min(max(int(place), 0), len(table) - 2)
    part = np.float32(place - first)
    return np.float32(table[first] + part * (table[first + 1] - table[first]))


@njit(cache=True, nogil=True)
def lack(
    attenuation: np.ndarray,
    source: np.ndarray,
    weights: np.ndarray,
    table: np.ndarray,
    per_unit: float,
    result: np.ndarray,
) -> None:
    """Write what line integrals (angle, row, column) lack; ``table`` straightens 0, 1 / per_unit, 2 / per_unit …

    ``source`` (row): the row that stands for each.
    """
    angles, rows, columns = attenuation.shape
    light, sharp = np.empty((rows, columns), np.float32), np.empty((rows, columns), np.float32)
    seen, between = np.empty_like(light), np.empty_like(light)
    for angle in range(angles):
        for row in range(rows):
            for column in range(columns):
                light[row, column] = np.exp(-attenuation[angle, source[row], column])
        sharp[:] = light
        for _ in range(2):
            blurred(sharp, weights, between, seen)
            for row in range(rows):
                for column in range(columns):
                    sharp[row, column] *= light[row, column] / max(seen[row, column], FAINTEST)
        blurred(sharp, weights, between, seen)
        for row in range(rows):
            for column in range(columns):
                light[row, column] = _straight(sharp[row, column], table, per_unit)
        blurred(light, weights, between, sharp)
        for row in range(rows):
            for column in range(columns):
                result[angle, row, column] = sharp[row, column] - _straight(seen[row, column], table, per_unit)
