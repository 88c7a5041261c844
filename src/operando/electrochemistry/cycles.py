"""One row a full cycle: charge, discharge, efficiency, C-rate and resistance."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import xarray as xr
from pydantic import Field

from operando.electrochemistry.energy import energy_row, step_energy
from operando.electrochemistry.geometry import pellet_area_cm2
from operando.electrochemistry.jumps import TIME_TOLERANCE_S, Jump, all_jumps
from operando.electrochemistry.steps import noise_of
from operando.electrochemistry.theory import active_grams, theoretical_capacity
from operando.model.parameters import Parameters
from operando.model.products.electrochemistry import CYCLES, Curve, Cycles, Protocol
from operando.model.step import Setting, step


class CyclesParams(Parameters):
    """Where the resistance of a cycle may be read."""

    longest_delay_s: float = Field(
        default=1.0, description="the sample after the end of charge must come within this time, s", gt=0, le=60
    )


DEFAULTS = CyclesParams()


@step(version=1)
def cycles(
    curve: Curve,
    protocol: Protocol,
    cathode_mass_mg: Annotated[float | dict[str, float] | None, Setting("cell.cathode.mass_mg")] = None,
    active_fraction: Annotated[float | None, Setting("cell.cathode.active_fraction")] = None,
    capacity_mAh_per_g: Annotated[float | None, Setting("cell.cathode.theoretical_capacity_mAh_per_g")] = None,
    bore_mm: Annotated[float | None, Setting("cell.bore_mm")] = None,
    params: CyclesParams = DEFAULTS,
) -> Cycles:
    """Sum up every full cycle: charges (mAh), coulombic efficiency = discharge / charge, C-rate, resistance (ohm).

    The C-rate is |current| of the longest charge at constant current over the theoretical capacity, NaN without
    the cathode's mass and specific capacity. The resistance is the voltage jump over the current jump at the end of
    the cycle's charge; NaN if no sample follows within ``longest_delay_s``. A cycle whose discharge is cut short by
    the end of the record has no efficiencies.
    """
    theory = theoretical_capacity(cathode_mass_mg, active_fraction, capacity_mAh_per_g)
    energy, jumps = step_energy(curve, protocol.sizes["step"]), _jumps(curve)
    rows = [_row(curve, protocol, energy, jumps, int(number), theory, params) for number in full_cycles(protocol)]
    columns = {name: np.array([row[name] for row in rows], float) for name in _NAMES}
    columns["capacity"] = columns["discharge"] / active_grams(cathode_mass_mg, active_fraction)
    columns["areal_capacity"] = columns["discharge"] / (pellet_area_cm2(bore_mm) or np.nan)
    warnings = [] if theory is not None else [_no_capacity(cathode_mass_mg)]
    unfinished = cut_short(curve, protocol)
    if unfinished:
        warnings.append(unfinished)
        for name in _EFFICIENCIES:
            columns[name][-1:] = np.nan
    return CYCLES.new(
        coords={"cycle": np.array(full_cycles(protocol), int)},
        attrs={"theoretical_capacity_mAh": theory if theory is not None else float("nan"), "warnings": warnings},
        **columns,
    )


_NAMES = (
    "c_rate",
    "charge",
    "charge_std",
    "discharge",
    "discharge_std",
    "coulombic_efficiency",
    "coulombic_efficiency_std",
    "resistance",
    "resistance_std",
    "energy_efficiency",
    "energy_efficiency_std",
    "charge_voltage",
    "discharge_voltage",
    "polarisation",
)


def _no_capacity(mass: float | Mapping[str, float] | None) -> str:
    missing = "mass_mg" if mass is None else "theoretical_capacity_mAh_per_g"
    return f"[cell.cathode] has no {missing}: C-rates can't be known and are left empty."


def full_cycles(protocol: xr.Dataset) -> list[int]:
    """Numbers of the cycles that have both a charge and a discharge."""
    cycle, moved = protocol["cycle"].values, _moved(protocol)
    return [
        int(number)
        for number in np.unique(cycle[cycle > 0])
        if (moved[cycle == number] > 0).any() and (moved[cycle == number] < 0).any()
    ]


def _moved(protocol: xr.Dataset) -> np.ndarray:
    """Signed charge of every step that is no rest, zero for the others (mAh)."""
    return np.where(np.isin(protocol["kind"].values, ["charge", "discharge", "hold"]), protocol["charge"].values, 0.0)


_EFFICIENCIES = [name for name in _NAMES if "efficiency" in name]


def cut_short(curve: xr.Dataset, protocol: xr.Dataset) -> str:
    """A sentence if the record ends inside a discharge that earlier ones show to be far from its end, else nothing."""
    kinds, cycle = protocol["kind"].values, protocol["cycle"].values
    ends = np.searchsorted(curve["step"].values, np.arange(kinds.size), "right") - 1
    voltage = curve["voltage"].values
    earlier = [voltage[ends[k]] for k in np.flatnonzero(kinds == "discharge") if k < kinds.size - 1]
    if kinds[-1] != "discharge" or not earlier:
        return ""
    window = float(np.nanmax(voltage) - np.nanmin(voltage))
    if abs(float(voltage[-1]) - float(np.median(earlier))) <= 0.3 * window:
        return ""
    return (
        f"The record ends during the discharge of cycle {int(cycle[-1])}, at {float(voltage[-1]):.3f} V: "
        "its discharge counts what was recorded, its efficiencies are left empty."
    )


def _row(
    curve: xr.Dataset,
    protocol: xr.Dataset,
    energy: np.ndarray,
    jumps: Mapping[int, Jump],
    number: int,
    theory: float | None,
    params: CyclesParams,
) -> dict[str, float]:
    inside = protocol["cycle"].values == number
    moved = np.where(inside, _moved(protocol), 0.0)
    gain = float(curve.attrs.get("current_gain_std", 0.0))
    charge, charge_std, charge_own = _sum(protocol, moved > 0, gain)
    discharge, discharge_std, discharge_own = _sum(protocol, moved < 0, gain)
    efficiency = discharge / charge
    # The scale of the current is the same in both directions and drops out of the ratio.
    efficiency_std = efficiency * float(np.hypot(charge_own / charge, discharge_own / discharge))
    resistance = _end_of_charge(curve, jumps, moved, params.longest_delay_s)
    return {
        "c_rate": _rate(protocol, moved, theory),
        "charge": charge,
        "charge_std": charge_std,
        "discharge": discharge,
        "discharge_std": discharge_std,
        "coulombic_efficiency": efficiency,
        "coulombic_efficiency_std": efficiency_std,
        "resistance": resistance[0],
        "resistance_std": resistance[1],
        **energy_row(protocol, energy, moved > 0, moved < 0, (efficiency, efficiency_std)),
    }


def _sum(protocol: xr.Dataset, chosen: np.ndarray, gain: float) -> tuple[float, float, float]:
    """Charge of the chosen steps (positive), its standard deviation, and that without the current's scale (mAh)."""
    charges, stds = np.abs(protocol["charge"].values[chosen]), protocol["charge_std"].values[chosen]
    own = float(np.sqrt(np.maximum(stds**2 - (gain * charges) ** 2, 0).sum()))
    total = float(charges.sum())
    return total, float(np.hypot(own, gain * total)), own


def _rate(protocol: xr.Dataset, moved: np.ndarray, theory: float | None) -> float:
    """|current| of the charge step that moved most, over the theoretical capacity per hour."""
    constant = np.where(protocol["kind"].values == "charge", moved, 0.0)
    most = int(np.argmax(constant if constant.max(initial=0.0) > 0 else moved))
    return abs(float(protocol["current"].values[most])) / theory if theory else float("nan")


def _jumps(curve: xr.Dataset) -> dict[int, Jump]:
    """Every jump of the current by the last sample before it."""
    time, voltage, current = (curve[name].values for name in ("time", "voltage", "current"))
    seconds = (time - time[0]).astype("int64") * 1e-9
    noise = (noise_of(seconds, voltage), noise_of(seconds, current))
    gain = float(curve.attrs.get("current_gain_std", 0.0))
    return {jump.before: jump for jump in all_jumps(seconds, voltage, current, curve["step"].values, noise, gain)}


def _end_of_charge(
    curve: xr.Dataset, jumps: Mapping[int, Jump], moved: np.ndarray, longest_delay_s: float
) -> tuple[float, float]:
    """Resistance and its standard deviation where the last charge before the discharge ends."""
    charging = np.flatnonzero(moved[: int(np.argmin(moved))] > 0)
    if not charging.size:
        return float("nan"), float("nan")
    jump = jumps.get(int(np.searchsorted(curve["step"].values, charging[-1], "right")) - 1)
    if jump is None or jump.delay > longest_delay_s + TIME_TOLERANCE_S:
        return float("nan"), float("nan")
    return jump.resistance, jump.std
