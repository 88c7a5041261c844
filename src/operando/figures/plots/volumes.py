"""Volumes of the phases and of the anode's cavities against time, and the anode's against charge, with bands."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.abscissa import TIME_LABEL, middle_hours, time_axis
from operando.figures.panels.curves import banded, legend_above
from operando.figures.panels.volumes import change_since_first, power_of_ten, volume_change, volume_unit
from operando.figures.reading import at_frames, expansion_per_charge, names_along, need, reaction_text
from operando.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_MM = 80


def draw(source: Source) -> "Figure":
    """Draw A the change of every phase against time, B the anode's against charge beside the expected line."""
    volumes = need(source.table("phase_volumes"), "volumes", "segmented scans")
    frames, timeline, axis = volumes["scan"].values.tolist(), source.table("scan_timeline"), time_axis(source)
    middles = middle_hours(timeline, axis)
    timed = timeline is not None and middles is not None
    x = at_frames(timeline, "scan", frames, middles) if timed else np.array(frames, float)  # type: ignore[arg-type]
    charge = (
        np.full(len(frames), np.nan)
        if timeline is None
        else at_frames(timeline, "scan", frames, timeline["charge"].values)
    )
    against = bool(np.isfinite(charge).sum() > 1)
    figure = style.new_figure(HEIGHT_MM if against else HEIGHT_MM * 0.7)
    every = figure.subplots(1, 2 if against else 1, squeeze=False)[0]
    _against_time(every[0], volumes, x)
    every[0].set_xlabel(TIME_LABEL if timed else "Scan (number)")
    if against:
        _against_charge(every[1], volumes, charge, source.table("balance"))
    for axes, letter in zip(every, "AB", strict=False):
        style.panel_letter(axes, letter)
    return figure


def _against_time(axes: "Axes", volumes: xr.Dataset, x: np.ndarray) -> None:
    phases = names_along(volumes, "phase")
    changes = [change_since_first(volumes, k)[0] for k in range(len(phases))]
    exponent = power_of_ten(np.array([change[0] for change in changes]))
    for phase, change in zip(phases, changes, strict=True):
        banded(axes, x, *(part / 10.0**exponent for part in change), color=style.colour_of(phase, phases), label=phase)
    axes.axhline(0, color=style.PALE, linewidth=0.5, zorder=0)
    axes.set_ylabel(f"Change since first scan ({volume_unit(exponent)})")
    legend_above(axes, columns=len(phases))


def _against_charge(axes: "Axes", volumes: xr.Dataset, charge: np.ndarray, balance: xr.Dataset | None) -> None:
    exponent, _ = volume_change(axes, volumes, charge, in_order=True)
    expansion = expansion_per_charge(balance)
    if expansion is not None:
        reaction, per_charge = expansion
        ends = np.array([np.nanmin(charge), np.nanmax(charge)])
        start = charge[np.isfinite(charge)][0]
        label = f"expected: {reaction_text(reaction)}"
        axes.plot(ends, (ends - start) * per_charge / 10.0**exponent, "--", color=style.CURRENT, label=label)
    axes.set_xlabel("Net charge (mAh)")
    legend_above(axes, columns=1)
