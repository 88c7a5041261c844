"""The report's part on quality: what is missing, what can't be trusted, what drifted."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from operando.figures import markup
from operando.figures.markup import Markup, element
from operando.figures.numbers import number_text, quantity_text
from operando.figures.source import Source

Row = tuple[str, Any]


def quality(source: Source) -> Markup:
    """A table of what limits the results."""
    rows = [*_missing(source), *_untrusted(source), *_drift(source), *_diffraction(source), *_null_test(source)]
    return markup.definitions(dict(rows)) if rows else element("p", "Nothing to report.")


def _missing(source: Source) -> list[Row]:
    summary = source.summary
    rows: list[Row] = []
    for word, entries, key in (("scans", summary["scans"], "start"), ("spectra", summary["spectra"], "time")):
        if not entries:
            continue
        indices = {entry["index"] for entry in entries}
        absent = sorted(set(range(max(indices) + 1)) - indices)
        rows.append((f"Missing {word}", _numbers(absent)))
        rows.append((f"{word.capitalize()} without a time", _numbers([e["index"] for e in entries if e[key] is None])))
        outside = [e["index"] for e in entries if e[key] is not None and e["charge_mAh"] is None]
        rows.append((f"{word.capitalize()} outside the cycler's record", _numbers(outside)))
    rows.append(("Warnings", len(summary.get("warnings", []))))
    return rows


def _numbers(indices: Sequence[int]) -> str:
    """List frame numbers, shortened.

    >>> _numbers([3, 5])
    '2: 3, 5'
    """
    if not indices:
        return "none"
    shown = ", ".join(str(index) for index in indices[:10])
    return f"{len(indices)}: {shown}" + (", …" if len(indices) > 10 else "")


def _untrusted(source: Source) -> list[Row]:
    scans = [scan for scan in source.summary["scans"] if scan["untrusted_volume_um3"]]
    if not scans:
        return []
    worst = max(scans, key=lambda scan: scan["untrusted_volume_um3"]["value"])
    volume = worst["untrusted_volume_um3"]
    known = [part["value"] for part in worst["phase_volume_um3"].values() if part]
    whole = sum(known) + volume["value"]
    share = f", {100 * volume['value'] / whole:.2g} % of the bore in view" if known and whole > 0 else ""
    return [("Untrusted volume, at most", f"{quantity_text(volume)} in scan {worst['index']}{share}")]


def _drift(source: Source) -> list[Row]:
    rows: list[Row] = []
    centres = source.table("centres")
    if centres is not None:
        values = centres["centre"].values
        rows.append(("Centre of rotation, range", number_text(float(np.ptp(values)), 2, "px")))
        rows.append(("Centres that did not fit the series", _flagged(centres)))
    motions = source.table("motions")
    if motions is not None:
        moved = np.linalg.norm(motions["translation"].values, axis=1)
        rows.append(("Cell moved since the first scan, at most", number_text(float(np.nanmax(moved)), 3, "um")))
        rows.append(("Motions that did not fit the series", _flagged(motions)))
    return rows


def _flagged(table: xr.Dataset) -> str:
    return _numbers(table["scan"].values[table["outlier"].values.astype(bool)].tolist())


def _diffraction(source: Source) -> list[Row]:
    rows: list[Row] = []
    calibration = source.table("calibration")
    if calibration is not None:
        bad = np.flatnonzero(~calibration["good"].values.astype(bool))
        reasons = [f"{i} ({calibration['reason'].values[i]})" for i in bad]
        rows.append(("Detector elements left out", ", ".join(reasons) or "none"))
    lattice = source.table("lattice")
    if lattice is not None:
        deviance = lattice["deviance"].values
        deviance = deviance[np.isfinite(deviance)]
        if deviance.size:
            worst = f"{np.median(deviance):.2f} (worst {deviance.max():.2f}; 1 is as good as counting allows)"
            rows.append(("Deviance of the fits, median", worst))
    return rows


def _null_test(source: Source) -> list[Row]:
    entries = [entry for entry in source.summary["volume_balance"] if entry["step"] == "null test"]
    return [
        (
            f"Null test, scans {entry['from_scan']} and {entry['to_scan']} at rest",
            quantity_text(entry["morphological_um3"]),
        )
        for entry in entries
    ]
