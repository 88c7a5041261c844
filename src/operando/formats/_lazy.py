"""Lazy arrays without dask: an index reaches the file and only the indexed part is read."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from operando.formats._hdf5 import open_hdf5
from operando.model.errors import BrokenFileError

Key = tuple[int | slice | np.ndarray, ...]


class Part(Protocol):
    """Something on disk that can be read piecewise."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length along each dimension."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""

    @property
    def whole_frames(self) -> bool:
        """Whether some rows of a frame cost as much as all of it: it is compressed, or a file of its own."""

    def read(self, key: Key) -> np.ndarray:
        """Values at ``key``: one integer, slice or increasing vector a dimension."""


@dataclass(frozen=True)
class Hdf5Part:
    """A dataset of an HDF5 file; the file is opened for each read, so the object can be sent to workers."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    whole_frames: bool

    @classmethod
    def of(cls, path: Path, dataset: Any, shape: tuple[int, ...] | None = None) -> "Hdf5Part":
        """``dataset`` of an open file, in another shape where that is given."""
        shape = tuple(int(n) for n in dataset.shape) if shape is None else shape
        return cls(path, dataset.name, shape, dataset.dtype, packed(dataset))

    def read(self, key: Key) -> np.ndarray:
        """Values at ``key``; a 2-D dataset in a 3-D stack answers as one frame."""
        with open_hdf5(self.path) as file:
            dataset = file[self.name]
            values = self._decoded(dataset, key)
            if values.ndim == 3:
                ask_for_next_rows(dataset, key)
        if values.dtype.kind == "f" and values.ndim == 3:
            self._refuse_empty_frames(values, key)
        return values

    def _decoded(self, dataset: Any, key: Key) -> np.ndarray:
        try:
            return self._values(dataset, key)
        except OSError:
            # Beamline files use filters that h5py does not bring along; importing this registers them.
            import hdf5plugin  # noqa: F401
        try:
            return self._values(dataset, key)
        except OSError as error:
            if missing := _missing_filters(dataset):
                found = f"{self.name} is compressed with the HDF5 filter {', '.join(missing)}, which is not installed"
                raise BrokenFileError(self.path, found, "install its plugin or copy the file with h5repack") from None
            found = f"{self.name} can't be read ({_first_line(error)})"
            raise BrokenFileError(self.path, found, "copy the file again") from None

    def _refuse_empty_frames(self, values: np.ndarray, key: Key) -> None:
        """Single pixels without a value are common; whole frames of them are lost frames."""
        empty, whole = np.isnan(values).all(axis=(1, 2)), values.shape[1:] == self.shape[1:]
        if empty.any() and (whole or not empty.all()):
            number = np.atleast_1d(np.arange(self.shape[0])[key[0]])[np.argmax(empty)]
            found = f"{self.name}: {empty.sum()} frames, the first of them {number}, hold no number"
            raise BrokenFileError(self.path, found, "leave the scan out")

    def _values(self, dataset: Any, key: Key) -> np.ndarray:
        if dataset.ndim == len(self.shape) - 1:
            return np.asarray(dataset[key[1:]])[np.newaxis][key[0]]
        return np.asarray(dataset[key])


LEAST_CHUNK_ROWS = 32
"""Chunks of fewer rows are about as high as the slabs that are read."""
MOST_ASKED = 2**28
"""Bytes asked for ahead at the most; they take the page cache, not the process's memory."""
LEAST_ASKED = 4096
"""Fewer bytes a frame come with their neighbours anyway; asking for millions of them would take seconds."""


def packed(dataset: Any) -> bool:
    """Whether rows can't be read without decoding most of their frames."""
    if dataset.is_virtual:
        sources = dataset.virtual_sources()
        return bool(sources) and _packed_source(dataset, sources[0])
    filters = dataset.id.get_create_plist().get_nfilters()
    return bool(filters and dataset.chunks and dataset.ndim == 3 and dataset.chunks[1] >= LEAST_CHUNK_ROWS)


def _packed_source(dataset: Any, source: Any) -> bool:
    """As ``packed``, for the first of the files that a virtual dataset takes its frames from."""
    if source.file_name in {".", ""}:
        return packed(dataset.file[source.dset_name])
    path = Path(dataset.file.filename).parent / source.file_name
    if not path.exists():  # a numbered name (%b), or relative to where the program was started
        return False
    with open_hdf5(path) as file:
        return packed(file[source.dset_name])


def ask_for_next_rows(dataset: Any, key: Key) -> None:
    """Ask the system to fetch the rows below these: slabs follow each other, and lie scattered over the file.

    The bytes come into the system's cache while this slab is computed. Only for plain bytes: contiguous datasets.
    """
    start = dataset.id.get_offset()
    frames, rows = key[0], key[1]
    if (
        start is None
        or not isinstance(frames, slice)
        or not isinstance(rows, slice)
        or not hasattr(os, "posix_fadvise")
    ):
        return
    count, height, columns = dataset.shape
    low, high, _ = rows.indices(height)
    width = columns * dataset.dtype.itemsize
    wanted = (min(high + (high - low), height) - high) * width
    numbers = range(count)[frames]
    if wanted < LEAST_ASKED or len(numbers) * wanted > MOST_ASKED:
        return
    with open(dataset.file.filename, "rb") as file:
        for number in numbers:
            os.posix_fadvise(file.fileno(), start + (number * height + high) * width, wanted, os.POSIX_FADV_WILLNEED)


def _missing_filters(dataset: Any) -> list[str]:
    """Numbers and names of the filters of a dataset that this HDF5 library does not have."""
    import h5py

    creation = dataset.id.get_create_plist()
    filters = (creation.get_filter(number) for number in range(creation.get_nfilters()))
    return [
        f"{about[0]} {about[3].decode(errors='replace')}".strip()
        for about in filters
        if not h5py.h5z.filter_avail(about[0])
    ]


def _first_line(error: OSError) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


class Stack(BackendArray):
    """Parts concatenated along the first dimension, as one array of a common type."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)
        self.starts = np.cumsum([0, *(part.shape[0] for part in self.parts)])
        self.shape = (int(self.starts[-1]), *self.parts[0].shape[1:])
        self.dtype = np.result_type(*(part.dtype for part in self.parts))

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Serve xarray; it sends at most one vector, the rest as slices and integers."""
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._read)

    def _read(self, key: Key) -> np.ndarray:
        frames, rest = key[0], key[1:]
        if len(self.parts) == 1:
            return self._part(0, frames, rest)
        if isinstance(frames, (int, np.integer)):
            part = int(np.searchsorted(self.starts, frames, side="right")) - 1
            return self._part(part, int(frames) - int(self.starts[part]), rest)
        wanted = np.arange(self.shape[0])[frames] if isinstance(frames, slice) else np.asarray(frames)
        owners = np.searchsorted(self.starts, wanted, side="right") - 1
        pieces = [self._part(p, _local(wanted[owners == p] - self.starts[p]), rest) for p in np.unique(owners)]
        if not pieces:
            return self._part(0, slice(0, 0), rest)
        order = np.argsort(np.argsort(owners, kind="stable"), kind="stable")
        joined = np.concatenate(pieces)
        return joined if np.all(np.diff(owners) >= 0) else joined[order]

    def _part(self, part: int, frames: Any, rest: Key) -> np.ndarray:
        return _read_any_order(self.parts[part], frames, rest).astype(self.dtype, copy=False)


def _read_any_order(part: Part, frames: Any, rest: Key) -> np.ndarray:
    """HDF5 wants vectors increasing and without repeats; slices want positive steps."""
    if isinstance(frames, np.ndarray) and np.any(np.diff(frames) <= 0):
        unique, inverse = np.unique(frames, return_inverse=True)
        return part.read((unique, *rest))[inverse]
    return part.read((frames, *rest))


def _local(indices: np.ndarray) -> slice | np.ndarray:
    """A contiguous run as a slice, which HDF5 reads many times faster than a vector."""
    if indices.size and np.array_equal(indices, np.arange(indices[0], indices[0] + indices.size)):
        return slice(int(indices[0]), int(indices[0]) + indices.size)
    return indices


def lazy(parts: Sequence[Part]) -> indexing.LazilyIndexedArray:
    """The parts as data for an ``xarray.Variable`` that reads only what is indexed and asked for."""
    return indexing.LazilyIndexedArray(Stack(parts))


def described(product: xr.Dataset, name: str, parts: Sequence[Part]) -> xr.Dataset:
    """Say in the encoding of the variable ``name`` whether its frames can only be read whole."""
    product[name].encoding["whole_frames"] = any(part.whole_frames for part in parts)
    return product
