"""Charge against volume: what was seen beside what each candidate reaction would make, with intervals."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.panels.volumes import power_of_ten, volume_unit
from operando.figures.reading import names_along, need, reaction_text
from operando.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_MM, LEGEND_MM = 78, 5


def draw(source: Source, reactions: int = 4) -> "Figure":
    """Draw A volumes and B ratios seen / expected of every step, for the first ``reactions`` candidates."""
    table = need(source.table("balance"), "balance", "charge, volumes and a reaction")
    table = table.isel(reaction=slice(0, reactions))
    figure = style.new_figure(HEIGHT_MM + LEGEND_MM * (1 + table.sizes["reaction"] // 3))
    volumes, ratios = figure.subplots(2, 1, sharex=True, height_ratios=[1.3, 1])
    _volumes(volumes, table)
    _ratios(ratios, table)
    ratios.set_xticks(range(table.sizes["pair"]), _steps(table))
    ratios.set_xlabel("Step of the protocol")
    for axes, letter in ((volumes, "A"), (ratios, "B")):
        axes.set_xlim(-0.6, table.sizes["pair"] - 0.4)
        style.panel_letter(axes, letter)
    handles, labels = volumes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _steps(table: xr.Dataset) -> list[str]:
    """Names of the steps, over two lines."""
    cycles, steps = table["cycle"].values, table["step"].values
    return [f"{step}\ncycle {cycle}" if cycle >= 0 else str(step) for cycle, step in zip(cycles, steps, strict=True)]


def _error(axes: "Axes", x: np.ndarray, part: xr.Dataset, name: str, scale: float, **how: object) -> None:
    value, low, high = (part[name + suffix].values / scale for suffix in ("", "_low", "_high"))
    axes.errorbar(x, value, yerr=np.abs([value - low, high - value]), linestyle="none", capsize=1.5, **how)  # type: ignore[arg-type]


def _volumes(axes: "Axes", table: xr.Dataset) -> None:
    exponent = power_of_ten(np.append(table["electrochemical"].values.ravel(), table["morphological"].values))
    scale, places = 10.0**exponent, np.arange(table.sizes["pair"])
    kinds = table.sizes["reaction"]
    width = 0.8 / max(kinds, 1)
    for k, reaction in enumerate(names_along(table, "reaction")):
        x = places - 0.4 + width * (k + 0.5)
        colour = style.PALETTE[k]
        expected = table["electrochemical"].values[:, k] / scale
        axes.bar(x, expected, width * 0.9, color=colour, alpha=0.45, label=f"expected: {reaction_text(reaction)}")
        _error(axes, x, table.isel(reaction=k), "electrochemical", scale, color=colour, linewidth=0.6)
    _error(axes, places, table, "morphological", scale, color="black", marker="o", label="seen, net", zorder=5)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_ylabel(f"Volume change ({volume_unit(exponent)})")


def _ratios(axes: "Axes", table: xr.Dataset) -> None:
    places, kinds = np.arange(table.sizes["pair"]), table.sizes["reaction"]
    width = 0.8 / max(kinds, 1)
    for k in range(kinds):
        x = places - 0.4 + width * (k + 0.5)
        _error(axes, x, table.isel(reaction=k), "ratio", 1.0, color=style.PALETTE[k], marker="o")
    axes.axhline(1, color="black", linewidth=0.5, linestyle="--")
    axes.set_ylabel("Seen / expected (–)")
    values = table["ratio"].values[np.isfinite(table["ratio"].values)]
    if values.size:
        low, high = max(min(values.min(), 0.0), -1.0), min(max(values.max(), 1.0), 3.0)
        low, high = low - 0.15 * (high - low), high + 0.25 * (high - low)
        axes.set_ylim(low, high)
        _beyond(axes, table, width, low, high)


def _beyond(axes: "Axes", table: xr.Dataset, width: float, low: float, high: float) -> None:
    """Ratios off the scale, where hardly any charge flowed, are marked by triangles at its edge."""
    for (pair, k), ratio in np.ndenumerate(table["ratio"].values):
        if ratio > high or ratio < low:
            place = (pair - 0.4 + width * (k + 0.5), high - 0.05 * (high - low) if ratio > high else low)
            axes.plot(*place, "^" if ratio > high else "v", color=style.PALETTE[k], clip_on=False, zorder=6)
