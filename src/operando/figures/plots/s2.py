"""Where the regions of the slices lie, as in the paper's Fig. S2: the anode's surface in 3D, and seen from above."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.abscissa import time_axis
from operando.figures.geometry import Window
from operando.figures.panels.height_map import height_scale, show_heights
from operando.figures.panels.lengths import COLOURS, lengths_of
from operando.figures.panels.regions import followed_region, second_region
from operando.figures.panels.slices import scale_bar
from operando.figures.panels.surface import draw_surface
from operando.figures.reading import NothingToDrawError
from operando.figures.source import Source
from operando.figures.states import choose

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_MM = 80
LEAVES_ROOM = 0.8
"""Size of the solid in its axes that keeps the label of z clear of the map beside it."""
REGION_COLOURS = (style.VERMILION, style.BLUE)


def draw(source: Source, scan: int | None = None, states: int = 7) -> "Figure":
    """Draw A the surface of ``scan`` (default: the last) with the planes of the regions, B the same from above."""
    frames = source.frames("interface")
    chosen = choose(source, time_axis(source), states)
    if not frames or not chosen:
        raise NothingToDrawError("The figure 's2' needs the anode's surface in at least one scan; there is none.")
    scan = frames[-1] if scan is None else scan
    interface, scale = source.product("interface", scan), height_scale(source, [scan])
    if interface is None or scale is None:
        raise NothingToDrawError(f"The figure 's2' needs the anode's surface in scan {scan}, which was not found.")
    first = followed_region(source, chosen)
    second = second_region(source, chosen, first)
    regions = [window for window in (first, second) if window is not None]
    figure = style.new_figure(HEIGHT_MM)
    left = figure.add_subplot(1, 2, 1, projection="3d")
    right = figure.add_subplot(1, 2, 2)
    draw_surface(left, interface, interface["height"].values - scale.level, scale.reach, zoom=LEAVES_ROOM)
    for k, window in enumerate(regions):
        _plane(left, window, interface, k)
    image = show_heights(right, interface, scale)
    _lines(right, regions, image.get_extent())
    for k, one in enumerate(lengths_of(source, scan)):
        right.plot(one.x, one.y, "o", color=COLOURS[k % len(COLOURS)], markeredgecolor="black", label=one.name)
    if right.get_legend_handles_labels()[0]:
        right.legend(loc="upper left", bbox_to_anchor=(0.06, 1.0))
    scale_bar(right, image.get_extent(), "black")
    figure.colorbar(image, ax=right, pad=0.01, fraction=0.04).set_label("Height of the surface (µm)")
    left.text2D(0.0, 1.0, "A", transform=left.transAxes, fontsize=8, fontweight="bold", va="top")
    style.panel_letter(right, "B")
    return figure


def _plane(axes: Any, window: Window, interface: xr.Dataset, place: int) -> None:
    """A translucent rectangle where the slices are cut."""
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    x, height = interface["x_map"].values, interface["height"].values
    start, end = window.x or (float(x[0]), float(x[-1]))
    top, bottom = window.z or (float(np.nanmin(height)), float(np.nanmax(height)))
    y = window.y if window.y is not None else float(np.mean(interface["y_map"].values))
    corners = [(start, y, top), (end, y, top), (end, y, bottom), (start, y, bottom)]
    colour = REGION_COLOURS[place]
    axes.add_collection3d(Poly3DCollection([corners], facecolor=colour, edgecolor=colour, alpha=0.35))
    axes.text(end, y, bottom, "CD"[place], color=colour, fontweight="bold")


def _lines(axes: "Axes", regions: list[Window], extent: Any) -> None:
    from matplotlib.patheffects import Normal, Stroke

    for k, window in enumerate(regions):
        y = window.y if window.y is not None else (extent[2] + extent[3]) / 2
        start, end = window.x or (extent[0], extent[1])
        axes.plot([start, end], [y, y], color=REGION_COLOURS[k], linewidth=1.4)
        axes.annotate(
            "CD"[k],
            (end, y),
            xytext=(-3, 3),
            textcoords="offset points",
            ha="right",
            color=REGION_COLOURS[k],
            fontweight="bold",
            path_effects=[Stroke(linewidth=2, foreground="white"), Normal()],
        )
