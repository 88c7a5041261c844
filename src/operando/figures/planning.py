"""Before the beamtime: what a set-up would find, against the anode in the ray, for several exposures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from operando.figures import saving, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_MM = 64


def draw(plan: Mapping[str, Any]) -> "Figure":
    """Draw A the thinnest cavity, B the smallest protrusion, C the least share of the host that would be found.

    ``plan`` has ``curves`` (``chord_um``, ``exposure``, ``cavity_um``, ``protrusion_um``) and
    ``least_host_fraction``; ``None`` stands where no ray can be trusted.
    """
    with style.journal():
        figure = style.new_figure(HEIGHT_MM)
        every = figure.subplots(1, 3)
        curves = plan["curves"]
        _limits(every[0], curves, "cavity_um", "Thinnest cavity found (µm)")
        _limits(every[1], curves, "protrusion_um", "Smallest protrusion found (µm)")
        _fractions(every[2], plan["least_host_fraction"])
        for axes, letter in zip(every, "ABC", strict=True):
            style.panel_letter(axes, letter)
        handles, labels = every[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


def save(plan: Mapping[str, Any], folder: str | Path) -> list[Path]:
    """Write the figure as ``planning.*`` into a folder."""
    return saving.save(draw(plan), Path(folder) / "planning")


def _limits(axes: "Axes", curves: Mapping[str, Any], name: str, label: str) -> None:
    chord = np.array(curves["chord_um"], float)
    for k, (exposure, values) in enumerate(zip(curves["exposure"], curves[name], strict=True)):
        found = np.array([np.nan if value is None else value for value in values], float)
        axes.plot(
            chord, found, color=style.PALETTE[k], label=f"{exposure:g} × exposure", linestyle=("-", "--", ":")[k % 3]
        )
    axes.set_xlim(chord[0], chord[-1])
    _from_zero(axes)
    axes.set_xlabel("Anode in the ray (µm)")
    axes.set_ylabel(label)


def _fractions(axes: "Axes", least: Mapping[str, Any]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    fraction = np.array([np.nan if value is None else value for value in least["fraction"]], float)
    axes.plot(least["exposure"], 100 * fraction, "o-", color="black")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(least["exposure"])))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    _from_zero(axes)
    axes.set_xlabel("Exposure (multiple of the set-up's)")
    axes.set_ylabel("Least share of host found (%)")


def _from_zero(axes: "Axes") -> None:
    """The scale starts at nothing and leaves room for the panel's letter."""
    axes.set_ylim(0, 1.25 * axes.dataLim.ymax if axes.dataLim.ymax > 0 else 1.0)
