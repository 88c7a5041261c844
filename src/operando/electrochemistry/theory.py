"""What the masses allow: theoretical capacity and the C-rate that follows."""

from collections.abc import Mapping


def mass_of(mass_mg: float | Mapping[str, float] | None) -> float | None:
    """Total mass in mg of an electrode given as one number or by constituents."""
    if mass_mg is None:
        return None
    return float(sum(mass_mg.values())) if isinstance(mass_mg, Mapping) else float(mass_mg)


def active_grams(mass_mg: float | Mapping[str, float] | None, active_fraction: float | None) -> float:
    """Mass of the active material in g, NaN if unknown."""
    mass = mass_of(mass_mg)
    return float("nan") if mass is None else mass * 1e-3 * (1.0 if active_fraction is None else active_fraction)


def theoretical_capacity(
    mass_mg: float | Mapping[str, float] | None, active_fraction: float | None, capacity_mAh_per_g: float | None
) -> float | None:
    """Theoretical capacity in mAh; ``None`` where the mass or the specific capacity isn't given.

    >>> round(theoretical_capacity(0.4, 0.35, 1166.0), 5)
    0.16324
    """
    if mass_of(mass_mg) is None or capacity_mAh_per_g is None:
        return None
    return active_grams(mass_mg, active_fraction) * capacity_mAh_per_g
