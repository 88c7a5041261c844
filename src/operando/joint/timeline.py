"""State of the cell during each exposure: averages over it, and the cycle and step at its middle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from operando.joint.averaging import exposure_means, inside_record
from operando.joint.clocks import clock_warnings, repeated_times
from operando.model.clock import Clock
from operando.model.contract import Contract


@dataclass(frozen=True)
class Exposures:
    """Frame numbers, files and times (datetime64[ns]) of a series of exposures."""

    frame: np.ndarray
    file: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @property
    def middle(self) -> np.ndarray:
        """Middle of every exposure."""
        return np.asarray(self.start + (self.end - self.start) // 2)


def gather(exposures: Sequence[xr.Dataset], drift_ppm: float | None) -> Exposures:
    """Put exposures into arrays, with their clock's drift about the first one taken out."""
    rows = [(*(one[name].values for name in ("start", "end")), *_name(one, k)) for k, one in enumerate(exposures)]
    starts, ends, frames, files = zip(*rows, strict=True)
    start, end = (np.array(times, "datetime64[ns]") for times in (starts, ends))
    if drift_ppm and not np.isnat(start).all():
        epoch = start[~np.isnat(start)].min()
        start, end = (Clock(drift_ppm=drift_ppm).to_beamline(times, epoch) for times in (start, end))
    return Exposures(
        frame=np.array(frames, int),
        file=np.array(files, object),
        start=start,
        end=end,
    )


def _name(exposure: xr.Dataset, place: int) -> tuple[int, str]:
    """Number and file."""
    return exposure.attrs.get("frame", place), exposure.attrs.get("file", "")


def build(
    contract: Contract, word: str, exposures: Exposures, curve: xr.Dataset | None, protocol: xr.Dataset | None
) -> xr.Dataset:
    """The timeline of ``word`` ("scan" or "spectrum"). Outside the record: NaN, −1 and "" — never extrapolated."""
    columns = nothing(exposures.frame.size)
    attrs: dict[str, Any] = {}
    warnings = repeated_times(exposures.file, exposures.start)
    if curve is not None and protocol is not None:
        columns = states(exposures, curve, protocol)
        warnings += clock_warnings(word, exposures.file, exposures.start, exposures.end, curve["time"].values)
        attrs = {name: curve.attrs[name] for name in _ABOUT_CURRENT if name in curve.attrs}
    return contract.new(
        coords={word: exposures.frame},
        attrs={**attrs, "warnings": warnings},
        file=exposures.file,
        start=exposures.start,
        end=exposures.end,
        **columns,
    )


_ABOUT_CURRENT = ("current_gain_std", "current_offset_std_mA")


def nothing(count: int) -> dict[str, np.ndarray]:
    """State where nothing is known of the cell."""
    unknown = {name: np.full(count, np.nan) for name in ("charge", "voltage", "current")}
    return {
        **unknown,
        "cycle": np.full(count, -1),
        "step": np.full(count, -1),
        "step_kind": np.full(count, "", object),
    }


def states(exposures: Exposures, curve: xr.Dataset, protocol: xr.Dataset) -> dict[str, np.ndarray]:
    """Averages over the exposures, and the step that holds each middle."""
    time = curve["time"].values
    origin = time[0]
    seconds, starts, ends, middles = (
        as_seconds(times, origin) for times in (time, exposures.start, exposures.end, exposures.middle)
    )
    stretch = curve["stretch"].values if "stretch" in curve else np.zeros(time.size, int)
    columns = nothing(exposures.frame.size)
    for name in ("charge", "voltage", "current"):
        columns[name] = exposure_means(seconds, curve[name].values, stretch, starts, ends)
    inside = inside_record(seconds, stretch, middles, middles)
    sample = np.clip(np.searchsorted(seconds, middles[inside], "right") - 1, 0, seconds.size - 1)
    step = curve["step"].values[sample]
    columns["step"][inside] = step
    columns["cycle"][inside] = protocol["cycle"].values[step]
    columns["step_kind"][inside] = protocol["kind"].values[step]
    return columns


def as_seconds(times: np.ndarray, origin: np.datetime64) -> np.ndarray:
    """Seconds since ``origin``; NaN for NaT."""
    nanoseconds = (times - origin).astype("timedelta64[ns]").astype("int64")
    return np.asarray(np.where(np.isnat(times), np.nan, nanoseconds * 1e-9))
