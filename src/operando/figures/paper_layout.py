"""The layout of the paper's figures 2 and 3: diffraction over voltage, one column a cycle, slices below."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.abscissa import TIME_LABEL, TimeAxis, middle_hours, time_axis
from operando.figures.panels.cell import numbered, voltage_and_current
from operando.figures.panels.heat_map import heat_map, intensity_bar, line_names, spacing_axis, strongest_of
from operando.figures.panels.regions import region_height, region_rows, region_slices
from operando.figures.reading import NothingToDrawError, at_frames
from operando.figures.source import Source
from operando.figures.spectra import Line, Patterns, known_lines, patterns, spacing_range
from operando.figures.states import State, choose

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEAT_MM, CELL_MM, MARGIN_MM, ROW_MM = 50, 32, 12, 160


@dataclass(frozen=True)
class Diffraction:
    """Patterns with the hour of each, and their lines."""

    hours: np.ndarray
    patterns: Patterns
    lines: list[Line]


def cycles_figure(
    source: Source,
    name: str,
    cycles: tuple[int, ...],
    states: int,
    d_range: tuple[float, float] | None,
    difference: bool,
    regions: int,
) -> "Figure":
    """Draw A diffraction, B voltage and current of the named cycles, C and D slices with lengths."""
    axis = time_axis(source)
    spans = _spans(source, axis, cycles)
    chosen = choose(source, axis, states, tuple(cycles) if spans else None)
    diffraction = _diffraction(source, axis, d_range, difference)
    rows = region_rows(source, chosen, regions)
    if diffraction is not None and spans and not any(_inside(diffraction, span).any() for span in spans):
        diffraction = None
    curve = source.table("curve")
    if axis is None or (curve is None and diffraction is None) or not (spans or rows):
        raise NothingToDrawError(f"The figure {name!r} needs times and a cycler's record or spectra; there are none.")
    spans = spans or [(axis.first, axis.last)]
    heights: list[float] = (
        [HEAT_MM] * (diffraction is not None)
        + [CELL_MM] * (curve is not None)
        + [region_height(shown, ROW_MM) for _, shown in rows]
    )
    figure = style.new_figure(sum(heights) + MARGIN_MM)
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    tops = int(diffraction is not None) + int(curve is not None)
    _timed(figure, grid[:tops], source, axis, spans, chosen, diffraction, heights[:tops], difference)
    letters = "ABCDEF"
    for k, (window, shown) in enumerate(rows):
        region_slices(figure, grid[tops + k], window, shown, letters[tops + k], source)
    return figure


def full_cycles(source: Source) -> list[int]:
    """Numbers of the protocol's full cycles."""
    protocol = source.table("protocol")
    return [] if protocol is None else sorted({int(cycle) for cycle in protocol["cycle"].values if cycle >= 1})


def _spans(source: Source, axis: TimeAxis | None, cycles: tuple[int, ...]) -> list[tuple[float, float]]:
    """First and last hour of every cycle that the protocol has."""
    protocol = source.table("protocol")
    if protocol is None or axis is None:
        return []
    found = []
    for cycle in cycles:
        steps = np.flatnonzero(protocol["cycle"].values == cycle)
        if steps.size:
            edges = axis.hours(np.array([protocol["start"].values[steps[0]], protocol["end"].values[steps[-1]]]))
            found.append((float(edges[0]), float(edges[1])))
    return found


def _diffraction(
    source: Source, axis: TimeAxis | None, d_range: tuple[float, float] | None, difference: bool
) -> Diffraction | None:
    lines = known_lines(source)
    low_high = d_range or (spacing_range(lines) if lines else None)
    found = patterns(source, *low_high) if low_high else None
    timeline = source.table("spectrum_timeline")
    middles = middle_hours(timeline, axis)
    if found is None or timeline is None or middles is None:
        return None
    if difference:
        found = Patterns(found.edges, found.intensity - found.intensity[:1], found.frames)
    return Diffraction(at_frames(timeline, "spectrum", found.frames.tolist(), middles), found, lines)


def _timed(
    figure: "Figure",
    place: Any,
    source: Source,
    axis: TimeAxis,
    spans: list[tuple[float, float]],
    states: list[State],
    diffraction: Diffraction | None,
    heights: list[float],
    difference: bool,
) -> None:
    """Columns of equal hours would make short cycles unreadable: each cycle has the same width and its own hours."""
    curve = _part(source.table("curve"), axis, spans)
    bars = [0.03] if diffraction is not None else []
    grid = place.subgridspec(
        len(heights), len(spans) + len(bars), height_ratios=heights, width_ratios=[1] * len(spans) + bars
    )
    lead: list[Axes | None] = [None] * len(heights)
    for column, (start, end) in enumerate(spans):
        row = 0
        if diffraction is not None:
            axes = figure.add_subplot(grid[row, column], sharey=lead[row])
            columns = len(spans) if column == len(spans) - 1 else 0
            mesh = _heat(axes, diffraction, start, end, difference, _seen(diffraction, spans), columns)
            if column == len(spans) - 1 and mesh is not None:
                intensity_bar(figure, mesh, figure.add_subplot(grid[row, -1]))
            _column(axes, lead, row, (start, end), len(heights))
            row += 1
        if curve is not None:
            axes = figure.add_subplot(grid[row, column], sharey=lead[row])
            right = voltage_and_current(axes, curve, axis)
            if column < len(spans) - 1:
                right.tick_params(labelright=False, right=False)
                right.set_ylabel("")
            numbered(axes, [state for state in states if start <= state.hour <= end], curve)
            _column(axes, lead, row, (start, end), len(heights))


def _column(axes: "Axes", lead: "list[Axes | None]", row: int, span: tuple[float, float], rows: int) -> None:
    axes.set_xlim(span)
    axes.tick_params(labelbottom=row == rows - 1)
    if row == rows - 1:
        axes.set_xlabel(TIME_LABEL)
    if lead[row] is None:
        lead[row] = axes
        style.panel_letter(axes, "AB"[row])
    else:
        axes.tick_params(labelleft=False)
        axes.set_ylabel("")


def _part(curve: xr.Dataset | None, axis: TimeAxis, spans: list[tuple[float, float]]) -> xr.Dataset | None:
    """The record from the first to the last span, so that the scales fit what is seen."""
    if curve is None:
        return None
    hours = axis.hours(curve["time"].values)
    return curve.isel(sample=(hours >= spans[0][0]) & (hours <= spans[-1][1]))


def _inside(diffraction: Diffraction, span: tuple[float, float]) -> np.ndarray:
    within: np.ndarray = (diffraction.hours >= span[0]) & (diffraction.hours <= span[1])
    return within


def _seen(diffraction: Diffraction, spans: list[tuple[float, float]]) -> float:
    inside = [_inside(diffraction, span) for span in spans]
    return strongest_of(diffraction.patterns.intensity[np.any(inside, axis=0)])


def _heat(
    axes: "Axes", diffraction: Diffraction, start: float, end: float, difference: bool, strongest: float, columns: int
) -> Any:
    """One cycle's heat map; the lines are named beside the last of ``columns`` (0: not here)."""
    inside = _inside(diffraction, (start, end))
    if not inside.any():
        axes.set_facecolor(style.PALE)
        spacing_axis(axes.yaxis, diffraction.patterns.edges)
        return None
    hours = np.where(inside, diffraction.hours, np.nan)
    mesh = heat_map(axes, hours, diffraction.patterns, difference, strongest)
    if columns:
        line_names(axes, diffraction.lines, HEAT_MM * 72 / 25.4, columns=columns)
    return mesh
