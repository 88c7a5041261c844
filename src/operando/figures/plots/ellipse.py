"""Strain against azimuth of every phase: its mean, its difference between axes and where the largest lies."""

from typing import TYPE_CHECKING

import numpy as np

from operando.figures import style
from operando.figures.abscissa import spectrum_abscissa
from operando.figures.panels.curves import banded, legend_above
from operando.figures.panels.heat_map import phase_colour
from operando.figures.reading import NothingToDrawError, names_along, need
from operando.figures.source import Source
from operando.model.constants import NORMAL_95

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT_MM = 110
CLEAR = 2.0
"""Standard deviations of the differential strain above which its axis is drawn."""


def draw(source: Source) -> "Figure":
    """Draw A mean and B differential strain with 95 % bands, C the azimuth of the largest strain where it is clear."""
    found = need(source.table("strain_ellipse"), "ellipse", "spectra of a ring of detector elements")
    if not np.isfinite(found["differential"].values).any():
        raise NothingToDrawError(
            "The figure 'ellipse' needs at least three detector elements with azimuths that see a phase."
        )
    x, label = spectrum_abscissa(source, found["spectrum"].values.tolist())
    phases = names_along(found, "phase")
    figure = style.new_figure(HEIGHT_MM)
    every = figure.subplots(3, 1, sharex=True)
    for k, phase in enumerate(phases):
        one, how = found.isel(phase=k), {"color": phase_colour(phase, phases), "label": phase}
        for axes, name in zip(every, ("mean", "differential"), strict=False):
            value, half = 1e3 * one[name].values, 1e3 * NORMAL_95 * one[f"{name}_std"].values
            banded(axes, x, value, value - half, value + half, **how)
        clear = one["differential"].values > CLEAR * one["differential_std"].values
        every[2].plot(x[clear], one["axis"].values[clear], "o", markersize=2.5, **how)
    every[0].set_ylabel("Mean strain\n($10^{-3}$)")
    every[1].set_ylabel("Differential strain\n($10^{-3}$)")
    every[2].set_ylabel("Azimuth of the\nlargest strain (°)")
    every[2].set_ylim(0, 180)
    every[2].set_yticks([0, 45, 90, 135, 180])
    every[2].set_xlabel(label)
    legend_above(every[0])
    for axes, letter in zip(every, "ABC", strict=True):
        style.panel_letter(axes, letter)
    figure.align_ylabels(list(every))
    return figure
