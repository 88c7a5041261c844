"""Volumes in the formats that other programs open, each written whole or not at all."""

import os
from pathlib import Path

import numpy as np
import xarray as xr

from operando.model.errors import ConfigurationError
from operando.pipeline import arrays

SLAB_ROWS = 64


def write_volume(volume: xr.DataArray, output: Path) -> Path:
    """Write a volume (z, y, x); the ending of ``output`` chooses the format, none means OME-Zarr.

    Raises ``ConfigurationError`` for an ending nobody knows.
    """
    writers = {
        ".zarr": _write_ome_zarr,
        ".tif": _write_tiff,
        ".tiff": _write_tiff,
        ".h5": _write_hdf5,
        ".nxs": _write_hdf5,
    }
    if output.suffix in {"", ".zarr"}:
        output = output if output.suffix == ".zarr" else output.with_name(output.name + ".ome.zarr")
    elif output.suffix not in writers:
        raise ConfigurationError(f"{output}: unknown ending {output.suffix!r}; use .ome.zarr, .tif or .h5.")
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.partial")
    writers[output.suffix](volume, temporary)
    if output.is_dir():
        import shutil

        shutil.rmtree(output)
    os.replace(temporary, output)
    return output


def _write_ome_zarr(volume: xr.DataArray, path: Path) -> None:
    dataset = volume.to_dataset(name=volume.name or "mu")
    layout = arrays.Layout(volume.sizes["z"], SLAB_ROWS, "z", None)
    for start in range(0, volume.sizes["z"], SLAB_ROWS):
        slab = dataset.isel(z=slice(start, start + SLAB_ROWS))
        if start == 0:
            arrays.create(path, slab, layout, "")
        arrays.write_slab(path, start, slab, layout)


def _voxel_um(volume: xr.DataArray) -> float | None:
    if volume.attrs.get("units") != "1/cm" or "x" not in volume.coords or volume.sizes["x"] < 2:
        return None
    return float(volume["x"][1] - volume["x"][0])


def _write_tiff(volume: xr.DataArray, path: Path) -> None:
    import tifffile

    voxel = _voxel_um(volume)
    metadata = {"axes": "ZYX", "unit": "um", "spacing": voxel} if voxel else {"axes": "ZYX"}
    planes = (np.asarray(volume[z].values, dtype=np.float32) for z in range(volume.sizes["z"]))
    tifffile.imwrite(
        path,
        planes,
        shape=volume.shape,
        dtype=np.float32,
        imagej=True,
        metadata=metadata,
        resolution=(1 / voxel, 1 / voxel) if voxel else None,
    )


def _write_hdf5(volume: xr.DataArray, path: Path) -> None:
    """A NeXus file: NXentry / NXdata with the axes in µm."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs.update(NX_class="NXentry", default="volume")
        group = entry.create_group("volume")
        group.attrs.update(NX_class="NXdata", signal="mu", axes=["z", "y", "x"])
        data = group.create_dataset("mu", volume.shape, "f4", chunks=(1, *volume.shape[1:]))
        data.attrs["units"] = volume.attrs.get("units", "")
        for z in range(volume.sizes["z"]):
            data[z] = volume[z].values
        for axis in ("z", "y", "x"):
            if axis in volume.coords:
                group[axis] = volume[axis].values
                group[axis].attrs["units"] = volume[axis].attrs.get("units", "um")
