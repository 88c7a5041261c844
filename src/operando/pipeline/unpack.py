"""Scans whose frames can only be read whole: copied once, so that a slab costs no more than its own rows.

A slab of eight rows of a compressed scan decodes all of every frame: 250 slabs decode the scan 250 times. The copy lies
in the results folder while the scan is worked on. It holds bands of rows one after the other, so that a slab is read
in one piece.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

UNPACKED = ".unpacked"
"""Folder of the copies, in the results."""
BAND = 8
"""Rows that lie together, those of the lowest slab."""
BLOCK_BYTES = 2**25
"""So much is decoded at once."""


def unpacked(scan: xr.Dataset, copy: Path) -> xr.Dataset:
    """The scan (frame, row, column), read from ``copy`` where rows are asked for, if it can only be read in frames.

    The copy is made when it is first needed.
    """
    if not needs_copy(scan):
        return scan
    counts = scan["counts"]
    lazily = indexing.LazilyIndexedArray(_InBands(counts, copy))
    return scan.assign(counts=xr.Variable(counts.dims, lazily, counts.attrs))


def needs_copy(scan: xr.Dataset) -> bool:
    """Whether the frames of a scan can only be read whole."""
    return "counts" in scan and bool(scan["counts"].encoding.get("whole_frames"))


@contextmanager
def unpacked_meanwhile(scan: xr.Dataset, folder: Path | None = None) -> Iterator[xr.Dataset]:
    """The same for one scan alone; its copy lies in ``folder`` (else where temporary files do) and goes at the end."""
    if not needs_copy(scan):
        yield scan
        return
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=UNPACKED) as name:
        yield unpacked(scan, Path(name) / "frames")


class _InBands(BackendArray):
    """Frames from the file itself, rows from the copy."""

    def __init__(self, counts: xr.DataArray, copy: Path) -> None:
        self.counts, self.copy = counts, copy
        self.shape, self.dtype = counts.shape, counts.dtype.newbyteorder("=")

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        frames, rows, columns = key
        wanted = np.arange(self.shape[1])[rows]
        if wanted.size == self.shape[1] or not wanted.size:
            return self.counts[key].values
        if not self.copy.exists():
            write_bands(self.counts, self.copy)
        first = int(wanted.min()) // BAND * BAND
        band = self._bands(first, int(wanted.max()) + 1)
        return band[frames][..., wanted - first, :][..., columns]

    def _bands(self, low: int, high: int) -> np.ndarray:
        """All frames of the bands that hold the rows ``low`` (the first of one) to ``high``."""
        frames, rows, columns = self.shape
        found = []
        for first in range(low, high, BAND):
            height = min(BAND, rows - first)
            place, size = first * frames * columns * self.dtype.itemsize, frames * height * columns
            found.append(np.fromfile(self.copy, self.dtype, size, offset=place).reshape(frames, height, columns))
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)


def write_bands(counts: xr.DataArray, copy: Path) -> None:
    """Write (frame, row, column) band by band, under another name until it is whole."""
    frames, rows, columns = counts.shape
    size = counts.dtype.itemsize
    growing = copy.with_name(f"{copy.name}.{os.getpid()}")
    growing.parent.mkdir(parents=True, exist_ok=True)
    block = max(1, BLOCK_BYTES // (rows * columns * size))
    try:
        with growing.open("wb") as file:
            for start in range(0, frames, block):
                part = counts[start : start + block].values
                for first in range(0, rows, BAND):
                    band = part[:, first : first + BAND]
                    file.seek((first * frames + start * band.shape[1]) * columns * size)
                    file.write(band.astype(counts.dtype.newbyteorder("=")).tobytes())
        growing.replace(copy)
    finally:
        growing.unlink(missing_ok=True)
