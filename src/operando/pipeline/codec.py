"""Small products on disk: one npz each, written under a temporary name, synced, then renamed."""

import io
import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.model.clock import TIME_ENCODING
from operando.model.errors import OperandoError
from operando.pipeline.digest import plain, portable

_HEADER = "header"
_PREFIX = "variable."
"""Keeps names of variables apart from those of numpy's own arguments."""


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
    try:
        with np.load(path, allow_pickle=False) as stored:
            header = json.loads(str(stored[_HEADER]))
            variables = {
                name: xr.Variable(about["dims"], array, about["attrs"], _encoding(array))
                for name, about in header["variables"].items()
                for array in [stored[_PREFIX + name]]
            }
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise OperandoError(f"{path}: this result can't be read ({error}); delete it and run again.") from error
    coords = {name: variables.pop(name) for name in header["coords"]}
    return xr.Dataset(variables, coords=coords, attrs=header["attrs"])


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file so that a crash at any instant leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _encoding(array: np.ndarray) -> dict[str, str]:
    return dict(TIME_ENCODING) if np.issubdtype(array.dtype, np.datetime64) else {}
