"""NXtomo (https://manual.nexusformat.org/classes/applications/NXtomo.html) with the start of every frame."""

from pathlib import Path

import h5py
import numpy as np

from operando.twin.writers.frames import PROJECTION, Frames


def write(path: Path, frames: Frames) -> Path:
    """Write one scan frame by frame; memory holds one frame at a time."""
    with h5py.File(path, "w", libver="v110") as file:
        file.attrs["default"] = "entry"
        entry = _group(file, "entry", "NXentry")
        entry["definition"] = "NXtomo"
        entry["title"] = frames.title
        sample_time = frames.time[frames.key == PROJECTION]
        entry["start_time"] = _iso(sample_time[0])
        entry["end_time"] = _iso(sample_time[-1] + _ns(frames.exposure_s))
        instrument = _group(entry, "instrument", "NXinstrument")
        _source(instrument, frames)
        _detector(instrument, frames)
        sample = _group(entry, "sample", "NXsample")
        sample["name"] = frames.title
        _quantity(sample, "rotation_angle", frames.angle, "degree")
        _control(entry, frames)
        data = _group(entry, "data", "NXdata")
        data.attrs["signal"] = "data"
        data["data"] = instrument["detector/data"]
        data["rotation_angle"] = sample["rotation_angle"]
        data["image_key"] = instrument["detector/image_key"]
    return path


def _detector(instrument: h5py.Group, frames: Frames) -> None:
    detector = _group(instrument, "detector", "NXdetector")
    detector["image_key"] = frames.key.astype(np.int32)
    _quantity(detector, "x_pixel_size", frames.pixel_um, "um")
    _quantity(detector, "y_pixel_size", frames.pixel_um, "um")
    _quantity(detector, "count_time", np.full(len(frames.key), frames.exposure_s), "s")
    seconds = (frames.time - frames.time[0]).astype("int64") * 1e-9
    for name, values in (("start_time", seconds), ("stop_time", seconds + frames.exposure_s)):
        _quantity(detector, name, values, "s")
        detector[name].attrs["start"] = _iso(frames.time[0])
    data = detector.create_dataset("data", (len(frames.key), *frames.shape), np.uint16)
    data.attrs["units"] = "counts"
    data.attrs["interpretation"] = "image"
    for index, image in enumerate(frames.images):
        data[index] = image


def _source(instrument: h5py.Group, frames: Frames) -> None:
    source = _group(instrument, "source", "NXsource")
    source["type"] = "Synchrotron X-ray Source"
    source["probe"] = "x-ray"
    source["name"] = "simulated"
    _quantity(source, "current", frames.ring_current, "mA")


def _control(entry: h5py.Group, frames: Frames) -> None:
    """The storage ring's current as the monitor of every frame."""
    control = _group(entry, "control", "NXmonitor")
    _quantity(control, "data", frames.ring_current, "mA")


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _quantity(group: h5py.Group, name: str, value: np.ndarray | float, unit: str) -> None:
    group[name] = value
    group[name].attrs["units"] = unit


def _ns(seconds: float) -> np.timedelta64:
    return np.timedelta64(round(seconds * 1e9), "ns")


def _iso(time: np.datetime64) -> str:
    return f"{time.astype('datetime64[us]')}Z"
