"""Everything that was found, as the object of summary.json."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Any

import numpy as np

from operando.joint import entries
from operando.model.products.diffraction import Causes, Lattice, Lines, PhaseShares, Refined
from operando.model.products.electrochemistry import Cycles
from operando.model.products.joint import (
    SUMMARY,
    Balance,
    ClockCheck,
    Conclusion,
    Contact,
    Events,
    ScanTimeline,
    SpectrumTimeline,
    Summary,
)
from operando.model.products.morphology import Interface, PhaseVolumes, Tracks
from operando.model.products.tomography import Centres
from operando.model.step import Series, Setting, step

SCHEMA = 1


@step(version=3)
def summary(
    scan_timeline: ScanTimeline | None = None,
    spectrum_timeline: SpectrumTimeline | None = None,
    centres: Centres | None = None,
    phase_volumes: Series[PhaseVolumes] | None = None,
    interfaces: Series[Interface] | None = None,
    tracks: Series[Tracks] | None = None,
    lines: Series[Lines] | None = None,
    lattices: Series[Lattice] | None = None,
    refined: Refined | None = None,
    phase_shares: PhaseShares | None = None,
    cycles: Cycles | None = None,
    balance: Balance | None = None,
    causes: Causes | None = None,
    events: Events | None = None,
    conclusion: Conclusion | None = None,
    clock_check: ClockCheck | None = None,
    contact: Contact | None = None,
    title: Annotated[str | None, Setting("experiment.title")] = None,
) -> Summary:
    """Gather all results; every one may be absent. What can't be known is ``null``, never a guess.

    The pipeline adds what went wrong with ``with_warnings``.
    """
    scans = entries.scans(
        scan_timeline,
        centres,
        entries.by_frame(phase_volumes),
        entries.by_frame(interfaces),
        entries.by_frame(tracks),
    )
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "operando": version("operando"),
        "title": title or "untitled experiment",
        "scans": scans,
        "spectra": entries.spectra(
            spectrum_timeline, entries.by_frame(lines), entries.by_frame(lattices), refined, phase_shares
        ),
        "cycles": entries.cycles(cycles),
        "volume_balance": entries.volume_balance(balance),
        "causes": entries.causes(causes),
        "events": entries.events(events),
        "warnings": [],
    }
    found |= entries.null_test(balance) | entries.conclusion(conclusion)
    found |= entries.phase_share_assumptions(phase_shares)
    found |= entries.event_order(events) | entries.clock_check(clock_check) | entries.contact(contact)
    return SUMMARY.new(json=np.array(json.dumps(found, allow_nan=False, ensure_ascii=False), object))


def read(product: Summary) -> dict[str, Any]:
    """The object of summary.json."""
    found: dict[str, Any] = json.loads(str(product["json"].values))
    return found


def with_warnings(
    found: Mapping[str, Any], warnings: Sequence[tuple[str | None, str] | Mapping[str, Any]]
) -> dict[str, Any]:
    """The object of summary.json with ``warnings`` added: (file, sentence) pairs or their entries; none twice.

    >>> with_warnings({"warnings": []}, [("a.nxs", "broken"), (None, "no times")])["warnings"][1]
    {'file': None, 'text': 'no times'}
    """
    listed = [dict(entry) for entry in found.get("warnings", ())]
    for warning in warnings:
        entry = dict(warning) if isinstance(warning, Mapping) else {"file": warning[0], "text": warning[1]}
        if entry not in listed:
            listed.append(entry)
    return {**found, "warnings": listed}
