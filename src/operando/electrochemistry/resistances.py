"""Resistance at every change of the current, with the time after the jump stated."""

import numpy as np
from pydantic import Field

from operando.electrochemistry.jumps import TIME_TOLERANCE_S, Jump, all_jumps
from operando.electrochemistry.relaxation import ohmic_resistance, slow_part
from operando.electrochemistry.steps import noise_of
from operando.model.parameters import Parameters
from operando.model.products.electrochemistry import RESISTANCES, Curve, Protocol, Resistances
from operando.model.step import step


class ResistancesParams(Parameters):
    """Which jumps count."""

    longest_delay_s: float = Field(
        default=60.0, description="jumps whose next sample comes later than this are left out, s", gt=0, le=3600
    )
    relaxation_s: float = Field(
        default=60.0, description="time after a jump at which the slow part is read, s", gt=1, le=3600
    )


DEFAULTS = ResistancesParams()


@step(version=1)
def resistances(curve: Curve, protocol: Protocol, params: ResistancesParams = DEFAULTS) -> Resistances:
    """Take the resistance at every current step: voltage jump over current jump, in ohm.

    The later the sample after the jump, the more polarisation is in it; ``delay`` says how late. ``ohmic`` is
    extrapolated to no delay where samples are dense enough, ``slow`` is what the following minute adds.
    """
    time = curve["time"].values
    seconds = (time - time[0]).astype("int64") * 1e-9
    voltage, current = curve["voltage"].values, curve["current"].values
    noise = (noise_of(seconds, voltage), noise_of(seconds, current))
    gain_std = float(curve.attrs.get("current_gain_std", 0.0))
    found = all_jumps(seconds, voltage, current, curve["step"].values, noise, gain_std)
    into_hold = protocol["kind"].values == "hold"
    number = curve["step"].values
    found = [
        jump
        for jump in found
        if jump.delay <= params.longest_delay_s + TIME_TOLERANCE_S and not into_hold[number[jump.after]]
    ]
    split = np.array([
        _split(jump, seconds, voltage, current, number, noise[0], params.relaxation_s) for jump in found
    ]).reshape(len(found), 4)
    return RESISTANCES.new(
        time=time[[jump.after for jump in found]] if found else np.array([], "datetime64[ns]"),
        resistance=np.array([jump.resistance for jump in found], float),
        resistance_std=np.array([jump.std for jump in found], float),
        delay=np.array([jump.delay for jump in found], float),
        current_jump=np.array([current[jump.after] - current[jump.before] for jump in found], float),
        ohmic=split[:, 0],
        ohmic_std=split[:, 1],
        slow=split[:, 2],
        slow_std=split[:, 3],
    )


def _split(
    jump: Jump,
    seconds: np.ndarray,
    voltage: np.ndarray,
    current: np.ndarray,
    number: np.ndarray,
    noise_v: float,
    window_s: float,
) -> tuple[float, float, float, float]:
    """Ohmic and slow part with their standard deviations (ohm) of what follows one jump."""
    end = int(np.searchsorted(number, number[jump.after], "right"))
    rise_ma = current[jump.after] - current[jump.before]
    since = seconds[jump.after : end] - seconds[jump.before]
    ratio = (voltage[jump.after : end] - voltage[jump.before]) / rise_ma * 1e3
    ohmic, ohmic_std = ohmic_resistance(since, ratio, jump.resistance, jump.std)
    slow = slow_part(since, ratio, window_s)
    return ohmic, ohmic_std, slow, float(np.sqrt(2) * noise_v / abs(rise_ma) * 1e3)
