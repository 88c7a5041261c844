"""Volumes in the formats that other programs open, slab by slab, each written whole or not at all."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import xarray as xr

from operando.model.errors import ConfigurationError
from operando.pipeline import arrays

SLAB_ROWS = 64


def write_volume(volume: xr.DataArray, output: Path) -> Path:
    """Write a volume (z, y, x), lazy or not; see ``write_slabs``."""
    starts = range(0, volume.sizes["z"], SLAB_ROWS)
    return write_slabs((volume.isel(z=slice(start, start + SLAB_ROWS)) for start in starts), volume.sizes["z"], output)


def write_slabs(slabs: Iterable[xr.DataArray], rows: int, output: Path) -> Path:
    """Write slabs (z, y, x) that come in order, ``rows`` rows in all, all but the last of one height.

    The ending of ``output`` chooses the format (.ome.zarr, .tif, .h5, .nxs), none means OME-Zarr.
    Raises ``ConfigurationError`` for an ending nobody knows, before the first slab is asked for.
    """
    output = output if output.suffix else output.with_name(f"{output.name}.ome.zarr")
    if output.suffix not in _WRITERS:
        raise ConfigurationError(f"{output}: unknown ending {output.suffix!r}; use .ome.zarr, .tif or .h5.")
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.partial")
    pieces = iter(slabs)
    first = next(pieces)
    _WRITERS[output.suffix](first, chain([first], pieces), rows, temporary)
    if output.is_dir():
        shutil.rmtree(output)
    os.replace(temporary, output)
    return output


Writer = Callable[[xr.DataArray, Iterator[xr.DataArray], int, Path], None]


def _write_ome_zarr(first: xr.DataArray, slabs: Iterator[xr.DataArray], rows: int, path: Path) -> None:
    height = -(-first.sizes["z"] // arrays.ALIGNMENT) * arrays.ALIGNMENT
    layout = arrays.Layout(rows, height, "z", None)
    arrays.create(path, first.to_dataset(name="mu"), layout, "")
    start = 0
    for slab in slabs:
        arrays.write_slab(path, start, slab.to_dataset(name="mu"), layout)
        start += slab.sizes["z"]


def _voxel_um(slab: xr.DataArray) -> float | None:
    if slab.attrs.get("units") != "1/cm" or "x" not in slab.coords or slab.sizes["x"] < 2:
        return None
    return float(slab["x"][1] - slab["x"][0])


def _write_tiff(first: xr.DataArray, slabs: Iterator[xr.DataArray], rows: int, path: Path) -> None:
    import tifffile

    voxel = _voxel_um(first)
    metadata = {"axes": "ZYX", "unit": "um", "spacing": voxel} if voxel else {"axes": "ZYX"}
    tifffile.imwrite(
        path,
        (plane for slab in slabs for plane in np.asarray(slab.values, dtype=np.float32)),
        shape=(rows, *first.shape[1:]),
        dtype=np.float32,
        imagej=True,
        metadata=metadata,
        resolution=(1 / voxel, 1 / voxel) if voxel else None,
    )


def _write_hdf5(first: xr.DataArray, slabs: Iterator[xr.DataArray], rows: int, path: Path) -> None:
    """A NeXus file: NXentry / NXdata with the axes in µm."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs.update(NX_class="NXentry", default="volume")
        group = entry.create_group("volume")
        group.attrs.update(NX_class="NXdata", signal="mu", axes=["z", "y", "x"])
        data = group.create_dataset("mu", (rows, *first.shape[1:]), "f4", chunks=(1, *first.shape[1:]))
        data.attrs["units"] = first.attrs.get("units", "")
        height = group.create_dataset("z", (rows,), "f8")
        start = 0
        for slab in slabs:
            stop = start + slab.sizes["z"]
            data[start:stop], height[start:stop] = slab.values, slab["z"].values
            start = stop
        for axis in ("z", "y", "x"):
            if axis != "z":
                group[axis] = first[axis].values
            group[axis].attrs["units"] = first[axis].attrs.get("units", "um")


_WRITERS: dict[str, Writer] = {
    ".zarr": _write_ome_zarr,
    ".tif": _write_tiff,
    ".tiff": _write_tiff,
    ".h5": _write_hdf5,
    ".nxs": _write_hdf5,
}
