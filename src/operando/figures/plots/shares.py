"""The response that makes lines comparable, and the phases' shares of the diffracting volume with 95 % bands."""

from typing import TYPE_CHECKING

import numpy as np

from operando.figures import style
from operando.figures.abscissa import spectrum_abscissa
from operando.figures.panels.curves import banded, bounds_of, legend_above
from operando.figures.panels.heat_map import phase_colour
from operando.figures.reading import NothingToDrawError, names_along, need
from operando.figures.source import Source
from operando.model.constants import NORMAL_95

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_MM = 110
LOWEST = 1e-4
"""Responses below this share of the highest are not shown: no line can be seen there."""


def draw(source: Source) -> "Figure":
    """Draw A the response against energy with every line's own, B shares of the volume, C amounts of each phase."""
    found = need(source.table("response"), "shares", "fitted spectra")
    shares = need(source.table("phase_shares"), "shares", "fitted spectra")
    if not np.isfinite(found["relative"].values).any():
        raise NothingToDrawError(
            "The figure 'shares' has nothing to draw: too few lines of phases with known atoms were seen."
        )
    x, label = spectrum_abscissa(source, shares["spectrum"].values.tolist())
    phases = names_along(shares, "phase")
    figure = style.new_figure(HEIGHT_MM)
    every = figure.subplot_mosaic([["A", "B"], ["A", "C"]], width_ratios=(1, 1.25))
    upper, lower = every["B"], every["C"]
    _response(every["A"], found, phases)
    upper.sharex(lower)
    upper.tick_params(labelbottom=False)
    for k, phase in enumerate(phases):
        one, colour = shares.isel(phase=k), phase_colour(phase, phases)
        if np.isfinite(one["volume_share"].values).any():
            banded(upper, x, *(100 * part for part in bounds_of(one, "volume_share")), color=colour, label=phase)
        if np.isfinite(one["amount"].values).any():
            banded(lower, x, *bounds_of(one, "amount"), color=colour, label=phase)
    upper.set_ylabel("Share of the volume (%)")
    lower.set_ylabel("Amount over its\nmean (–)")
    lower.set_xlabel(label)
    for axes in (upper, lower):
        legend_above(axes)
    for letter, axes in every.items():
        style.panel_letter(axes, letter)
    return figure


def _response(axes: "Axes", found: "xr.Dataset", phases: list[str]) -> None:
    energy = found["energy"].values
    top = float(np.nanmax(found["relative"].values))
    axes.fill_between(energy, found["relative_low"], found["relative_high"], color=style.GREY, alpha=0.35, linewidth=0)
    axes.plot(energy, found["relative"], color="black", linewidth=0.8, label="response")
    axes.plot(energy, found["given"], color=style.GREY, linewidth=0.8, linestyle="--", label="given part, E⁻² always")
    used, owner = found["used"].values.astype(bool), found["phase"].values.astype(str)
    value, half = found["observed"].values, NORMAL_95 * found["observed_std"].values
    for phase in dict.fromkeys(owner):
        rows = used & (owner == phase) & (value > 2 * half)
        axes.errorbar(
            found["line_energy"].values[rows], value[rows], half[rows], fmt="o", markersize=2.5, linewidth=0.7,
            color=phase_colour(phase, phases), label=f"lines of {phase}",
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(LOWEST * top, 6 * top)
    axes.set_xlabel("Energy (keV)")
    axes.set_ylabel("Flux × absorption × efficiency / E² (relative)")
    axes.legend(loc="lower right")
