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
        "two_theta_covariance": Variable(
            ("element", "other_element"), "deg2", "of the angles, where a powder gave them", optional=True
        ),
        "energy_covariance": Variable(
            ("element", "order", "other_order"), "keV2", "of the coefficients, where lines gave them", optional=True
        ),
        "dead_time_scale": Variable(
            ("coefficient",),
            "1",
            "the energy scale with its dead time instead, of every element: a1 … a5, b1 … b3, c1, c2 of the EDDI form",
            optional=True,
        ),
        "known_lines": Variable(("element",), "1", "lines that scale and angle rest on", optional=True),
        "chi_squared": Variable(("element",), "1", "of these lines, per degree of freedom", optional=True),
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
        "live_time": Variable(("element",), "s", "time the electronics could count", optional=True),
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

SHAPES = Contract(
    "shapes",
    "what the fit of one spectrum knows of lattices and widths, for a refinement of the whole series; coordinate "
    "parameter: relative stretch of each phase's free edges, logarithm of the two terms of the detector's FWHM², "
    "relative broadening² of each phase in units of its prior",
    {
        "estimate": Variable(("element", "parameter"), "1", "where the fit ended"),
        "score": Variable(("element", "parameter"), "1", "slope of the log-likelihood there, all else fitted along"),
        "information": Variable(
            ("element", "parameter", "other_parameter"), "1", "curvature of it, priors of these parameters left out"
        ),
        "prior": Variable(("parameter",), "1", "what the fit took for likely", "std"),
        "unit": Variable(("parameter",), "1", "what one of these parameters is in relative units"),
        "nominal": Variable(("parameter",), "angstrom", "edge that a stretch is relative to; NaN where it is none"),
        "there": Variable(("phase",), "1", "true where the phase is found at the stated false-alarm rate"),
    },
    frame="spectrum",
)

REFINED = Contract(
    "refined",
    "lattices of the series refined together, with what all spectra share; coordinate edge: phase and edge",
    {
        "cell": Variable(("spectrum", "edge"), "angstrom", "free edge; NaN where the phase is not there", "std"),
        "change": Variable(
            ("spectrum", "edge"), "1", "relative to the first spectrum with the phase, shared errors dropped", "std"
        ),
    },
)

SHARED = Contract(
    "shared",
    "what the spectra of a series share, along shared; coordinates element and parameter: scale (relative error of all "
    "spacings of an element), resolution (logarithm of the terms of FWHM², relative to the calibration), broadening "
    "(relative FWHM²) of a phase",
    {
        "value": Variable(("shared",), "1", "mean of the series", "std"),
        "held": Variable(("shared",), "1", "false where the spectra contradict each other, so that each has its own"),
        "chi_squared": Variable(("shared",), "1", "of the spectra about the shared value"),
        "freedom": Variable(("shared",), "1", "degrees of freedom of it, as far as the spectra tell"),
        "probability": Variable(("shared",), "1", "that chance alone scatters them more"),
    },
)

DRIFT = Contract(
    "drift",
    "internal standards through the series, and lattice changes with their drift taken out; coordinates spectrum, "
    "standard, edge",
    {
        "shift": Variable(
            ("spectrum", "standard"), "1", "relative change of all spacings that the standard shows", "std"
        ),
        "trend": Variable(("standard",), "1", "of a straight line, from first to last spectrum", "std"),
        "chi_squared": Variable(("standard",), "1", "of the standard about no change at all"),
        "probability": Variable(("standard",), "1", "that chance alone scatters it more"),
        "pinned": Variable(
            ("spectrum", "edge"), "1", "change of the refined lattices minus the standards' mean", "std"
        ),
    },
)

PHASE_PRESENCE = Contract(
    "phase_presence",
    "which phases are there in which spectrum",
    {
        "present": Variable(("spectrum", "phase"), "1", "true where found at the stated false-alarm rate"),
        "fraction": Variable(("spectrum", "phase"), "1", "share of the phase's own largest line area", "std"),
    },
)

MERGED = Contract(
    "merged",
    "the counts of all good elements of one spectrum on one axis of lattice spacings, coordinate d along bin",
    {
        "counts": Variable(("bin",), "count", "of the elements together, split where a channel meets an edge", "std"),
        "background": Variable(("bin",), "count", "the smooth part of them"),
        "exposure": Variable((), "s", "live time over the elements × ring current / that of the first spectrum"),
    },
    frame="spectrum",
)

PRISTINE = Contract(
    "pristine", "the merged spectrum that all others are compared with; coordinate d along bin", MERGED.variables
)

SUBTRACTED = Contract(
    "subtracted",
    "one spectrum minus the pristine one, scaled by their exposures; coordinate d along bin",
    {
        "difference": Variable(("bin",), "count", "counts left over", "std"),
        "bipolar": Variable(
            ("bin",), "1", "true where a surplus stands beside a deficit: a line that moved or widened"
        ),
    },
    frame="spectrum",
)

FACTORS = Contract(
    "factors",
    "non-negative factors of the whole series, without any phase named; coordinates d along bin, spectrum",
    {
        "pattern": Variable(("factor", "bin"), "1", "each of sum one"),
        "amount": Variable(("spectrum", "factor"), "count", "how much of each factor a spectrum holds"),
        "deviance": Variable((), "1", "Poisson deviance per count value, near 1 where the factors are enough"),
    },
)

STRAIN_ELLIPSE = Contract(
    "strain_ellipse",
    "strain of each phase against azimuth, relative to the first spectrum; NaN where fewer than three elements see it",
    {
        "mean": Variable(("spectrum", "phase"), "1", "strain averaged over the azimuths", "std"),
        "differential": Variable(
            ("spectrum", "phase"), "1", "strain = mean + differential × cos 2(azimuth - axis)", "std"
        ),
        "axis": Variable(("spectrum", "phase"), "deg", "azimuth of the largest strain"),
        "chi_squared": Variable(("spectrum", "phase"), "1", "per degree of freedom"),
    },
)

AREA_PER_CHARGE = Contract(
    "area_per_charge",
    "how the lines of each phase follow the charge, coordinate way: charge, discharge",
    {
        "slope": Variable(("phase", "way"), "count/mAh", "change of the phase's summed area per net charge", "std"),
        "inactive": Variable(("phase",), "1", "1 - slope of discharge / slope of charge: the share that stays", "std"),
        "spectra": Variable(("phase", "way"), "1", "number of spectra that the slope rests on"),
    },
)

RESPONSE = Contract(
    "response",
    "how strongly the same scattering volume shows at each energy: flux × absorption × efficiency / E²; coordinates "
    "energy (keV), and along line: phase, h, k, l, line_energy",
    {
        "relative": Variable(("energy",), "1", "relative to the middle of the range, on a logarithmic scale", "bounds"),
        "given": Variable(("energy",), "1", "the part of it that the configuration gives, on the same scale"),
        "observed": Variable(
            ("line",), "1", "area over what the phase's volume and the atoms give, on the same scale", "std"
        ),
        "used": Variable(("line",), "1", "false where a line is left out: beyond an edge of absorption, or apart"),
        "scatter": Variable((), "1", "relative scatter of the lines about it beyond counting"),
    },
)

PHASE_SHARES = Contract(
    "phase_shares",
    "shares of the phases with known atoms that lie together in the gauge; NaN for all others",
    {
        "volume_share": Variable(("spectrum", "phase"), "1", "of the volume of these phases", "bounds"),
        "mass_share": Variable(("spectrum", "phase"), "1", "of their mass", "bounds"),
        "amount": Variable(
            ("spectrum", "phase"), "1", "volume relative to the phase's mean over the series: no atoms needed", "std"
        ),
        "chi_squared": Variable(
            ("spectrum", "phase"), "1", "per degree of freedom, of lines that keep their ratios through the series"
        ),
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
Shapes = Annotated[xr.Dataset, SHAPES]
Refined = Annotated[xr.Dataset, REFINED]
Shared = Annotated[xr.Dataset, SHARED]
Drift = Annotated[xr.Dataset, DRIFT]
PhasePresence = Annotated[xr.Dataset, PHASE_PRESENCE]
Merged = Annotated[xr.Dataset, MERGED]
Pristine = Annotated[xr.Dataset, PRISTINE]
Subtracted = Annotated[xr.Dataset, SUBTRACTED]
Factors = Annotated[xr.Dataset, FACTORS]
StrainEllipse = Annotated[xr.Dataset, STRAIN_ELLIPSE]
AreaPerCharge = Annotated[xr.Dataset, AREA_PER_CHARGE]
Response = Annotated[xr.Dataset, RESPONSE]
PhaseShares = Annotated[xr.Dataset, PHASE_SHARES]
Causes = Annotated[xr.Dataset, CAUSES]
