"""Put the small products of all frames into one table along time."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

BLOCK_BYTES = 16_000_000
"""What is larger is put together when it is asked for, and written in blocks of so many bytes."""


def stack(datasets: Sequence[xr.Dataset], dim: str, indices: Sequence[int]) -> xr.Dataset:
    """Concatenate along a new dimension; where frames differ in size, the shorter are padded.

    Padding is NaN, NaT or the empty string: whole numbers and truth values become floating point where
    padding is needed, so that a missing value can't be taken for a real one.

    >>> one, two = xr.Dataset({"d": ("line", [1, 2])}), xr.Dataset({"d": ("line", [3])})
    >>> stack([one, two], "spectrum", [0, 1])["d"].values.tolist()
    [[1.0, 2.0], [3.0, nan]]
    """
    sizes = _largest_sizes(datasets)
    names = dict.fromkeys(name for dataset in datasets for name in dataset.variables if name != dim)
    data: dict[Any, xr.Variable] = {}
    coords: dict[Any, xr.Variable] = {dim: xr.Variable(dim, np.asarray(indices), {"units": "1"})}
    for name in names:
        variables = [dataset.variables.get(name) for dataset in datasets]
        template = next(variable for variable in variables if variable is not None)
        if name in template.dims and _all_equal(variables):
            coords[name] = template
            continue
        shape = tuple(sizes[d] for d in template.dims)
        label = f"{name}_of_frame" if name in template.dims else name
        data[label] = xr.Variable(
            (dim, *template.dims), _stacked(variables, shape, template), template.attrs, template.encoding
        )
    return xr.Dataset(data, coords=coords, attrs=_shared_attrs(datasets))


def _stacked(variables: Sequence[xr.Variable | None], shape: tuple[int, ...], template: xr.Variable) -> Any:
    alike = [v for v in variables if v is not None and v.shape == shape and v.dtype == template.dtype]
    if len(alike) == len(variables) and template.nbytes * len(alike) > BLOCK_BYTES:
        return indexing.LazilyIndexedArray(_Stack(alike))
    return np.stack([_padded(variable, shape, template) for variable in variables])


class _Stack(BackendArray):
    """Arrays of one shape as one, read frame by frame."""

    def __init__(self, variables: Sequence[xr.Variable]) -> None:
        self.variables = variables
        self.shape, self.dtype = (len(variables), *variables[0].shape), variables[0].dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        wanted, rest = np.arange(len(self.variables))[key[0]], key[1:]
        if wanted.ndim == 0:
            return np.asarray(self.variables[int(wanted)][rest].values)
        return np.stack([self.variables[number][rest].values for number in wanted]) if wanted.size else self._none(rest)

    def _none(self, rest: tuple[Any, ...]) -> np.ndarray:
        return np.empty((0, *self.variables[0][rest].shape), self.dtype)


def in_blocks(count: int, total_bytes: int) -> Iterator[slice]:
    """Slices that together cover ``count`` frames, each of at most ``BLOCK_BYTES`` or one frame.

    >>> list(in_blocks(3, 2 * BLOCK_BYTES))
    [slice(0, 1, None), slice(1, 2, None), slice(2, 3, None)]
    """
    step = max(1, BLOCK_BYTES * count // max(total_bytes, 1))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _largest_sizes(datasets: Sequence[xr.Dataset]) -> dict[Any, int]:
    sizes: dict[Any, int] = {}
    for dataset in datasets:
        for name, size in dataset.sizes.items():
            sizes[name] = max(size, sizes.get(name, 0))
    return sizes


def _all_equal(variables: Sequence[xr.Variable | None]) -> bool:
    first = variables[0]
    return first is not None and all(v is not None and v.shape == first.shape and v.equals(first) for v in variables)


def _padded(variable: xr.Variable | None, shape: tuple[int, ...], template: xr.Variable) -> np.ndarray:
    if variable is not None and variable.shape == shape:
        return np.asarray(variable.values)
    kind = template.dtype.kind
    if kind == "M":
        padded: np.ndarray = np.full(shape, np.datetime64("NaT"), dtype="datetime64[ns]")
    elif kind in "UO":
        width = max(template.dtype.itemsize // 4, variable.dtype.itemsize // 4 if variable is not None else 1)
        padded = np.full(shape, "", dtype=f"<U{width}")
    else:
        padded = np.full(shape, np.nan)
    if variable is not None:
        padded[tuple(slice(0, size) for size in variable.shape)] = variable.values
    return padded


def _shared_attrs(datasets: Sequence[xr.Dataset]) -> dict[str, Any]:
    first = dict(datasets[0].attrs)
    return {
        key: value
        for key, value in first.items()
        if key not in {"frame", "file", "warnings"} and all(d.attrs.get(key) == value for d in datasets)
    }
