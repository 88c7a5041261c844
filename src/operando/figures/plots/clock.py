"""How well each offset between the instruments' clocks fits the data: shown, never applied."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.numbers import quantity_text
from operando.figures.reading import NothingToDrawError, names_along, need
from operando.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_MM, MARGIN_MM = 42, 10
DEEPEST = -30.0
"""Less likely offsets are not told apart."""


def draw(source: Source) -> "Figure":
    """Draw the log-likelihood of each offset of the cycler's clock, relative to the best, for every instrument."""
    table = need(source.table("clock_check"), "clock", "a cycler's record beside scans or spectra")
    if table.sizes["instrument"] == 0:
        raise NothingToDrawError("The figure 'clock' has nothing to draw: too few frames to compare the clocks by.")
    rows = table.sizes["instrument"]
    figure = style.new_figure(ROW_MM * rows + MARGIN_MM)
    every = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    for k, (axes, name) in enumerate(zip(every, names_along(table, "instrument"), strict=True)):
        _curve(axes, table.isel(instrument=k), name)
        style.panel_letter(axes, "ABCD"[k % 4])
    every[-1].set_xlabel("Offset to add to the cycler's clock (h)")
    return figure


def _curve(axes: "Axes", one: xr.Dataset, name: str) -> None:
    hours = one["offset"].values / 3600
    likelihood = one["log_likelihood"].values
    axes.plot(hours, np.maximum(likelihood, DEEPEST), color=style.BLUE)
    axes.axvline(0, color="black", linewidth=0.6, linestyle="--", label="as configured")
    best, low, high = (float(one[f"best{suffix}"]) / 3600 for suffix in ("", "_low", "_high"))
    if np.isfinite([best, low, high]).all():
        text = quantity_text({"value": best, "low": low, "high": high, "unit": "h"})
        axes.axvspan(low, high, color=style.VERMILION, alpha=0.2, linewidth=0)
        axes.axvline(best, color=style.VERMILION, linewidth=0.8, label=f"best: {text}")
    axes.set_ylim(DEEPEST * 1.05, -DEEPEST * 0.35)
    axes.set_ylabel(f"{name}\nlog-likelihood (–)")
    axes.legend(loc="upper right", ncols=2)
