"""The lengths that are followed: drawn on slices, and as curves."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.geometry import Cut
from operando.figures.panels.curves import banded, bounds_of
from operando.figures.reading import names_along
from operando.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEAR_PLANE = 0.04
"""A length lies in a plane if it is nearer than this share of the slice's width."""
COLOURS = (style.ORANGE, style.SKY, style.GREEN, style.PURPLE)


@dataclass(frozen=True)
class Length:
    """One followed length in one scan: from ``top`` to ``bottom`` (z) at ``x`` and ``y``, µm; colour by its place."""

    name: str
    length: float
    y: float
    x: float
    top: float
    bottom: float
    colour: str


def lengths_of(source: Source, scan: int) -> list[Length]:
    """Lengths of a scan with where they lie; a protrusion ends at the anode's surface, a particle's at the last row."""
    tracks, first = source.product("tracks", scan), source.volume(_first(source))
    if tracks is None or first is None:
        return []
    z = first["z"].values
    floor = float(z[-1] + (z[-1] - z[-2]) / 2)
    surface = source.product("interface", scan)
    found = []
    for i, name in enumerate(names_along(tracks, "track")):
        length, position = float(tracks["length"].values[i]), tracks["position"].values[i]
        if np.isfinite(length) and np.isfinite(position).all():
            ends = _ends(length, position, floor, surface, _kind(tracks, i))
            found.append(Length(name, length, position[1], position[2], *ends, COLOURS[i % len(COLOURS)]))
    return found


def _first(source: Source) -> int:
    return source.frames("volume")[0] if source.frames("volume") else -1


def _kind(tracks: xr.Dataset, place: int) -> str:
    kinds = tracks["kind"].values if "kind" in tracks else tracks.attrs.get("kind", ())
    return str(kinds[place]) if len(kinds) > place else ""


def _ends(
    length: float, position: np.ndarray, floor: float, surface: xr.Dataset | None, kind: str
) -> tuple[float, float]:
    z = float(position[0])
    reaches_floor = abs(z + length - floor) < 0.05 * abs(floor)
    if surface is None or kind == "particle" or (not kind and reaches_floor):
        return z, z + length
    heights = surface["height"].values
    row = int(np.abs(surface["y_map"].values - position[1]).argmin())
    column = int(np.abs(surface["x_map"].values - position[2]).argmin())
    tip, usual = float(heights[row, column]), float(np.nanmedian(heights))
    if not np.isfinite(tip):
        return z, z + length
    return (tip - length, tip) if tip >= usual else (tip, tip + length)


def mark_length(axes: "Axes", one: Length, inside: bool = True, label: bool = True) -> None:
    """Draw the length on a slice; dashed where it does not lie in this plane (``inside`` false)."""
    from matplotlib.patheffects import Normal, Stroke

    halo = [Stroke(linewidth=2.4, foreground="black"), Normal()]
    axes.plot(
        [one.x, one.x],
        [one.top, one.bottom],
        color=one.colour,
        linestyle="-" if inside else (0, (2, 2)),
        linewidth=1.2,
        marker="_",
        markersize=5,
        path_effects=halo,
        scalex=False,
        scaley=False,
    )
    if label:
        right = one.x < np.mean(axes.get_xlim())
        axes.annotate(
            f"{one.length:.0f} µm",
            (one.x, (one.top + one.bottom) / 2),
            xytext=(3 if right else -3, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            color=one.colour,
            fontsize=6,
            path_effects=[Stroke(linewidth=1.6, foreground="black"), Normal()],
        )


def length_curves(axes: "Axes", tracks: xr.Dataset, x: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Draw every followed length with its band; returns colours and values, for moving dots."""
    drawn: list[tuple[str, np.ndarray]] = []
    for i, name in enumerate(names_along(tracks, "track")):
        value, low, high = bounds_of(tracks.isel(track=i), "length")
        colour = COLOURS[i % len(COLOURS)]
        banded(axes, x, value, low, high, color=colour, label=name)
        drawn.append((colour, value))
    axes.set_ylabel("Length (µm)")
    return drawn


def near_plane(one: Length, plane_y: float | None, extent: Any) -> bool:
    """Whether a length lies in the plane of a slice."""
    return plane_y is None or bool(abs(one.y - plane_y) <= NEAR_PLANE * (extent[1] - extent[0]))


def in_window(one: Length, cut: Cut) -> bool:
    """Whether the middle of a length lies inside a slice."""
    if cut.horizontal:
        return False
    left, right, bottom, top = cut.extent
    return bool(left <= one.x <= right and top <= (one.top + one.bottom) / 2 <= bottom)
