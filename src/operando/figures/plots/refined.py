"""Lattice changes of the series refined at once, with 95 % bands, and the single fits as dots."""

from typing import TYPE_CHECKING

import numpy as np

from operando.figures import style
from operando.figures.abscissa import spectrum_abscissa
from operando.figures.panels.curves import banded
from operando.figures.panels.heat_map import phase_colour
from operando.figures.panels.lattice import EDGES
from operando.figures.reading import NothingToDrawError, names_along, need
from operando.figures.source import Source
from operando.model.constants import NORMAL_95

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

ROW_MM, MARGIN_MM = 27, 12


def draw(source: Source) -> "Figure":
    """Draw a row for every free edge: its change since the first spectrum that has the phase, in units of 10⁻³."""
    refined = need(source.table("refined"), "refined", "fitted spectra")
    seen = np.isfinite(refined["change"].values).sum(axis=0) > 1
    refined = refined.isel(edge=np.flatnonzero(seen))
    labels = names_along(refined, "edge")
    if not labels:
        raise NothingToDrawError("The figure 'refined' has nothing to draw: no phase was found in two spectra.")
    x, label = spectrum_abscissa(source, refined["spectrum"].values.tolist())
    lattice = source.table("lattice")
    phases = list(dict.fromkeys(name.rpartition(" ")[0] for name in labels))
    figure = style.new_figure(ROW_MM * len(labels) + MARGIN_MM)
    every = figure.subplots(len(labels), 1, sharex=True, squeeze=False)[:, 0]
    for row, (axes, name) in enumerate(zip(every, labels, strict=True)):
        phase, _, edge = name.rpartition(" ")
        colour = phase_colour(phase, phases)
        value, half = 1e3 * refined["change"].values[:, row], 1e3 * NORMAL_95 * refined["change_std"].values[:, row]
        single = _single(lattice, refined, phase, edge, row)
        if single is not None:
            axes.plot(x, 1e3 * single, ".", color=style.GREY, markersize=2, zorder=1)
        banded(axes, x, value, value - half, value + half, color=colour)
        axes.set_ylabel(f"{phase}\nΔ{edge}/{edge} ($10^{{-3}}$)", color=colour)
    for axes, letter in zip(every, "ABCDEFGHIJ", strict=False):
        style.panel_letter(axes, letter)
    every[-1].set_xlabel(label)
    figure.align_ylabels(list(every))
    return figure


def _single(lattice: "xr.Dataset | None", refined: "xr.Dataset", phase: str, edge: str, row: int) -> np.ndarray | None:
    """Change of the single fits (spectra,) against the same lattice as the refined one."""
    if lattice is None or phase not in names_along(lattice, "phase"):
        return None
    cell = lattice["cell"].values[:, names_along(lattice, "phase").index(phase), EDGES.index(edge)]
    if len(cell) != refined.sizes["spectrum"]:
        return None
    first = int(np.argmax(np.isfinite(refined["change"].values[:, row])))
    return np.asarray(cell / float(refined["cell"].values[first, row]) - 1.0)
