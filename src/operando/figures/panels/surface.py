"""The anode's surface in 3D, drawn by matplotlib."""

from typing import Any

import numpy as np
import xarray as xr

from operando.figures import style

FACETS = 70
"""Facets along the longer side, at most: more are not seen in print."""


def draw_surface(axes: Any, interface: xr.Dataset, colour_by: np.ndarray, reach: float, zoom: float = 1.0) -> Any:
    """Draw the height map into 3D axes, z downwards as in the scans, coloured from −``reach`` to +``reach``.

    ``colour_by`` (y, x) has the shape of the map. Returns what a colour bar needs.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    step = max(-(-max(colour_by.shape) // FACETS), 1)
    height = interface["height"].values[::step, ::step]
    y, x = interface["y_map"].values[::step], interface["x_map"].values[::step]
    colours = ScalarMappable(Normalize(-reach, reach), style.DIVERGING)
    faces = colours.to_rgba(np.nan_to_num(colour_by[::step, ::step]))
    faces[~np.isfinite(height), 3] = 0.0
    grid_x, grid_y = np.meshgrid(x, y)
    axes.plot_surface(
        grid_x, grid_y, height, facecolors=faces, rstride=1, cstride=1, linewidth=0, antialiased=False, shade=True
    )
    axes.invert_zaxis()
    axes.set_box_aspect((1, float(np.ptp(y)) / max(float(np.ptp(x)), 1e-9), 0.45), zoom=zoom)
    axes.view_init(elev=28, azim=-60)
    for name in "xyz":
        getattr(axes, f"set_{name}label")(f"{name} (µm)", labelpad=-4)
        getattr(axes, f"{name}axis").set_tick_params(pad=-2)
        getattr(axes, f"{name}axis").set_major_locator(_few())
    return colours


def _few() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)
