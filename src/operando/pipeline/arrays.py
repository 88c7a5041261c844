"""Big products: one zarr group each, written slab by slab as whole shards, readable by xarray.

A product with dimensions (z, y, x) is also an OME-Zarr 0.5 image (https://ngff.openmicroscopy.org/0.5/):
the full resolution is the variable itself, coarser levels are the groups ``1``, ``2``, ….
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from operando.model.errors import OperandoError
from operando.tomography._threads import over_pieces

CHUNK = (8, 256, 256)
LEVELS = 3
ALIGNMENT = 2**LEVELS
"""Slabs start at multiples of this many raw rows, so that every level's shard belongs to one slab."""


class RangeExceededError(OperandoError):
    """A slab has values outside the range that the stored integers can express; nothing was clipped."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        super().__init__(f"values from {low:.6g} to {high:.6g} do not fit the range chosen for the stored integers")

    def __reduce__(self) -> tuple[type, tuple[float, float]]:
        """Pickle with both numbers."""
        return type(self), (self.low, self.high)


@dataclass(frozen=True)
class Layout:
    """How a product is laid out: rows of it, rows a slab, and for integers the range they express."""

    rows: int
    slab_rows: int
    dim: str
    value_range: tuple[float, float] | None


def create(path: Path, template: xr.Dataset, layout: Layout, digest: str) -> None:
    """Make the empty arrays for a product of which ``template`` is one slab."""
    import zarr

    root = zarr.create_group(store=str(path), overwrite=True, zarr_format=3)
    levels = 0
    for name, variable in template.variables.items():
        shape = _shape(variable, layout.dim, layout.rows)
        image = name in template.data_vars and variable.ndim == 3 and layout.dim in variable.dims
        _create_array(root, str(name), variable, shape, layout, image)
        if image and variable.dims == ("z", "y", "x"):
            levels = _create_levels(root, str(name), variable, shape, layout)
    _write_fixed(root, template, layout)
    root.attrs.update(_plain_attrs(template.attrs) | {"operando_digest": digest})
    _add_image_metadata(root, template, levels)


def write_slab(path: Path, start: int, slab: xr.Dataset, layout: Layout) -> None:
    """Write rows ``start`` … of a product, all levels."""
    import zarr

    root = zarr.open_group(str(path), mode="r+")
    for name, variable in slab.variables.items():
        if layout.dim not in variable.dims:
            continue
        stop = start + variable.sizes[layout.dim]
        values = _encoded(variable.values, layout) if _quantised(variable, layout) else variable.values
        array: Any = root[str(name)]
        array[_region(variable.dims, layout.dim, start, stop)] = values
        if name in slab.data_vars and variable.dims == ("z", "y", "x"):
            _write_levels(root, str(name), values, start)


def open_lazily(path: Path) -> xr.Dataset:
    """Open a product; values are read when they are asked for."""
    try:
        dataset = xr.open_zarr(str(path), chunks=None, consolidated=False, mask_and_scale=False)
    except (OSError, KeyError, ValueError) as error:
        raise OperandoError(f"{path}: this product can't be opened ({error}); delete it and run again.") from error
    for name, variable in dataset.variables.items():
        if "scale_factor" in variable.attrs:
            dataset[name] = _decoded(path, str(name), variable)
    dataset.attrs = {key: value for key, value in dataset.attrs.items() if key not in {"ome", "operando_digest"}}
    return dataset


class _Scaled(BackendArray):
    """Stored integers as float32; xarray's own decoding would make them float64, twice the memory."""

    def __init__(self, path: Path, name: str, shape: tuple[int, ...], scale: float, offset: float) -> None:
        self.path, self.name, self.shape, self.dtype = path, name, shape, np.dtype(np.float32)
        self.scale, self.offset = scale, offset

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        import zarr

        stored: Any = zarr.open_array(str(self.path / self.name), mode="r")
        values = np.asarray(stored[key]).astype(np.float32)
        values *= np.float32(self.scale)
        values += np.float32(self.offset)
        return values


def _decoded(path: Path, name: str, variable: xr.Variable) -> xr.Variable:
    attrs = dict(variable.attrs)
    scale, offset = attrs.pop("scale_factor"), attrs.pop("add_offset")
    array = _Scaled(path, name, variable.shape, scale, offset)
    return xr.Variable(variable.dims, indexing.LazilyIndexedArray(array), attrs)


def widened(value_range: tuple[float, float], low: float, high: float) -> tuple[float, float]:
    """A range that holds both, with one and a half of its width to spare on both sides: noise is far coarser."""
    low, high = min(low, value_range[0]), max(high, value_range[1])
    margin = 1.5 * max(high - low, 1e-6)
    return low - margin, high + margin


def _shape(variable: xr.Variable, dim: str, rows: int) -> tuple[int, ...]:
    return tuple(rows if d == dim else size for d, size in zip(variable.dims, variable.shape, strict=True))


def _quantised(variable: xr.Variable, layout: Layout) -> bool:
    return layout.value_range is not None and variable.ndim == 3 and variable.dtype.kind == "f"


def _scale(layout: Layout) -> tuple[float, float]:
    assert layout.value_range is not None
    low, high = layout.value_range
    return (high - low) / 65535.0, low


def _encoded(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Integers that express ``values``; raises where one does not fit or is not a number."""
    from operando.pipeline._array_kernels import to_integers

    scale, offset = _scale(layout)
    integers, ends = np.empty(values.shape, np.uint16), np.empty((len(values), 2))

    def work(row: int) -> None:
        ends[row] = to_integers(values[row], offset, scale, integers[row])

    over_pieces(work, len(values))
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise OperandoError("the reconstruction has values that are not numbers; look at the scan's raw frames.")
    if low < offset or high > offset + scale * 65535.0:
        raise RangeExceededError(low, high)
    return integers


def _create_array(
    group: Any, name: str, variable: xr.Variable, shape: tuple[int, ...], layout: Layout, image: bool, factor: int = 1
) -> None:
    quantised = _quantised(variable, layout)
    dtype = np.dtype("uint16") if quantised else _stored_dtype(variable)
    attrs = _plain_attrs(variable.attrs)
    if quantised:
        scale, offset = _scale(layout)
        attrs |= {"scale_factor": scale, "add_offset": offset}
    if np.issubdtype(variable.dtype, np.datetime64):
        attrs |= {"units": "nanoseconds since 1970-01-01", "calendar": "proleptic_gregorian"}
    chunks, shards = _chunking(variable.dims, shape, layout, factor) if image else (shape or (), None)
    group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=tuple(max(1, size) for size in chunks),
        shards=shards,
        compressors=_compressor(dtype) if image else "auto",
        attributes=attrs,
        dimension_names=list(map(str, variable.dims)),
        fill_value=0,
        config={"write_empty_chunks": True},
    )


def _compressor(dtype: np.dtype) -> Any:
    """Bits shuffled, then LZ4 for noisy volumes, which nothing makes much smaller, and Zstandard for labels."""
    from zarr.codecs import BloscCodec

    if dtype.itemsize == 1:
        return BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle", typesize=1)
    return BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle", typesize=dtype.itemsize)


def _stored_dtype(variable: xr.Variable) -> np.dtype:
    return np.dtype("int64") if np.issubdtype(variable.dtype, np.datetime64) else variable.dtype


def _chunking(
    dims: tuple[Any, ...], shape: tuple[int, ...], layout: Layout, factor: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Inner chunks, and one shard a slab. The axis that is cut need not be the first."""
    chunks, shards = [], []
    slab = max(1, layout.slab_rows // factor)
    for dim, size, wanted in zip(dims, shape, CHUNK, strict=True):
        if dim == layout.dim:
            chunk = math.gcd(slab, CHUNK[0])
            chunks.append(chunk)
            shards.append(slab)
        else:
            chunk = min(size, max(wanted, CHUNK[1]))
            chunks.append(chunk)
            shards.append(-(-size // chunk) * chunk)
    return tuple(chunks), tuple(shards)


def _create_levels(root: Any, name: str, variable: xr.Variable, shape: tuple[int, ...], layout: Layout) -> int:
    """Coarser levels while they stay larger than 32 voxels."""
    made = 0
    for level in range(1, LEVELS + 1):
        factor = 2**level
        if layout.slab_rows % factor or min(shape[1:]) // factor < 32:
            break
        group = root.require_group(str(level))
        coarse = tuple(-(-size // factor) for size in shape)
        _create_array(group, name, variable, coarse, layout, image=True, factor=factor)
        made = level
    return made


def _write_levels(root: Any, name: str, values: np.ndarray, start: int) -> None:
    for level in range(1, LEVELS + 1):
        if str(level) not in root:
            return
        values = _halved(values)
        first = start // 2**level
        root[str(level)][name][first : first + values.shape[0]] = values


def _halved(values: np.ndarray) -> np.ndarray:
    """Mean of 2 × 2 × 2 voxels (edges padded with themselves); labels take every second voxel."""
    if values.dtype == np.uint8:
        return values[::2, ::2, ::2]
    from operando.pipeline._array_kernels import mean_of_eight

    mean = np.empty([-(-size // 2) for size in values.shape], np.float32)

    def work(plane: int) -> None:
        mean_of_eight(values[2 * plane], values[min(2 * plane + 1, len(values) - 1)], mean[plane])

    over_pieces(work, len(mean))
    return (np.rint(mean, out=mean) if values.dtype.kind in "iu" else mean).astype(values.dtype, copy=False)


def _region(dims: tuple[Any, ...], dim: str, start: int, stop: int) -> tuple[slice, ...]:
    return tuple(slice(start, stop) if d == dim else slice(None) for d in dims)


def _write_fixed(root: Any, template: xr.Dataset, layout: Layout) -> None:
    """Variables that are the same in every slab."""
    for name, variable in template.variables.items():
        if layout.dim not in variable.dims:
            values = variable.values
            root[str(name)][...] = values.view("int64") if np.issubdtype(values.dtype, np.datetime64) else values


def _plain_attrs(attrs: Any) -> dict[str, Any]:
    from operando.pipeline.digest import plain

    return {str(key): plain(value) for key, value in attrs.items() if key not in {"frame", "file"}}


def _add_image_metadata(root: Any, template: xr.Dataset, levels: int) -> None:
    names = [str(name) for name in template.data_vars if template[name].dims == ("z", "y", "x")]
    if not names:
        return
    spacing = [_spacing(template, axis) for axis in ("z", "y", "x")]
    datasets = [
        {
            "path": names[0] if level == 0 else f"{level}/{names[0]}",
            "coordinateTransformations": [
                {"type": "scale", "scale": [s * 2**level for s in spacing]},
                {"type": "translation", "translation": [s * (2**level - 1) / 2 for s in spacing]},
            ],
        }
        for level in range(levels + 1)
    ]
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in ("z", "y", "x")]
    multiscale = {"name": names[0], "axes": axes, "datasets": datasets}
    image: dict[str, Any] = {"version": "0.5", "multiscales": [multiscale]}
    if template[names[0]].dtype == np.uint8:
        image["image-label"] = {}
    root.attrs["ome"] = image


def _spacing(template: xr.Dataset, axis: str) -> float:
    """Voxel size along an axis; along an axis of one voxel that of x."""
    values = template[axis].values if axis in template.coords else np.arange(2.0)
    if values.size < 2:
        values = template["x"].values if "x" in template.coords and template["x"].size > 1 else np.arange(2.0)
    return float(values[1] - values[0])
