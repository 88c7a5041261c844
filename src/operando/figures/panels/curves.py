"""Measured curves with their 95 % bands."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from operando.figures.abscissa import LONGEST_FILL
from operando.model.constants import NORMAL_95

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def banded(axes: "Axes", x: np.ndarray, value: np.ndarray, low: np.ndarray, high: np.ndarray, **how: str) -> None:
    """Draw a curve with its band; it is broken where frames are missing or the value is unknown."""
    known = np.isfinite(x) & np.isfinite(value)
    order = np.argsort(x[known], kind="stable")
    xs, *ys = (part[known][order] for part in (x, value, low, high))
    gaps = _gaps(xs)
    xs, value, low, high = (np.insert(part, gaps, np.nan) for part in (xs, *ys))
    colour, label = how.get("color", "black"), how.get("label")
    axes.fill_between(xs, low, high, color=colour, alpha=0.25, linewidth=0)
    line_style = how.get("linestyle", "-")
    axes.plot(xs, value, color=colour, label=label, marker="o", markersize=1.8, linewidth=0.8, linestyle=line_style)


def _gaps(xs: np.ndarray) -> np.ndarray:
    if xs.size < 3:
        return np.array([], int)
    steps = np.diff(xs)
    return np.flatnonzero(steps > 2 * LONGEST_FILL * np.median(steps)) + 1


def legend_above(axes: "Axes", columns: int = 3) -> None:
    """Make room above the curves and write the legend there, beside the panel's letter."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.3 * (high - low))
    axes.legend(loc="upper left", bbox_to_anchor=(0.03, 1.0), ncols=columns)


def bounds_of(table: xr.Dataset, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value, low and high of a variable, from its bounds or its standard deviation."""
    value = table[name].values
    if f"{name}_low" in table:
        return value, table[f"{name}_low"].values, table[f"{name}_high"].values
    half = NORMAL_95 * table[f"{name}_std"].values
    return value, value - half, value + half
