"""Products of the diffraction wing."""

from typing import Annotated

import xarray as xr

from operando.model.contract import Contract, Variable

CALIBRATION = Contract(
    "calibration",
    "energy scale and diffraction angle of each detector element, shared by the series",
    {
        "energy_coefficients": Variable(("element", "order"), "keV", "E = sum of coefficient × channel^order"),
        "two_theta": Variable(("element",), "deg", "diffraction angle", "std"),
        "good": Variable(("element",), "1", "false for a dead or inconsistent element"),
        "resolution": Variable(("element", "term"), "keV", "FWHM² = term0² + term1 × E (E in keV, terms in keV)"),
        "reason": Variable(("element",), "text", "why an element is not good, or empty"),
    },
)

CORRECTED = Contract(
    "corrected",
    "one spectrum with its energy scale and what the electronics did to it stated; counts stay raw",
    {
        "counts": Variable(("element", "channel"), "count", "raw, for Poisson weights"),
        "background": Variable(("element", "channel"), "count", "smooth part, escape lines included"),
        "escape": Variable(("element", "channel"), "count", "the part of it that escape lines are", optional=True),
        "energy": Variable(("element", "channel"), "keV", "of the channel's middle, dead-time shift corrected"),
        "scale": Variable(("element",), "1", "real time / live time; multiply counts by it"),
        "current": Variable(
            (), "1", "ring current of the first spectrum / this one's, 1 where unknown; multiply too", optional=True
        ),
        "good": Variable(("element",), "1", "false where this element can't be used in this spectrum"),
    },
    frame="spectrum",
)

LINES = Contract(
    "lines",
    "diffraction lines of the named phases, from the joint model; coordinates phase, h, k, l, element along line; "
    "element -1 is the sum over the good elements",
    {
        "d": Variable(("line",), "angstrom", "lattice spacing from the joint fit", "std"),
        "area": Variable(("line",), "count", "counts × real time / live time × first ring current / this one", "std"),
        "d_free": Variable(("line",), "angstrom", "from a free single-line fit: what a naive analysis says", "std"),
    },
    frame="spectrum",
)

LATTICE = Contract(
    "lattice",
    "one lattice a phase, fitted to all its lines; NaN where the phase is not there",
    {
        "cell": Variable(("phase", "edge"), "angstrom", "a, b, c", "std"),
        "presence": Variable(
            ("phase",), "1", "log-likelihood gain of the phase over its absence, per degree of freedom"
        ),
        "there": Variable(
            ("phase",), "1", "true where the phase is found at the stated false-alarm rate", optional=True
        ),
        "cell_element": Variable(
            ("element", "phase", "edge"), "angstrom", "a, b, c as each element sees them", "std", optional=True
        ),
        "cell_correlation": Variable(
            ("phase", "edge", "other_edge"), "1", "correlation of the errors of a, b and c", optional=True
        ),
        "broadening": Variable(
            ("phase",), "1", "relative FWHM², of the phase's lines beyond the detector's", "std", optional=True
        ),
        "fluorescence_shift": Variable(
            (),
            "1",
            "relative shift of the fluorescence lines against the energy scale; NaN if none",
            "std",
            optional=True,
        ),
        "pile_up": Variable(
            (), "1", "share of pulses that came in pairs and were counted at the sum of energies", "std", optional=True
        ),
        "deviance": Variable((), "1", "Poisson deviance per degree of freedom of the joint fit"),
    },
    frame="spectrum",
)

FITTED = Contract(
    "fitted",
    "the joint model of one spectrum, channel by channel; NaN outside the fitted range and for unused elements",
    {
        "model": Variable(("element", "channel"), "count", "expected counts"),
        "smooth": Variable(
            ("element", "channel"), "count", "the part of it that is no line: background, escape, pile-up"
        ),
    },
    frame="spectrum",
)

PHASE_PRESENCE = Contract(
    "phase_presence",
    "which phases are there in which spectrum",
    {
        "present": Variable(("spectrum", "phase"), "1", "true where found at the stated false-alarm rate"),
        "fraction": Variable(("spectrum", "phase"), "1", "share of the phase's own largest line area", "std"),
    },
)

CAUSES = Contract(
    "causes",
    "what may have made a phase's lines move",
    {
        "shift": Variable(("cause",), "1", "relative change of lattice spacing", "std"),
        "verdict": Variable(("cause",), "text", "JSON of the entry in summary.json"),
    },
)

Calibration = Annotated[xr.Dataset, CALIBRATION]
Corrected = Annotated[xr.Dataset, CORRECTED]
Lines = Annotated[xr.Dataset, LINES]
Lattice = Annotated[xr.Dataset, LATTICE]
Fitted = Annotated[xr.Dataset, FITTED]
PhasePresence = Annotated[xr.Dataset, PHASE_PRESENCE]
Causes = Annotated[xr.Dataset, CAUSES]
