"""Net expansion in 3D as in the paper's Fig. S3: what the anode gained and lost in a step."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from operando.figures import rendering, style
from operando.figures.anode import anode_above, anode_label
from operando.figures.panels.gain import largest_pair, numbers_of_pair
from operando.figures.panels.surface import draw_surface
from operando.figures.reading import NothingToDrawError, need
from operando.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT_MM = 88


def draw(source: Source, pair: int | None = None, renderer: str = "auto") -> "Figure":
    """Draw the expansion of a ``pair`` of scans (default: the one with most charge).

    ``renderer`` is "pyvista" (gained and lost voxels as solids), "matplotlib" (the surface's change of height), or
    "auto": PyVista where it is installed.
    """
    pairs = need(source.table("pairs"), "s3", "two scans to compare")
    chosen = largest_pair(source, pairs) if pair is None else pair
    scans = int(pairs["from_scan"].values[chosen]), int(pairs["to_scan"].values[chosen])
    title = f"Scan {scans[0]} to {scans[1]}: {numbers_of_pair(source, chosen)}"
    if rendering.chosen(renderer) == "pyvista":
        return _solids(source, scans, title)
    return _surface(source, scans, title)


def _surface(source: Source, scans: tuple[int, int], title: str) -> "Figure":
    before, after = (source.product("interface", scan) for scan in scans)
    if before is None or after is None:
        raise NothingToDrawError(f"The figure 's3' needs the anode's surface in scans {scans[0]} and {scans[1]}.")
    change = _advance(source, before, after)
    reach = max(float(np.nanpercentile(np.abs(change), 99)), 1.0)
    figure = style.new_figure(HEIGHT_MM)
    axes = figure.add_subplot(projection="3d")
    colours = draw_surface(axes, after, change, reach, zoom=1.2)
    bar = figure.colorbar(colours, ax=axes, pad=0.08, fraction=0.03, shrink=0.8)
    bar.set_label("Advance of the surface (µm)")
    axes.set_title(title)
    return figure


def _advance(source: Source, before: xr.Dataset, after: xr.Dataset) -> np.ndarray:
    """Change of height, positive where the anode grew."""
    change: np.ndarray = after["height"].values - before["height"].values
    return change if anode_above(source) else -change


def _solids(source: Source, scans: tuple[int, int], title: str) -> "Figure":
    before, after = (source.labels(scan) for scan in scans)
    if before is None or after is None:
        raise NothingToDrawError(f"The figure 's3' needs labels of the scans {scans[0]} and {scans[1]}.")
    picture = rendering.gain_and_loss(before, after, anode_label(source, before), from_below=anode_above(source))
    z, y, x = (float(np.ptp(before[name].values)) for name in ("z", "y", "x"))
    figure = style.new_figure(HEIGHT_MM)
    axes = figure.subplots()
    axes.imshow(picture, interpolation="antialiased")
    axes.set_axis_off()
    axes.set_title(f"{title}\nbox: {x:.0f} × {y:.0f} × {z:.0f} µm (x, y, z)")
    return figure
