"""From charge to volume: Faraday's law and a reaction's volume per mole of lithium."""

import math

from operando.model.constants import CM3_TO_UM3, FARADAY_MAH_PER_MOL, NORMAL_95
from operando.model.interval import Quantity, from_std
from operando.model.material import Reaction


def charge_between(
    before_mah: float, after_mah: float, seconds: float, gain_std: float, offset_std_ma: float
) -> Quantity:
    """Charge moved between two scans; the current's scale and zero are known to ``gain_std`` and ``offset_std_ma``."""
    moved = after_mah - before_mah
    std = math.hypot(gain_std * moved, offset_std_ma * seconds / 3600)
    return from_std(moved, std, "mAh")


def expected_volume(charge: Quantity, reaction: Reaction) -> Quantity:
    """Volume (µm³) that the host gains if all of ``charge`` drives ``reaction``: Q / F × ΔV.

    >>> full = Reaction("In + Li -> InLi", (("In", 1.0),), (("InLi", 1.0),), 10.0, 0.0, "sound")
    >>> round(expected_volume(from_std(FARADAY_MAH_PER_MOL, 0.0, "mAh"), full).value)
    10000000000000
    """
    per_mah = CM3_TO_UM3 / FARADAY_MAH_PER_MOL
    value = charge.value * reaction.volume_cm3_per_mol * per_mah
    std = per_mah * math.hypot(
        std_of(charge) * reaction.volume_cm3_per_mol, charge.value * reaction.volume_std_cm3_per_mol
    )
    return from_std(value, std, "um3")


def std_of(quantity: Quantity) -> float:
    """Standard deviation of the normal distribution with the same 95 % interval."""
    return (quantity.high - quantity.low) / (2 * NORMAL_95)


def ratio_of(seen: Quantity, expected: Quantity) -> Quantity:
    """Seen over expected with Fieller's interval (https://doi.org/10.1111/j.2517-6161.1954.tb00159.x), side by side.

    NaN where the expected volume can't be told from zero (a rest), for then any ratio fits.
    """
    nothing = Quantity(math.nan, math.nan, math.nan, "1")
    parts = (seen.value, seen.low, seen.high, expected.value, expected.low, expected.high)
    if not all(math.isfinite(x) for x in parts) or expected.value == 0:
        return nothing
    g = (NORMAL_95 * std_of(expected) / expected.value) ** 2
    if g >= 1:
        return nothing
    ratio = seen.value / expected.value
    sides = (seen.value - seen.low, seen.high - seen.value)[:: 1 if expected.value > 0 else -1]
    below, above = (
        math.sqrt(side**2 * (1 - g) + (ratio * NORMAL_95 * std_of(expected)) ** 2) / abs(expected.value) / (1 - g)
        for side in sides
    )
    return Quantity(ratio, ratio / (1 - g) - below, ratio / (1 - g) + above, "1")


def difference_of(a: Quantity, b: Quantity) -> Quantity:
    """``a - b`` of independent quantities; half-widths add in squares on each side."""
    value = a.value - b.value
    low = value - math.hypot(a.value - a.low, b.high - b.value)
    high = value + math.hypot(a.high - a.value, b.value - b.low)
    return Quantity(value, low, high, a.unit)
