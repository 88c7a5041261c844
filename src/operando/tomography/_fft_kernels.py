"""Mixed-radix FFT of eight complex signals at once, written for the processor's vectors.

A point of a signal is sixteen float32: eight real parts, then eight imaginary parts, one cache line and one
vector register of 512 bits (two or four of shorter ones). The butterflies are given to the compiler as vector
instructions, since it does not find them in loops over lanes by itself (measured: 2 to 3 times slower).
Passes are Stockham's, without reordering of the result (Van Loan, Computational Frameworks for the Fast
Fourier Transform, 1992, section 1.7).
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16
WIDTH = 5
"""Cells along each axis that a sample is spread over."""
RADICES = (8, 9, 7, 5, 4, 3, 2)
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INDEX = ir.VectorType(ir.IntType(32), LANES)
_FLAGS = ("contract",)


class _Emitter:
    """Writes vector instructions for complex arithmetic on points of eight lanes."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def constant(self, value: float) -> Any:
        return ir.Constant(_VECTOR, [ir.Constant(ir.FloatType(), value)] * LANES)

    def add(self, a: Any, b: Any) -> Any:
        return self.builder.fadd(a, b, flags=_FLAGS)

    def sub(self, a: Any, b: Any) -> Any:
        return self.builder.fsub(a, b, flags=_FLAGS)

    def mul(self, a: Any, b: Any) -> Any:
        return self.builder.fmul(a, b, flags=_FLAGS)

    def turned(self, z: Any) -> Any:
        """Multiply by i: (re, im) becomes (-im, re)."""
        order = [24 + lane for lane in range(8)] + list(range(8))
        mask = ir.Constant(_INDEX, [ir.Constant(ir.IntType(32), place) for place in order])
        return self.builder.shuffle_vector(z, self.builder.fneg(z), mask)

    def spread(self, scalar: Any) -> Any:
        """The same scalar in every lane."""
        first = self.builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(_INDEX, [ir.Constant(ir.IntType(32), 0)] * LANES)
        return self.builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), zeros)

    def rotated(self, z: Any, cosine: Any, sine: Any) -> Any:
        """Multiply by cosine + i sine, given as vectors."""
        return self.add(self.mul(z, cosine), self.mul(self.turned(z), sine))


def _transform(emit: _Emitter, points: list[Any]) -> list[Any]:
    """Discrete Fourier transform, e^(-2πijk/r), of r points."""
    count = len(points)
    if count % 2:
        return _odd_transform(emit, points)
    if count == 2:
        return [emit.add(*points), emit.sub(*points)]
    even, odd = _transform(emit, points[0::2]), _transform(emit, points[1::2])
    result: list[Any] = [None] * count
    for k in range(count // 2):
        turned = _turned_by(emit, odd[k], k, count)
        result[k] = emit.add(even[k], turned)
        result[k + count // 2] = emit.sub(even[k], turned)
    return result


def _turned_by(emit: _Emitter, z: Any, k: int, count: int) -> Any:
    """z e^(-2πik/count), without multiplications where it is a quarter turn."""
    if k == 0:
        return z
    if 4 * k == count:
        return emit.builder.fneg(emit.turned(z))
    angle = -2 * np.pi * k / count
    return emit.rotated(z, emit.constant(np.cos(angle)), emit.constant(np.sin(angle)))


def _odd_transform(emit: _Emitter, points: list[Any]) -> list[Any]:
    """Transform of an odd number of points from sums and differences of mirrored pairs."""
    count = len(points)
    half = range(1, count // 2 + 1)
    sums = [emit.add(points[j], points[count - j]) for j in half]
    differences = [emit.sub(points[j], points[count - j]) for j in half]
    result: list[Any] = [None] * count
    total = points[0]
    for pair in sums:
        total = emit.add(total, pair)
    result[0] = total
    for k in half:
        real, imaginary = points[0], None
        for j in half:
            angle = 2 * np.pi * j * k / count
            real = emit.add(real, emit.mul(sums[j - 1], emit.constant(np.cos(angle))))
            term = emit.mul(differences[j - 1], emit.constant(np.sin(angle)))
            imaginary = term if imaginary is None else emit.add(imaginary, term)
        turned = emit.turned(imaginary)
        result[k], result[count - k] = emit.sub(real, turned), emit.add(real, turned)
    return result


def _point(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Pointer to the vector at point ``index`` of an array whose innermost axis are the lanes."""
    data = context.make_array(kind)(context, builder, array).data
    offset = builder.mul(index, ir.Constant(index.type, LANES))
    return builder.bitcast(builder.gep(data, [offset]), _VECTOR.as_pointer())


def _after(builder: Any, start: Any, stride: Any, steps: int) -> Any:
    return builder.add(start, builder.mul(stride, ir.Constant(start.type, steps)))


@intrinsic
def _butterfly(
    typing: Any,
    radix: Any,
    source: Any,
    start: Any,
    stride: Any,
    target: Any,
    place: Any,
    step: Any,
    table: Any,
    row: Any,
) -> Any:
    """Transform ``radix`` points of ``source`` into ``target`` and turn them by the twiddle factors of ``row``."""
    if not isinstance(radix, types.IntegerLiteral):
        return None
    count = radix.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, source, start, stride, target, place, step, table, row = arguments
        emit = _Emitter(builder)
        points = [
            builder.load(
                _point(context, builder, signature.args[1], source, _after(builder, start, stride, j)), align=64
            )
            for j in range(count)
        ]
        factors = context.make_array(signature.args[7])(context, builder, table).data
        first = builder.mul(row, ir.Constant(row.type, 2 * (count - 1)))
        for k, value in enumerate(_transform(emit, points)):
            if k:
                pair = [
                    builder.gep(factors, [builder.add(first, ir.Constant(row.type, 2 * k - 2 + i))]) for i in (0, 1)
                ]
                value = emit.rotated(value, *(emit.spread(builder.load(pointer)) for pointer in pair))
            target_at = _point(context, builder, signature.args[4], target, _after(builder, place, step, k))
            builder.store(value, target_at, align=64)
        return context.get_dummy_value()

    index = types.intp
    return types.void(radix, source, index, index, target, index, index, table, index), generate


@intrinsic
def rotate_point(typing: Any, source: Any, start: Any, target: Any, place: Any, cosine: Any, sine: Any) -> Any:
    """Store point ``start`` of ``source``, multiplied by cosine + i sine, at ``place`` of ``target``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, start, target, place, cosine, sine = arguments
        emit = _Emitter(builder)
        value = builder.load(_point(context, builder, signature.args[0], source, start), align=64)
        value = emit.rotated(value, emit.spread(cosine), emit.spread(sine))
        builder.store(value, _point(context, builder, signature.args[2], target, place), align=64)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, types.intp, types.float32, types.float32), generate


@intrinsic
def add_rotated(typing: Any, source: Any, start: Any, target: Any, place: Any, cosine: Any, sine: Any) -> Any:
    """Add point ``start`` of ``source``, multiplied by cosine + i sine, to point ``place`` of ``target``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, start, target, place, cosine, sine = arguments
        emit = _Emitter(builder)
        value = builder.load(_point(context, builder, signature.args[0], source, start), align=64)
        pointer = _point(context, builder, signature.args[2], target, place)
        value = emit.add(builder.load(pointer, align=64), emit.rotated(value, emit.spread(cosine), emit.spread(sine)))
        builder.store(value, pointer, align=64)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, types.intp, types.float32, types.float32), generate


@intrinsic
def add_scaled(typing: Any, source: Any, start: Any, target: Any, place: Any, weight: Any) -> Any:
    """Add point ``start`` of ``source`` times ``weight`` to point ``place`` of ``target``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, start, target, place, weight = arguments
        emit = _Emitter(builder)
        value = builder.load(_point(context, builder, signature.args[0], source, start), align=64)
        pointer = _point(context, builder, signature.args[2], target, place)
        value = emit.add(builder.load(pointer, align=64), emit.mul(value, emit.spread(weight)))
        builder.store(value, pointer, align=64)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, types.intp, types.float32), generate


@intrinsic
def copy_swapped(typing: Any, source: Any, start: Any, target: Any, place: Any) -> Any:
    """Copy a point with real and imaginary parts exchanged: a transform between two of these is an inverse one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, start, target, place = arguments
        value = builder.load(_point(context, builder, signature.args[0], source, start), align=64)
        order = [*range(8, 16), *range(8)]
        mask = ir.Constant(_INDEX, [ir.Constant(ir.IntType(32), lane) for lane in order])
        value = builder.shuffle_vector(value, value, mask)
        builder.store(value, _point(context, builder, signature.args[2], target, place), align=64)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, types.intp), generate


@intrinsic
def copy_point(typing: Any, source: Any, start: Any, target: Any, place: Any) -> Any:
    """Copy a point."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, start, target, place = arguments
        value = builder.load(_point(context, builder, signature.args[0], source, start), align=64)
        builder.store(value, _point(context, builder, signature.args[2], target, place), align=64)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, types.intp), generate


@intrinsic
def spread_point(
    typing: Any, source: Any, start: Any, target: Any, place: Any, pitch: Any, rows: Any, columns: Any
) -> Any:
    """Add point ``start`` of ``source`` to WIDTH × WIDTH cells of ``target``, weighted with ``rows`` × ``columns``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, start, target, place, pitch, rows, columns = arguments
        emit = _Emitter(builder)
        value = builder.load(_point(context, builder, signature.args[0], source, start), align=64)
        weights = []
        for position, array in ((5, rows), (6, columns)):
            data = context.make_array(signature.args[position])(context, builder, array).data
            pointers = [builder.gep(data, [ir.Constant(ir.IntType(64), i)]) for i in range(WIDTH)]
            weights.append([emit.spread(builder.load(pointer)) for pointer in pointers])
        for i in range(WIDTH):
            share = emit.mul(value, weights[0][i])
            for j in range(WIDTH):
                index = builder.add(_after(builder, place, pitch, i), ir.Constant(place.type, j))
                pointer = _point(context, builder, signature.args[2], target, index)
                builder.store(
                    emit.add(builder.load(pointer, align=64), emit.mul(share, weights[1][j])), pointer, align=64
                )
        return context.get_dummy_value()

    index = types.intp
    return types.void(source, index, target, index, index, rows, columns), generate


@numba.njit(nogil=True, cache=True)
def _pass(radix: int, source: np.ndarray, target: np.ndarray, count: int, stride: int, table: np.ndarray) -> None:
    """One pass of the transform over ``count`` points, ``stride`` of them side by side."""
    numba.literally(radix)
    part = count // radix
    for row in range(part):
        for q in range(stride):
            _butterfly(
                radix, source, q + stride * row, stride * part, target, q + stride * radix * row, stride, table, row
            )


@numba.njit(nogil=True, cache=True)
def transform(points: np.ndarray, other: np.ndarray, radices: np.ndarray, tables: np.ndarray) -> bool:
    """Transform ``points`` (point, lane) along the points; the result lies in ``other`` if the answer is true.

    ``radices`` and ``tables`` are those of ``fft_tables``; both arrays start on a cache line.
    """
    count, stride, first = points.shape[0], 1, 0
    source, target = points, other
    for radix in radices:
        table = tables[first:]
        if radix == 8:
            _pass(8, source, target, count, stride, table)
        elif radix == 9:
            _pass(9, source, target, count, stride, table)
        elif radix == 7:
            _pass(7, source, target, count, stride, table)
        elif radix == 5:
            _pass(5, source, target, count, stride, table)
        elif radix == 4:
            _pass(4, source, target, count, stride, table)
        elif radix == 3:
            _pass(3, source, target, count, stride, table)
        else:
            _pass(2, source, target, count, stride, table)
        count //= radix
        stride *= radix
        first += 2 * count * (radix - 1)
        source, target = target, source
    return len(radices) % 2 == 1


def fft_tables(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Radices of a transform of ``count`` points (factors 2, 3, 5, 7 only) and the twiddle factors of its passes."""
    radices, tables, left = [], [], count
    for radix in RADICES:
        while left % radix == 0:
            radices.append(radix)
            part = left // radix
            angle = -2 * np.pi * np.outer(np.arange(part), np.arange(1, radix)) / left
            tables.append(np.stack([np.cos(angle), np.sin(angle)], axis=-1).ravel())
            left = part
    if left != 1:
        raise ValueError(f"{count} has other prime factors than 2, 3, 5 and 7")
    return np.array(radices, np.int64), np.concatenate(tables).astype(np.float32)


def aligned(*shape: int) -> np.ndarray:
    """Uninitialised float32 array that starts on a cache line."""
    count = int(np.prod(shape))
    raw = np.empty(count + LANES, np.float32)
    first = (-raw.ctypes.data % 64) // 4
    return raw[first : first + count].reshape(shape)
