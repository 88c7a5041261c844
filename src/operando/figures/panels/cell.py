"""Voltage and current against time, with the numbered scans on the curve."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.abscissa import TimeAxis, thinned
from operando.figures.states import State

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def voltage_and_current(axes: "Axes", curve: xr.Dataset, axis: TimeAxis) -> "Axes":
    """Draw voltage at the left and current at the right; returns the right axes."""
    hours = axis.hours(curve["time"].values)
    axes.plot(*thinned(hours, curve["voltage"].values), color=style.VOLTAGE)
    axes.set_ylabel("Voltage (V)")
    right = axes.twinx()
    unit, factor = ("µA", 1e3) if np.nanmax(np.abs(curve["current"].values), initial=0) < 1 else ("mA", 1.0)
    right.plot(*thinned(hours, curve["current"].values * factor), color=style.CURRENT, linewidth=0.7)
    right.set_ylabel(f"Current ({unit})", color=style.CURRENT)
    right.tick_params(axis="y", colors=style.CURRENT)
    axes.set_zorder(right.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.margins(y=0.22)
    return right


def numbered(axes: "Axes", states: Sequence[State], curve: xr.Dataset | None = None, timed: bool = True) -> None:
    """Mark the numbered scans: on the voltage curve where there is one, at the lower edge otherwise.

    Without times (``timed=False``) a scan stands at its index.
    """
    from matplotlib.patheffects import Normal, Stroke

    for state in states:
        x = state.hour if timed else float(state.scan)
        if not np.isfinite(x):
            continue
        on_curve = curve is not None and np.isfinite(state.voltage)
        if on_curve:
            axes.plot(x, state.voltage, "o", color=style.NUMBER, markersize=3, zorder=5)
        axes.annotate(
            str(state.number),
            (x, state.voltage if on_curve else 0),
            xycoords="data" if on_curve else ("data", "axes fraction"),
            xytext=(0, 3.5 if on_curve else 2),
            textcoords="offset points",
            ha="center",
            color=style.NUMBER,
            fontweight="bold",
            path_effects=[Stroke(linewidth=1.8, foreground="white"), Normal()],
            zorder=6,
        )
