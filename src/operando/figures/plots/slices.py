"""Slices at numbered states with the followed lengths and a scale bar, through the planes of what was followed."""

from typing import TYPE_CHECKING

from operando.figures import style
from operando.figures.abscissa import time_axis
from operando.figures.panels.regions import region_height, region_rows, region_slices
from operando.figures.reading import NothingToDrawError
from operando.figures.source import Source
from operando.figures.states import choose

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_MM = 160.0


def draw(source: Source, states: int = 6, regions: int = 2) -> "Figure":
    """Draw ``states`` slices of each of ``regions`` regions: what is followed, and where the cavity is thickest."""
    chosen = choose(source, time_axis(source), states)
    rows = region_rows(source, chosen, regions)
    if not rows:
        raise NothingToDrawError("The figure 'slices' needs a reconstructed scan; there is none.")
    heights = [region_height(shown, WIDTH_MM) for _, shown in rows]
    figure = style.new_figure(sum(heights) + 2)
    grid = figure.add_gridspec(len(rows), 1, height_ratios=heights)
    for k, (window, shown) in enumerate(rows):
        region_slices(figure, grid[k], window, shown, "ABC"[k], source)
    return figure
