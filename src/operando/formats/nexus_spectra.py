"""NeXus (HDF5) energy-dispersive spectra: an NXentry with an NXdetector whose last dimension is the channel.

The tree that is read::

    entry                       NXentry; start_time, end_time (ISO 8601)
      title
      instrument/detector       NXdetector
        data                    (spectrum, element, channel), (element, channel) or (channel)
        live_time, real_time    (spectrum, element), (element), or one number; s. Also count_time for real_time
        start_time              (spectrum) ISO 8601, or s since its attribute ``start`` or the entry's start_time
        energy_coefficients     (element, order), keV per channel^order; or
        energy                  (channel) or (element, channel): energy of each channel
        polar_angle             (element) 2θ; also two_theta
        azimuthal_angle         (element)
      instrument/source/current (spectrum) or one number
"""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.formats import _hdf5, _spectra, _times
from operando.model.errors import BrokenFileError
from operando.model.reading import Kind, ReadOptions
from operando.model.units import CANONICAL, convert

NAME = "nexus_spectra"
TITLE = "NeXus energy-dispersive spectra (HDF5: instrument/detector/data, live_time, energy)"
KIND: Kind = "diffraction"
EXTENSIONS = (".nxs", ".nx", ".h5", ".hdf5", ".hdf")

_MARKS = ("live_time", "energy_coefficients", "energy", "real_time")
_MAX_BYTES = 4 * 2**30
_QUADRATIC_RESIDUAL = 0.1


def sniff(path: Path, head: bytes) -> bool:
    """HDF5 with an entry whose detector has data, no image key, and live times or energies."""
    names = _hdf5.top_groups(path, head)
    if names is None or not any(name.endswith("/instrument") for name in names):
        return False
    with _hdf5.open_hdf5(path) as file:
        return _find(file) is not None


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the spectra as a SPECTRA product.

    Energies given for each channel are turned into a quadratic; where it misses them by more than 0.1 channel a
    warning says so. Raises ``BrokenFileError`` for arrays that don't fit together.
    """
    with _hdf5.open_hdf5(path) as file:
        found = _find(file)
        if found is None:
            raise BrokenFileError(path, "no instrument/detector has data with live times or energies", "write them")
        entry, detector = found
        return _read(path, entry, detector, options)


def _find(file: Any) -> tuple[Any, Any] | None:
    """The first entry and detector that hold spectra."""
    for _, entry in _hdf5.groups(file):
        instrument = _hdf5.node(entry, "instrument")
        if instrument is None or not hasattr(instrument, "keys"):
            continue
        for _, detector in _hdf5.groups(instrument):
            spectra = _hdf5.first(detector, "data", "counts")
            if spectra is None or "image_key" in detector or "image_key_control" in detector:
                continue
            if any(_hdf5.first(detector, mark) is not None for mark in _MARKS):
                return entry, detector
    return None


def _read(path: Path, entry: Any, detector: Any, options: ReadOptions) -> xr.Dataset:
    warnings: list[str] = []
    counts = _counts(path, detector)
    spectra, elements, channels = counts.shape
    live = _quantity(path, detector, (spectra, elements), "duration", "live_time", "elapsed_live_time")
    real = _quantity(path, detector, (spectra, elements), "duration", "real_time", "elapsed_real_time", "count_time")
    optional: dict[str, Any] = {}
    current = _hdf5.first(entry, "instrument/source/current")
    if current is not None and _hdf5.unit(current):
        optional["ring_current"] = _values(path, current, (spectra,), "current")
    azimuth = _hdf5.first(detector, "azimuthal_angle", "azimuth")
    if azimuth is not None:
        optional["azimuth"] = _values(path, azimuth, (elements,), "diffraction_angle")
    title = _hdf5.first(entry, "title")
    return _spectra.build(
        path,
        counts,
        options,
        live_time=live,
        real_time=real,
        start=_starts(path, entry, detector, spectra, options, warnings),
        energy_coefficients=_coefficients(path, detector, elements, channels, warnings),
        two_theta=_quantity(path, detector, (elements,), "diffraction_angle", "two_theta", "polar_angle"),
        warnings=warnings,
        attrs={"format": NAME, **({} if title is None else {"title": _hdf5.text(title)})},
        **optional,
    )


def _counts(path: Path, detector: Any) -> np.ndarray:
    dataset = _hdf5.first(detector, "data", "counts")
    if dataset.ndim not in {1, 2, 3} or not dataset.size or dataset.dtype.kind not in "uif":
        found = f"{dataset.name} is {dataset.dtype} of shape {dataset.shape}, not (spectrum, element, channel)"
        raise BrokenFileError(path, found, "leave the file out")
    if dataset.size * dataset.dtype.itemsize > _most_bytes(dataset):
        raise BrokenFileError(path, f"{dataset.name} of shape {dataset.shape} is too big for spectra", "split the file")
    _hdf5.check_sources(dataset, path)
    return np.asarray(dataset[()]).reshape((1,) * (3 - dataset.ndim) + dataset.shape)


def _most_bytes(dataset: Any) -> int:
    """What a dataset may hold: a claim far beyond the bytes that are stored is none of spectra."""
    stored = _MAX_BYTES if dataset.is_virtual else 1000 * dataset.id.get_storage_size()
    return min(_MAX_BYTES, _hdf5.MOST_BYTES + stored)


def _quantity(path: Path, group: Any, shape: tuple[int, ...], quantity: str, *names: str) -> np.ndarray:
    """A dataset by any of its names in our unit and ``shape``; NaN where it is not there."""
    dataset = _hdf5.first(group, *names)
    return np.full(shape, np.nan) if dataset is None else _values(path, dataset, shape, quantity)


def _values(path: Path, dataset: Any, shape: tuple[int, ...], quantity: str) -> np.ndarray:
    """The numbers of a dataset, converted to our unit and repeated to ``shape``."""
    if dataset.dtype.kind not in "uif":
        raise BrokenFileError(path, f"{dataset.name} is {dataset.dtype}, not numbers", "leave the file out")
    values = np.asarray(_hdf5.values(dataset), float) * _factor(path, dataset, quantity)
    if values.ndim == 1 and len(shape) == 2 and values.size == shape[0] != shape[1]:
        values = values[:, np.newaxis]
    try:
        return np.broadcast_to(values, shape).copy()
    except ValueError:
        raise BrokenFileError(path, f"{dataset.name} has shape {values.shape}, needed {shape}", "mend it") from None


def _factor(path: Path, dataset: Any, quantity: str) -> float:
    """What one of the dataset's units is in ours, which is also meant where it names none."""
    named = _hdf5.unit(dataset) or CANONICAL[quantity]
    try:
        return float(convert(1.0, named, quantity))
    except (TypeError, AttributeError, ValueError):
        raise BrokenFileError(path, f"{dataset.name} is in {named!r}", f"give its {quantity} a fitting unit") from None


def _coefficients(path: Path, detector: Any, elements: int, channels: int, warnings: list[str]) -> np.ndarray:
    given = _hdf5.first(detector, "energy_coefficients")
    if given is not None:
        values = np.atleast_2d(np.asarray(_hdf5.values(given), float))
        if values.shape[0] not in {1, elements} or values.ndim != 2:
            raise BrokenFileError(path, f"{given.name} has shape {values.shape} for {elements} elements", "mend it")
        factor = _factor(path, given, "energy")
        return np.broadcast_to(values * factor, (elements, values.shape[1])).copy()
    energy = _hdf5.first(detector, "energy")
    if energy is None:
        return np.full((elements, 3), np.nan)
    axes = _values(path, energy, (elements, channels), "energy")
    return np.array([_quadratic(axis, energy.name, warnings) for axis in axes])


def _quadratic(energy: np.ndarray, name: str, warnings: list[str]) -> np.ndarray:
    """Coefficients of the parabola through the channels' energies."""
    channel = np.arange(energy.size, dtype=float)
    order = min(2, energy.size - 1)
    fitted = np.polynomial.polynomial.polyfit(channel, energy, order)
    missed = np.abs(np.polynomial.polynomial.polyval(channel, fitted) - energy).max()
    width = abs(energy[-1] - energy[0]) / max(energy.size - 1, 1)
    if missed > _QUADRATIC_RESIDUAL * width:
        warnings.append(f"{name} is no parabola of the channel: missed by up to {missed:.3g} keV.")
    return np.pad(fitted, (0, 2 - order))


def _starts(
    path: Path, entry: Any, detector: Any, spectra: int, options: ReadOptions, warnings: list[str]
) -> np.ndarray:
    of_entry = _hdf5.first(entry, "start_time")
    begin = np.datetime64("NaT", "ns") if of_entry is None else _moment(path, _hdf5.text(of_entry), options)
    dataset = _hdf5.first(detector, "start_time")
    if dataset is None:
        if spectra > 1:
            warnings.append(f"{spectra} spectra have one start time only; the later ones have none.")
        return np.array([begin] + [np.datetime64("NaT", "ns")] * (spectra - 1))
    if dataset.size != spectra:
        raise BrokenFileError(path, f"{dataset.name} has {dataset.size} times for {spectra} spectra", "mend it")
    if dataset.dtype.kind not in "uif":
        return np.array(
            [_moment(path, _hdf5.text(t), options) for t in np.ravel(_hdf5.values(dataset))], "datetime64[ns]"
        )
    origin = dataset.attrs.get("start")
    if origin is not None:
        begin = _moment(path, _hdf5.text(origin), options)
    return _times.after(begin, _values(path, dataset, (spectra,), "duration"))


def _moment(path: Path, written: str, options: ReadOptions) -> np.datetime64:
    moment = _times.parse_moment(written)
    if moment is None and written.strip():
        raise BrokenFileError(path, f"the time {written!r} can't be read", "write it as 2018-05-04T08:00:00+02:00")
    return _times.to_time(moment, options, str(path))
