"""When one scan or spectrum was exposed, on the beamline's clock."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from operando.model.clock import Clock


def shifted(time: Any, offset_s: float | None) -> np.datetime64:
    """An instrument's time on the beamline's clock; NaT stays NaT. Drift waits until the whole series is known."""
    instant = np.asarray(time, "datetime64[ns]").reshape(1)
    return np.datetime64(Clock(offset_s or 0.0).to_beamline(instant, instant[0])[0], "ns")


def mean_ring_current(currents: np.ndarray | None) -> float:
    """Mean of the known ring currents (mA); NaN if there are none."""
    if currents is None:
        return float("nan")
    known = np.asarray(currents, float).ravel()
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else float("nan")


def identity(dataset: xr.Dataset) -> Mapping[str, Any]:
    """What tells the frame: its file and its place in the series."""
    return {name: dataset.attrs[name] for name in ("file", "frame") if name in dataset.attrs}
