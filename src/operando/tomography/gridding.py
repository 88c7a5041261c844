"""Filtered back projection by gridding in Fourier space: exact grey values at the price of a few FFTs.

Fourier slice theorem: the transform of a filtered projection is a line through the image's transform. The
lines are spread onto a grid with a kernel four cells wide, the grid is transformed back and the kernel's own
transform is divided out (O'Sullivan 1985, doi:10.1109/TMI.1985.4307723; the kernel is a sibling of that of
Barnett, Magland and af Klinteberg 2019, doi:10.1137/18M120885X).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from threading import Lock

import numpy as np

from operando.model.errors import OperandoError
from operando.tomography._threads import over_pieces, split, thread_count
from operando.tomography.angles import check_angles
from operando.tomography.gpu import device_for, reconstruct_on
from operando.tomography.plan import BATCH, Plan, plan_for

TILE = 64
PIECES = 32
"""Pieces of work; more than there are threads, so that all end at about the same time."""


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
    return reconstruct_together(sinograms, sinograms[:0], angles, centre, filter, pad)[0]


def reconstruct_together(
    sinograms: np.ndarray, more: np.ndarray, angles: np.ndarray, centre: float, filter: str, pad: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images of ``sinograms`` and of ``more`` rows, which take the places that the last sixteen slices leave free."""
    sinograms, checked = _checked(sinograms, angles, centre, pad)
    more, _ = _checked(more, angles, centre, pad)
    plan = plan_for(checked.tobytes(), sinograms.shape[2] - 2 * pad, float(centre), filter, pad)
    rows = len(sinograms)
    even = rows + rows % 2  # two neighbours share their rounding: no row shares it with one of ``more``
    volume = np.empty((even + len(more), plan.columns, plan.columns), np.float32)
    device = device_for(plan)
    if device is None or not all(
        reconstruct_on(device, plan, *pair) for pair in ((sinograms, volume[:rows]), (more, volume[even:]))
    ):
        with _room_for(plan) as room:
            for first in range(0, len(volume), BATCH):
                _reconstruct(_batch(sinograms, more, first), plan, room, volume[first:])
    return volume[:rows], volume[even:]


def _batch(sinograms: np.ndarray, more: np.ndarray, first: int) -> np.ndarray:
    """Rows ``first`` … of the sinograms and then, from an even place on, of ``more``: (slice, angle, column)."""
    part = sinograms[first : first + BATCH]
    if len(part) < BATCH and len(more):
        gap = np.zeros((len(sinograms) % 2 if len(part) else 0, *more.shape[1:]), np.float32)
        begun = max(0, first - len(sinograms) - len(sinograms) % 2)
        part = np.concatenate([part, gap, more[begun : begun + BATCH - len(part) - len(gap)]])
    return np.ascontiguousarray(part, np.float32)


def _checked(sinograms: np.ndarray, angles: np.ndarray, centre: float, pad: int) -> tuple[np.ndarray, np.ndarray]:
    if sinograms.ndim != 3:
        raise OperandoError(f"the sinograms have {sinograms.ndim} dimensions; give (row, angle, column).")
    checked = check_angles(angles, sinograms.shape[1])
    if not all(np.isfinite(row).all() for row in sinograms):
        raise OperandoError("the sinograms hold NaN or infinite values; replace or mask them before reconstructing.")
    columns = sinograms.shape[2] - 2 * pad
    if not np.isfinite(centre) or not 0 <= centre <= columns - 1:
        raise OperandoError(
            f"the centre {centre} px lies outside the {columns} columns; count from the middle of column 0."
        )
    return sinograms, checked


class Room:
    """Memory to work in: allocated once, for touching new pages costs as much as the reconstruction."""

    def __init__(self, plan: Plan) -> None:
        from operando.tomography._gridding_kernels import BLOCK, LANES, RIM, aligned

        self.lines = aligned(len(plan.angles), plan.size - 1, LANES)
        self.edge = plan.size + 2 * RIM - 1
        self.grid = aligned(self.edge, plan.columns, LANES)
        self.zero = np.empty((len(plan.angles), LANES), np.float32)
        self.columns = plan.columns
        self.bins = plan.tail.shape[1]
        most = max(self.bins, plan.columns * BLOCK, (TILE + 1) * self.edge)
        self.each = [
            (aligned(plan.size, LANES), aligned(plan.size, LANES), aligned(most, LANES)) for _ in range(thread_count())
        ]
        self.free: Queue[tuple[np.ndarray, np.ndarray, np.ndarray]] = Queue()
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
    _rows(plan, room)
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


def _rows(plan: Plan, room: Room) -> None:
    """Spread the lines onto the grid and transform its rows, band by band: the whole grid never exists."""
    from operando.tomography._gridding_kernels import spread_tile, transform_rows

    bands = split(room.edge, -(-room.edge // TILE))
    cosines, sines = np.cos(plan.angles), np.sin(plan.angles)

    def work(piece: int) -> None:
        low, high = bands[piece]
        with room.borrowed() as (points, other, scratch):
            band = scratch[: (high - low) * room.edge].reshape(high - low, room.edge, -1)
            for first, last in bands:
                spread_tile(room.lines, cosines, sines, plan.table, band, low, high, first, last)
            transform_rows(band, room.grid, plan.radices, plan.twiddles, points, other, low, high)

    over_pieces(work, len(bands))


def _images(plan: Plan, room: Room, images: np.ndarray) -> None:
    """Transform the other axis and write the images."""
    from operando.tomography._gridding_kernels import BLOCK, fold_rows, transform_columns

    fold_rows(room.grid, 0, plan.columns)
    steady = room.zero.sum(0, dtype=float).astype(np.float32)
    columns = [(first, min(first + BLOCK, plan.columns)) for first in range(0, plan.columns, BLOCK)]

    def work(piece: int) -> None:
        with room.borrowed() as (points, other, scratch):
            block = scratch[: plan.columns * BLOCK].reshape(plan.columns, BLOCK, -1)
            transform_columns(
                room.grid, plan.taper, steady, plan.radius, plan.radices, plan.twiddles,
                points, other, block, images, *columns[piece],
            )  # fmt: skip

    over_pieces(work, len(columns))
