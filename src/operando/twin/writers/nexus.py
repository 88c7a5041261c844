"""NeXus energy-dispersive spectra: an NXdetector with data (element, channel), times, energies and angles."""

from pathlib import Path

import h5py
import numpy as np

from operando.twin.writers.counted import Counted


def write(path: Path, spectrum: Counted) -> Path:
    """Write one spectrum."""
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = _group(file, "entry", "NXentry")
        entry["title"] = spectrum.title
        entry["start_time"] = f"{spectrum.utc.astype('datetime64[us]')}Z"
        end = spectrum.utc + np.timedelta64(round(float(spectrum.real_s[0]) * 1e9), "ns")
        entry["end_time"] = f"{end.astype('datetime64[us]')}Z"
        instrument = _group(entry, "instrument", "NXinstrument")
        source = _group(instrument, "source", "NXsource")
        _quantity(source, "current", spectrum.ring_current_ma, "mA")
        detector = _group(instrument, "detector", "NXdetector")
        _quantity(detector, "data", spectrum.counts.astype(np.uint32), "counts")
        _quantity(detector, "real_time", spectrum.real_s, "s")
        _quantity(detector, "live_time", spectrum.live_s, "s")
        _quantity(detector, "energy_coefficients", spectrum.coefficients, "keV")
        _quantity(detector, "polar_angle", spectrum.two_theta_deg, "deg")
    return path


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _quantity(group: h5py.Group, name: str, value: np.ndarray | float, unit: str) -> None:
    group[name] = value
    group[name].attrs["units"] = unit
