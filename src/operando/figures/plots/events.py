"""What happened when: each event's most likely time and interval, over the quantities that show it."""

from typing import TYPE_CHECKING

import numpy as np

from operando.figures import style
from operando.figures.abscissa import TIME_LABEL, TimeAxis, middle_hours, time_axis
from operando.figures.panels.curves import banded, bounds_of, legend_above
from operando.figures.panels.heat_map import phase_colour
from operando.figures.panels.volumes import power_of_ten, volume_unit
from operando.figures.reading import NothingToDrawError, at_frames, names_along, need, scalars
from operando.figures.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_MM, EVENT_MM, MARGIN_MM = 28, 6, 12
BOUNDED = ("cavity_volume", "contact_area")


def draw(source: Source) -> "Figure":
    """Draw A the events in the order of their times; below cavities and contact, resistance, and phases."""
    events = need(source.table("events"), "events", "events found from scans, spectra and the cycler's record")
    axis = time_axis(source)
    if axis is None or events.sizes["event"] == 0:
        raise NothingToDrawError("The figure 'events' has nothing to draw: no event was found.")
    order = np.argsort(events["time"].values, kind="stable")
    events = events.isel(event=order)
    below = [panel for panel in (_cavities(source, axis), _resistance(source, axis), _phases(source, axis)) if panel]
    first = EVENT_MM * (events.sizes["event"] + 1)
    heights = [first, *[ROW_MM] * len(below)]
    figure = style.new_figure(sum(heights) + MARGIN_MM)
    every = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    hours = {name: axis.hours(events[name].values) for name in ("time", "low", "high")}
    _events(every[0], hours, [str(kind).replace("_", " ") for kind in events["kind"].values])
    for axes, panel in zip(every[1:], below, strict=True):
        panel(axes)
        for k, hour in enumerate(hours["time"]):
            axes.axvline(hour, color=_colour(k), linewidth=0.8, zorder=0)
    for axes, letter in zip(every, "ABCD", strict=False):
        style.panel_letter(axes, letter)
    every[-1].set_xlabel(TIME_LABEL)
    figure.align_ylabels(list(every[1:]))
    every[-1].set_xlim(axis.limits)
    return figure


def _colour(place: int) -> str:
    return style.PALETTE[place % len(style.PALETTE)]


def _events(axes: "Axes", hours: dict[str, np.ndarray], names: list[str]) -> None:
    for k, (time, low, high) in enumerate(zip(*hours.values(), strict=True)):
        axes.plot([low, high], [k, k], color=_colour(k), linewidth=3, alpha=0.4, solid_capstyle="butt")
        axes.plot(time, k, "o", color=_colour(k))
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -1.1)
    axes.set_ylabel("Event (number)").set_visible(False)


def _cavities(source: Source, axis: TimeAxis) -> "Callable[[Axes], None] | None":
    names = [f"{name}{suffix}" for name in BOUNDED for suffix in ("", "_low", "_high")]
    table, timeline = scalars(source, "interface", names), source.table("scan_timeline")
    middles = middle_hours(timeline, axis)
    if table is None or timeline is None or middles is None:
        return None
    if not any(np.isfinite(table[name].values).any() for name in BOUNDED):
        return None  # an empty panel would look like no cavity at all
    x = at_frames(timeline, "scan", table["scan"].values.tolist(), middles)

    def panel(axes: "Axes") -> None:
        volume = bounds_of(table, "cavity_volume")
        exponent = power_of_ten(volume[0])
        banded(axes, x, *(part / 10.0**exponent for part in volume), color=style.BLUE)
        axes.set_ylabel(f"Cavities ({volume_unit(exponent)})", color=style.BLUE)
        right = axes.twinx()
        banded(right, x, *(part / 1e6 for part in bounds_of(table, "contact_area")), color=style.VERMILION)
        right.set_ylabel("Contact (mm²)", color=style.VERMILION)

    return panel


def _resistance(source: Source, axis: TimeAxis) -> "Callable[[Axes], None] | None":
    table = source.table("resistances")
    if table is None or table.sizes["jump"] == 0:
        return None

    def panel(axes: "Axes") -> None:
        value, low, high = bounds_of(table, "resistance")
        x = axis.hours(table["time"].values)
        axes.errorbar(x, value, yerr=np.abs([value - low, high - value]), fmt="o", color="black", capsize=1.5)
        axes.set_ylabel("Resistance at\ncurrent steps (Ω)")

    return panel


def _phases(source: Source, axis: TimeAxis) -> "Callable[[Axes], None] | None":
    table, timeline = source.table("phase_presence"), source.table("spectrum_timeline")
    middles = middle_hours(timeline, axis)
    if table is None or timeline is None or middles is None:
        return None
    frames = table["spectrum"].values.tolist() if "spectrum" in table.coords else timeline["spectrum"].values.tolist()
    x = at_frames(timeline, "spectrum", frames, middles)

    def panel(axes: "Axes") -> None:
        phases = names_along(table, "phase")
        for k, phase in enumerate(phases):
            bounds = bounds_of(table.isel(phase=k), "fraction")
            banded(axes, x, *bounds, color=phase_colour(phase, phases), label=phase)
        axes.set_ylabel("Share of the\nlargest area (–)")
        legend_above(axes)

    return panel
