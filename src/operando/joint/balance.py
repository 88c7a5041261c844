"""Charge against volume: what each candidate reaction would have made, and what was seen."""

import math
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import xarray as xr

from operando.joint.expected import charge_between, difference_of, expected_volume, ratio_of
from operando.model.interval import Quantity
from operando.model.material import Reaction
from operando.model.products.joint import BALANCE, Balance, Pairs, ScanTimeline
from operando.model.products.morphology import Difference
from operando.model.step import Series, Setting, step

NAN = float("nan")
NO_VOLUME = Quantity(NAN, NAN, NAN, "um3")


@step(version=1)
def balance(
    pairs: Pairs,
    timeline: ScanTimeline,
    differences: Series[Difference] | None = None,
    reactions: Annotated[tuple[Reaction, ...], Setting("cell.anode", resolve="reactions")] = (),
    configured: Annotated[str | None, Setting("cell.anode.reaction")] = None,
) -> Balance:
    """Set the volume that was seen beside the one that every candidate reaction would give.

    Expected: charge between the two scans / F × ΔV of the reaction, µm³. Ratio: seen / expected (Fieller's
    interval). Unaccounted: expected for the configured reaction − seen; NaN if none is configured. No candidate is
    preferred here: which one happens is for diffraction to say.
    """
    seen = by_pair(differences or ())
    rows = [_row(k, pairs, timeline, seen.get(k), reactions) for k in range(pairs.sizes["pair"])]
    return BALANCE.new(
        coords={"reaction": ("reaction", np.array([one.text for one in reactions], object))},
        attrs={"configured": reactions[0].text if configured and reactions else ""},
        from_scan=pairs["from_scan"].values,
        to_scan=pairs["to_scan"].values,
        cycle=pairs["cycle"].values,
        step=pairs["step"].values,
        molar_volume=np.array([one.volume_cm3_per_mol for one in reactions], float),
        molar_volume_std=np.array([one.volume_std_cm3_per_mol for one in reactions], float),
        **columns_of(rows, len(reactions), bool(configured)),
    )


def by_pair(differences: Sequence[xr.Dataset]) -> dict[int, xr.Dataset]:
    """Differences by the number of their pair."""
    return {int(one.attrs.get("frame", k)): one for k, one in enumerate(differences)}


def quantity(dataset: xr.Dataset, name: str, unit: str) -> Quantity:
    """A variable without dimensions, with its bounds."""
    value, low, high = (float(dataset[name + suffix]) for suffix in ("", "_low", "_high"))
    return Quantity(value, low, high, unit)


def charge_of_pair(earlier: int, later: int, timeline: xr.Dataset) -> Quantity:
    """Charge between two scans (by their numbers), NaN where either is outside the record."""
    known = list(timeline["scan"].values.astype(int))
    if earlier not in known or later not in known:
        return Quantity(NAN, NAN, NAN, "mAh")
    a, b = (timeline.isel(scan=known.index(scan)) for scan in (earlier, later))
    seconds = float((b["start"].values - a["start"].values) / np.timedelta64(1, "s"))
    return charge_between(
        float(a["charge"]),
        float(b["charge"]),
        seconds,
        float(timeline.attrs.get("current_gain_std", 0.0)),
        float(timeline.attrs.get("current_offset_std_mA", 0.0)),
    )


def _row(
    k: int, pairs: xr.Dataset, timeline: xr.Dataset, seen: xr.Dataset | None, reactions: Sequence[Reaction]
) -> dict[str, Any]:
    charge = charge_of_pair(int(pairs["from_scan"][k]), int(pairs["to_scan"][k]), timeline)
    net, gain, loss = (NO_VOLUME if seen is None else quantity(seen, name, "um3") for name in ("net", "gain", "loss"))
    expected = [expected_volume(charge, reaction) for reaction in reactions]
    return {
        "charge": charge,
        "morphological": net,
        "gain": gain,
        "loss": loss,
        "electrochemical": expected,
        "ratio": [ratio_of(net, volume) for volume in expected],
        "unaccounted": difference_of(expected[0], net) if expected else NO_VOLUME,
    }


def columns_of(rows: Sequence[dict[str, Any]], reactions: int, configured: bool) -> dict[str, np.ndarray]:
    """Arrays with bounds; ``unaccounted`` is NaN without a configured reaction."""
    columns: dict[str, np.ndarray] = {}
    for name in ("charge", "morphological", "gain", "loss", "unaccounted"):
        for suffix, part in _PARTS:
            values = np.array([getattr(row[name], part) for row in rows], float)
            columns[name + suffix] = values if configured or name != "unaccounted" else np.full(len(rows), math.nan)
    for name in ("electrochemical", "ratio"):
        for suffix, part in _PARTS:
            table = [[getattr(one, part) for one in row[name]] for row in rows]
            columns[name + suffix] = np.array(table, float).reshape(len(rows), reactions)
    return columns


_PARTS = (("", "value"), ("_low", "low"), ("_high", "high"))
