"""Gain and loss of the anode between two scans: where along the bore it grew and where it shrank."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.anode import anode_label
from operando.figures.panels.gain import largest_pair, numbers_of_pair, thicknesses
from operando.figures.panels.slices import scale_bar
from operando.figures.reading import NothingToDrawError, need
from operando.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_MM = 66


def draw(source: Source, pair: int | None = None) -> "Figure":
    """Draw the thickness gained and lost along z for a ``pair`` of scans; by default the one with most charge."""
    pairs = need(source.table("pairs"), "gains", "two scans to compare")
    chosen = largest_pair(source, pairs) if pair is None else pair
    first, last = (int(pairs[name].values[chosen]) for name in ("from_scan", "to_scan"))
    before, after = source.labels(first), source.labels(last)
    if before is None or after is None:
        raise NothingToDrawError(
            f"The figure 'gains' needs labels of the scans {first} and {last}; they are not there."
        )
    gain, loss, unknown = thicknesses(before, after, anode_label(source, before))
    figure = style.new_figure(HEIGHT_MM)
    every = figure.subplots(1, 3)
    reach = max(float(np.percentile(np.abs(gain - loss), 99.5)), 1.0)
    titles = (f"gained, scan {first} to {last}", "lost", "net")
    for axes, thickness, title in zip(every, (gain, -loss, gain - loss), titles, strict=True):
        image = _map(axes, before, np.where(unknown, np.nan, thickness), reach)
        axes.set_title(title)
    scale_bar(every[-1], image.get_extent(), "black")
    figure.colorbar(image, ax=list(every), pad=0.01, fraction=0.02).set_label("Thickness of anode (µm)")
    figure.supxlabel(numbers_of_pair(source, chosen), fontsize=7)
    return figure


def _map(axes: "Axes", labels: xr.Dataset, thickness: np.ndarray, reach: float) -> Any:
    y, x = labels["y"].values, labels["x"].values
    half = float(y[1] - y[0]) / 2
    extent = (x[0] - half, x[-1] + half, y[-1] + half, y[0] - half)
    image = axes.imshow(thickness, extent=extent, vmin=-reach, vmax=reach, cmap=style.DIVERGING)
    axes.set(facecolor=style.PALE, xticks=[], yticks=[])
    return image
