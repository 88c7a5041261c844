"""Reconstructed volumes in TIFF: one file with many pages, or a folder with one slice a file."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.formats import _lazy, _tiff
from operando.model.clock import NOT_A_TIME
from operando.model.errors import BrokenFileError
from operando.model.products.raw import RAW_VOLUME
from operando.model.reading import Kind, ReadOptions

NAME = "tiff_volume"
TITLE = "reconstructed volume in TIFF (one file, or a folder of slices)"
KIND: Kind = "volume"
EXTENSIONS = (".tif", ".tiff")
FALLBACK = True

_MICROMETRES = {"um": 1.0, "µm": 1.0, "\\u00b5m": 1.0, "micron": 1.0, "microns": 1.0, "mm": 1e3, "cm": 1e4, "nm": 1e-3}


def sniff(path: Path, head: bytes) -> bool:
    """A TIFF file, or a folder with several."""
    return len(_tiff.tiff_files(path)) > 1 if path.is_dir() else _tiff.is_tiff(head)


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the volume as a RAW_VOLUME product; slices stay in their files until they are indexed.

    The voxel size is ImageJ's or OME's where the file has one, else the configured pixel size. Raises
    ``BrokenFileError`` for a single image or slices of different sizes.
    """
    files = _tiff.tiff_files(path) if path.is_dir() else [path]
    if not files:
        raise BrokenFileError(path, "the folder has no TIFF files", "check the path")
    stacks = _tiff.parts(files)
    if sum(stack.shape[0] for stack in stacks) < 2 or len({stack.shape[1:] for stack in stacks}) > 1:
        found = f"it holds images of {', '.join(str(stack.shape) for stack in stacks[:4])}, no volume"
        raise BrokenFileError(path, found, "give all slices of one size")
    size = _voxel_size(files[0])
    optional: dict[str, Any] = {"voxel_size": options.pixel_size_um if size is None else size}
    return RAW_VOLUME.new(
        grey=_lazy.lazy(stacks),
        start=NOT_A_TIME,
        end=NOT_A_TIME,
        attrs={"format": NAME, "warnings": []},
        **{name: value for name, value in optional.items() if value is not None},
    )


def _voxel_size(path: Path) -> float | None:
    """Edge of a pixel in µm, only where the file names a unit: bare resolutions are printers' dots."""
    with _tiff.open_tiff(path) as tif:
        if tif.is_ome and tif.ome_metadata:
            return _of_ome(tif.ome_metadata)
        unit = str((tif.imagej_metadata or {}).get("unit", "")).lower() if tif.is_imagej else ""
        tag = tif.pages.first.tags.get("XResolution")
        if unit not in _MICROMETRES or tag is None:
            return None
        pixels, units = tag.value
        return _MICROMETRES[unit] * units / pixels if pixels else None


def _of_ome(metadata: str) -> float | None:
    import re

    size = re.search(r'PhysicalSizeX="([0-9.eE+-]+)"', metadata)
    unit = re.search(r'PhysicalSizeXUnit="([^"]+)"', metadata)
    factor = _MICROMETRES.get(unit[1] if unit else "um")
    value = float(size[1]) if size and factor else float("nan")
    return value * (factor or 1.0) if np.isfinite(value) and value > 0 else None
