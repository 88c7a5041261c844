"""Sentences about single rows of the balance."""

import numpy as np
import xarray as xr

from operando.joint.pairs import ALL, NULL_TEST

MOST_UNSEEN = 0.05
"""Share of the anode's surface that may be out of sight before what is missing says nothing of side reactions."""


def null_test_sentences(balance: xr.Dataset, only_bad: bool = False) -> list[str]:
    """What two scans at rest differ by, though nothing should have changed."""
    sentences = []
    for k in np.flatnonzero(balance["step"].values == NULL_TEST):
        low, value, high = (float(balance[f"morphological{side}"].values[k]) for side in ("_low", "", "_high"))
        scans = f"scans {int(balance['from_scan'].values[k])} and {int(balance['to_scan'].values[k])}"
        if not np.isfinite(value):
            continue
        fair = low <= 0 <= high
        if fair and not only_bad:
            sentences.append(
                f"Null test: between {scans}, at rest, the anode changed by {value:.3g} µm³ ({low:.3g} to {high:.3g}), "
                "nothing within its interval, as it should be."
            )
        elif not fair:
            sentences.append(
                f"Null test: between {scans}, at rest, the anode seems to change by {value:.3g} µm³ ({low:.3g} to "
                f"{high:.3g}) though no current flows: the intervals of the volumes are too narrow or the cell moved."
            )
    return sentences


def balance_sentences(balance: xr.Dataset) -> list[str]:
    """One sentence for every charge and discharge with known volumes, and one for the whole experiment."""
    if not balance.sizes.get("reaction"):
        return []
    rows = [k for k, kind in enumerate(balance["step"].values) if kind in {"charge", "discharge", "hold", ALL}]
    sentences = [_sentence(balance.isel(pair=k), str(balance.attrs.get("configured", ""))) for k in rows]
    return [sentence for sentence in sentences if sentence]


def _sentence(row: xr.Dataset, configured: str) -> str:
    """The configured reaction and those that fit; every candidate where none is configured."""
    ratios = row["ratio"].values
    fitting = [
        str(name)
        for name, low, high in zip(
            row["reaction"].values, row["ratio_low"].values, row["ratio_high"].values, strict=True
        )
        if low <= 1 <= high
    ]
    if not np.isfinite(ratios).any():
        return ""
    where = "Over the whole experiment" if str(row["step"].values) == ALL else _where(row)
    seen, charge = float(row["morphological"]), float(row["charge"])
    listed = "; ".join(
        f"{ratio:.2f} ({low:.2f} to {high:.2f}) for {name}"
        for name, ratio, low, high in zip(
            row["reaction"].values, ratios, row["ratio_low"].values, row["ratio_high"].values, strict=True
        )
        if not configured or str(name) in {configured, *fitting}
    )
    verdict = f"compatible with {' or '.join(fitting)}" if fitting else "compatible with none of the candidates alone"
    return (
        f"{where}, {charge * 1e3:.3g} µAh changed the anode by {seen:.3g} µm³; seen over expected is {listed}; "
        f"{verdict}{_missing(row, configured, fitting)}{_hidden(row)}."
    )


def _missing(row: xr.Dataset, configured: str, fitting: list[str]) -> str:
    """What the configured reaction leaves open, where it does not fit."""
    low, value, high = (float(row[f"unaccounted{side}"]) for side in ("_low", "", "_high"))
    if not configured or configured in fitting or not np.isfinite(value):
        return ""
    expected = float(row["electrochemical"].values[0])
    short = value * expected > 0
    reason = "side reaction, hidden void or unseen" if short else "more changed than the charge allows"
    return f", {value:.2g} µm³ ({low:.2g} to {high:.2g}) unaccounted for {configured} ({reason})"


def _where(row: xr.Dataset) -> str:
    kind = str(row["step"].values)
    return f"In the {kind} of cycle {int(row['cycle'])}"


def _hidden(row: xr.Dataset) -> str:
    """How much of the field could not be seen at all, where that could matter."""
    unseen = float(row["surface_unseen"]) if "surface_unseen" in row else float("nan")
    if unseen > MOST_UNSEEN:
        return f", while {100 * unseen:.0f} % of the anode's surface was out of sight"
    untrusted = float(row["untrusted"]) if "untrusted" in row else float("nan")
    if np.isfinite(untrusted) and untrusted > abs(float(row["morphological"])):
        return f", while {untrusted:.3g} µm³ of the field could not be compared"
    return ""
