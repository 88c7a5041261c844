"""How the interface evolved, as the paper's Fig. 4, but drawn from the measured state: profiles, cavities, phases."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.abscissa import middle_hours, time_axis
from operando.figures.anode import anode_above
from operando.figures.geometry import round_length, whole_height
from operando.figures.numbers import quantity_text, unit_text
from operando.figures.panels.regions import followed_region
from operando.figures.panels.slices import length_text
from operando.figures.panels.volumes import power_of_ten, volume_unit
from operando.figures.reading import NothingToDrawError, at_frames, names_along
from operando.figures.source import Source
from operando.figures.states import State, choose

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_MM, LINE_MM, CAPTION_MM = 142.0, 3.1, 14.0
EXAGGERATION_ROOM = 0.35


def draw(source: Source, states: int = 5) -> "Figure":
    """Draw the profile of anode, void and electrolyte at ``states``, with what was measured then written below.

    The profile runs along x through the first followed length; heights are to the same scale as widths.
    """
    frames = source.frames("interface")
    chosen = [state for state in choose(source, time_axis(source), states) if state.scan in frames]
    if not chosen:
        raise NothingToDrawError("The figure 'fig4' needs the anode's surface in at least one scan; there is none.")
    plane = followed_region(source, chosen).y
    above = anode_above(source)
    rows = [row for row in _measured(source, chosen) if any(row[1])]
    profiles = [_profile(source, state, plane) for state in chosen]
    limits = _limits(source, profiles)
    across = min(float(x[0]) for x, _, _ in profiles), max(float(x[-1]) for x, _, _ in profiles)
    shape = (limits[1] - limits[0]) / max(across[1] - across[0], 1.0)
    figure = style.new_figure(WIDTH_MM / len(chosen) * shape + LINE_MM * 2 * len(rows) + CAPTION_MM)
    every = figure.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
    for k, (axes, state, profile) in enumerate(zip(every, chosen, profiles, strict=True)):
        _draw_profile(axes, profile, limits, above)
        axes.set_xlim(*across)  # where the surface was not seen the drawing stays white
        axes.set_title(f"{state.number}: {state.caption}", fontsize=6.5)
        _below(axes, "\n".join(_two_lines(values[k]) for _, values in rows).rstrip(), 0.5, "center")
    _below(every[0], "\n".join(_two_lines(name) for name, _ in rows).rstrip(), -0.04, "right")
    _names(every[0], profiles[0], limits, above)
    _scale(every[-1], np.array(across), limits)
    return figure


def _two_lines(text: str) -> str:
    return text if "\n" in text else f"{text}\n"


def _below(axes: "Axes", text: str, x: float, side: str) -> None:
    axes.annotate(
        text,
        (x, 0),
        xycoords="axes fraction",
        xytext=(0, -4),
        textcoords="offset points",
        ha=side,
        va="top",
        fontsize=6,
        linespacing=1.4,
    )


Profile = tuple[np.ndarray, np.ndarray, np.ndarray]
"""x, height of the anode's surface, thickness of the void before it; µm."""


def _profile(source: Source, state: State, plane: float | None) -> Profile:
    interface = source.product("interface", state.scan)
    if interface is None:
        raise NothingToDrawError(f"The figure 'fig4' needs the anode's surface in scan {state.scan}.")
    y = interface["y_map"].values
    row = int(np.abs(y - (np.mean(y) if plane is None else plane)).argmin())
    height, gap = (interface[name].values[row] for name in ("height", "gap"))
    known = np.isfinite(height)
    return interface["x_map"].values[known], height[known], np.nan_to_num(gap[known])


def _limits(source: Source, profiles: list[Profile]) -> tuple[float, float]:
    """Top and bottom of the drawing: some room about all profiles, within the field of view."""
    lowest = min(float(height.min()) for _, height, _ in profiles)
    highest = max(float((height + gap).max()) for _, height, gap in profiles)
    room = max(EXAGGERATION_ROOM * max(float(np.ptp(x)) for x, _, _ in profiles), 1.0)
    top, bottom = whole_height(source)
    return max(lowest - room, top), min(highest + room, bottom)


def _draw_profile(axes: "Axes", profile: Profile, limits: tuple[float, float], above: bool) -> None:
    x, height, gap = profile
    top, bottom = limits
    outer, inner = (top, bottom) if above else (bottom, top)
    far = height + gap if above else height - gap
    axes.fill_between(x, far, inner, color=style.PHASE_COLOURS["electrolyte"], linewidth=0)
    axes.fill_between(x, height, far, color=style.PHASE_COLOURS["void"], linewidth=0)
    axes.fill_between(x, height, outer, color=style.PHASE_COLOURS["anode"], linewidth=0)
    axes.plot(x, height, color="black", linewidth=0.7)
    axes.set(ylim=(bottom, top), aspect="equal", anchor="N", xticks=[], yticks=[])


def _names(axes: "Axes", profile: Profile, limits: tuple[float, float], above: bool) -> None:
    x, height, gap = profile
    top, bottom = limits
    places = {"anode": (top + height.min()) / 2, "electrolyte": (bottom + (height + gap).max()) / 2}
    if not above:
        places = {"anode": (bottom + height.max()) / 2, "electrolyte": (top + (height - gap).min()) / 2}
    for name, z in places.items():
        axes.text(float(np.mean(x)), z, name, ha="center", va="center", fontsize=6)


def _scale(axes: "Axes", x: np.ndarray, limits: tuple[float, float]) -> None:
    length = round_length(0.4 * float(np.ptp(x)))
    z = limits[1] - 0.06 * (limits[1] - limits[0])
    end = x[-1] - 0.06 * float(np.ptp(x))
    axes.plot([end - length, end], [z, z], color="black", linewidth=2, solid_capstyle="butt")
    axes.annotate(
        length_text(length), (end - length / 2, z), xytext=(0, 2.5), textcoords="offset points", ha="center", fontsize=6
    )


Row = tuple[str, list[str]]
"""What it is, with its unit, and its value in every state; empty where it is not known."""


def _measured(source: Source, states: list[State]) -> list[Row]:
    """Rows under the pictures: followed lengths, cavities, lost contact, phases that diffraction found."""
    tracks = [source.product("tracks", state.scan) for state in states]
    interfaces = [source.product("interface", state.scan) for state in states]
    names = next((names_along(one, "track") for one in tracks if one is not None), [])
    rows = [
        _row(name, [None if one is None else one.isel(track=k) for one in tracks], "length", "um", 0)
        for k, name in enumerate(names)
    ]
    largest = [np.nan if one is None else float(one["cavity_volume"]) for one in interfaces]
    rows.append(_row("cavities", interfaces, "cavity_volume", "um3", power_of_ten(np.array(largest))))
    rows.append(_row("lost contact", interfaces, "contact_loss", "%", -2))
    return [*rows, ("phases found", [", ".join(_phases(source, state)) for state in states])]


def _row(name: str, datasets: list[xr.Dataset | None], variable: str, unit: str, exponent: int) -> Row:
    written = volume_unit(exponent) if unit == "um3" else unit_text(unit) or "–"
    return f"{name} ({written})", ["" if one is None else _value(one, variable, exponent) for one in datasets]


def _value(dataset: xr.Dataset, name: str, exponent: int) -> str:
    value, low, high = (float(dataset[name + suffix].values) / 10.0**exponent for suffix in ("", "_low", "_high"))
    if not np.isfinite([value, low, high]).all():
        return ""
    return quantity_text({"value": value, "low": low, "high": high, "unit": "1"}).replace(" (", "\n(")


def _phases(source: Source, state: State) -> list[str]:
    """Phases found in the spectrum nearest in time."""
    presence, timeline = source.table("phase_presence"), source.table("spectrum_timeline")
    middles = middle_hours(timeline, time_axis(source))
    if presence is None or timeline is None or middles is None or not np.isfinite(state.hour):
        return []
    frames = timeline["spectrum"].values.tolist()
    hours = at_frames(timeline, "spectrum", frames, middles)
    nearest = int(np.nanargmin(np.abs(hours - state.hour)))
    rows = presence["spectrum"].values.tolist() if "spectrum" in presence.coords else frames
    if frames[nearest] not in rows:
        return []
    there = presence["present"].values[rows.index(frames[nearest])].astype(bool)
    return [name for name, found in zip(names_along(presence, "phase"), there, strict=True) if found]
