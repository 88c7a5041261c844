"""Reconstructed volumes in HDF5: the file's only three-dimensional array, or the one at a known place."""

from pathlib import Path
from typing import Any

import xarray as xr

from operando.formats import _hdf5, _lazy
from operando.model.clock import NOT_A_TIME
from operando.model.errors import BrokenFileError
from operando.model.products.raw import RAW_VOLUME
from operando.model.reading import Kind, ReadOptions

NAME = "hdf5_volume"
TITLE = "reconstructed volume in HDF5 (its only 3-D array, or nabu's, savu's place)"
KIND: Kind = "volume"
EXTENSIONS = (".h5", ".hdf5", ".nxs", ".hdf")
FALLBACK = True

_PLACES = (
    "entry/reconstruction/results/data",
    "entry0000/reconstruction/results/data",
    "entry/final_result_tomo/data",
    "entry/data/data",
    "volume",
    "data",
    "reconstruction",
)
_SIZES = ("voxel_size", "pixel_size", "x_pixel_size")


def sniff(path: Path, head: bytes) -> bool:
    """HDF5 with one array that can be meant."""
    if not head.startswith(_hdf5.SIGNATURE):
        return False
    if _hdf5.top_groups(path, head) is None:
        return path.suffix.lower() in EXTENSIONS
    with _hdf5.open_hdf5(path) as file:
        return _volume(file) is not None


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the volume as a RAW_VOLUME product; voxels stay in the file until they are indexed.

    The voxel size is a neighbour called ``voxel_size`` or ``pixel_size`` with a unit, else the configured pixel size.
    Raises ``BrokenFileError`` where no array can be meant.
    """
    with _hdf5.open_hdf5(path) as file:
        dataset = _volume(file)
        if dataset is None:
            raise BrokenFileError(path, "no three-dimensional array can be meant", "leave only one in the file")
        _hdf5.check_sources(dataset, path)
        size = _hdf5.first(dataset.parent, *_SIZES)
        known = size is not None and _hdf5.unit(size) is not None and size.dtype.kind in "uif"
        voxel = _hdf5.length_um(size, path) if known else options.pixel_size_um
        optional: dict[str, Any] = {} if voxel is None else {"voxel_size": voxel}
        return RAW_VOLUME.new(
            grey=_lazy.lazy([_lazy.Hdf5Part.of(path, dataset)]),
            start=NOT_A_TIME,
            end=NOT_A_TIME,
            attrs={"format": NAME, "warnings": []},
            **optional,
        )


def _volume(file: Any) -> Any:
    """The array at a known place, else the only one in three dimensions, else ``None``."""
    for place in _PLACES:
        dataset = _hdf5.first(file, place)
        if dataset is not None and _is_volume(dataset):
            return dataset
    found = [dataset for dataset in _hdf5.datasets(file) if _is_volume(dataset)]
    return found[0] if len(found) == 1 else None


def _is_volume(item: Any) -> bool:
    shape = getattr(item, "shape", None)
    return shape is not None and len(shape) == 3 and min(shape) > 1 and item.dtype.kind in "uif"
