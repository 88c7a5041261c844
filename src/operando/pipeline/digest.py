"""Digests: what a result was made from. Same digest, not computed again."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from pydantic import BaseModel

EDGE_BYTES = 65536


def of_object(value: Any) -> str:
    """Hex digest of any JSON-like object, parameter model or frozen dataclass."""
    return of_plain(plain(value))


def of_plain(value: Any) -> str:
    """The same of what JSON knows already."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def plain(value: Any) -> Any:
    """Reduce models, dataclasses, paths and tuples to what JSON knows, losslessly."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, xr.Dataset):
        return of_content(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return value.as_posix()
    return value


def of_file(path: Path) -> str:
    """A raw file's identity: size, time of change, hash of its head and tail; a folder's from its members."""
    if path.is_dir():
        members = sorted(member for member in path.rglob("*") if member.is_file())
        return of_object([(m.relative_to(path).as_posix(), m.stat().st_size, m.stat().st_mtime_ns) for m in members])
    state = path.stat()
    digest = hashlib.sha256(f"{state.st_size} {state.st_mtime_ns} ".encode())
    with path.open("rb") as file:
        digest.update(file.read(EDGE_BYTES))
        if state.st_size > EDGE_BYTES:
            file.seek(max(EDGE_BYTES, state.st_size - EDGE_BYTES))
            digest.update(file.read(EDGE_BYTES))
    return digest.hexdigest()[:32]


def portable(array: np.ndarray) -> np.ndarray:
    """Strings at a fixed width: an object array's bytes are addresses, and pickle is not for files."""
    return array.astype(str) if array.dtype.kind in "OT" else array


def of_content(dataset: xr.Dataset) -> str:
    """Digest of a small product's values, names, dimensions and attributes."""
    digest = hashlib.sha256()
    for name in sorted(map(str, dataset.variables)):
        variable = dataset.variables[name]
        values = np.ascontiguousarray(portable(variable.values))
        digest.update(_head(name, variable.dims, values, variable.attrs))
        digest.update(values.tobytes())
    digest.update(_foot(dataset))
    return digest.hexdigest()[:32]


def _head(name: str, dims: tuple[Any, ...], values: np.ndarray, attrs: Any) -> bytes:
    header = [name, list(dims), values.dtype.str, list(values.shape), plain(attrs)]
    return json.dumps(header, sort_keys=True, default=str).encode()


def _foot(dataset: xr.Dataset) -> bytes:
    attrs = {key: value for key, value in dataset.attrs.items() if key not in {"frame", "file"}}
    return json.dumps(plain(attrs), sort_keys=True, default=str).encode()


class Rows:
    """A table of the whole experiment, one row a frame: each with the digest of its content alone.

    It is that of ``of_content(table.sel({dim: number}))``, without a dataset a row: there are thousands.
    """

    def __init__(self, table: xr.Dataset, dim: str) -> None:
        numbers = table[dim].values.tolist() if dim in table.coords else range(table.sizes[dim])
        self._places = {number: place for place, number in enumerate(numbers)}
        self._parts = [_part(name, table.variables[name], dim) for name in sorted(map(str, table.variables))]
        self._foot = _foot(table)

    def digest(self, number: int) -> str | None:
        """Digest of a frame's row, ``None`` where it has none."""
        place = self._places.get(number)
        if place is None:
            return None
        digest = hashlib.sha256()
        for head, values, has_rows in self._parts:
            digest.update(head)
            digest.update(values[place : place + 1].tobytes() if has_rows else values.tobytes())
        digest.update(self._foot)
        return digest.hexdigest()[:32]


def _part(name: str, variable: xr.Variable, dim: str) -> tuple[bytes, np.ndarray, bool]:
    """What is digested of a variable before its values, the values with rows first, and whether it has rows."""
    values, has_rows = portable(variable.values), dim in variable.dims
    if has_rows:
        values = np.moveaxis(values, variable.dims.index(dim), 0)
    row = np.empty(values.shape[1:], values.dtype) if has_rows else values
    dims = tuple(d for d in variable.dims if d != dim)
    return _head(name, dims, np.ascontiguousarray(row), variable.attrs), values, has_rows
