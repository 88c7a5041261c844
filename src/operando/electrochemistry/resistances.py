"""Resistance at every change of the current, with the time after the jump stated."""

import numpy as np
from pydantic import Field

from operando.electrochemistry.jumps import TIME_TOLERANCE_S, all_jumps
from operando.electrochemistry.steps import noise_of
from operando.model.parameters import Parameters
from operando.model.products.electrochemistry import RESISTANCES, Curve, Protocol, Resistances
from operando.model.step import step


class ResistancesParams(Parameters):
    """Which jumps count."""

    longest_delay_s: float = Field(
        default=60.0, description="jumps whose next sample comes later than this are left out, s", gt=0, le=3600
    )


DEFAULTS = ResistancesParams()


@step(version=1)
def resistances(curve: Curve, protocol: Protocol, params: ResistancesParams = DEFAULTS) -> Resistances:
    """Take the resistance at every current step: voltage jump over current jump, in ohm.

    The later the sample after the jump, the more polarisation is in it; ``delay`` says how late.
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
    return RESISTANCES.new(
        time=time[[jump.after for jump in found]] if found else np.array([], "datetime64[ns]"),
        resistance=np.array([jump.resistance for jump in found], float),
        resistance_std=np.array([jump.std for jump in found], float),
        delay=np.array([jump.delay for jump in found], float),
    )
