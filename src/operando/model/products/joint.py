"""Products of the room where the three instruments meet."""

from typing import Annotated

import xarray as xr

from operando.model.contract import Contract, Variable

_EXPOSURE = {
    "start": Variable((), "time", "NaT if unknown"),
    "end": Variable((), "time", "NaT if unknown"),
    "ring_current": Variable((), "mA", "mean; NaN if unknown"),
}


def _exposures(name: str, dim: str, meaning: str) -> Contract:
    return Contract(
        name,
        meaning,
        {
            "file": Variable((dim,), "text", "raw file, relative to the experiment's folder"),
            "start": Variable((dim,), "time", "of the exposure; NaT if unknown"),
            "end": Variable((dim,), "time", "of the exposure; NaT if unknown"),
            "charge": Variable((dim,), "mAh", "net, averaged over the exposure; NaN outside the record"),
            "voltage": Variable((dim,), "V", "averaged over the exposure; NaN outside the record"),
            "current": Variable((dim,), "mA", "averaged over the exposure; NaN outside the record"),
            "cycle": Variable((dim,), "1", "holding the exposure's middle; -1 outside the record"),
            "step": Variable((dim,), "1", "index into the protocol; -1 outside the record"),
            "step_kind": Variable((dim,), "text", "kind of that step, empty outside the record"),
        },
    )


SCAN_EXPOSURE = Contract("scan_exposure", "when one scan was exposed", _EXPOSURE, frame="scan")
SPECTRUM_EXPOSURE = Contract("spectrum_exposure", "when one spectrum was counted", _EXPOSURE, frame="spectrum")
SCAN_TIMELINE = _exposures("scan_timeline", "scan", "state of the cell during each scan")
SPECTRUM_TIMELINE = _exposures("spectrum_timeline", "spectrum", "state of the cell during each spectrum")

PAIRS = Contract(
    "pairs",
    "which two scans are compared for which step of the protocol",
    {
        "from_scan": Variable(("pair",), "1", "nearest the step's start"),
        "to_scan": Variable(("pair",), "1", "nearest the step's end"),
        "cycle": Variable(("pair",), "1", "-1 for the whole experiment"),
        "step": Variable(("pair",), "text", "kind of the step, or all, or null test"),
    },
)

BALANCE = Contract(
    "balance",
    "charge against volume, for every pair and every candidate reaction",
    {
        "charge": Variable(("pair",), "mAh", "between the two scans", "bounds"),
        "morphological": Variable(("pair",), "um3", "the anode's net change that was seen", "bounds"),
        "gain": Variable(("pair",), "um3", "gross", "bounds"),
        "loss": Variable(("pair",), "um3", "gross", "bounds"),
        "electrochemical": Variable(("pair", "reaction"), "um3", "expected for the reaction", "bounds"),
        "ratio": Variable(("pair", "reaction"), "1", "seen / expected", "bounds"),
        "unaccounted": Variable(("pair",), "um3", "expected for the configured reaction - seen", "bounds"),
        "from_scan": Variable(("pair",), "1", "index of the earlier scan"),
        "to_scan": Variable(("pair",), "1", "index of the later scan"),
        "cycle": Variable(("pair",), "1", "-1 for the whole experiment"),
        "step": Variable(("pair",), "text", "kind of the step, null test or all"),
        "cavity_change": Variable(("pair",), "um3", "of the void at the anode that was seen", "bounds", optional=True),
        "untrusted": Variable(("pair",), "um3", "of the common field that could not be compared", optional=True),
        "surface_unseen": Variable(
            ("pair",), "1", "share of the anode's surface that is unknown in either scan", optional=True
        ),
        "side_share": Variable(
            ("pair",), "1", "1 - seen / expected of a charge for the configured reaction", "bounds", optional=True
        ),
        "molar_volume": Variable(
            ("reaction",), "cm3/mol", "volume change of the host per mole of lithium", "std", optional=True
        ),
    },
)
"""Coordinate ``reaction`` holds the reactions' texts; ``attrs["configured"]`` is the configured one, or empty."""

CONCLUSION = Contract(
    "conclusion",
    "what charge, volumes and phases say together, in sentences that state their assumptions",
    {
        "text": Variable(("sentence",), "text", "one sentence each"),
        "phase": Variable(("equilibrium",), "text", "phases that the anode's masses lead to at equilibrium"),
        "amount": Variable(("equilibrium",), "1", "share of the host element in each of them"),
        "side_share": Variable(
            (), "1", "share of the charging charge that made none of the configured reaction's volume", "bounds"
        ),
    },
)

CONTACT = Contract(
    "contact",
    "the cell's resistance against the anode's contact area",
    {
        "scan": Variable(("point",), "1", "the scan nearest in time to the jump of the current"),
        "contact_area": Variable(("point",), "um2", "seen in it", "bounds"),
        "resistance": Variable(("point",), "ohm", "at the jump", "std"),
        "lag": Variable(("point",), "s", "the jump's time - the middle of the scan's exposure"),
        "exponent": Variable((), "1", "of resistance ~ area to this power; -1 if contact is all of it", "bounds"),
    },
)

CLOCK_CHECK = Contract(
    "clock_check",
    "how well each offset between the cycler's clock and the others fits the data; shown, never applied",
    {
        "log_likelihood": Variable(("instrument", "offset"), "1", "of each offset, relative to the best; NaN untested"),
        "best": Variable(("instrument",), "s", "offset of the greatest likelihood", "bounds"),
    },
)

EVENTS = Contract(
    "events",
    "what happened when, and at which charge",
    {
        "time": Variable(("event",), "time", "most likely"),
        "low": Variable(("event",), "time", "start of the 95 % interval"),
        "high": Variable(("event",), "time", "end of the 95 % interval"),
        "charge": Variable(("event",), "mAh", "net charge then", "bounds"),
        "kind": Variable(("event",), "text", "void_onset, contact_loss_onset, phase_onset, …"),
        "text": Variable(("event",), "text", "one sentence"),
    },
)

SUMMARY = Contract(
    "summary",
    "everything as the object of summary.json",
    {"json": Variable((), "text", "JSON text")},
)

ScanExposure = Annotated[xr.Dataset, SCAN_EXPOSURE]
SpectrumExposure = Annotated[xr.Dataset, SPECTRUM_EXPOSURE]
ScanTimeline = Annotated[xr.Dataset, SCAN_TIMELINE]
SpectrumTimeline = Annotated[xr.Dataset, SPECTRUM_TIMELINE]
Pairs = Annotated[xr.Dataset, PAIRS]
Balance = Annotated[xr.Dataset, BALANCE]
Conclusion = Annotated[xr.Dataset, CONCLUSION]
Contact = Annotated[xr.Dataset, CONTACT]
ClockCheck = Annotated[xr.Dataset, CLOCK_CHECK]
Events = Annotated[xr.Dataset, EVENTS]
Summary = Annotated[xr.Dataset, SUMMARY]
