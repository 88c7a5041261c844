"""Charge against volume: what each candidate reaction would have made, and what was seen."""

import math
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import xarray as xr

from operando.joint.expected import charge_between, difference_of, expected_volume, ratio_of
from operando.joint.lattice_volumes import refined, refined_volumes
from operando.joint.verdicts import MOST_UNSEEN
from operando.model.interval import Quantity
from operando.model.material import Material, Reaction
from operando.model.products.diffraction import Lattice
from operando.model.products.joint import BALANCE, Balance, Pairs, ScanTimeline
from operando.model.products.morphology import Difference, Interface
from operando.model.step import Series, Setting, step

NAN = float("nan")
NO_VOLUME = Quantity(NAN, NAN, NAN, "um3")
NO_SHARE = Quantity(NAN, NAN, NAN, "1")


@step(version=2)
def balance(
    pairs: Pairs,
    timeline: ScanTimeline,
    differences: Series[Difference] | None = None,
    interfaces: Series[Interface] | None = None,
    lattices: Series[Lattice] | None = None,
    reactions: Annotated[tuple[Reaction, ...], Setting("cell.anode", resolve="reactions")] = (),
    configured: Annotated[str | None, Setting("cell.anode.reaction")] = None,
    phases: Annotated[tuple[Material, ...] | None, Setting("diffraction.phases", resolve="material")] = None,
) -> Balance:
    """Set the volume that was seen beside the one that every candidate reaction would give.

    Expected: charge between the two scans / F × ΔV of the reaction, µm³. Ratio: seen / expected (Fieller's
    interval). Unaccounted: expected for the configured reaction − seen; NaN if none is configured. No candidate is
    preferred here: which one happens is for diffraction to say. The share of side reactions is NaN where too much of
    the anode's surface is out of sight. Reaction volumes come from the lattices refined in
    this experiment where all phases of a reaction were, else from the listed structures.
    """
    seen, unseen = by_pair(differences or ()), unseen_shares(interfaces or ())
    volumes, sentences = refined_volumes(lattices or (), phases or ())
    listed, reactions = reactions, tuple(refined(one, volumes) for one in reactions)
    rows = [_row(*pair, timeline, seen.get(pair), reactions) for pair in pair_numbers(pairs)]
    for row, (earlier, later), kind in zip(rows, pair_numbers(pairs), pairs["step"].values, strict=True):
        row["surface_unseen"] = float(np.fmax(unseen.get(earlier, NAN), unseen.get(later, NAN)))
        hidden = row["surface_unseen"] > MOST_UNSEEN
        row["side_share"] = NO_SHARE if hidden else side_share(str(kind), row["charge"], row["ratio"])
    return BALANCE.new(
        coords={"reaction": ("reaction", np.array([one.text for one in reactions], object))},
        attrs={
            "configured": reactions[0].text if configured and reactions else "",
            "refined": sorted(volumes) if reactions and reactions[0] != listed[0] else [],
            "warnings": sentences,
        },
        from_scan=pairs["from_scan"].values,
        to_scan=pairs["to_scan"].values,
        cycle=pairs["cycle"].values,
        step=pairs["step"].values,
        molar_volume=np.array([one.volume_cm3_per_mol for one in reactions], float),
        molar_volume_std=np.array([one.volume_std_cm3_per_mol for one in reactions], float),
        **columns_of(rows, len(reactions), bool(configured)),
    )


def pair_numbers(pairs: xr.Dataset) -> list[tuple[int, int]]:
    """Earlier and later scan of every pair."""
    return [(int(a), int(b)) for a, b in zip(pairs["from_scan"].values, pairs["to_scan"].values, strict=True)]


def unseen_shares(interfaces: Sequence[xr.Dataset]) -> dict[int, float]:
    """Share of the anode's surface that is out of sight, by scan."""
    return {int(one.attrs["frame"]): float(one["unknown_share"]) for one in interfaces}


def by_pair(differences: Sequence[xr.Dataset]) -> dict[tuple[int, int], xr.Dataset]:
    """Differences by the numbers of their two scans; two steps of the protocol may share one."""
    return {(int(one.attrs["frame"][0]), int(one.attrs["frame"][1])): one for one in differences}


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
    earlier: int, later: int, timeline: xr.Dataset, seen: xr.Dataset | None, reactions: Sequence[Reaction]
) -> dict[str, Any]:
    charge = charge_of_pair(earlier, later, timeline)
    net, gain, loss, cavity = (
        NO_VOLUME if seen is None else quantity(seen, name, "um3") for name in ("net", "gain", "loss", "cavity_change")
    )
    expected = [expected_volume(charge, reaction) for reaction in reactions]
    return {
        "charge": charge,
        "morphological": net,
        "gain": gain,
        "loss": loss,
        "cavity_change": cavity,
        "untrusted": NAN if seen is None else float(seen["untrusted_volume"]),
        "electrochemical": expected,
        "ratio": [ratio_of(net, volume) for volume in expected],
        "unaccounted": difference_of(expected[0], net) if expected else NO_VOLUME,
    }


def side_share(kind: str, charge: Quantity, ratios: Sequence[Quantity]) -> Quantity:
    """Share of a charging step that made none of the first reaction's volume, 1 - ratio; NaN for other steps."""
    if kind not in {"charge", "hold"} or not charge.low > 0 or not ratios:
        return NO_SHARE
    return Quantity(1 - ratios[0].value, 1 - ratios[0].high, 1 - ratios[0].low, "1")


def columns_of(rows: Sequence[dict[str, Any]], reactions: int, configured: bool) -> dict[str, np.ndarray]:
    """Arrays with bounds; ``unaccounted`` and ``side_share`` are NaN without a configured reaction."""
    columns = {name: np.array([row[name] for row in rows], float) for name in ("untrusted", "surface_unseen")}
    for name in ("charge", "morphological", "gain", "loss", "cavity_change", "unaccounted", "side_share"):
        unknown = not configured and name in {"unaccounted", "side_share"}
        for suffix, part in _PARTS:
            values = np.array([getattr(row[name], part) for row in rows], float)
            columns[name + suffix] = np.full(len(rows), math.nan) if unknown else values
    for name in ("electrochemical", "ratio"):
        for suffix, part in _PARTS:
            table = [[getattr(one, part) for one in row[name]] for row in rows]
            columns[name + suffix] = np.array(table, float).reshape(len(rows), reactions)
    return columns


_PARTS = (("", "value"), ("_low", "low"), ("_high", "high"))
