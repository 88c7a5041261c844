"""Small products on disk: one npz each, written under a temporary name, synced, then renamed."""

import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
    return _read(path, lambda stored, name: stored[name])


def open_lazily(path: Path) -> xr.Dataset:
    """Open a small product; arrays above ``EAGER_BYTES`` are read anew whenever they are asked for.

    A step that looks at the same few numbers of every scan then does not hold the maps of all scans.
    """

    def opened(stored: Any, name: str) -> Any:
        member = _Member(path, name, *_shape_of(stored.zip, name))
        small = np.prod(member.shape) * member.dtype.itemsize <= EAGER_BYTES
        return stored[name] if small else indexing.LazilyIndexedArray(member)

    return _read(path, opened)


def _read(path: Path, array_of: Callable[[Any, str], Any]) -> xr.Dataset:
    with _told(path), np.load(path, allow_pickle=False) as stored:
        header = json.loads(str(stored[_HEADER]))
        variables = {
            name: xr.Variable(about["dims"], array, about["attrs"], _encoding(array.dtype))
            for name, about in header["variables"].items()
            for array in [array_of(stored, _PREFIX + name)]
        }
    coords = {name: variables.pop(name) for name in header["coords"]}
    return xr.Dataset(variables, coords=coords, attrs=header["attrs"])


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise OperandoError(f"{path}: this result can't be read ({error}); delete it and run again.") from error


def _shape_of(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array, from its header."""
    with archive.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(member)
    return shape, dtype


class _Member(BackendArray):
    """One array of a small product, on disk."""

    def __init__(self, path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.path, self.name, self.shape, self.dtype = path, name, shape, dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        with _told(self.path), np.load(self.path, allow_pickle=False) as stored:
            return np.asarray(stored[self.name][key])


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
