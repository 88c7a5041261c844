"""Every spectrum minus the pristine one in standard deviations, and where surplus stands beside deficit."""

from typing import TYPE_CHECKING

import numpy as np

from operando.figures import style
from operando.figures.abscissa import cell_edges, spectrum_abscissa
from operando.figures.panels.heat_map import line_names, spacing_axis
from operando.figures.reading import NothingToDrawError, need
from operando.figures.source import Source
from operando.figures.spectra import known_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT_MM = 100
WIDTH = 0.004
"""Relative width over which counts are summed: about a line's, so that a change shows at its significance."""


def draw(source: Source, limit: float = 10.0) -> "Figure":
    """Draw the difference over its standard deviation against time, up to ±``limit``; dots mark bipolar places.

    A surplus beside a deficit is a line that moved or widened, or two lines that traded counts.
    """
    from matplotlib.colors import Normalize

    found = need(source.table("subtracted"), "subtracted", "corrected spectra")
    if found.sizes["spectrum"] < 2:
        raise NothingToDrawError("The figure 'subtracted' needs at least two spectra; there is one.")
    x, label = spectrum_abscissa(source, found["spectrum"].values.tolist())
    order = np.argsort(x, kind="stable")
    spacings = np.atleast_2d(found["d"].values)[0]
    edges, z, bipolar = _summed(spacings, *(found[name].values[order] for name in NAMES))
    figure = style.new_figure(HEIGHT_MM)
    axes = figure.subplots()
    left, right = cell_edges(x[order])
    for row, (start, end) in enumerate(zip(left, right, strict=True)):
        mesh = axes.pcolormesh(
            [start, end], edges, z[row][:, None], norm=Normalize(-limit, limit), cmap=style.DIVERGING, rasterized=True
        )
    spectrum, place = np.nonzero(bipolar)
    middle = np.sqrt(edges[1:] * edges[:-1])
    axes.plot(x[order][spectrum], middle[place], ".", color="black", markersize=1.2)
    axes.set_xlim(left[0], right[-1])
    spacing_axis(axes.yaxis, edges)
    axes.set_xlabel(label)
    line_names(axes, [line for line in known_lines(source) if edges[0] <= line.d <= edges[-1]], HEIGHT_MM / 25.4 * 65)
    bar = figure.colorbar(mesh, ax=axes, location="top", fraction=0.03, aspect=50, pad=0.01, extend="both")
    bar.set_label("(spectrum − scaled pristine) / standard deviation; dots: surplus beside deficit")
    return figure


NAMES = ("difference", "difference_std", "bipolar")


def _summed(
    d: np.ndarray, difference: np.ndarray, std: np.ndarray, bipolar: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges, significance and flag of bins about a line wide (spectra, bins)."""
    size = max(1, round(WIDTH / float(np.log(d[-1] / d[0]) / max(len(d) - 1, 1))))
    bins = len(d) // size
    shape = (len(difference), bins, size)
    total, variance, flag = (part[:, : bins * size].reshape(shape) for part in (difference, std**2, bipolar))
    half = np.sqrt(d[1] / d[0])
    edges = np.r_[d[: bins * size : size] / half, d[bins * size - 1] * half]
    z = total.sum(axis=2) / np.sqrt(np.maximum(variance.sum(axis=2), 1e-12))
    return edges, z, np.asarray(flag.any(axis=2))
