"""Small products on disk: one npz each, written under a temporary name, synced, then renamed."""

import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from operando.model.clock import TIME_ENCODING
from operando.model.errors import OperandoError
from operando.pipeline.digest import plain, portable

_HEADER = "header"
_PREFIX = "variable."
"""Keeps names of variables apart from those of numpy's own arguments."""
EAGER_BYTES = 4096
"""Larger arrays of a product that is opened lazily stay on disk."""


class Head(NamedTuple):
    """What an array's header says."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype

    @property
    def nbytes(self) -> int:
        """Size of the array."""
        return math.prod(self.shape) * self.dtype.itemsize


def write(dataset: xr.Dataset, path: Path) -> None:
    """Write a small product so that the file is either absent or whole."""
    header = {
        "coords": [str(name) for name in dataset.coords],
        "attrs": plain(dataset.attrs),
        "variables": {
            str(name): {"dims": list(variable.dims), "attrs": plain(variable.attrs)}
            for name, variable in dataset.variables.items()
        },
    }
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {_PREFIX + str(name): portable(v.values) for name, v in dataset.variables.items()}
    arrays[_HEADER] = np.array(json.dumps(header))
    np.savez(buffer, allow_pickle=False, **arrays)
    write_bytes(buffer.getvalue(), path)


def read(path: Path) -> xr.Dataset:
    """Read a small product."""
    return _read(path, _array)


def open_lazily(path: Path) -> xr.Dataset:
    """Open a small product; arrays above ``EAGER_BYTES`` are read anew whenever they are asked for.

    A step that looks at the same few numbers of every scan then does not hold the maps of all scans.
    """

    def opened(archive: zipfile.ZipFile, name: str) -> Any:
        stored = _array(archive, name, EAGER_BYTES)
        return indexing.LazilyIndexedArray(_Member(path, name, stored)) if isinstance(stored, Head) else stored

    return _read(path, opened)


def _read(path: Path, array_of: Callable[[zipfile.ZipFile, str], Any]) -> xr.Dataset:
    with _told(path), zipfile.ZipFile(path) as archive:
        header = json.loads(str(_array(archive, _HEADER)))
        variables = {
            name: xr.Variable(about["dims"], array, about["attrs"], _encoding(array.dtype))
            for name, about in header["variables"].items()
            for array in [array_of(archive, _PREFIX + name)]
        }
    coords = {name: variables.pop(name) for name in header["coords"]}
    return xr.Dataset(variables, coords=coords, attrs=header["attrs"])


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise OperandoError(f"{path}: this result can't be read ({error}); delete it and run again.") from error


def _array(archive: zipfile.ZipFile, name: str, most_bytes: float = math.inf) -> np.ndarray | Head:
    """An array of an npz file; of one larger than ``most_bytes`` only shape and type."""
    with archive.open(f"{name}.npy") as member:
        major, _ = np.lib.format.read_magic(member)
        length = member.read(2 if major == 1 else 4)
        head = _head(major, length + member.read(int.from_bytes(length, "little")))
        if head.nbytes > most_bytes:
            return head
        content = bytearray(member.read())
    flat = np.frombuffer(content, head.dtype) if content else np.empty(0, head.dtype)
    return flat.reshape(head.shape, order="F" if head.fortran else "C")


@lru_cache(maxsize=1024)
def _head(major: int, text: bytes) -> Head:
    """A header, parsed once: thousands of products have the same ones."""
    parse = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    return Head(*parse(io.BytesIO(text)))


class _Member(BackendArray):
    """One array of a small product, on disk."""

    def __init__(self, path: Path, name: str, head: Head) -> None:
        self.path, self.name, self.shape, self.dtype = path, name, head.shape, head.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        with _told(self.path), zipfile.ZipFile(self.path) as archive:
            stored = _array(archive, self.name)
        assert isinstance(stored, np.ndarray)
        return np.asarray(stored[key])


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file so that a crash at any instant leaves the old one or the new one."""
    write_pieces((content,), path)


def write_pieces(pieces: Iterable[bytes], path: Path) -> None:
    """As ``write_bytes``, of a file that need not be in memory as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with temporary.open("wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _encoding(dtype: np.dtype) -> dict[str, str]:
    return dict(TIME_ENCODING) if np.issubdtype(dtype, np.datetime64) else {}
