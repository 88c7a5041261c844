"""The same gridding on a graphics card, with CuPy: the spreading as one sparse matrix, the rest as FFTs.

Everything is written against the array modules handed in, so that NumPy and SciPy run it as well: that is how it
is tested where there is no card.
"""

import logging
import os
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np

from operando.tomography.plan import BATCH, LOWEST, Plan

_LOG = logging.getLogger(__name__)
MEMORY_SHARE = 0.6
"""Share of the free device memory that a reconstruction may take."""
BUILD_BYTES = 64
"""Device memory for one entry of the sparse matrix while it is put in order: twice its own twelve bytes, and keys."""


@dataclass(frozen=True)
class Device:
    """Array module, sparse-matrix module, and how many bytes are free."""

    arrays: ModuleType
    sparse: ModuleType
    free: int


@lru_cache(maxsize=1)
def find_device() -> Device | None:
    """The first graphics card, or ``None``: no CuPy, no card, or ``OPERANDO_GPU=0``."""
    if os.environ.get("OPERANDO_GPU", "1") == "0":
        return None
    try:
        import cupy
        import cupyx.scipy.sparse as sparse
    except ImportError:
        return None
    try:
        free, _ = cupy.cuda.runtime.memGetInfo()
    except cupy.cuda.runtime.CUDARuntimeError:
        return None
    return Device(cupy, sparse, int(free))


def device_for(plan: Plan) -> Device | None:
    """The card, if it is there and the plan fits into its memory."""
    device = find_device()
    if device is None:
        return None
    needed = memory_needed(plan)
    if needed > MEMORY_SHARE * device.free:
        _LOG.info("the card has %d bytes free and %d are needed; the processor reconstructs", device.free, needed)
        return None
    return device


def memory_needed(plan: Plan) -> int:
    """Bytes on the device: the matrix while it is built or kept, six copies of the lines and of the grid."""
    from operando.tomography._fft_kernels import WIDTH

    samples = len(plan.angles) * (plan.size - 1)
    grid = (plan.size + 2 * WIDTH) ** 2 * BATCH * 4
    working = 6 * samples * BATCH * 4 + 6 * grid
    return samples * WIDTH**2 * BUILD_BYTES + working


class Spreader:
    """Tables of one plan on one device; call it with up to sixteen sinograms."""

    def __init__(self, plan: Plan, device: Device) -> None:
        from operando.tomography._gridding_kernels import RIM

        self.plan, self.xp, self.rim = plan, device.arrays, RIM
        self.edge = plan.size + 2 * RIM - 1
        self.matrix = self._matrix(device.sparse)
        half = np.asarray(plan.response[..., 0] + 1j * plan.response[..., 1])
        shift = plan.shift[..., 0] + 1j * plan.shift[..., 1]
        tail = plan.tail[..., 0] + 1j * plan.tail[..., 1]
        both = np.concatenate([np.conj(half[:, :0:-1]), half], axis=1)
        low = np.concatenate([np.conj(shift[:, :0:-1]), shift], axis=1)
        self.response = self.xp.asarray(both.astype(np.complex64))
        self.low = self.xp.asarray(low.astype(np.complex64))
        self.tail = self.xp.asarray(tail.astype(np.complex64))
        radius = np.arange(plan.columns) - (plan.columns - 1) / 2
        inside = np.hypot(radius[:, None], radius) <= plan.radius
        self.taper = self.xp.asarray((plan.taper[:, None] * plan.taper * inside).astype(np.float32))
        self.inside = self.xp.asarray(inside.astype(np.float32))

    def _matrix(self, sparse: ModuleType) -> Any:
        """Cells × samples: the weight of each sample of each line in each of the cells around it."""
        from operando.tomography._fft_kernels import WIDTH

        xp, plan = self.xp, self.plan
        half = plan.size // 2 - 1
        k = xp.arange(-half, half + 1, dtype=np.float64)
        v = (xp.asarray(np.sin(plan.angles))[:, None] * k + half + self.rim).ravel()
        u = (xp.asarray(np.cos(plan.angles))[:, None] * k + half + self.rim).ravel()
        first_v, weight_v = self._weights(v)
        first_u, weight_u = self._weights(u)
        samples = xp.arange(v.size, dtype=np.int32)
        step = xp.arange(WIDTH, dtype=np.int32)
        rows = (first_v[:, None] + step)[:, :, None] * self.edge + (first_u[:, None] + step)[:, None, :]
        data = weight_v[:, :, None] * weight_u[:, None, :]
        columns = xp.broadcast_to(samples[:, None, None], rows.shape)
        shape = (self.edge**2, v.size)
        return sparse.coo_matrix((data.ravel(), (rows.ravel(), columns.ravel())), shape=shape).tocsr()

    def _weights(self, place: Any) -> tuple[Any, Any]:
        """First cell that a sample reaches, and the weights of the cells from there."""
        from operando.tomography._fft_kernels import WIDTH

        xp, table = self.xp, self.xp.asarray(self.plan.table)
        first = xp.ceil(place - WIDTH / 2)
        fraction = (first - place + WIDTH / 2) * (len(table) - 2)
        at = fraction.astype(np.int32)
        share = (fraction - at).astype(np.float32)[:, None]
        return first.astype(np.int32), table[at] + share * (table[at + 1] - table[at])

    def __call__(self, sinograms: np.ndarray) -> np.ndarray:
        """Reconstruct (slice, angle, column) to (slice, y, x)."""
        xp, plan = self.xp, self.plan
        lines, steady = self._lines(self._packed(sinograms))
        flat = xp.ascontiguousarray(lines).view(np.float32).reshape(-1, BATCH)
        # The card's product lies column by column; pairs of floats must be neighbours to be complex numbers.
        grid = xp.ascontiguousarray(self.matrix @ flat).reshape(self.edge, self.edge, BATCH).view(np.complex64)
        grid[plan.size :] += grid[: 2 * self.rim - 1]
        grid[:, plan.size :] += grid[:, : 2 * self.rim - 1]
        inner = grid[2 * self.rim - 1 :, 2 * self.rim - 1 :]
        turn = self.rim - plan.size // 2
        place = (xp.arange(plan.columns) - plan.columns // 2) % plan.size
        image = xp.fft.ifft(xp.roll(inner, (turn, turn), axis=(0, 1)), axis=1, norm="forward")[:, place]
        image = xp.fft.ifft(image, axis=0, norm="forward")[place]
        image = image * self.taper[..., None] + steady * self.inside[..., None]
        pairs = xp.stack([image.real, image.imag], axis=3).reshape(*image.shape[:2], BATCH)
        both = xp.moveaxis(pairs, 2, 0)[: len(sinograms)]
        host = both.get() if hasattr(both, "get") else both
        return np.ascontiguousarray(host, np.float32)

    def _packed(self, sinograms: np.ndarray) -> Any:
        """Complex (angle, column, lane): slice 2 i is the real, slice 2 i + 1 the imaginary part of lane i."""
        xp = self.xp
        whole = np.zeros((BATCH, *sinograms.shape[1:]), np.float32)
        whole[: len(sinograms)] = sinograms
        stack = xp.asarray(whole)
        return xp.moveaxis(stack[::2] + 1j * stack[1::2], 0, 2).astype(np.complex64)

    def _lines(self, packed: Any) -> tuple[Any, Any]:
        """Filtered lines (angle, frequency from 1 - size/2, lane) without their zero frequency, and its sum."""
        xp, plan = self.xp, self.plan
        angles, samples, lanes = packed.shape
        period = xp.zeros((angles, plan.size, lanes), np.complex64)
        period[:, : min(samples, plan.size)] = packed[:, : plan.size]
        if samples > plan.size:
            period[:, : samples - plan.size] += packed[:, plan.size :]
        half = plan.size // 2 - 1
        spectrum = xp.fft.fft(period, axis=1)
        order = xp.arange(-half, half + 1) % plan.size
        lines = spectrum[:, order] * self.response[..., None]
        bins = self.tail.shape[1]
        wide = xp.zeros((angles, bins * plan.bin, lanes), np.complex64)
        wide[:, :samples] = packed
        coarse = wide.reshape(angles, bins, plan.bin, lanes).sum(2)
        added = xp.einsum("mb,abl->aml", self.tail, coarse) * self.low[..., None]
        lines[:, half - LOWEST : half + LOWEST + 1] += added
        steady = lines[:, half].sum(0)
        lines[:, half] = 0
        return lines.astype(np.complex64), steady.astype(np.complex64)


_KEPT: list[Spreader] = []


def reconstruct_on(device: Device, plan: Plan, sinograms: np.ndarray, volume: np.ndarray) -> bool:
    """Reconstruct all slices into ``volume`` on the card; false where its memory is not enough after all.

    Other programs and workers share the card, so that what was free a moment ago need not be so now.
    """
    try:
        spreader = spreader_for(plan, device)
        for first in range(0, len(volume), BATCH):
            volume[first : first + BATCH] = spreader(sinograms[first : first + BATCH])
    except MemoryError as error:
        _KEPT.clear()
        _LOG.warning("the card's memory is not enough (%s); the processor reconstructs", error)
        return False
    return True


def spreader_for(plan: Plan, device: Device) -> Spreader:
    """Tables of the last plan, or new ones: building the matrix takes as long as many slices."""
    if not _KEPT or _KEPT[0].plan is not plan:
        _KEPT.clear()
        _KEPT.append(Spreader(plan, device))
    return _KEPT[0]
