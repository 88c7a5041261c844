"""The anode's volume beside what the charge lets expect."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.abscissa import TimeAxis, thinned
from operando.figures.panels.curves import banded, bounds_of
from operando.figures.reading import anode_name, expansion_per_charge, names_along, reaction_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def power_of_ten(values: np.ndarray) -> int:
    """Exponent, a multiple of 3, that makes ``values`` readable.

    >>> power_of_ten(np.array([4.58e7, np.nan]))
    6
    """
    largest = np.nanmax(np.abs(values), initial=0.0)
    return int(3 * np.floor(np.log10(largest) / 3)) if largest > 0 else 0


def volume_unit(exponent: int) -> str:
    """Unit of a volume axis."""
    return "µm³" if exponent == 0 else rf"$10^{{{exponent}}}$ µm³"


def change_since_first(volumes: xr.Dataset, place: int) -> tuple[list[np.ndarray], float]:
    """Value, low and high of a phase's volume less its first known value, and that value; µm³.

    All in the first scan's field of view: what the cell carries in and out of sight is no change.
    """
    parts = bounds_of(volumes.isel(phase=place), "in_first_field")
    known = parts[0][np.isfinite(parts[0])]
    first = float(known[0]) if known.size else np.nan
    return [part - first for part in parts], first


def volume_change(axes: "Axes", volumes: xr.Dataset, x: np.ndarray, in_order: bool = False) -> tuple[int, float]:
    """Draw the change of the anode's volume since the first scan, with its band; returns exponent and first volume.

    ``in_order`` joins the scans in the order they were taken, whatever their ``x``.
    """
    phases = names_along(volumes, "phase")
    phase = anode_name(phases)
    parts, first = change_since_first(volumes, phases.index(phase))
    exponent = power_of_ten(np.concatenate(parts))
    value, low, high = (part / 10.0**exponent for part in parts)
    if in_order:
        error = np.abs([value - low, high - value])
        axes.errorbar(x, value, yerr=error, color=style.VERMILION, label="measured", marker="o", markersize=2, lw=0.6)
    else:
        banded(axes, x, value, low, high, color=style.VERMILION, label="measured")
    axes.set_ylabel(f"Change of {phase}\n({volume_unit(exponent)})")
    axes.axhline(0, color=style.PALE, linewidth=0.5, zorder=0)
    return exponent, first


def expected_change(
    axes: "Axes", curve: xr.Dataset, balance: xr.Dataset | None, axis: TimeAxis, start: float, exponent: int
) -> None:
    """Draw the charge at the right; where a reaction is known its scale is the volume expected of it.

    So measured and expected curves meet where the balance closes. ``start`` is the hour of the first scan.
    """
    hours, charge = axis.hours(curve["time"].values), curve["charge"].values
    hours, charge = thinned(hours, charge)
    since = charge - np.interp(start, hours, charge)
    expansion = expansion_per_charge(balance)
    if expansion is None:
        right = axes.twinx()
        right.plot(hours, since, color=style.CURRENT, linewidth=0.8, label="charge")
        right.set_ylabel("Charge since first scan (mAh)", color=style.CURRENT)
        return
    reaction, per_charge = expansion
    factor = per_charge / 10.0**exponent
    axes.plot(hours, since * factor, color=style.CURRENT, linewidth=0.8, label=f"expected: {reaction_text(reaction)}")

    def as_charge(volume: Any) -> Any:
        return volume / factor

    def as_volume(charge: Any) -> Any:
        return charge * factor

    scale = axes.secondary_yaxis("right", functions=(as_charge, as_volume))
    scale.set_ylabel("Charge since\nfirst scan (mAh)", color=style.CURRENT)
    scale.tick_params(axis="y", colors=style.CURRENT)
