"""Gain and loss of the anode between two scans: where along the bore it grew and where it shrank."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.panels.slices import scale_bar
from operando.figures.panels.volumes import power_of_ten, volume_unit
from operando.figures.reading import NothingToDrawError, anode_label, need
from operando.figures.source import Source
from operando.model.constants import UNKNOWN_LABEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_MM = 66
SLAB = 32


def draw(source: Source, pair: int | None = None) -> "Figure":
    """Draw the thickness gained and lost along z for a ``pair`` of scans; by default the one with most charge."""
    pairs = need(source.table("pairs"), "gains", "two scans to compare")
    chosen = _largest(source, pairs) if pair is None else pair
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
    figure.supxlabel(_numbers(source, chosen), fontsize=7)
    return figure


def _largest(source: Source, pairs: xr.Dataset) -> int:
    """The pair with most charge, or else the one furthest apart in time."""
    balance = source.table("balance")
    if balance is not None and np.isfinite(balance["charge"].values).any():
        return int(np.nanargmax(np.abs(balance["charge"].values)))
    return int((pairs["to_scan"] - pairs["from_scan"]).values.argmax())


def thicknesses(before: xr.Dataset, after: xr.Dataset, label: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gained and lost thickness along z (y, x) in µm, and columns where nothing could be compared.

    Only voxels known in both scans count. Labels are read slab by slab.
    """
    z = before["z"].values
    shape = before["label"].shape[1:]
    gain, loss, compared = (np.zeros(shape) for _ in range(3))
    for start in range(0, z.size, SLAB):
        part = slice(start, start + SLAB)
        old, new = (one["label"].isel(z=part).values for one in (before, after))
        known = (old != UNKNOWN_LABEL) & (new != UNKNOWN_LABEL) & (old != 0) & (new != 0)
        gain += (known & (new == label) & (old != label)).sum(axis=0)
        loss += (known & (new != label) & (old == label)).sum(axis=0)
        compared += known.sum(axis=0)
    thickness = float(z[1] - z[0])
    return gain * thickness, loss * thickness, compared == 0


def _map(axes: "Axes", labels: xr.Dataset, thickness: np.ndarray, reach: float) -> Any:
    y, x = labels["y"].values, labels["x"].values
    half = float(y[1] - y[0]) / 2
    extent = (x[0] - half, x[-1] + half, y[-1] + half, y[0] - half)
    image = axes.imshow(thickness, extent=extent, vmin=-reach, vmax=reach, cmap=style.DIVERGING)
    axes.set(facecolor=style.PALE, xticks=[], yticks=[])
    return image


def _numbers(source: Source, pair: int) -> str:
    difference = source.product("difference", pair)
    if difference is None:
        return ""
    exponent = power_of_ten(difference["gain"].values)
    names = [f"{name}{suffix}" for name in ("gain", "loss", "net") for suffix in ("", "_low", "_high")]
    scaled = {name: float(difference[name]) / 10.0**exponent for name in names}
    parts = [
        f"{name} {scaled[name]:.1f} ({scaled[f'{name}_low']:.1f} … {scaled[f'{name}_high']:.1f})"
        for name in ("gain", "loss", "net")
    ]
    return f"{', '.join(parts)} {volume_unit(exponent)}".replace("-", "−")
