"""How well other offsets between the clocks would fit the data: a diagnostic that changes nothing."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import xarray as xr
from pydantic import Field

from operando.joint.averaging import exposure_means, inside_record
from operando.joint.timeline import as_seconds
from operando.model.parameters import Parameters
from operando.model.products.diffraction import Lines
from operando.model.products.electrochemistry import Curve
from operando.model.products.joint import CLOCK_CHECK, ClockCheck, ScanTimeline, SpectrumTimeline
from operando.model.products.morphology import PhaseVolumes
from operando.model.step import Series, Setting, step

FEWEST = 8
CHI2_95 = 3.841458820694124
"""95 % quantile of chi-square with one degree of freedom: twice the log-likelihood that a 95 % interval may lose."""

Observations = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Starts, ends (s on the record's axis) and the value seen in each exposure."""


class ClockCheckParams(Parameters):
    """Which offsets are tried."""

    widest_s: float = Field(default=7800.0, description="largest offset that is tried, s", gt=0, le=90000)
    every_s: float = Field(default=60.0, description="spacing of the offsets, s", gt=0, le=3600)


DEFAULTS = ClockCheckParams()


@step(version=1)
def clock_check(
    curve: Curve,
    scan_timeline: ScanTimeline | None = None,
    phase_volumes: Series[PhaseVolumes] | None = None,
    spectrum_timeline: SpectrumTimeline | None = None,
    lines: Series[Lines] | None = None,
    anode: Annotated[str | None, Setting("cell.anode.material")] = None,
    params: ClockCheckParams = DEFAULTS,
) -> ClockCheck:
    """Ask at which offset of the cycler's clock the charge explains volumes and line areas best.

    For every offset (seconds to add to the cycler's clock) the brightest phase's volume, or the area of the lines, is
    fitted as a straight line in the exposure-averaged charge; the residuals give the likelihood. Reactions lag behind
    the current and clocks don't, so the best offset is no proof and is never applied.
    """
    offsets = np.arange(-params.widest_s, params.widest_s + params.every_s / 2, params.every_s)
    origin = curve["time"].values[0]
    sources = {
        "tomography": _of_scans(scan_timeline, phase_volumes, origin),
        "diffraction": _of_spectra(spectrum_timeline, lines, origin),
    }
    known = {name: seen for name, seen in sources.items() if seen is not None}
    likelihood = np.array([offset_likelihood(curve, seen, offsets) for seen in known.values()]).reshape(
        len(known), offsets.size
    )
    best = np.array([best_offset(offsets, row) for row in likelihood], float).reshape(len(known), 3)
    return CLOCK_CHECK.new(
        coords={"instrument": ("instrument", np.array(list(known), object)), "offset": ("offset", offsets, "s")},
        log_likelihood=likelihood,
        best=best[:, 0],
        best_low=best[:, 1],
        best_high=best[:, 2],
        attrs={"warnings": _sentences(list(known), best, params.every_s)},
    )


def _of_scans(
    timeline: xr.Dataset | None, volumes: Sequence[xr.Dataset] | None, origin: np.datetime64
) -> Observations | None:
    """The brightest phase's volume in every scan."""
    if timeline is None or not volumes:
        return None
    values = {int(one.attrs.get("frame", k)): float(one["volume"].values[-1]) for k, one in enumerate(volumes)}
    return _observations(timeline, "scan", values, origin)


def _of_spectra(
    timeline: xr.Dataset | None, lines: Sequence[xr.Dataset] | None, origin: np.datetime64
) -> Observations | None:
    """Share of the first phase's lines in the area of all lines, in every spectrum."""
    if timeline is None or not lines:
        return None
    values = {}
    for k, one in enumerate(lines):
        area, phase = one["area"].values, one["phase"].values
        total = float(np.nansum(area))
        if phase.size and np.unique(phase).size > 1 and total > 0:
            values[int(one.attrs.get("frame", k))] = float(np.nansum(area[phase == np.unique(phase)[0]])) / total
    return _observations(timeline, "spectrum", values, origin)


def _observations(
    timeline: xr.Dataset, dim: str, values: dict[int, float], origin: np.datetime64
) -> Observations | None:
    frames = timeline[dim].values.astype(int)
    seen = np.array([values.get(int(frame), np.nan) for frame in frames])
    start, end = as_seconds(timeline["start"].values, origin), as_seconds(timeline["end"].values, origin)
    good = np.isfinite(seen) & np.isfinite(start) & np.isfinite(end)
    return (start[good], end[good], seen[good]) if good.sum() >= FEWEST else None


def offset_likelihood(curve: xr.Dataset, seen: Observations, offsets: np.ndarray) -> np.ndarray:
    """Log-likelihood of every offset relative to the best; NaN where too few exposures stay inside the record.

    All offsets are judged on the exposures that are inside the record for most of them, so that none wins by
    losing its misfits.
    """
    seconds = as_seconds(curve["time"].values, curve["time"].values[0])
    charge = curve["charge"].values
    stretch = curve["stretch"].values if "stretch" in curve else np.zeros(seconds.size, int)
    starts, ends, values = seen
    found = np.full(offsets.size, np.nan)
    for k, offset in enumerate(offsets):
        inside = inside_record(seconds, stretch, starts - offset, ends - offset)
        if inside.sum() < max(FEWEST, 0.7 * values.size):
            continue
        means = exposure_means(seconds, charge, stretch, starts[inside] - offset, ends[inside] - offset)
        found[k] = -0.5 * values.size * np.log(_misfit(means, values[inside]))
    return found - np.nanmax(found) if np.isfinite(found).any() else found


def _misfit(x: np.ndarray, y: np.ndarray) -> float:
    """Mean square left by a straight line, as a share of the variance (never quite nothing)."""
    x, y = x - x.mean(), y - y.mean()
    total = float(y @ y)
    if total == 0 or not float(x @ x) > 0:
        return 1.0
    return max(1.0 - float(x @ y) ** 2 / (float(x @ x) * total), 1e-12)


def best_offset(offsets: np.ndarray, likelihood: np.ndarray) -> tuple[float, float, float]:
    """Best offset and its 95 % interval; NaN if nothing could be tried or every offset fits alike."""
    if not np.isfinite(likelihood).any() or float(np.ptp(likelihood[np.isfinite(likelihood)])) < CHI2_95 / 2:
        return float("nan"), float("nan"), float("nan")
    inside = offsets[np.nan_to_num(likelihood, nan=-np.inf) >= -CHI2_95 / 2]
    return float(offsets[np.nanargmax(likelihood)]), float(inside.min()), float(inside.max())


def _sentences(names: Sequence[str], best: np.ndarray, every_s: float) -> list[str]:
    return [
        f"The {name} data would fit the current best if the cycler's clock were shifted by {value:+.0f} s "
        f"({low:+.0f} to {high:+.0f} s){_zone_hint(value)}; reactions lag behind the current, so this is no proof: "
        "compare the clocks. Nothing was shifted."
        for name, (value, low, high) in zip(names, best, strict=True)
        if np.isfinite(value) and (low > every_s or high < -every_s)
    ]


def _zone_hint(seconds: float) -> str:
    """Offsets of about whole hours come from time zones."""
    hours = round(seconds / 3600)
    near = hours != 0 and abs(seconds - 3600 * hours) <= 600
    return f", about {abs(hours)} h as between time zones (check time_zone)" if near else ""
