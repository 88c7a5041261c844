"""Products of the electrochemistry wing."""

from typing import Annotated

import xarray as xr

from operando.model.contract import Contract, Variable

CURVE = Contract(
    "curve",
    "the cell's record on the beamline's clock with the net charge since its first sample",
    {
        "time": Variable(("sample",), "time", "on the beamline's clock"),
        "voltage": Variable(("sample",), "V", "of the cell"),
        "current": Variable(("sample",), "mA", "positive while charging"),
        "charge": Variable(("sample",), "mAh", "net since the first sample"),
        "step": Variable(("sample",), "1", "index into the protocol"),
        "stretch": Variable(
            ("sample",), "1", "number of the unbroken stretch; between two stretches nothing is known", optional=True
        ),
    },
)
"""``attrs["current_gain_std"]`` (relative) and ``attrs["current_offset_std_mA"]`` say how well the current is known."""

PROTOCOL = Contract(
    "protocol",
    "the steps that the current shows",
    {
        "kind": Variable(("step",), "text", "rest, charge, discharge, hold, impedance"),
        "cycle": Variable(("step",), "1", "0 before the first full cycle"),
        "start": Variable(("step",), "time", "first sample"),
        "end": Variable(("step",), "time", "last sample"),
        "charge": Variable(("step",), "mAh", "moved in the step, signed", "std"),
        "current": Variable(("step",), "mA", "mean, signed"),
    },
)

CYCLES = Contract(
    "cycles",
    "one row a full cycle; coordinate cycle",
    {
        "c_rate": Variable(("cycle",), "1", "|current| / theoretical capacity per hour; NaN if unknown"),
        "charge": Variable(("cycle",), "mAh", "charged, positive", "std"),
        "discharge": Variable(("cycle",), "mAh", "discharged, positive", "std"),
        "coulombic_efficiency": Variable(("cycle",), "1", "discharge / charge", "std"),
        "resistance": Variable(("cycle",), "ohm", "voltage jump over current jump at the end of charge", "std"),
        "energy_efficiency": Variable(("cycle",), "1", "energy out / energy in", "std", optional=True),
        "charge_voltage": Variable(("cycle",), "V", "mean while charging, weighted by charge", optional=True),
        "discharge_voltage": Variable(("cycle",), "V", "mean while discharging, weighted by charge", optional=True),
        "polarisation": Variable(
            ("cycle",), "ohm", "difference of the mean voltages over the sum of the mean currents", optional=True
        ),
        "capacity": Variable(("cycle",), "mAh/g", "discharged per mass of active material", optional=True),
        "areal_capacity": Variable(("cycle",), "mAh/cm2", "discharged per area of the bore", optional=True),
    },
)

RESISTANCES = Contract(
    "resistances",
    "resistance at every current step",
    {
        "time": Variable(("jump",), "time", "of the step"),
        "resistance": Variable(("jump",), "ohm", "voltage jump over current jump", "std"),
        "delay": Variable(("jump",), "s", "time after the jump at which the voltage was read"),
        "current_jump": Variable(("jump",), "mA", "current after - current before", optional=True),
        "ohmic": Variable(
            ("jump",),
            "ohm",
            "within 50 ms, or extrapolated to no delay against √t; NaN where samples are too rare",
            "std",
            optional=True,
        ),
        "slow": Variable(
            ("jump",), "ohm", "what the following minute adds: charge transfer and diffusion", "std", optional=True
        ),
    },
)

DERIVATIVES = Contract(
    "derivatives",
    "dQ/dV and dV/dQ of every charge and discharge, made monotonic first; NaN pads short steps",
    {
        "step": Variable(("branch",), "1", "index into the protocol"),
        "cycle": Variable(("branch",), "1", "of the step"),
        "kind": Variable(("branch",), "text", "charge or discharge"),
        "voltage": Variable(("branch", "point"), "V", "where dq_dv is given"),
        "dq_dv": Variable(("branch", "point"), "mAh/V", "differential capacity, positive"),
        "charge": Variable(("branch", "point"), "mAh", "moved since the step began, where dv_dq is given"),
        "dv_dq": Variable(("branch", "point"), "V/mAh", "differential voltage, positive"),
    },
)

CONDUCTIVITY = Contract(
    "conductivity",
    "of the electrolyte, from impedance",
    {
        "time": Variable(("spectrum",), "time", "start of the impedance spectrum"),
        "resistance": Variable(("spectrum",), "ohm", "of the electrolyte", "std"),
        "conductivity": Variable(("spectrum",), "S/cm", "NaN without geometry", "std"),
        "interface": Variable(("spectrum",), "ohm", "arcs slower than the electrolyte's", "std", optional=True),
        "misfit": Variable(("spectrum",), "1", "root mean square of the relative residuals", optional=True),
    },
)

Curve = Annotated[xr.Dataset, CURVE]
Protocol = Annotated[xr.Dataset, PROTOCOL]
Cycles = Annotated[xr.Dataset, CYCLES]
Resistances = Annotated[xr.Dataset, RESISTANCES]
Derivatives = Annotated[xr.Dataset, DERIVATIVES]
Conductivity = Annotated[xr.Dataset, CONDUCTIVITY]
