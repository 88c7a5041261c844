"""Sanity of a record against theory: units and sign of the current."""

from collections.abc import Mapping

import numpy as np


def capacity_warnings(
    voltage: np.ndarray,
    current: np.ndarray,
    table: Mapping[str, np.ndarray],
    kinds: np.ndarray,
    theory_mah: float | None,
) -> list[str]:
    """Sentences about a current whose sign or unit can't be right."""
    return [*sign_warnings(voltage, current, table, kinds), *unit_warnings(table, kinds, theory_mah)]


def sign_warnings(
    voltage: np.ndarray, current: np.ndarray, table: Mapping[str, np.ndarray], kinds: np.ndarray
) -> list[str]:
    """A charging cell's voltage rises: if it falls in (charge-weighted) most steps, the sign is the other way round."""
    tendency, weight = 0.0, 0.0
    for first, last, charge, kind in zip(table["first"], table["last"], table["charge"], kinds, strict=True):
        if kind not in {"charge", "discharge"} or last - first < 4:
            continue
        change = float(np.nanmedian(voltage[last - 1 : last + 1]) - np.nanmedian(voltage[first : first + 2]))
        if np.isfinite(change):
            tendency += np.sign(change) * charge
            weight += abs(charge)
    if weight > 0 and tendency < -0.5 * weight:
        return [
            "The voltage falls while the current is called charging: the sign of the current is probably the other way "
            'round; set positive_current = "discharge" in [electrochemistry].'
        ]
    return []


def unit_warnings(table: Mapping[str, np.ndarray], kinds: np.ndarray, theory_mah: float | None) -> list[str]:
    """Charge steps of a thousand times (or a thousandth of) the theoretical capacity come from a wrong unit."""
    moved = np.abs(table["charge"][np.isin(kinds, ["charge", "discharge", "hold"])])
    largest = float(moved.max(initial=0.0))
    if theory_mah is None or largest == 0:
        return []
    share = largest / theory_mah
    if 100 < share < 1e5:
        guess = "the current is probably in µA and was taken for mA"
    elif 1e-5 < share < 3e-3 and _hours(table) > 1:
        guess = "the current is probably in A and was taken for mA"
    else:
        return []
    return [
        f"The largest step moves {largest:.3g} mAh, {share:.3g} times the theoretical {theory_mah:.3g} mAh: "
        f"{guess}; check columns in [electrochemistry] and the cathode's mass."
    ]


def _hours(table: Mapping[str, np.ndarray]) -> float:
    return float(table["duration"].sum()) / 3600
