"""Volumes of the phases against time, the anode's against charge, and the gap before the anode, with bands."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.abscissa import TIME_LABEL, middle_hours, time_axis
from operando.figures.panels.curves import banded, bounds_of, legend_above
from operando.figures.panels.volumes import change_since_first, power_of_ten, volume_change, volume_unit
from operando.figures.reading import at_frames, expansion_per_charge, names_along, need, reaction_text, scalars
from operando.figures.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_MM, GAP_MM = 80, 50
GAP = ("cavity_volume", "contact_loss")


def draw(source: Source) -> "Figure":
    """Draw the change of every phase against time and the anode's against charge; below, cavities and lost contact."""
    volumes = need(source.table("phase_volumes"), "volumes", "segmented scans")
    frames, timeline, axis = volumes["scan"].values.tolist(), source.table("scan_timeline"), time_axis(source)
    middles = middle_hours(timeline, axis)
    timed = timeline is not None and middles is not None
    charge = (
        np.full(len(frames), np.nan)
        if timeline is None
        else at_frames(timeline, "scan", frames, timeline["charge"].values)
    )

    def along(scans: list[int]) -> np.ndarray:
        return at_frames(timeline, "scan", scans, middles) if timed else np.array(scans, float)  # type: ignore[arg-type]

    rows: list[list[Callable[[Axes], None]]] = [[lambda axes: _against_time(axes, volumes, along(frames))]]
    if np.isfinite(charge).sum() > 1:
        rows[0].append(lambda axes: _against_charge(axes, volumes, charge, source.table("balance")))
    rows.append(_gap_panels(source, along))
    return _laid_out([row for row in rows if row], TIME_LABEL if timed else "Scan (number)")


def _laid_out(rows: "list[list[Callable[[Axes], None]]]", label: str) -> "Figure":
    """Every row as wide as the figure; panels without a label of their own are against time or scan."""
    heights = [HEIGHT_MM if len(rows[0]) > 1 else HEIGHT_MM * 0.7, *[GAP_MM] * (len(rows) - 1)]
    figure = style.new_figure(sum(heights))
    grid, letters = figure.add_gridspec(len(rows), 2, height_ratios=heights), iter("ABCD")
    for k, row in enumerate(rows):
        for place, panel in enumerate(row):
            axes = figure.add_subplot(grid[k, place] if len(row) > 1 else grid[k, :])
            panel(axes)
            if not axes.get_xlabel():
                axes.set_xlabel(label)
            style.panel_letter(axes, next(letters))
    figure.align_ylabels()
    return figure


def _gap_panels(source: Source, along: "Callable[[list[int]], np.ndarray]") -> "list[Callable[[Axes], None]]":
    """Cavities and lost contact with their bounds; nothing where no scan tells of them."""
    table = scalars(source, "interface", [f"{name}{end}" for name in GAP for end in ("", "_low", "_high")])
    if table is None or not np.isfinite(table[GAP[0]].values).any():
        return []
    x = along(table["scan"].values.tolist())

    def panel(axes: "Axes", name: str, scale: float, label: str) -> None:
        parts = [part / scale for part in bounds_of(table, name)]
        banded(axes, x, *parts, color=style.BLUE)
        axes.set_ylim(*(np.array([-0.04, 1.12]) * np.nanmax(parts[2])))
        axes.set_ylabel(label)

    exponent = power_of_ten(table[f"{GAP[0]}_high"].values)
    return [
        lambda axes: panel(axes, GAP[0], 10.0**exponent, f"Cavities before the anode\n({volume_unit(exponent)})"),
        lambda axes: panel(axes, GAP[1], 0.01, "Lost contact (%)"),
    ]


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
