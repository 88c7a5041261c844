"""Filtered back projection by gridding in Fourier space: exact grey values at the price of a few FFTs.

Fourier slice theorem: the transform of a filtered projection is a line through the image's transform. The
lines are spread onto a grid with a kernel four cells wide, the grid is transformed back and the kernel's own
transform is divided out (O'Sullivan 1985, doi:10.1109/TMI.1985.4307723; the kernel is a sibling of that of
Barnett, Magland and af Klinteberg 2019, doi:10.1137/18M120885X).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from queue import Queue
from threading import Lock

import numpy as np
from scipy import fft

from operando.model.errors import OperandoError
from operando.tomography._threads import over_pieces, split, thread_count
from operando.tomography.angles import angle_weights, check_angles
from operando.tomography.filters import kernel

OVERSAMPLING = 1.25
BATCH = 16
"""Slices worked on at once."""
TILE = 64
PIECES = 32
"""Pieces of work; more than there are threads, so that all end at about the same time."""
LOWEST = 12
"""Frequencies that carry what the filter's tail adds."""
_SHAPE = 9.5
"""Steepness of the spreading kernel; found by the flatness of discs of any size."""


def reconstruct_sinograms(sinograms: np.ndarray, angles: np.ndarray, centre: float, filter: str = "ramp") -> np.ndarray:
    """Reconstruct rows of sinograms.

    ``sinograms``: float32 (row, angle, column), line integrals; ``angles``: radians; ``centre``: pixels from
    the middle of column 0; ``filter``: ramp, shepp-logan, cosine, hann, hamming, parzen, butterworth or none.
    Returns float32 (row, y, x) in 1/pixel; voxels outside the circle that the columns span are 0.
    Raises ``OperandoError`` where angles are missing or in degrees, or where the sinograms hold NaN.
    """
    return reconstruct_padded(sinograms, angles, centre, filter, 0)


def reconstruct_padded(sinograms: np.ndarray, angles: np.ndarray, centre: float, filter: str, pad: int) -> np.ndarray:
    """The same for projections that were continued by ``pad`` columns on both sides of the field.

    ``centre`` counts from the middle of the field's own column 0; the image covers the field only.
    """
    sinograms, checked = _checked(sinograms, angles, centre, pad)
    plan = _plan(checked.tobytes(), sinograms.shape[2] - 2 * pad, float(centre), filter, pad)
    volume = np.empty((sinograms.shape[0], plan.columns, plan.columns), np.float32)
    with _room_for(plan) as room:
        for first in range(0, len(volume), BATCH):
            _reconstruct(np.ascontiguousarray(sinograms[first : first + BATCH], np.float32), plan, room, volume[first:])
    return volume


def _checked(sinograms: np.ndarray, angles: np.ndarray, centre: float, pad: int) -> tuple[np.ndarray, np.ndarray]:
    if sinograms.ndim != 3:
        raise OperandoError(f"the sinograms have {sinograms.ndim} dimensions; give (row, angle, column).")
    checked = check_angles(angles, sinograms.shape[1])
    if not np.isfinite(sinograms).all():
        raise OperandoError("the sinograms hold NaN or infinite values; replace or mask them before reconstructing.")
    columns = sinograms.shape[2] - 2 * pad
    if not np.isfinite(centre) or not 0 <= centre <= columns - 1:
        raise OperandoError(
            f"the centre {centre} px lies outside the {columns} columns; count from the middle of column 0."
        )
    return sinograms, checked


@dataclass(frozen=True)
class Plan:
    """What depends on the geometry only: angles, number of columns, centre and filter."""

    angles: np.ndarray
    columns: int
    """Of the image; the projections may be wider by ``pad`` on both sides."""
    size: int
    response: np.ndarray
    """Filter, shift to the centre and weight of each line: (angle, frequency ≥ 0, 2), float32."""
    shift: np.ndarray
    """The same without the filter, for the lowest frequencies."""
    tail: np.ndarray
    """What the filter's tail beyond the grid adds to the lowest frequencies: (mode, bin, 2), float32."""
    bin: int
    table: np.ndarray
    taper: np.ndarray
    """One over the kernel's transform at each voxel: (column,), float32."""
    radius: float
    """Of the circle that the columns span."""
    radices: np.ndarray
    twiddles: np.ndarray


@lru_cache(maxsize=2)
def _plan(angles: bytes, columns: int, centre: float, name: str, pad: int) -> Plan:
    return make_plan(np.frombuffer(angles), columns, centre, name, pad)


def make_plan(angles: np.ndarray, columns: int, centre: float, name: str, pad: int = 0) -> Plan:
    """Prepare the tables that all slices share.

    The grid's period need not hold a padded projection: it only has to keep what wraps around out of the image.
    """
    from operando.tomography._fft_kernels import WIDTH, fft_tables

    size = _grid_size(columns, centre, pad)
    frequency = np.arange(size // 2)
    half_voxel = 0.5 if columns % 2 == 0 else 0.0
    offset = centre + pad + half_voxel * (np.cos(angles) + np.sin(angles))
    shift = np.exp(2j * np.pi * np.outer(offset, frequency) / size) * (angle_weights(angles)[:, None] / size)
    spectrum, tail, width = _filter_spectrum(name, columns, size, pad)
    positions = np.arange(columns) - columns // 2
    radices, twiddles = fft_tables(size)
    return Plan(
        angles=angles,
        columns=columns,
        size=size,
        response=_pairs(shift * spectrum[: size // 2]),
        shift=_pairs(shift[:, : LOWEST + 1]),
        tail=_pairs(tail),
        bin=width,
        table=_table(WIDTH),
        taper=(1 / _kernel_transform(positions / size, WIDTH)).astype(np.float32),
        radius=(columns - 1) / 2 + 1e-6,
        radices=radices,
        twiddles=twiddles,
    )


def _pairs(values: np.ndarray) -> np.ndarray:
    """Real and imaginary parts as a last axis, float32."""
    return np.stack([values.real, values.imag], axis=-1).astype(np.float32)


def _grid_size(columns: int, centre: float, pad: int) -> int:
    """Smallest even number with factors 2, 3, 5, 7 that keeps copies of the projections out of the field."""
    beside = abs(centre - (columns - 1) / 2)
    size = int(np.ceil(max(OVERSAMPLING * columns, columns + beside + pad + 8, 4 * LOWEST)))
    while not _is_smooth(size) or size % 2:
        size += 1
    return size


def _is_smooth(number: int) -> bool:
    for factor in (2, 3, 5, 7):
        while number % factor == 0:
            number //= factor
    return number == 1


def _modes() -> np.ndarray:
    return np.arange(-LOWEST, LOWEST + 1)


@lru_cache(maxsize=16)
def _filter_spectrum(name: str, columns: int, size: int, pad: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the filter on the grid's frequencies, and what that leaves out as a small matrix.

    The grid is shorter than projection plus filter, so that the filter's tail wraps around. The tail is
    smooth: all it adds fits into the lowest frequencies, from the projection in coarse bins.
    """
    samples = columns + 2 * pad
    taps = kernel(name, samples - 1)
    reach = min(size // 2, samples - 1)
    wrapped = np.zeros(size)
    wrapped[: reach + 1] = taps[: reach + 1]
    wrapped[size - reach :] = taps[reach:0:-1]
    spectrum = fft.fft(wrapped).real
    missing = taps - wrapped[np.arange(samples) % size]
    smooth = np.convolve(np.pad(missing, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    width = max(1, -(-samples // 64))
    column = np.arange(pad, pad + columns)
    bins = [np.arange(first, min(samples, first + width)) for first in range(0, samples, width)]
    wanted = np.stack([smooth[np.abs(column[:, None] - inside)].mean(1) for inside in bins], axis=1)
    waves = np.exp(2j * np.pi * np.outer(column, _modes()) / size) / size
    normal = waves.conj().T @ waves
    normal += 1e-9 * np.trace(normal).real / len(normal) * np.eye(len(normal))
    return spectrum, np.linalg.solve(normal, waves.conj().T @ wanted), width


def _kernel_values(distance: np.ndarray, width: int) -> np.ndarray:
    """Hyperbolic sine of a semicircle, ``width`` cells wide, at a distance in cells.

    It is 0 at its ends. A kernel that is not weighs a sample on a cell's middle with one end only: a real
    image then leaks into the imaginary part, and the zero frequency, shared by all lines, loses weight.
    """
    inside = np.clip(1 - (2 * distance / width) ** 2, 0, None)
    return np.sinh(_SHAPE * np.sqrt(inside)) / np.sinh(_SHAPE)


def _kernel_transform(position: np.ndarray, width: int) -> np.ndarray:
    """Fourier transform of the kernel at a position in the image, in units of the grid's period."""
    # x = sin t takes the kernel's steep ends, so that the quadrature converges.
    nodes, weights = np.polynomial.legendre.leggauss(64)
    turn = 0.5 * np.pi * nodes
    distance = np.sin(turn) * width / 2
    waves = np.cos(2 * np.pi * np.outer(position, distance))
    return waves @ (_kernel_values(distance, width) * weights * np.cos(turn) * 0.25 * np.pi * width)


@lru_cache(maxsize=1)
def _table(width: int, fine: int = 1024) -> np.ndarray:
    """Weights of the cells around a sample whose first cell lies ``i / fine`` inside the kernel's reach."""
    fraction = np.arange(fine + 2) / fine
    return _kernel_values(fraction[:, None] - width / 2 + np.arange(width), width).astype(np.float32)


class Room:
    """Memory to work in: allocated once, for touching new pages costs as much as the reconstruction."""

    def __init__(self, plan: Plan) -> None:
        from operando.tomography._gridding_kernels import BLOCK, LANES, RIM, aligned

        self.lines = aligned(len(plan.angles), plan.size - 1, LANES)
        self.grid = aligned(plan.size + 2 * RIM - 1, plan.size + 2 * RIM - 1, LANES)
        self.zero = np.empty((len(plan.angles), LANES), np.float32)
        self.columns = plan.columns
        self.bins = plan.tail.shape[1]
        self.each = [
            (aligned(plan.size, LANES), aligned(plan.size, LANES), aligned(max(self.bins, plan.columns * BLOCK), LANES))
            for _ in range(thread_count())
        ]
        self.free = Queue()
        for one in self.each:
            self.free.put(one)

    def fits(self, plan: Plan) -> bool:
        """Whether this was made for the same sizes and number of threads."""
        same = self.lines.shape[:2] == (len(plan.angles), plan.size - 1) and self.columns == plan.columns
        same = same and self.bins == plan.tail.shape[1]
        return same and len(self.each) == thread_count()

    @contextmanager
    def borrowed(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Room for one thread."""
        one = self.free.get()
        try:
            yield one
        finally:
            self.free.put(one)


_KEPT: list[Room] = []
_KEPT_LOCK = Lock()


@contextmanager
def _room_for(plan: Plan) -> Iterator[Room]:
    """Room of the last call where it fits, else new; a pipeline calls with one slab after the other."""
    with _KEPT_LOCK:
        room = _KEPT.pop() if _KEPT else None
    if room is None or not room.fits(plan):
        room = Room(plan)
    try:
        yield room
    finally:
        with _KEPT_LOCK:
            _KEPT[:] = [room]


def _reconstruct(sinograms: np.ndarray, plan: Plan, room: Room, volume: np.ndarray) -> None:
    """Reconstruct up to ``BATCH`` slices into the first of ``volume``."""
    _lines(sinograms, plan, room)
    _grid(plan, room)
    _images(plan, room, volume[: len(sinograms)])


def _lines(sinograms: np.ndarray, plan: Plan, room: Room) -> None:
    """Filtered lines through the images' transform."""
    from operando.tomography._gridding_kernels import to_lines

    pieces = split(len(plan.angles), PIECES)

    def work(piece: int) -> None:
        with room.borrowed() as (points, other, coarse):
            to_lines(
                sinograms, plan.response, plan.shift, plan.tail, plan.bin, plan.radices, plan.twiddles,
                points, other, coarse[: room.bins], room.lines, room.zero, *pieces[piece],
            )  # fmt: skip

    over_pieces(work, len(pieces))


def _grid(plan: Plan, room: Room) -> None:
    """Spread the lines onto the grid, tile by tile."""
    from operando.tomography._gridding_kernels import spread_tile

    edges = split(len(room.grid), -(-len(room.grid) // TILE))
    cosines, sines = np.cos(plan.angles), np.sin(plan.angles)

    def work(piece: int) -> None:
        for first, last in edges:
            spread_tile(room.lines, cosines, sines, plan.table, room.grid, *edges[piece], first, last)

    over_pieces(work, len(edges))


def _images(plan: Plan, room: Room, images: np.ndarray) -> None:
    """Transform the grid back; the two axes one after the other, so that only the image's part of each is kept."""
    from operando.tomography._gridding_kernels import BLOCK, RIM, fold_rows, transform_columns, transform_rows

    fold_rows(room.grid, 0, len(room.grid))
    steady = room.zero.sum(0, dtype=float).astype(np.float32)
    rows = [(first + 2 * RIM - 1, last + 2 * RIM - 1) for first, last in split(plan.size, PIECES)]
    columns = [(first, min(first + BLOCK, plan.columns)) for first in range(0, plan.columns, BLOCK)]

    def along_u(piece: int) -> None:
        with room.borrowed() as (points, other, _):
            transform_rows(room.grid, plan.columns, plan.radices, plan.twiddles, points, other, *rows[piece])

    def along_v(piece: int) -> None:
        with room.borrowed() as (points, other, block):
            transform_columns(
                room.grid, plan.taper, steady, plan.radius, plan.radices, plan.twiddles, points, other,
                block[: plan.columns * BLOCK].reshape(plan.columns, BLOCK, -1), images, *columns[piece],
            )  # fmt: skip

    over_pieces(along_u, len(rows))
    over_pieces(along_v, len(columns))
