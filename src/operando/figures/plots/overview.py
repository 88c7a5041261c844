"""Everything on one time axis: diffraction, voltage and current, slices, volumes and lattice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from operando.figures import style
from operando.figures.abscissa import TIME_LABEL, TimeAxis, middle_hours, time_axis
from operando.figures.geometry import Cut, cell_window, vertical_cut
from operando.figures.panels.cell import numbered, voltage_and_current
from operando.figures.panels.curves import legend_above
from operando.figures.panels.heat_map import heat_map, intensity_bar, line_names
from operando.figures.panels.lattice import lattice_changes
from operando.figures.panels.slices import slices_row
from operando.figures.panels.volumes import expected_change, volume_change
from operando.figures.reading import NothingToDrawError, at_frames
from operando.figures.source import Source
from operando.figures.spectra import known_lines, patterns, spacing_range
from operando.figures.states import State, choose

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEAT_MM, CELL_MM, VOLUMES_MM, LATTICE_MM = 46, 30, 30, 30
SLICES_ROW_MM, CAPTION_MM, MARGIN_MM = 155, 6, 10


@dataclass(frozen=True)
class _Drawing:
    """What the panels of one figure share."""

    source: Source
    axis: TimeAxis | None
    states: list[State]

    def axis_of(self, instrument: str) -> TimeAxis | None:
        """The shared time axis, or the instrument's own where the instruments lie too far apart."""
        return self.axis if self.axis is None or self.axis.shared else time_axis(self.source, instrument)

    def along(self, dim: str, frames: list[int]) -> np.ndarray:
        """Abscissa of frames of ``scan`` or ``spectrum``: hours, or their index where nothing has a time."""
        if self.axis is None:
            return np.array(frames, float)
        timeline = self.source.table(f"{dim}_timeline")
        middles = middle_hours(timeline, self.axis_of(dim))
        if timeline is None or middles is None:
            return np.full(len(frames), np.nan)
        return at_frames(timeline, dim, frames, middles)


@dataclass(frozen=True)
class _Panel:
    """``draw(figure, axes)`` returns what needs a colour bar; one that is not ``timed`` gets a grid's place instead."""

    height: float
    draw: Callable[["Figure", Any], Any]
    timed: bool = True


def draw(source: Source, states: int = 7) -> "Figure":
    """Draw the overview with ``states`` numbered slices; a panel whose instrument is missing is left out."""
    axis = time_axis(source)
    drawing = _Drawing(source, axis, choose(source, axis, states))
    panels = _panels(drawing)
    if not panels:
        raise NothingToDrawError("The figure 'overview' has nothing to draw: no scan, spectrum or cycler file is done.")
    apart = axis is not None and not axis.shared
    figure = style.new_figure(sum(panel.height for panel in panels) + MARGIN_MM * (len(panels) if apart else 1))
    grid = figure.add_gridspec(
        len(panels), 2, height_ratios=[panel.height for panel in panels], width_ratios=[1, 0.015]
    )
    timed: list[Axes] = []
    shared = axis is None or axis.shared
    for row, (panel, letter) in enumerate(zip(panels, "ABCDE", strict=False)):
        if not panel.timed:
            style.panel_letter(panel.draw(figure, grid[row, :]), letter, outside=True)
            continue
        axes = figure.add_subplot(grid[row, 0], sharex=timed[0] if timed and shared else None)
        mesh = panel.draw(figure, axes)
        style.panel_letter(axes, letter)
        if mesh is not None:
            intensity_bar(figure, mesh, figure.add_subplot(grid[row, 1]))
        timed.append(axes)
    _finish(timed, axis)
    figure.align_ylabels(timed)
    return figure


def _finish(timed: "list[Axes]", axis: TimeAxis | None) -> None:
    if axis is not None and not axis.shared:
        for axes in timed:
            axes.set_xlabel("Time since the instrument's first (h)")
        return
    for axes in timed:
        axes.tick_params(labelbottom=axes is timed[-1])
    if timed:
        timed[-1].set_xlabel(TIME_LABEL if axis else "Scan or spectrum (number)")
    if timed and axis:
        timed[-1].set_xlim(axis.limits)


def _panels(drawing: _Drawing) -> list[_Panel]:
    found = (_diffraction(drawing), _cell(drawing), _slices(drawing), _volumes(drawing), _lattice(drawing))
    return [panel for panel in found if panel is not None]


def _diffraction(drawing: _Drawing) -> _Panel | None:
    lines = known_lines(drawing.source)
    if not lines:
        return None
    found = patterns(drawing.source, *spacing_range(lines))
    if found is None:
        return None
    x = drawing.along("spectrum", found.frames.tolist())
    if not np.isfinite(x).any():
        return None

    def panel(figure: "Figure", axes: "Axes") -> Any:
        mesh = heat_map(axes, x, found)
        line_names(axes, lines, HEAT_MM * 72 / 25.4)
        return mesh

    return _Panel(HEAT_MM, panel)


def _cell(drawing: _Drawing) -> _Panel | None:
    curve, axis = drawing.source.table("curve"), drawing.axis_of("cell")
    if curve is None or axis is None:
        return None

    def panel(figure: "Figure", axes: "Axes") -> None:
        voltage_and_current(axes, curve, axis)
        if drawing.axis is not None and drawing.axis.shared:
            numbered(axes, drawing.states, curve)

    return _Panel(CELL_MM, panel)


def _slices(drawing: _Drawing) -> _Panel | None:
    window = cell_window(drawing.source, drawing.source.table("tracks"))
    cuts = [(state, vertical_cut(drawing.source, state.scan, window)) for state in drawing.states]
    shown = [(state, cut) for state, cut in cuts if cut is not None]
    if not shown:
        return None

    def panel(figure: "Figure", place: Any) -> "Axes":
        grid = place.subgridspec(1, len(shown))
        every = [figure.add_subplot(grid[0, i]) for i in range(len(shown))]
        slices_row(figure, every, shown)
        return every[0]

    return _Panel(_row_height(shown[0][1], len(shown)), panel, timed=False)


def _row_height(cut: Cut, number: int) -> float:
    """Height in mm that slices of this shape take in a row, with their captions."""
    left, right, bottom, top = cut.extent
    return float(np.clip(SLICES_ROW_MM / number * (bottom - top) / (right - left) + CAPTION_MM, 15, 60))


def _volumes(drawing: _Drawing) -> _Panel | None:
    volumes = drawing.source.table("phase_volumes")
    if volumes is None:
        return None
    x = drawing.along("scan", volumes["scan"].values.tolist())
    if not np.isfinite(x).any():
        return None
    curve, balance, axis = drawing.source.table("curve"), drawing.source.table("balance"), drawing.axis

    def panel(figure: "Figure", axes: "Axes") -> None:
        exponent, _ = volume_change(axes, volumes, x)
        if curve is not None and axis is not None and axis.shared:
            expected_change(axes, curve, balance, axis, float(np.nanmin(x)), exponent)
        else:
            if axis is None or axis.shared:
                numbered(axes, drawing.states, timed=axis is not None)
        legend_above(axes)

    return _Panel(VOLUMES_MM, panel)


def _lattice(drawing: _Drawing) -> _Panel | None:
    lattice = drawing.source.table("lattice")
    if lattice is None:
        return None
    x = drawing.along("spectrum", lattice["spectrum"].values.tolist())
    if not np.isfinite(x).any():
        return None

    def panel(figure: "Figure", axes: "Axes") -> None:
        lattice_changes(axes, lattice, x)
        legend_above(axes)

    return _Panel(LATTICE_MM, panel)
