"""Energy and mean voltages of the steps."""

import numpy as np
import xarray as xr


def step_energy(curve: xr.Dataset, steps: int) -> np.ndarray:
    """Energy moved in every step, mWh, signed like the charge.

    Half of each interval's charge is moved at the voltage of either end, so that a jump between two steps gives
    each its own. Intervals with an unknown voltage make their steps NaN.
    """
    voltage, number = curve["voltage"].values, curve["step"].values
    half = np.diff(curve["charge"].values) / 2
    early = np.where(half == 0, 0.0, half * voltage[:-1])
    late = np.where(half == 0, 0.0, half * voltage[1:])
    return np.asarray(np.bincount(number[:-1], early, steps) + np.bincount(number[1:], late, steps))


def sums(protocol: xr.Dataset, energy: np.ndarray, chosen: np.ndarray) -> tuple[float, float, float]:
    """Charge (mAh, positive), mean voltage (V) and hours of the chosen steps, which all move charge one way."""
    charge = float(protocol["charge"].values[chosen].sum())
    span = protocol["end"].values[chosen] - protocol["start"].values[chosen]
    hours = float(span.astype("timedelta64[ns]").astype("int64").sum()) / 3.6e12
    return abs(charge), float(energy[chosen].sum()) / charge, hours


def energy_row(
    protocol: xr.Dataset,
    energy: np.ndarray,
    charging: np.ndarray,
    discharging: np.ndarray,
    efficiency: tuple[float, float],
) -> dict[str, float]:
    """Energy efficiency, mean voltages (V) and polarisation (ohm) of one cycle.

    ``efficiency``: the coulombic efficiency and its standard deviation. Mean voltages carry the voltmeter's
    systematic error in the same direction, so it nearly drops out of the ratio. A cell that gives no energy back
    (a symmetric one) has no energy efficiency: NaN.
    """
    (q_in, v_in, h_in), (q_out, v_out, h_out) = (sums(protocol, energy, side) for side in (charging, discharging))
    ratio = (q_out * v_out) / (q_in * v_in) if v_in > 0 and v_out > 0 else float("nan")
    currents = (q_in / h_in if h_in else np.nan) + (q_out / h_out if h_out else np.nan)
    return {
        "energy_efficiency": ratio,
        "energy_efficiency_std": ratio * efficiency[1] / efficiency[0] if efficiency[0] else float("nan"),
        "charge_voltage": v_in,
        "discharge_voltage": v_out,
        "polarisation": (v_in - v_out) / currents * 1e3,
    }
