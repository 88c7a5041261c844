"""Where each number of one scan was measured: phases, surface, gap, contact and lengths, drawn on its slice."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.geometry import Cut, Window, cavity_window, cell_window, grey_limits, vertical_cut
from operando.figures.panels.lengths import in_window, lengths_of, mark_length, near_plane
from operando.figures.panels.slices import draw_cut, scale_bar
from operando.figures.panels.volumes import power_of_ten, volume_unit
from operando.figures.reading import NothingToDrawError, names_along, need
from operando.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_MM = 78
TINT = 0.45
"""How strongly the phases colour the slice."""


def draw(source: Source, scan: int | None = None) -> "Figure":
    """Draw a ``scan`` (by default the last one with a surface) through what is followed, or else the thickest gap."""
    frames = source.frames("interface")
    chosen = (frames[-1] if frames else -1) if scan is None else scan
    surface = need(source.product("interface", chosen), "measured", "the surface of the anode in a scan")
    gap = cavity_window(source, chosen)
    window = cell_window(source, source.table("tracks"))
    if gap.y is not None and not lengths_of(source, chosen):
        window = Window(gap.y, window.z, window.x)
    cut = vertical_cut(source, chosen, window)
    if cut is None or cut.horizontal:
        raise NothingToDrawError(f"The figure 'measured' needs the volume of scan {chosen}, higher than a few rows.")
    figure = style.new_figure(HEIGHT_MM)
    phases, lines, seen_from_above = figure.subplots(1, 3)
    _phases(phases, source, chosen, cut, window)
    _surface(lines, source, chosen, cut, window, surface)
    _map(seen_from_above, surface, window)
    figure.supxlabel(_numbers(source.product("phase_volumes", chosen), surface), fontsize=7)
    return figure


def _phases(axes: "Axes", source: Source, scan: int, cut: Cut, window: Window) -> None:
    """The slice with every voxel tinted by its phase; unknown voxels are left grey."""
    draw_cut(axes, cut, grey_limits([cut]))
    axes.set_title(f"Scan {scan}: phases (unknown: untinted)")
    labels = source.labels(scan)
    if labels is None:
        return
    z, y, x = (labels[name].values for name in ("z", "y", "x"))
    row = int(np.abs(y - _plane(window, y)).argmin())
    plane = labels["label"].isel(y=row).values
    names = [str(name) for name in labels.attrs.get("phases", ())]
    half = float(x[1] - x[0]) / 2
    extent = (x[0] - half, x[-1] + half, z[-1] + half, z[0] - half)
    from matplotlib.colors import to_rgba

    tint = np.zeros((*plane.shape, 4))
    for number, name in enumerate(names, start=1):
        tint[plane == number] = to_rgba(style.colour_of(name, names), TINT)
        axes.plot([], [], "s", color=style.colour_of(name, names), label=name, markersize=4)
    axes.imshow(tint, extent=extent, interpolation="nearest")
    axes.set(xlim=cut.extent[:2], ylim=cut.extent[2:])
    scale_bar(axes, cut.extent)
    legend_below(axes)


def _surface(axes: "Axes", source: Source, scan: int, cut: Cut, window: Window, surface: xr.Dataset) -> None:
    """The slice with the surface, the gap before it, and the lengths that lie in its plane."""
    draw_cut(axes, cut, grey_limits([cut]))
    axes.set_title("Surface, gap, lengths")
    y, x = surface["y_map"].values, surface["x_map"].values
    row = int(np.abs(y - _plane(window, y)).argmin())
    height, gap = (surface[name].values[row].astype(float) for name in ("height", "gap"))
    facing = -1.0 if float(surface["facing"]) == -1 else 1.0
    opened = np.nan_to_num(gap) > 0
    axes.fill_between(x, height, height + facing * np.nan_to_num(gap), where=opened, color=style.SKY, alpha=0.6, lw=0)
    for where, colour, text in ((~opened, style.ORANGE, "in contact"), (opened, style.SKY, "gap before it")):
        axes.plot(x, np.where(where, height, np.nan), color=colour, linewidth=1.3, label=text)
    axes.set(xlim=cut.extent[:2], ylim=cut.extent[2:])
    for one in lengths_of(source, scan):
        if in_window(one, cut) and near_plane(one, window.y, cut.extent):
            mark_length(axes, one, label=True)
    legend_below(axes)


def _map(axes: "Axes", surface: xr.Dataset, window: Window) -> None:
    """From above: where the surface touches, where it does not, and the plane of the slices."""
    from matplotlib.colors import ListedColormap

    y, x = surface["y_map"].values, surface["x_map"].values
    half = float(x[1] - x[0]) / 2
    gap = surface["gap"].values.astype(float)
    state = np.where(np.isfinite(gap), (np.nan_to_num(gap) > 0).astype(float), np.nan)
    extent = (x[0] - half, x[-1] + half, y[-1] + half, y[0] - half)
    axes.imshow(state, extent=extent, vmin=0, vmax=1, cmap=ListedColormap([style.ORANGE, style.SKY]))
    axes.axhline(_plane(window, y), color="black", linewidth=0.8, linestyle="--", label="plane of the slices")
    axes.set(xticks=[], yticks=[], facecolor=style.PALE)
    axes.set_title("Contact from above")
    if not np.isfinite(gap).any():
        axes.text(0.5, 0.75, "gap not measured", ha="center", va="center", transform=axes.transAxes)
    scale_bar(axes, extent, "black")
    legend_below(axes)


def legend_below(axes: "Axes") -> None:
    """The legend under the panel, away from what is shown."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=3, fontsize=6, handlelength=1.2, columnspacing=1)


def _plane(window: Window, y: np.ndarray) -> float:
    return float((y[0] + y[-1]) / 2) if window.y is None else window.y


def _numbers(volumes: xr.Dataset | None, surface: xr.Dataset) -> str:
    """The numbers with their intervals, in two lines."""
    lines = []
    if volumes is not None:
        names = names_along(volumes, "phase")
        exponent = power_of_ten(volumes["volume"].values)
        parts = [f"{name} {_bounded(volumes.isel(phase=k), 'volume', 10.0**exponent)}" for k, name in enumerate(names)]
        lines.append(f"{', '.join(parts)} {volume_unit(exponent)}")
    cavity = max(float(np.nan_to_num(surface["cavity_volume"])), 1.0)
    exponent = power_of_ten(np.array([cavity]))
    parts = [
        f"contact loss {_bounded(surface, 'contact_loss', 0.01, ' %')}",
        f"gap {_bounded(surface, 'cavity_volume', 10.0**exponent, f' {volume_unit(exponent)}')}",
        f"roughness {_bounded(surface, 'roughness', 1.0, ' µm')}",
    ]
    return "\n".join([*lines, ", ".join(parts)]).replace("-", "−")


def _bounded(dataset: xr.Dataset, name: str, scale: float, unit: str = "") -> str:
    """Value and interval with their unit, with three digits of the value."""
    value, low, high = (float(dataset[name + end]) / scale for end in ("", "_low", "_high"))
    if not np.isfinite(value):
        return "not measured"
    digits = int(np.clip(2 - np.floor(np.log10(max(abs(value), 1e-3))), 0, 3))
    return f"{value:.{digits}f} ({low:.{digits}f} … {high:.{digits}f}){unit}"
