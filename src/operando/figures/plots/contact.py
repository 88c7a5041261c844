"""Resistance against the anode's contact area, joined in the order of time, with the power law that fits."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.numbers import quantity_text
from operando.figures.reading import NothingToDrawError, need
from operando.figures.source import Source
from operando.model.constants import NORMAL_95

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

HEIGHT_MM = 75
FEWEST_TICKS = 3


def draw(source: Source) -> "Figure":
    """Draw each jump of the current with the contact area of the scan nearest to it."""
    table = need(source.table("contact"), "contact", "resistances and contact areas")
    known = np.flatnonzero(np.isfinite(table["contact_area"].values) & (table["resistance"].values > 0))
    if known.size == 0:
        raise NothingToDrawError("The figure 'contact' has nothing to draw: no jump of the current lies near a scan.")
    figure = style.new_figure(HEIGHT_MM, style.DOUBLE_COLUMN * 0.7)
    axes = figure.subplots()
    _points(figure, axes, table.isel(point=known))
    _power_law(axes, table, known)
    _logarithmic(axes, table.isel(point=known))
    axes.legend(loc="best")
    return figure


def _points(figure: "Figure", axes: "Axes", table: xr.Dataset) -> None:
    from matplotlib.ticker import MaxNLocator

    area, low, high = (table[f"contact_area{suffix}"].values / 1e6 for suffix in ("", "_low", "_high"))
    resistance, half = table["resistance"].values, NORMAL_95 * table["resistance_std"].values
    axes.errorbar(
        area, resistance, xerr=np.abs([area - low, high - area]), yerr=half, fmt="none", ecolor=style.GREY, capsize=1.5
    )
    axes.plot(area, resistance, color=style.PALE, zorder=1)
    marks = axes.scatter(
        area, resistance, c=table["scan"].values, cmap=style.SEQUENTIAL, s=14, zorder=3, edgecolor="black"
    )
    figure.colorbar(marks, ax=axes, pad=0.02, ticks=MaxNLocator(6, integer=True)).set_label("Scan (number)")
    axes.set_xlabel("Contact area (mm²)")
    axes.set_ylabel("Resistance at current steps (Ω)")


def _logarithmic(axes: "Axes", table: xr.Dataset) -> None:
    """Logarithmic axes, on which a power law is straight; a bound of no contact at all runs out of the frame.

    A point without contact needs linear ones.
    """
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    area, resistance = table["contact_area"].values / 1e6, table["resistance"].values
    if area.min() <= 0:
        axes.margins(0.15)
        return
    least = np.maximum(table["contact_area_low"].values / 1e6, area / 3)
    axes.set(xscale="log", yscale="log")
    axes.set(xlim=_with_room(least, area), ylim=_with_room(resistance, resistance))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(_ticks(*axis.get_view_interval()))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())


def _ticks(low: float, high: float) -> "Locator":
    """Every decade, or 1, 2, 5 in each, or where even these are fewer than three round numbers evenly apart."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    if high > 100 * low:
        return LogLocator()
    finer = LogLocator(subs=(1.0, 2.0, 5.0))
    shown = sum(low <= value <= high for value in finer.tick_values(low, high))
    return finer if shown >= FEWEST_TICKS else MaxNLocator(4)


def _with_room(low: np.ndarray, high: np.ndarray) -> tuple[float, float]:
    """Limits with a tenth of the range, and at least a third of the value, on either side."""
    ends = float(low.min()), float(high.max())
    room = 1.33 * (ends[1] / ends[0]) ** 0.1
    return ends[0] / room, ends[1] * room


def _power_law(axes: "Axes", table: xr.Dataset, known: np.ndarray) -> None:
    exponent, low, high = (float(table[f"exponent{suffix}"]) for suffix in ("", "_low", "_high"))
    area, resistance = table["contact_area"].values[known], table["resistance"].values[known]
    ends = np.linspace(area.min(), area.max(), 50)
    middle = np.exp(np.mean(np.log(area))), np.exp(np.mean(np.log(resistance)))
    axes.plot(ends / 1e6, middle[1] * (ends / middle[0]) ** -1.0, ":", color=style.GREY, label="R ∝ 1/area")
    if np.isfinite([exponent, low, high]).all():
        text = quantity_text({"value": exponent, "low": low, "high": high, "unit": "1"})
        fitted = middle[1] * (ends / middle[0]) ** exponent
        axes.plot(ends / 1e6, fitted, color=style.VERMILION, label=f"R ∝ area to the power {text}")
