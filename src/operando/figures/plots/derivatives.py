"""Differential capacity and differential voltage of every charge and discharge."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.reading import NothingToDrawError, need
from operando.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_MM, LINE_MM, PER_LINE = 70, 4, 5


def draw(source: Source, cycles: tuple[int, ...] | None = None) -> "Figure":
    """Draw A dQ/dV against voltage, B dV/dQ against charge, of ``cycles`` (default: all); discharges are dashed."""
    table = need(source.table("derivatives"), "derivatives", "a cycler's record with charges or discharges")
    kept = [k for k in range(table.sizes["branch"]) if cycles is None or int(table["cycle"].values[k]) in cycles]
    if not kept:
        raise NothingToDrawError("The figure 'derivatives' has nothing to draw: no charge or discharge is long enough.")
    figure = style.new_figure(HEIGHT_MM + LINE_MM * -(-len(kept) // PER_LINE))
    left, right = figure.subplots(1, 2)
    numbers = sorted({int(table["cycle"].values[k]) for k in kept})
    for k in kept:
        _branch(left, right, table.isel(branch=k), numbers)
    left.set_xlabel("Voltage (V)")
    left.set_ylabel("dQ/dV (mAh/V)")
    right.set_xlabel("Charge moved in the step (mAh)")
    right.set_ylabel("dV/dQ (V/mAh)")
    _scale(right, table["dv_dq"].values[kept])
    for axes, letter in ((left, "A"), (right, "B")):
        style.panel_letter(axes, letter)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=PER_LINE)
    return figure


def _branch(left: "Axes", right: "Axes", one: xr.Dataset, numbers: list[int]) -> None:
    cycle, kind = int(one["cycle"]), str(one["kind"].values)
    colour = style.PALETTE[numbers.index(cycle) % len(style.PALETTE)]
    dashes = "--" if kind == "discharge" else "-"
    left.plot(one["voltage"].values, one["dq_dv"].values, dashes, color=colour, label=f"cycle {cycle}, {kind}")
    right.plot(one["charge"].values, one["dv_dq"].values, dashes, color=colour)


def _scale(axes: "Axes", values: np.ndarray) -> None:
    """The ends of a step are steep; the scale shows what lies between."""
    known = values[np.isfinite(values)]
    if known.size:
        axes.set_ylim(0, 1.3 * float(np.percentile(known, 95)))
