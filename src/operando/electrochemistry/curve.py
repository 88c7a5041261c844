"""The cell's record on the beamline's clock: one curve from all files, and the protocol that its current shows."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import xarray as xr
from pydantic import Field

from operando.electrochemistry.checks import capacity_warnings
from operando.electrochemistry.integrate import SECONDS_PER_HOUR, Rule, best_rule, intervals, jump_variance
from operando.electrochemistry.merge import Merged, merge
from operando.electrochemistry.numbering import cycle_numbers
from operando.electrochemistry.steps import find_steps, noise_of, typical_current
from operando.electrochemistry.theory import theoretical_capacity
from operando.model.clock import Clock, to_text
from operando.model.parameters import Parameters
from operando.model.products.electrochemistry import CURVE, PROTOCOL, Curve, Protocol
from operando.model.products.raw import Record
from operando.model.step import Series, Setting, step


class CurveParams(Parameters):
    """How steps are told apart and how well the current is known."""

    rest_fraction: float = Field(
        default=0.01, description="a current below this share of the typical current is rest", gt=0, lt=0.5
    )
    level_change: float = Field(
        default=0.2, description="a relative change of the current that begins a new step", gt=0.01, lt=1
    )
    hold_tolerance_v: float = Field(
        default=0.005, description="how much the voltage may vary during a hold, V", gt=0, le=0.1
    )
    smallest_half_cycle: float = Field(
        default=0.02, description="a turn that moves less than this share of the largest one is a pulse", ge=0, lt=1
    )
    gap_s: float = Field(
        default=60.0, description="a longer pause of the record breaks it: nothing is known inside, s", gt=0
    )
    gain_std: float = Field(
        default=0.0005, description="relative standard deviation of the current's scale", ge=0, lt=0.1
    )
    offset_std_fraction: float = Field(
        default=0.0001,
        description="standard deviation of the current's zero, as a share of the largest current",
        ge=0,
        lt=0.1,
    )


DEFAULTS = CurveParams()

FAR_APART_S = 30 * 86400.0


@step(version=1)
def curve(
    records: Series[Record],
    offset_s: Annotated[float | None, Setting("electrochemistry.clock_offset_s")] = None,
    drift_ppm: Annotated[float | None, Setting("electrochemistry.clock_drift_ppm")] = None,
    cathode_mass_mg: Annotated[float | dict[str, float] | None, Setting("cell.cathode.mass_mg")] = None,
    active_fraction: Annotated[float | None, Setting("cell.cathode.active_fraction")] = None,
    capacity_mAh_per_g: Annotated[float | None, Setting("cell.cathode.theoretical_capacity_mAh_per_g")] = None,
    params: CurveParams = DEFAULTS,
) -> tuple[Curve, Protocol]:
    """Join the cycler's files, integrate the charge and find steps and cycles from the current.

    Files are put in order of time; no charge is assumed to flow between them. Times move to the beamline's clock
    by ``offset_s`` and ``drift_ppm``. Charges in mAh, currents in mA, positive while charging.
    """
    merged = merge(records)
    time = Clock(offset_s or 0.0, drift_ppm or 0.0).to_beamline(merged.time, merged.time[0])
    seconds = (time - time[0]).astype("int64") * 1e-9
    early, late, variance, rule = _charges(merged, seconds)
    stretch, gap_sentences = _stretches(merged, time, seconds, params.gap_s)
    thresholds = (params.rest_fraction, params.level_change, params.hold_tolerance_v)
    number, kinds = find_steps(seconds, merged.voltage, merged.current, stretch, *thresholds)
    charge = np.concatenate([[0.0], np.cumsum(early + late)])
    offset_std = params.offset_std_fraction * float(np.abs(merged.current).max())
    table = _protocol_columns(number, seconds, merged.current, early, late)
    table["std"] = _step_std(number, variance, table["charge"], table["duration"], params.gain_std, offset_std)
    moves = np.array([kind in {"charge", "discharge", "hold"} for kind in kinds])
    cycle = cycle_numbers(
        table["charge"], table["current"], moves, np.array(kinds) == "hold", params.smallest_half_cycle
    )
    theory = theoretical_capacity(cathode_mass_mg, active_fraction, capacity_mAh_per_g)
    warnings = [*merged.warnings, *gap_sentences, *_own_charge_warnings(merged, charge, rule)]
    warnings += capacity_warnings(merged.voltage, merged.current, table, np.array(kinds), theory)
    about = {
        "current_gain_std": params.gain_std,
        "current_offset_std_mA": offset_std,
        "integration": rule,
        "warnings": warnings,
    }
    voltage, current = merged.voltage, merged.current
    found = CURVE.new(
        attrs=about, time=time, voltage=voltage, current=current, charge=charge, step=number, stretch=stretch
    )
    return found, _protocol(kinds, cycle, time, table)


def _charges(merged: Merged, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, Rule]:
    """Charge of every interval (earlier and later sample's part) and its variance; nothing flows between files."""
    threshold = 0.01 * typical_current(seconds, merged.current) + 5 * noise_of(seconds, merged.current)
    early, late, variance = (np.zeros(max(seconds.size - 1, 0)) for _ in range(3))
    rule: Rule = "trapezoid"
    for file in np.unique(merged.file):
        inside = np.flatnonzero(merged.file == file)
        place = slice(inside[0], inside[-1])
        own, now = merged.own_charge[inside], merged.current[inside]
        rule = best_rule(seconds[inside], now, own, bool(merged.mean_current[inside].all()))
        found = intervals(seconds[inside], now, rule)
        early[place], late[place] = found.early, found.late
        variance[place] = jump_variance(seconds[inside], now, rule, threshold)
    return early, late, variance, rule


def _stretches(merged: Merged, time: np.ndarray, seconds: np.ndarray, gap_s: float) -> tuple[np.ndarray, list[str]]:
    """Number of the unbroken stretch of every sample, and a sentence for every pause of the record.

    Inside a file a pause is a gap only if current flows on either side and it is unlike the usual sampling:
    cyclers record a rest as rarely as they are told to.
    """
    pause = np.diff(seconds)
    between = np.diff(merged.file) != 0
    resting = 0.01 * typical_current(seconds, merged.current)
    flowing = (np.abs(merged.current[1:]) > resting) | (np.abs(merged.current[:-1]) > resting)
    usual = float(np.median(pause)) if pause.size else 0.0
    inside = ~between & flowing & (pause > max(gap_s, 20 * usual))
    broken = inside | (between & (pause > gap_s))
    sentences = [
        f"The record has a gap of {_span(float(pause[k]))} at {to_text(time[k])}"
        + (" between two files; no charge is assumed to have flowed in it." if between[k] else " inside a file.")
        + (" Do both files belong to this cell?" if between[k] and pause[k] > FAR_APART_S else "")
        for k in np.flatnonzero(between | inside)
    ]
    return np.concatenate([[0], np.cumsum(broken)]).astype(int), sentences


def _span(seconds: float) -> str:
    """A duration in words."""
    if seconds < 7200:
        return f"{seconds:.1f} s"
    return f"{seconds / 3600:.1f} h" if seconds < 3 * 86400 else f"{seconds / 86400:.1f} days"


def _protocol_columns(
    number: np.ndarray, seconds: np.ndarray, current: np.ndarray, early: np.ndarray, late: np.ndarray
) -> dict[str, np.ndarray]:
    """First and last sample, charge (mAh), duration (s) and mean current (mA) of every step."""
    count = int(number[-1]) + 1
    first = np.searchsorted(number, np.arange(count), "left")
    last = np.searchsorted(number, np.arange(count), "right") - 1
    charge = np.bincount(number[:-1], early, count) + np.bincount(number[1:], late, count)
    duration = seconds[last] - seconds[first]
    area = np.concatenate([[0.0], np.cumsum(np.diff(seconds) * (current[1:] + current[:-1]) / 2)])
    simple = np.bincount(number, current, count) / np.bincount(number, minlength=count)
    mean = np.where(duration > 0, (area[last] - area[first]) / np.where(duration > 0, duration, 1), simple)
    return {"first": first, "last": last, "charge": charge, "duration": duration, "current": mean}


def _step_std(
    number: np.ndarray, variance: np.ndarray, charge: np.ndarray, duration: np.ndarray, gain: float, offset_ma: float
) -> np.ndarray:
    """Standard deviation of the charge of every step: scale and zero of the current, and instants of its jumps."""
    doubt = np.bincount(number[:-1], variance / 2, charge.size) + np.bincount(number[1:], variance / 2, charge.size)
    return np.sqrt((gain * charge) ** 2 + (offset_ma * duration / SECONDS_PER_HOUR) ** 2 + doubt)


def _protocol(kinds: Sequence[str], cycle: np.ndarray, time: np.ndarray, table: dict[str, np.ndarray]) -> xr.Dataset:
    return PROTOCOL.new(
        kind=np.array(kinds, dtype=object),
        cycle=cycle,
        start=time[table["first"]],
        end=time[table["last"]],
        charge=table["charge"],
        charge_std=table["std"],
        current=table["current"],
    )


def _own_charge_warnings(merged: Merged, charge: np.ndarray, rule: Rule) -> list[str]:
    """Say where the integrated current disagrees with the instrument's own charge."""
    sentences = []
    for file in np.unique(merged.file):
        inside = merged.file == file
        own, ours = merged.own_charge[inside], charge[inside]
        known = np.isfinite(own)
        if known.sum() < 2:
            continue
        own, ours = own[known] - own[known][0], ours[known] - ours[known][0]
        scale = float(np.ptp(own))
        worst = float(np.abs(ours - own).max())
        if worst > 1e-3 * scale and worst > 1e-4 * float(np.ptp(charge)):
            sentences.append(
                f"The current integrates to a charge that differs from the cycler's own by up to {worst:.3g} mAh "
                f"({100 * worst / scale if scale else np.inf:.2g} %, {rule}) in cycler file {file + 1}."
            )
    return sentences
