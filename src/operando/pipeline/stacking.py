"""Put the small products of all frames into one table along time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

BLOCK_BYTES = 4_000_000
"""What is larger is put together when it is asked for, and written in blocks of so many bytes."""
EAGER_BYTES = 4096
"""Larger arrays of a product stay where they are until then."""


def stack(datasets: Iterable[xr.Dataset], dim: str, indices: Sequence[int]) -> xr.Dataset:
    """Concatenate along a new dimension; where frames differ in size, the shorter are padded.

    Padding is NaN, NaT or the empty string: whole numbers and truth values become floating point where
    padding is needed, so that a missing value can't be taken for a real one.

    >>> one, two = xr.Dataset({"d": ("line", [1, 2])}), xr.Dataset({"d": ("line", [3])})
    >>> stack([one, two], "spectrum", [0, 1])["d"].values.tolist()
    [[1.0, 2.0], [3.0, nan]]
    """
    sizes, columns, attrs = _gathered(datasets, dim)
    data: dict[Any, xr.Variable] = {}
    coords: dict[Any, xr.Variable] = {dim: xr.Variable(dim, np.asarray(indices), {"units": "1"})}
    for name in list(columns):
        template, frames = columns.pop(name)  # what is stacked is not held twice
        if name in template.dims and _all_equal(frames):
            coords[name] = template
            continue
        shape = tuple(sizes[d] for d in template.dims)
        label = f"{name}_of_frame" if name in template.dims else name
        data[label] = xr.Variable(
            (dim, *template.dims), _stacked(frames, shape, template), template.attrs, template.encoding
        )
    return xr.Dataset(data, coords=coords, attrs=attrs)


Array = np.ndarray | xr.Variable
"""A bare array, or one that may still lie on disk."""
Column = tuple[xr.Variable, list[Array | None]]
"""The first of a variable, and its values in all frames; ``None`` where a frame has none."""


def _gathered(datasets: Iterable[xr.Dataset], dim: str) -> tuple[dict[Any, int], dict[Any, Column], dict[str, Any]]:
    """The largest sizes, all columns and the common attributes.

    Small values are kept as bare arrays: a dataset a frame would take ten times the memory of what is in it.
    """
    sizes: dict[Any, int] = {}
    columns: dict[Any, Column] = {}
    attrs: dict[str, Any] | None = None
    count = 0
    for place, dataset in enumerate(datasets):
        attrs = _own_attrs(dataset) if attrs is None else {k: v for k, v in attrs.items() if dataset.attrs.get(k) == v}
        sizes |= {name: max(size, sizes.get(name, 0)) for name, size in dataset.sizes.items()}
        for name, variable in dataset.variables.items():
            if name != dim:
                _, frames = columns.setdefault(name, (variable, []))
                frames += [None] * (place - len(frames))
                frames.append(variable.values if variable.nbytes <= EAGER_BYTES else variable)
        count = place + 1
    for _, frames in columns.values():
        frames += [None] * (count - len(frames))
    return sizes, columns, attrs or {}


def _own_attrs(dataset: xr.Dataset) -> dict[str, Any]:
    return {str(key): value for key, value in dataset.attrs.items() if key not in {"frame", "file", "warnings"}}


def _stacked(frames: Sequence[Array | None], shape: tuple[int, ...], template: xr.Variable) -> Any:
    alike = [v for v in frames if v is not None and v.shape == shape and v.dtype == template.dtype]
    if len(alike) == len(frames) and template.nbytes * len(alike) > BLOCK_BYTES:
        return indexing.LazilyIndexedArray(_Stack(alike))
    return np.stack([_padded(frame, shape, template) for frame in frames])


class _Stack(BackendArray):
    """Arrays of one shape as one, read frame by frame."""

    def __init__(self, frames: Sequence[Array]) -> None:
        self.frames = frames
        self.shape, self.dtype = (len(frames), *frames[0].shape), frames[0].dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        wanted, rest = np.arange(len(self.frames))[key[0]], key[1:]
        if wanted.ndim == 0:
            return np.asarray(self.frames[int(wanted)][rest])
        found = [np.asarray(self.frames[number][rest]) for number in wanted]
        return np.stack(found) if found else np.empty((0, *self.frames[0][rest].shape), self.dtype)


def in_blocks(count: int, total_bytes: int) -> Iterator[slice]:
    """Slices that together cover ``count`` frames, each of at most ``BLOCK_BYTES`` or one frame.

    >>> list(in_blocks(3, 2 * BLOCK_BYTES))
    [slice(0, 1, None), slice(1, 2, None), slice(2, 3, None)]
    """
    step = max(1, BLOCK_BYTES * count // max(total_bytes, 1))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _all_equal(frames: Sequence[Array | None]) -> bool:
    first = frames[0]
    return first is not None and all(one is not None and _same(first, one) for one in frames)


def _same(one: Array, other: Array) -> bool:
    """Whether two arrays are equal, missing values too."""
    a, b = np.asarray(one), np.asarray(other)
    return a.shape == b.shape and bool(np.all((a == b) | ((a != a) & (b != b))))


def _padded(frame: Array | None, shape: tuple[int, ...], template: xr.Variable) -> np.ndarray:
    if frame is not None and frame.shape == shape:
        return np.asarray(frame)
    kind = template.dtype.kind
    if kind == "M":
        padded: np.ndarray = np.full(shape, np.datetime64("NaT"), dtype="datetime64[ns]")
    elif kind in "UO":
        width = max(template.dtype.itemsize // 4, frame.dtype.itemsize // 4 if frame is not None else 1)
        padded = np.full(shape, "", dtype=f"<U{width}")
    else:
        padded = np.full(shape, np.nan)
    if frame is not None:
        padded[tuple(slice(0, size) for size in frame.shape)] = np.asarray(frame)
    return padded
