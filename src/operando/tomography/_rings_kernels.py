"""Compiled kernels of ring removal. Columns are laid side by side along their sorted values, so that the
running medians across columns work on many ranks at once."""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16
BLOCK = 64
"""Ranks that one running median works on at once."""


@numba.njit(cache=True, nogil=True)
def roughness(sinogram: np.ndarray, size: int) -> np.ndarray:
    """Sum along each column of |value - mean of ``size`` neighbours in angle|, mirrored at the ends: (column,)."""
    angles, columns = sinogram.shape
    before = size // 2
    total = np.zeros(columns)
    running = np.zeros(columns)
    for angle in range(-before, size - before):
        row = _mirrored(angle, angles)
        for column in range(columns):
            running[column] += sinogram[row, column]
    for angle in range(angles):
        gone, come = _mirrored(angle - before, angles), _mirrored(angle - before + size, angles)
        for column in range(columns):
            total[column] += abs(sinogram[angle, column] - running[column] / size)
            running[column] += sinogram[come, column] - sinogram[gone, column]
    return total


@numba.njit(cache=True, nogil=True)
def _mirrored(index: int, length: int) -> int:
    """Index into ``d c b a | a b c d | d c b a``."""
    index = index % (2 * length)
    return index if index < length else 2 * length - 1 - index


@numba.njit(cache=True, nogil=True)
def keys_of(sinogram: np.ndarray, keys: np.ndarray) -> None:
    """Write (column, angle) unsigned keys that sort like (value, angle)."""
    angles, columns = sinogram.shape
    bits = sinogram.view(np.uint32)
    for first in range(0, columns, 16):
        last = min(first + 16, columns)
        for angle in range(angles):
            for column in range(first, last):
                bit = bits[angle, column]
                order = ~bit if bit >> np.uint32(31) else bit | np.uint32(0x80000000)
                keys[column, angle] = (np.uint64(order) << np.uint64(32)) | np.uint64(angle)


@numba.njit(cache=True, nogil=True)
def order_keys(values: np.ndarray, keys: np.ndarray) -> None:
    """The same for values that are laid out (column, angle) already."""
    bits = values.view(np.uint32)
    for column in range(values.shape[0]):
        for angle in range(values.shape[1]):
            bit = bits[column, angle]
            order = ~bit if bit >> np.uint32(31) else bit | np.uint32(0x80000000)
            keys[column, angle] = (np.uint64(order) << np.uint64(32)) | np.uint64(angle)


@numba.njit(cache=True, nogil=True)
def by_level(keys: np.ndarray, values: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """``values`` - ``smooth`` (column, angle) in the order of the sorted keys."""
    residual = np.empty(values.shape, np.float32)
    for column in range(keys.shape[0]):
        for rank in range(keys.shape[1]):
            angle = np.int64(keys[column, rank] & np.uint64(0xFFFFFFFF))
            residual[column, rank] = values[column, angle] - smooth[column, angle]
    return residual


@numba.njit(cache=True, nogil=True)
def subtract_between(smooth: np.ndarray, level: np.ndarray, offset: np.ndarray, sinogram: np.ndarray) -> None:
    """Subtract from ``sinogram`` (angle, column) the offset (column, knot) at the level ``smooth`` (column, angle)."""
    knots = level.shape[1]
    for column in range(smooth.shape[0]):
        if not offset[column].any():
            continue
        for angle in range(smooth.shape[1]):
            at = smooth[column, angle]
            knot = 0
            while knot < knots and level[column, knot] < at:
                knot += 1
            if knot == 0 or knot == knots:
                sinogram[angle, column] -= offset[column, min(knot, knots - 1)]
            else:
                low, high = level[column, knot - 1], level[column, knot]
                share = (at - low) / (high - low)
                sinogram[angle, column] -= offset[column, knot - 1] * (1 - share) + offset[column, knot] * share


@numba.njit(cache=True, nogil=True)
def values_of(keys: np.ndarray, values: np.ndarray) -> None:
    """Turn sorted keys back into values: (column, rank), ``values`` as its uint32 view."""
    for column in range(keys.shape[0]):
        for rank in range(keys.shape[1]):
            order = np.uint32(keys[column, rank] >> np.uint64(32))
            values[column, rank] = order ^ np.uint32(0x80000000) if order >> np.uint32(31) else ~order


@numba.njit(cache=True, nogil=True)
def put_back(keys: np.ndarray, values: np.ndarray, sinogram: np.ndarray) -> None:
    """Undo the sorting: ``values`` (column, rank) into ``sinogram`` (angle, column)."""
    columns, ranks = values.shape
    for first in range(0, columns, 16):
        last = min(first + 16, columns)
        for column in range(first, last):
            for rank in range(ranks):
                sinogram[np.int64(keys[column, rank] & np.uint64(0xFFFFFFFF)), column] = values[column, rank]


@intrinsic
def _let_in(typing: Any, window: Any, place: Any, next_place: Any, old: Any, new: Any, lane: Any) -> Any:
    """One place of a sorted window, sixteen lanes at once: the old value closes up, the new one bubbles on.

    The compiler does not find vector instructions in the loop over lanes by itself (measured: 15 times slower).
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), LANES)

        def pointer(position: int, index: Any) -> Any:
            data = context.make_array(signature.args[position])(context, builder, arguments[position]).data
            return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())

        _, place, next_place, _, _, lane = arguments
        here, coming = pointer(0, place), pointer(4, lane)
        value, after = builder.load(here, align=4), builder.load(pointer(0, next_place), align=4)
        gone, entering = builder.load(pointer(3, lane), align=4), builder.load(coming, align=4)
        kept = builder.select(builder.fcmp_ordered("<", value, gone), value, after)
        less = builder.fcmp_ordered("<", entering, kept)
        builder.store(builder.select(less, entering, kept), here, align=4)
        builder.store(builder.select(less, kept, entering), coming, align=4)
        return context.get_dummy_value()

    index = types.intp
    return types.void(window, index, index, old, new, index), generate


@numba.njit(cache=True, nogil=True)
def running_median(values: np.ndarray, size: int, result: np.ndarray) -> None:
    """Median over ``size`` (odd) neighbouring columns of ``values`` (column, rank), mirrored at the ends.

    The window is kept sorted; each step takes one value out and lets the new one bubble in, without branches.
    """
    columns, ranks = values.shape
    half = size // 2
    window = np.empty((size + 1) * BLOCK, np.float32)
    new, old = np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32)
    for first in range(0, ranks, BLOCK):
        count = min(BLOCK, ranks - first)
        window[:] = np.inf
        old[:] = np.inf
        for column in range(-half, columns + half):
            source = values[_mirrored(column, columns)]
            for lane in range(count):
                new[lane] = source[first + lane]
            if column > half:
                gone = values[_mirrored(column - size, columns)]
                for lane in range(count):
                    old[lane] = gone[first + lane]
            for place in range(size):
                for lane in range(0, BLOCK, LANES):
                    _let_in(window, place * BLOCK + lane, (place + 1) * BLOCK + lane, old, new, lane)
            if column >= half:
                target = result[column - half]
                for lane in range(count):
                    target[first + lane] = window[half * BLOCK + lane]
