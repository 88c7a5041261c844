"""Lattice parameters and shares of the phases against time, with 95 % bands."""

from typing import TYPE_CHECKING

import numpy as np

from operando.figures import style
from operando.figures.abscissa import spectrum_abscissa
from operando.figures.panels.curves import banded, bounds_of, legend_above
from operando.figures.panels.heat_map import phase_colour
from operando.figures.panels.lattice import EDGES, independent_edges
from operando.figures.reading import NothingToDrawError, names_along, need
from operando.figures.source import Source
from operando.model.constants import NORMAL_95

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_MM, MARGIN_MM = 27, 12


def draw(source: Source) -> "Figure":
    """Draw a row for every free edge of every phase, and one for the phases' shares of their largest line areas."""
    lattice = need(source.table("lattice"), "lattice", "fitted spectra")
    phases = names_along(lattice, "phase")
    edges = [(k, edge) for k in range(len(phases)) for edge in independent_edges(lattice["cell"].values[:, k])]
    presence = source.table("phase_presence")
    if not edges:
        raise NothingToDrawError("The figure 'lattice' has nothing to draw: no phase was found in any spectrum.")
    x, label = spectrum_abscissa(source, lattice["spectrum"].values.tolist())
    rows = len(edges) + (presence is not None)
    figure = style.new_figure(ROW_MM * rows + MARGIN_MM)
    every = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    for axes, (k, edge) in zip(every, edges, strict=False):
        colour = phase_colour(phases[k], phases)
        value, std = (lattice[name].values[:, k, edge] for name in ("cell", "cell_std"))
        banded(axes, x, value, value - NORMAL_95 * std, value + NORMAL_95 * std, color=colour)
        axes.set_ylabel(f"{phases[k]}\n{EDGES[edge]} (Å)", color=colour)
    if presence is not None:
        _shares(every[-1], presence, x, phases)
    for axes, letter in zip(every, "ABCDEFGHIJ", strict=False):
        style.panel_letter(axes, letter)
    every[-1].set_xlabel(label)
    figure.align_ylabels(list(every))
    return figure


def _shares(axes: "Axes", presence: "xr.Dataset", x: np.ndarray, phases: list[str]) -> None:
    for k, phase in enumerate(names_along(presence, "phase")):
        bounds = bounds_of(presence.isel(phase=k), "fraction")
        if bounds[0].size == x.size:
            banded(axes, x, *bounds, color=phase_colour(phase, phases) if phase in phases else style.GREY, label=phase)
    axes.set_ylabel("Share of the\nlargest area (–)")
    legend_above(axes)
