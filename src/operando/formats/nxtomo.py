"""NXtomo: HDF5 with an image key for each frame, as Diamond, ESRF, SOLEIL and BESSY write it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.formats import _hdf5, _lazy, _times
from operando.model.clock import NOT_A_TIME
from operando.model.errors import BrokenFileError
from operando.model.products.raw import DARK, FLAT, PROJECTION, SCAN
from operando.model.reading import Kind, ReadOptions
from operando.model.units import convert

_INVALID = 3
"""NXtomo's key for a frame that is not to be used."""
NAME = "nxtomo"
TITLE = "NXtomo (HDF5: image_key, rotation_angle; virtual datasets and external links)"
KIND: Kind = "tomography"
EXTENSIONS = (".nxs", ".nx", ".h5", ".hdf5", ".hdf")


@dataclass
class _Frames:
    """The frames of one scan while they are put together."""

    path: Path
    entry: Any
    detector: Any
    count: int
    warnings: list[str] = field(default_factory=list)

    def per_frame(self, dataset: Any) -> np.ndarray:
        """A dataset with one value a frame; a single value is repeated."""
        values = np.asarray(_hdf5.values(dataset)).ravel()
        if values.size == 1:
            return np.repeat(values, self.count)
        if values.size != self.count:
            raise BrokenFileError(
                self.path,
                f"{dataset.name} has {values.size} values for {self.count} frames",
                "the writer stopped half way; leave the file out",
            )
        return values


def sniff(path: Path, head: bytes) -> bool:
    """HDF5 with an entry that says it is NXtomo, or that has frames with an image key."""
    names = _hdf5.top_groups(path, head)
    if names is None:
        return path.suffix.lower() in {".nxs", ".nx"}
    if "NXtomo" in names:
        return True
    if not any(name.endswith("/instrument") for name in names):
        return False
    with _hdf5.open_hdf5(path) as file:
        return any(_detector(entry) is not None for _, entry in _hdf5.groups(file))


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read a scan as a SCAN product; the frames stay in the file until they are indexed.

    Angles without a unit are degrees. Times are those of the sample frames where the detector has frame times,
    else the entry's start and end. Raises ``BrokenFileError`` for arrays that don't fit together and for missing
    sources of virtual or linked data.
    """
    with _hdf5.open_hdf5(path) as file:
        frames = _frames(path, file)
        data = _data(frames)
        keys = _image_keys(frames)
        angles = _angles(frames, keys)
        middle, start, end = _exposure(frames, keys, options)
        optional: dict[str, Any] = {
            "frame_time": middle,
            "ring_current": _ring_current(frames),
            "pixel_size": _pixel_size(frames, options),
        }
        parts = [_lazy.Hdf5Part.of(path, data)]
        scan = SCAN.new(
            counts=_lazy.lazy(parts),
            image_key=keys,
            rotation_angle=angles,
            start=start,
            end=end,
            attrs={"format": NAME, "warnings": frames.warnings, **_title(frames)},
            **{name: values for name, values in optional.items() if values is not None},
        )
        return _lazy.described(scan, "counts", parts)


def _detector(entry: Any) -> Any:
    """The detector whose frames have an image key, or ``None``."""
    instrument = _hdf5.node(entry, "instrument")
    if instrument is None or not hasattr(instrument, "keys"):
        return None
    with_keys = [g for _, g in _hdf5.groups(instrument) if _hdf5.first(g, "image_key", "image_key_control") is not None]
    return with_keys[0] if with_keys else None


def _frames(path: Path, file: Any) -> _Frames:
    candidates = [group for _, entry in _hdf5.groups(file) for group in (entry, *(g for _, g in _hdf5.groups(entry)))]
    with_frames = [group for group in candidates if _detector(group) is not None]
    if not with_frames:
        raise BrokenFileError(path, "no instrument/detector has an image_key", "write one, or leave the file out")
    # Diamond's files have the raw scan around the NXtomo sub-entry, with an image_key of its own.
    entries = [group for group in with_frames if _is_nxtomo(group)] or with_frames
    entry, detector = entries[0], _detector(entries[0])
    frames = _Frames(path, entry, detector, 0)
    if len({group.name for group in entries}) > 1:
        frames.warnings.append(f"{len(entries)} scans in one file; only {entry.name} is read.")
    return frames


def _is_nxtomo(entry: Any) -> bool:
    definition = _hdf5.first(entry, "definition")
    return definition is not None and _hdf5.text(definition).strip() == "NXtomo"


def _data(frames: _Frames) -> Any:
    """The stack of frames, checked; sets the number of frames."""
    found = _hdf5.first(frames.detector, "data")
    data = found if found is not None else _hdf5.first(frames.entry, "data/data")
    if data is None:
        data = _hdf5.required_array(frames.detector, "data", frames.path)
    if data.ndim != 3 or 0 in data.shape or data.dtype.kind not in "uif":
        found = f"{data.name} is {data.dtype} of shape {data.shape}, not a stack of frames"
        raise BrokenFileError(frames.path, found, "leave the file out")
    _hdf5.check_sources(data, frames.path)
    frames.count = _hdf5.frame_count(data, frames.path)
    return data


def _image_keys(frames: _Frames) -> np.ndarray:
    given = frames.per_frame(_hdf5.first(frames.detector, "image_key_control", "image_key")).astype(float)
    keys = np.where(np.abs(given) <= np.iinfo(np.int8).max, given, _INVALID).astype(np.int8)
    if not (keys == PROJECTION).any():
        raise BrokenFileError(frames.path, "image_key marks no frame as a projection", "leave the file out")
    others = int((~np.isin(keys, (PROJECTION, FLAT, DARK))).sum())
    if others:
        frames.warnings.append(f"{others} frames are alignment or invalid by image_key; not used.")
    for key, name in ((FLAT, "flat"), (DARK, "dark")):
        if not (keys == key).any():
            frames.warnings.append(f"the scan has no {name} field.")
    return keys


def _angles(frames: _Frames, keys: np.ndarray) -> np.ndarray:
    dataset = _hdf5.first(frames.entry, "sample/rotation_angle", "data/rotation_angle")
    if dataset is None:
        dataset = _hdf5.required_array(frames.entry, "sample/rotation_angle", frames.path)
    given, said = _hdf5.angles_rad(dataset, frames.path)
    frames.warnings += said
    projections = keys == PROJECTION
    if given.size == int(projections.sum()) != frames.count:
        angles = np.full(frames.count, np.nan)
        angles[projections] = given
    else:
        frames.per_frame(dataset)
        angles = np.broadcast_to(given, (frames.count,)).copy()
    lost = int((~np.isfinite(angles[projections])).sum())
    if lost:
        raise BrokenFileError(frames.path, f"{dataset.name} is not a number for {lost} projections", "leave it out")
    return angles


def _exposure(
    frames: _Frames, keys: np.ndarray, options: ReadOptions
) -> tuple[np.ndarray | None, np.datetime64, np.datetime64]:
    """Middle of each frame (or ``None``), start and end of the sample frames."""
    begins, ends = _frame_limits(frames, options)
    if begins is None or ends is None:
        entry = frames.entry
        return None, _moment(frames, entry, "start_time", options), _moment(frames, entry, "end_time", options)
    projections = keys == PROJECTION
    steps = np.diff(begins[projections]).astype("int64")
    if (steps < 0).any():
        frames.warnings.append(f"frame times go back in time {int((steps < 0).sum())} times.")
    return begins + (ends - begins) // 2, np.min(begins[projections]), np.max(ends[projections])


def _frame_limits(frames: _Frames, options: ReadOptions) -> tuple[np.ndarray | None, np.ndarray | None]:
    begin = _frame_times(frames, ("start_time", "frame_start_time", "timestamp", "time_stamp"), options)
    if begin is None or np.isnat(begin).all():
        return None, None
    end = _frame_times(frames, ("stop_time", "frame_stop_time"), options)
    if end is None:
        exposure = _hdf5.first(frames.detector, "count_time", "exposure_time")
        seconds = np.zeros(frames.count) if exposure is None else _seconds(frames, exposure)
        end = begin + np.rint(seconds * 1e9).astype("int64").astype("timedelta64[ns]")
    return begin, end


def _frame_times(frames: _Frames, names: tuple[str, ...], options: ReadOptions) -> np.ndarray | None:
    dataset = next(
        (d for group in _detectors(frames) if (d := _per_frame_times(frames, group, names)) is not None), None
    )
    if dataset is None:
        return None
    if dataset.dtype.kind not in "uif":
        return np.array(
            [_parse(frames, _hdf5.text(t), options) for t in np.ravel(_hdf5.values(dataset))], "datetime64[ns]"
        )
    seconds = _seconds(frames, dataset)
    if np.nanmin(seconds) > 1e8:  # Later than 1973: seconds since 1970, as EPICS and BLISS write.
        return _times.after(np.datetime64(0, "ns"), seconds)
    return _times.after(_reference(frames, dataset, options), seconds)


def _detectors(frames: _Frames) -> list[Any]:
    """The detector, and those of the raw scan around a sub-entry, where Diamond keeps the frame times."""
    around = _hdf5.node(frames.entry.parent, "instrument") if frames.entry.parent.name != "/" else None
    return [frames.detector, *([] if around is None else [group for _, group in _hdf5.groups(around)])]


def _per_frame_times(frames: _Frames, group: Any, names: tuple[str, ...]) -> Any:
    dataset = _hdf5.first(group, *names)
    if dataset is None or dataset.size != frames.count or (frames.count == 1 and dataset.dtype.kind not in "uif"):
        return None
    return dataset


def _reference(frames: _Frames, dataset: Any, options: ReadOptions) -> np.datetime64:
    start = dataset.attrs.get("start")
    if start is not None:
        return _parse(frames, _hdf5.text(start), options)
    return _moment(frames, frames.entry, "start_time", options)


def _seconds(frames: _Frames, dataset: Any) -> np.ndarray:
    named = _hdf5.unit(dataset) or "s"
    values = frames.per_frame(dataset).astype(float)
    try:
        return values * float(convert(1.0, named, "duration"))
    except (TypeError, AttributeError, ValueError):
        raise BrokenFileError(frames.path, f"{dataset.name} is in {named!r}, which is no time", "correct it") from None


def _moment(frames: _Frames, group: Any, name: str, options: ReadOptions) -> np.datetime64:
    dataset = _hdf5.first(group, name)
    return NOT_A_TIME if dataset is None else _parse(frames, _hdf5.text(dataset), options)


def _parse(frames: _Frames, written: str, options: ReadOptions) -> np.datetime64:
    moment = _times.parse_moment(written)
    if moment is None and written.strip():
        frames.warnings.append(f"the time {written!r} can't be read; taken as unknown.")
    return _times.to_time(moment, options, str(frames.path))


def _ring_current(frames: _Frames) -> np.ndarray | None:
    """The machine's current in mA, from the source or from a monitor that is in amperes."""
    dataset = _hdf5.first(frames.entry, "instrument/source/current", "control/data")
    if dataset is None or dataset.dtype.kind not in "uif":
        return None
    named = _hdf5.unit(dataset)
    try:
        factor = float(convert(1.0, named or "", "current"))
    except (TypeError, AttributeError, ValueError):
        frames.warnings.append(f"{dataset.name} is in {named!r}, not in amperes; not used as ring current.")
        return None
    current = frames.per_frame(dataset).astype(float) * factor
    if not (np.isfinite(current).all() and (current > 0).all()):
        frames.warnings.append(f"{dataset.name} is {np.nanmin(current):g} mA in some frame; not used as ring current.")
        return None
    return current


def _pixel_size(frames: _Frames, options: ReadOptions) -> float | None:
    """Pixel size at the sample in µm: the sample's own entry, else the detector's over the magnification."""
    at_sample = _hdf5.first(frames.entry, "sample/x_pixel_size", "instrument/detector/sample_x_pixel_size")
    if at_sample is not None and _is_number(at_sample):
        return _hdf5.length_um(at_sample, frames.path)
    dataset = _hdf5.first(frames.detector, "x_pixel_size")
    if dataset is None or not _is_number(dataset):
        if dataset is not None:
            frames.warnings.append(f"{dataset.name} is {_hdf5.text(dataset)[:40]!r}, no length; not used.")
        return options.pixel_size_um
    size = _hdf5.length_um(dataset, frames.path)
    magnification = _hdf5.first(frames.detector, "magnification")
    factor = 1.0 if magnification is None else float(np.ravel(_hdf5.values(magnification))[0])
    if factor not in {0.0, 1.0} and np.isfinite(factor):
        frames.warnings.append(
            f"x_pixel_size {size:.4g} um divided by magnification {factor:g}: {size / factor:.4g} um at the sample."
        )
        return size / factor
    return size


def _is_number(dataset: Any) -> bool:
    return dataset.dtype.kind in "uif" and dataset.size > 0 and bool(np.isfinite(np.ravel(_hdf5.values(dataset))[0]))


def _title(frames: _Frames) -> dict[str, str]:
    title = _hdf5.first(frames.entry, "title", "sample/name")
    return {} if title is None else {"title": _hdf5.text(title)}
