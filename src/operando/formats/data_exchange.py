"""DataExchange: HDF5 of the APS, ALS and SLS with ``/exchange/data``, ``data_white``, ``data_dark`` and ``theta``.

Layout: De Carlo et al., J. Synchrotron Rad. 21 (2014) 1224, https://doi.org/10.1107/S160057751401604X.
"""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.formats import _hdf5, _lazy, _times
from operando.model.clock import NOT_A_TIME
from operando.model.errors import BrokenFileError
from operando.model.products.raw import DARK, FLAT, PROJECTION, SCAN
from operando.model.reading import Kind, ReadOptions

NAME = "data_exchange"
TITLE = "DataExchange (HDF5: /exchange/data, data_white, data_dark, theta)"
KIND: Kind = "tomography"
EXTENSIONS = (".h5", ".hdf5", ".hdf")

_BEFORE = {"data_dark": DARK, "data_dark_pre": DARK, "data_white": FLAT, "data_white_pre": FLAT}
_AFTER = {"data_white_post": FLAT, "data_dark_post": DARK}
_PIXEL_SIZES = (
    "measurement/instrument/detection_system/objective/resolution",
    "measurement/instrument/detector/actual_pixel_size",
    "measurement/instrument/detector/actual_pixel_size_x",
)
_STARTS = ("process/acquisition/start_date", "exchange/start_date", "measurement/start_date", "start_date")
_ENDS = ("process/acquisition/end_date", "exchange/end_date", "measurement/end_date", "end_date")


def sniff(path: Path, head: bytes) -> bool:
    """HDF5 with ``/exchange/data``."""
    names = _hdf5.top_groups(path, head)
    return path.suffix.lower() in EXTENSIONS if names is None else "exchange/data" in names


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read a scan as a SCAN product: darks and flats first, then projections, then ``_post`` fields.

    ``theta`` without a unit is in degrees. Without ``theta`` the projections are taken as equally spaced over 180°
    (last one short of it), and a warning says so. Raises ``BrokenFileError`` for shapes that don't fit.
    """
    warnings: list[str] = []
    with _hdf5.open_hdf5(path) as file:
        exchange = _hdf5.required(file, "exchange", path)
        data = _stack(path, _hdf5.required_array(exchange, "data", path), None)
        parts, keys = _parts(path, exchange, data, warnings)
        counts = [_hdf5.frame_count(part, path) for part in parts]
        image_key = np.repeat(np.array(keys, np.int8), counts)
        angles = np.full(image_key.size, np.nan)
        angles[image_key == PROJECTION] = _theta(path, exchange, data.shape[0], warnings)
        size = _pixel_size(path, file, options)
        optional: dict[str, Any] = {} if size is None else {"pixel_size": size}
        scan = SCAN.new(
            counts=_lazy.lazy(parts),
            image_key=image_key,
            rotation_angle=angles,
            start=_moment(path, file, _STARTS, options),
            end=_moment(path, file, _ENDS, options),
            attrs={"format": NAME, "warnings": warnings},
            **optional,
        )
        return _lazy.described(scan, "counts", parts)


def _parts(path: Path, exchange: Any, data: _lazy.Hdf5Part, warnings: list[str]) -> tuple[list[_lazy.Part], list[int]]:
    """The stacks in the order of acquisition as far as it is known, and the image key of each."""
    fields: list[tuple[_lazy.Part, int]] = []
    for name, key in (*_BEFORE.items(), ("data", PROJECTION), *_AFTER.items()):
        if name == "data":
            fields.append((data, key))
        elif (dataset := _hdf5.first(exchange, name)) is not None and dataset.size:
            fields.append((_stack(path, dataset, data.shape[1:]), key))
    for key, kind in ((FLAT, "flat"), (DARK, "dark")):
        if key not in [k for _, k in fields]:
            warnings.append(f"the scan has no {kind} field.")
    return [part for part, _ in fields], [key for _, key in fields]


def _stack(path: Path, dataset: Any, frame: tuple[int, ...] | None) -> _lazy.Hdf5Part:
    """A checked stack of frames; one frame alone counts as a stack of one."""
    shape = (1, *dataset.shape) if dataset.ndim == 2 and frame is not None else dataset.shape
    if len(shape) != 3 or 0 in shape or dataset.dtype.kind not in "uif":
        found = f"{dataset.name} is {dataset.dtype} of shape {dataset.shape}, not a stack of frames"
        raise BrokenFileError(path, found, "leave the file out")
    if frame is not None and shape[1:] != frame:
        found = f"{dataset.name} has frames of {shape[1:]}, the projections are {frame}"
        raise BrokenFileError(path, found, "flat, dark and projections must be of one size")
    axes = dataset.attrs.get("axes")
    if axes is not None and not _hdf5.text(axes).split(":")[0].startswith(("theta", "angle", "rotation", "time")):
        raise BrokenFileError(
            path, f"{dataset.name} has axes {_hdf5.text(axes)!r}", "store the angle as the first axis"
        )
    _hdf5.check_sources(dataset, path)
    return _lazy.Hdf5Part.of(path, dataset, tuple(int(n) for n in shape))


def _theta(path: Path, exchange: Any, count: int, warnings: list[str]) -> np.ndarray:
    dataset = _hdf5.first(exchange, "theta")
    if dataset is None or not dataset.size:
        warnings.append(f"no theta: {count} projections taken as equally spaced, {180 / count:.6g} deg apart.")
        return np.arange(count) * (np.pi / count)
    angles, said = _hdf5.angles_rad(dataset, path)
    warnings += said
    if angles.size != count:
        found = f"theta has {angles.size} values for {count} projections"
        raise BrokenFileError(path, found, "frames were lost; store the angles of those that are there")
    if not np.isfinite(angles).all():
        raise BrokenFileError(path, f"theta is not a number for {(~np.isfinite(angles)).sum()} projections", "mend it")
    return angles


def _pixel_size(path: Path, file: Any, options: ReadOptions) -> float | None:
    dataset = _hdf5.first(file, *_PIXEL_SIZES)
    if dataset is None or dataset.dtype.kind not in "uif":
        return options.pixel_size_um
    if _hdf5.unit(dataset) is None:
        return float(np.ravel(_hdf5.values(dataset))[0])  # The APS writes the resolution in µm when it names no unit.
    return _hdf5.length_um(dataset, path)


def _moment(path: Path, file: Any, names: tuple[str, ...], options: ReadOptions) -> np.datetime64:
    dataset = _hdf5.first(file, *names)
    if dataset is None:
        return NOT_A_TIME
    return _times.to_time(_times.parse_moment(_hdf5.text(dataset)), options, str(path))
