"""Internal standards through the series, and every lattice change with their drift taken out, with 95 % bands."""

from typing import TYPE_CHECKING

import numpy as np

from operando.figures import style
from operando.figures.abscissa import spectrum_abscissa
from operando.figures.panels.curves import banded
from operando.figures.panels.heat_map import phase_colour
from operando.figures.reading import NothingToDrawError, names_along, need
from operando.figures.source import Source
from operando.model.constants import NORMAL_95

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW_MM, MARGIN_MM = 27, 12
BESIDE_LETTER = (0.025, 1.0)


def draw(source: Source) -> "Figure":
    """Draw a row for the standards and one for every free edge; dots are the changes as they seem without standards."""
    found = need(source.table("drift"), "drift", "fitted spectra")
    known = np.isfinite(found["shift"].values).sum(axis=0) > 1
    if not known.any():
        raise NothingToDrawError("The figure 'drift' has nothing to draw: no internal standard is in two spectra.")
    edges = np.flatnonzero(np.isfinite(found["pinned"].values).sum(axis=0) > 1)
    labels = [names_along(found, "edge")[row] for row in edges]
    refined = source.table("refined")
    x, label = spectrum_abscissa(source, found["spectrum"].values.tolist())
    figure = style.new_figure(ROW_MM * (1 + len(labels)) + MARGIN_MM)
    every = figure.subplots(1 + len(labels), 1, sharex=True, squeeze=False)[:, 0]
    colours = (style.BLUE, style.VERMILION, style.GREEN)
    for row in np.flatnonzero(known):
        value, half = (1e3 * found[name].values[:, row] for name in ("shift", "shift_std"))
        colour, name = colours[row % len(colours)], names_along(found, "standard")[row]
        banded(every[0], x, value, value - NORMAL_95 * half, value + NORMAL_95 * half, color=colour, label=name)
    every[0].legend(loc="upper left", bbox_to_anchor=BESIDE_LETTER, ncols=3)
    every[0].margins(y=0.25)
    every[0].set_ylabel("Standards\nδd/d ($10^{-3}$)")
    phases = list(dict.fromkeys(name.rpartition(" ")[0] for name in labels))
    for axes, row, name in zip(every[1:], edges, labels, strict=True):
        phase, _, edge = name.rpartition(" ")
        colour = phase_colour(phase, phases)
        value, half = (1e3 * found[key].values[:, row] for key in ("pinned", "pinned_std"))
        if refined is not None:
            seen = 1e3 * refined["change"].values[:, row]
            axes.plot(x, seen, ".", color=style.GREY, markersize=3, zorder=1, label="without standards")
        banded(axes, x, value, value - NORMAL_95 * half, value + NORMAL_95 * half, color=colour)
        axes.set_ylabel(f"{phase}\nΔ{edge}/{edge} ($10^{{-3}}$)", color=colour)
    if refined is not None and len(every) > 1:
        every[1].margins(y=0.25)
        every[1].legend(handles=every[1].lines[:1], loc="upper left", bbox_to_anchor=BESIDE_LETTER)
    for axes, letter in zip(every, "ABCDEFGHIJ", strict=False):
        style.panel_letter(axes, letter)
    every[-1].set_xlabel(label)
    figure.align_ylabels(list(every))
    return figure
