"""The anode's surface as a height map, with the cavities before it outlined."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONTRAST = 99.0
LEAST_RANGE_UM = 1.0


@dataclass(frozen=True)
class HeightScale:
    """Heights are shown about the first scan's median ``level``, from −``reach`` to +``reach`` µm."""

    level: float
    reach: float


def height_scale(source: Source, scans: list[int]) -> HeightScale | None:
    """One colour scale for all maps of a figure, from the maps of ``scans``."""
    maps = [one["height"].values for scan in scans if (one := source.product("interface", scan)) is not None]
    maps = [heights for heights in maps if np.isfinite(heights).any()]
    if not maps:
        return None
    level = float(np.nanmedian(maps[0]))
    spread = [float(np.nanpercentile(np.abs(heights - level), CONTRAST)) for heights in maps]
    return HeightScale(level, max(*spread, LEAST_RANGE_UM))


def show_heights(axes: "Axes", interface: xr.Dataset, scale: HeightScale) -> Any:
    """Draw one map, y downwards, unknown places grey; cavities thicker than a pixel are outlined."""
    y, x = interface["y_map"].values, interface["x_map"].values
    half = float(y[1] - y[0]) / 2
    image = axes.imshow(
        interface["height"].values - scale.level,
        extent=(x[0] - half, x[-1] + half, y[-1] + half, y[0] - half),
        vmin=-scale.reach,
        vmax=scale.reach,
        cmap=style.DIVERGING,
    )
    axes.set(facecolor=style.PALE, xticks=[], yticks=[])
    outline_cavities(axes, interface)
    return image


def outline_cavities(axes: "Axes", interface: xr.Dataset) -> None:
    """Outline where the gap before the surface is thicker than a pixel of the map."""
    gap = np.nan_to_num(interface["gap"].values)
    pixel = float(interface["y_map"].values[1] - interface["y_map"].values[0])
    if gap.max() > pixel > gap.min():
        axes.contour(
            interface["x_map"].values, interface["y_map"].values, gap, levels=[pixel], colors="black", linewidths=0.8
        )
