"""What charge, volumes and phases say together, in plain words that state their assumptions."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import xarray as xr

from operando.joint.composition import cathode_sentences, composition_sentences, equilibrium
from operando.joint.pairs import ALL, NULL_TEST
from operando.joint.verdicts import balance_sentences, null_test_sentences
from operando.model.interval import Quantity
from operando.model.products.diffraction import PhasePresence
from operando.model.products.joint import CONCLUSION, Balance, Conclusion
from operando.model.step import Setting, step


@step(version=2)
def conclusion(
    balance: Balance,
    presence: PhasePresence | None = None,
    anode_mass_mg: Annotated[float | dict[str, float] | None, Setting("cell.anode.mass_mg")] = None,
    temperature_c: Annotated[float | None, Setting("cell.temperature_c")] = None,
    cathode: Annotated[str | None, Setting("cell.cathode.material")] = None,
) -> Conclusion:
    """Say what the balance means: assumptions, null test, the share that is missing, and whether the phases agree.

    No reaction is preferred without support from diffraction; where the masses imply other phases at equilibrium
    than were observed, the contradiction is said.
    """
    implied, sentences = equilibrium(anode_mass_mg, temperature_c)
    seen = observed(presence)
    texts = [
        *assumptions(balance),
        *null_test_sentences(balance),
        *balance_sentences(balance),
        *composition_sentences(implied, seen, _full_uptake(balance), str(balance.attrs.get("configured", ""))),
        *cathode_sentences(cathode, temperature_c, _full_uptake(balance)),
        *sentences,
    ]
    share = whole_side_share(balance)
    return CONCLUSION.new(
        text=np.array(texts, object),
        phase=np.array([one.name for one in implied], object),
        amount=np.array([one.host_share for one in implied], float),
        side_share=share.value,
        side_share_low=share.low,
        side_share_high=share.high,
        attrs={"warnings": null_test_sentences(balance, only_bad=True)},
    )


def observed(presence: xr.Dataset | None) -> Mapping[str, float] | None:
    """Share of the spectra in which each phase was found; ``None`` without diffraction."""
    if presence is None or not presence.sizes["spectrum"]:
        return None
    shares = presence["present"].values.astype(float).mean(axis=0)
    return {str(name): float(share) for name, share in zip(presence["phase"].values, shares, strict=True)}


def assumptions(balance: xr.Dataset) -> list[str]:
    """What the expected volumes rest on."""
    configured = str(balance.attrs.get("configured", ""))
    refined = balance.attrs.get("refined", [])
    if not configured:
        return [
            "No reaction is configured for the anode (`reaction` in [cell.anode]): candidates are shown side by side "
            "and nothing is called missing."
        ]
    volume = float(balance["molar_volume"].values[0])
    source = f"lattices refined here ({', '.join(refined)})" if refined else "the listed structures"
    return [
        f"Expected volumes assume that all of the current drives {configured} and that no lithium is lost: "
        f"{volume:.2f} cm³ per mole of lithium from {source}."
    ]


def _full_uptake(balance: xr.Dataset) -> float:
    """Largest charge between two scans, mAh: how much lithium moved at most."""
    charge = np.abs(balance["charge"].values[balance["step"].values != NULL_TEST])
    return float(np.nanmax(charge)) if np.isfinite(charge).any() else float("nan")


def whole_side_share(balance: xr.Dataset) -> Quantity:
    """Share of all charges together that made none of the configured reaction's volume.

    Errors of the volumes are taken as shared (thresholds are), so their half-widths add.
    """
    unknown = Quantity(float("nan"), float("nan"), float("nan"), "1")
    if not balance.sizes.get("reaction") or not balance.attrs.get("configured"):
        return unknown
    rows = charges_of(balance)
    expected, missing = (balance[name].values[rows] for name in ("electrochemical", "unaccounted"))
    low, high = (balance[f"unaccounted_{side}"].values[rows] for side in ("low", "high"))
    total = float(expected[:, 0].sum()) if len(rows) else 0.0
    if total <= 0:
        return unknown
    return Quantity(float(missing.sum()) / total, float(low.sum()) / total, float(high.sum()) / total, "1")


def charges_of(balance: xr.Dataset) -> Sequence[int]:
    """Rows of charging steps with both volumes known."""
    kind, share = balance["step"].values, balance["side_share"].values
    return [k for k in range(kind.size) if kind[k] not in {ALL, NULL_TEST} and np.isfinite(share[k])]
