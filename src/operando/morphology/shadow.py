"""Where a surface lies that nothing but its shadow shows: the anode behind it lets no light through."""

import numpy as np

from operando.model.products.tomography import Volume
from operando.morphology.blocks import Grid
from operando.morphology.placement import Placement


def shadow_edge(
    volume: Volume, grid: Grid, place: Placement, ring: np.ndarray, start: float, deepest: float, levels: np.ndarray
) -> float:
    """Height of the surface over a ring of columns, µm along z in the first scan's frame; NaN if there is none.

    Starved rays make what lies behind the surface untrusted, so that it counts as no phase. They read too little, never
    too much: where the grey values rise from the electrolyte's to a plateau that still is beyond the threshold to the
    anode, the anode begins. The edge is where the ring's median passes half-way up, walking from ``start`` to
    ``deepest`` (µm). ``ring`` is a mask of columns (y, x), ``levels`` the grey values of electrolyte and anode.
    """
    rows, columns = np.flatnonzero(ring.any(axis=1)), np.flatnonzero(ring.any(axis=0))
    axes = grid.coordinates()
    middle = np.array([start, axes["y"][rows].mean(), axes["x"][columns].mean()])
    shift = place.motion(middle) - middle
    heights = axes["z"][np.abs(axes["z"] - (start + deepest) / 2) <= abs(start - deepest) / 2]
    heights = heights if deepest > start else heights[::-1]
    there = {
        "z": _nearest(volume["z"].values, heights + shift[0]),
        "y": _nearest(volume["y"].values, axes["y"][rows[0] : rows[-1] + 1] + shift[1]),
        "x": _nearest(volume["x"].values, axes["x"][columns[0] : columns[-1] + 1] + shift[2]),
    }
    if heights.size < 2:
        return float("nan")
    low, high = sorted((int(there["z"][0]), int(there["z"][-1])))
    block = volume["mu"].isel(z=slice(low, high + 1), y=there["y"], x=there["x"]).values[there["z"] - low]
    mask = ring[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return crossing(heights, np.nanmedian(block[:, mask], axis=1) * place.scale, levels)


def crossing(heights: np.ndarray, profile: np.ndarray, levels: np.ndarray) -> float:
    """Height at which a profile first passes half-way from the dark level to its plateau; NaN if it never does.

    >>> round(crossing(np.arange(5.0), np.array([2.0, 2.0, 6.0, 18.0, 18.0]), np.array([2.0, 25.0])), 2)
    2.33
    """
    dark, bright = levels
    plateau = float(np.nanmax(profile))
    if not plateau > (dark + bright) / 2:
        return float("nan")
    above = np.flatnonzero(profile >= (dark + plateau) / 2)
    last = int(above[0])
    if last == 0:
        return float("nan")
    before, after = profile[last - 1], profile[last]
    share = ((dark + plateau) / 2 - before) / (after - before)
    return float(heights[last - 1] + share * (heights[last] - heights[last - 1]))


def _nearest(axis: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Indices of the voxels nearest to places along an axis (µm); places beyond it go to its ends."""
    step = float(axis[1] - axis[0])
    return np.clip(np.rint((wanted - axis[0]) / step).astype(int), 0, axis.size - 1)
