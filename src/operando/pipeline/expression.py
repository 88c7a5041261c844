"""What a worker needs to make one product: a small tree of where each input comes from.

The coordinator builds the tree, a worker evaluates it. Products of fused steps have no bytes on disk:
they are computed, slab by slab, when they are read.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, overload

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from operando.model.contract import Contract
from operando.model.step import Step
from operando.pipeline import arrays, codec, raw
from operando.pipeline.steps import known_steps


@dataclass(frozen=True)
class Raw:
    """A raw product."""

    frame: raw.RawFrame


@dataclass(frozen=True)
class Stored:
    """A product in the results folder; ``big`` ones are arrays opened lazily."""

    path: Path
    big: bool
    index: Any
    file: str | None


@dataclass(frozen=True)
class Row:
    """One frame's row of a table made for the whole experiment."""

    table: Stored
    dim: str
    index: int


@dataclass(frozen=True)
class Many:
    """All frames of a product."""

    items: tuple["Source", ...]


@dataclass(frozen=True)
class Fused:
    """A product of a step that is not stored."""

    step: str
    output: int
    arguments: tuple[tuple[str, "Source | Any"], ...]
    index: Any
    file: str | None


Source = Raw | Stored | Row | Many | Fused


def evaluate(source: Any) -> Any:
    """The product (lazy where big), the list of products, or the plain value itself."""
    if isinstance(source, Raw):
        return raw.open_frame(source.frame)
    if isinstance(source, Stored):
        return _labelled(arrays.open_lazily(source.path) if source.big else _small(source.path), source)
    if isinstance(source, Row):
        table = _small(source.table.path)
        return (
            table.sel({source.dim: source.index})
            if source.dim in table.coords
            else table.isel({source.dim: source.index})
        )
    if isinstance(source, Many):
        small = [item for item in source.items if isinstance(item, Stored) and not item.big]
        return _Series(small) if len(small) == len(source.items) else [evaluate(item) for item in source.items]
    if isinstance(source, Fused):
        return _FusedProduct(source).dataset()
    return source


class _Series(Sequence[xr.Dataset]):
    """The small products of all frames, each read when it is asked for: a dataset of a few numbers takes 20 kB.

    What is large in one stays on disk even then: a hundred height maps are gigabytes.
    """

    def __init__(self, items: Sequence[Stored]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, number: int) -> xr.Dataset: ...

    @overload
    def __getitem__(self, number: slice) -> "_Series": ...

    def __getitem__(self, number: int | slice) -> "xr.Dataset | _Series":
        if isinstance(number, slice):
            return _Series(self._items[number])
        item = self._items[number]
        return _labelled(codec.open_lazily(item.path), item)


CACHED_BYTES = 2_000_000


def _small(path: Path) -> xr.Dataset:
    """A small product; each slab asks for it, so that the last ones are kept. Its path is that of its recipe."""
    if not path.exists() or path.stat().st_size > CACHED_BYTES:
        return codec.read(path)
    return _cached(path).copy()


@lru_cache(maxsize=16)
def _cached(path: Path) -> xr.Dataset:
    return codec.read(path)


def call(step: Step[Any, Any], arguments: Mapping[str, Any], rows: slice | None = None) -> tuple[xr.Dataset, ...]:
    """Call a step on evaluated arguments, or on a slab of them; check its outputs against their contracts."""
    halo = step.cut.given(arguments).halo if step.cut else 0
    values = {name: evaluate(value) if rows is None else slab(value, rows, halo) for name, value in arguments.items()}
    made = step(**values)
    outputs = made if isinstance(made, tuple) else (made,)
    checked = tuple(contract.check(output) for contract, output in zip(step.outputs, outputs, strict=True))
    if rows is None:
        return checked
    return tuple(_trimmed(output, contract, rows, halo) for contract, output in zip(step.outputs, checked, strict=True))


def slab(source: Any, rows: slice, halo: int = 0) -> Any:
    """The part of an input that a cut step needs for ``rows``, its halo included."""
    wanted = slice(max(0, rows.start - halo), rows.stop + halo)
    if isinstance(source, Fused) and known_steps()[source.step].cut is not None:
        inner = known_steps()[source.step]
        total = rows_of(source)
        bounded = slice(wanted.start, min(wanted.stop, total))
        return _labelled(call(inner, dict(source.arguments), bounded)[source.output], source)
    product = evaluate(source)
    if not isinstance(product, xr.Dataset):
        return product
    dim = slab_dim(product)
    return product.isel({dim: wanted}) if dim else product


SLAB_DIMS = ("row", "z")


def slab_dim(product: xr.Dataset) -> str | None:
    """The dimension along which a product is cut, if it has one."""
    return next((dim for dim in SLAB_DIMS if dim in product.sizes), None)


def rows_of(source: Any) -> int:
    """Number of rows (raw rows or voxels along z) of a product."""
    if isinstance(source, Fused):
        return max(
            (rows_of(value) for _, value in source.arguments if isinstance(value, Raw | Stored | Fused)), default=0
        )
    if isinstance(source, Raw | Stored):
        product = evaluate(source)
        dim = slab_dim(product)
        return product.sizes[dim] if dim else 0
    return 0


def _trimmed(output: xr.Dataset, contract: Contract, rows: slice, halo: int) -> xr.Dataset:
    """Cut the halo off."""
    if contract.slab is None or halo == 0:
        return output
    before = rows.start - max(0, rows.start - halo)
    count = -(-(rows.stop - rows.start) // contract.coarsening)
    first = before // contract.coarsening
    return output.isel({contract.slab: slice(first, first + count)})


def _labelled(product: xr.Dataset, source: Stored | Fused) -> xr.Dataset:
    product.attrs.update(frame=source.index, file=source.file)
    return product


class _FusedProduct:
    """A fused product as a lazily indexed dataset; the last slab is kept, for its variables are read in turn."""

    def __init__(self, source: Fused) -> None:
        self.source = source
        self.step = known_steps()[source.step]
        self.rows = rows_of(source)
        self._lock = threading.Lock()
        self._last: tuple[tuple[int, int], xr.Dataset] | None = None

    def dataset(self) -> xr.Dataset:
        if self.step.cut is None:
            return _labelled(call(self.step, dict(self.source.arguments))[self.source.output], self.source)
        probe = self.read(0, 1)
        dim = self.step.outputs[self.source.output].slab
        if dim is None:
            raise TypeError(f"{self.step.name} is cut but its product has no slab")
        variables = {name: self._variable(str(name), variable, dim) for name, variable in probe.variables.items()}
        coords = {name: variables.pop(name) for name in list(variables) if name in probe.coords}
        return _labelled(xr.Dataset(variables, coords=coords, attrs=dict(probe.attrs)), self.source)

    def read(self, start: int, stop: int) -> xr.Dataset:
        with self._lock:
            if self._last is None or self._last[0] != (start, stop):
                made = call(self.step, dict(self.source.arguments), slice(start, stop))
                self._last = ((start, stop), made[self.source.output])
            return self._last[1]

    def _variable(self, name: str, probe: xr.Variable, dim: str) -> xr.Variable:
        if dim not in probe.dims:
            return probe
        if probe.dims == (dim,) and name == dim:
            return xr.Variable(dim, np.arange(self.rows), probe.attrs)
        shape = tuple(self.rows if d == dim else size for d, size in zip(probe.dims, probe.shape, strict=True))
        array = _FusedArray(self, name, probe.dims.index(dim), shape, probe.dtype)
        return xr.Variable(probe.dims, indexing.LazilyIndexedArray(array), probe.attrs)


class _FusedArray(BackendArray):
    """One variable of a fused product."""

    def __init__(self, product: _FusedProduct, name: str, axis: int, shape: tuple[int, ...], dtype: Any) -> None:
        self.product, self.name, self.axis, self.shape, self.dtype = product, name, axis, shape, dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        wanted = key[self.axis]
        single = isinstance(wanted, int | np.integer)
        rows = np.atleast_1d(np.arange(self.shape[self.axis])[wanted])
        if rows.size == 0:
            return np.empty(self.shape, self.dtype)[key]
        start, stop = int(rows.min()), int(rows.max()) + 1
        block = self.product.read(start, stop)[self.name].values
        taken = np.take(block, rows - start, axis=self.axis)
        return taken[(*key[: self.axis], 0 if single else slice(None), *key[self.axis + 1 :])]
