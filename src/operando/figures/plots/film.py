"""Film strip of the anode's surface: its height map at numbered states, cavities outlined."""

from typing import TYPE_CHECKING

from operando.figures import style
from operando.figures.abscissa import time_axis
from operando.figures.panels.height_map import height_scale, show_heights
from operando.figures.panels.slices import heading, scale_bar
from operando.figures.reading import NothingToDrawError
from operando.figures.source import Source
from operando.figures.states import choose

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS, ROW_MM = 5, 37


def draw(source: Source, states: int = 10) -> "Figure":
    """Draw ``states`` height maps on one colour scale, relative to the first scan's median height."""
    axis = time_axis(source)
    chosen = [state for state in choose(source, axis, states) if state.scan in source.frames("interface")]
    scale = height_scale(source, [state.scan for state in chosen])
    if scale is None:
        raise NothingToDrawError("The figure 'film' needs the anode's surface in at least one scan; there is none.")
    rows = -(-len(chosen) // COLUMNS)
    figure = style.new_figure(ROW_MM * rows)
    every = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in every[len(chosen) :]:
        axes.set_visible(False)
    for axes, state in zip(every, chosen, strict=False):
        interface = source.product("interface", state.scan)
        if interface is not None:
            image = show_heights(axes, interface, scale)
            heading(axes, state)
    scale_bar(every[len(chosen) - 1], image.get_extent(), "black")
    bar = figure.colorbar(image, ax=list(every), pad=0.01, fraction=0.02, aspect=30)
    bar.set_label("Height of the surface (µm)")
    return figure
