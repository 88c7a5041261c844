"""A naive single-line fit against the joint fit: what a line seems to do, and what its neighbours do."""

from typing import TYPE_CHECKING

import numpy as np

from operando.figures import style
from operando.figures.abscissa import NUMBERED, TIME_LABEL, middle_hours, time_axis
from operando.figures.panels.curves import banded, legend_above
from operando.figures.panels.heat_map import phase_colour
from operando.figures.reading import NothingToDrawError, at_frames
from operando.figures.source import Source
from operando.figures.spectra import FlatLines, Line, flat_lines, known_lines
from operando.model.constants import NORMAL_95
from operando.model.errors import ConfigurationError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_MM = 84
NEIGHBOUR = 0.03
"""Lines within this relative distance are shown as neighbours."""


def draw(source: Source, line: str | None = None) -> "Figure":
    """Draw A the spacing of ``line`` (such as "InLi 422") both ways, B the areas of it and of its neighbours.

    By default the line whose two answers differ most, in standard deviations.
    """
    flat, lines = flat_lines(source), known_lines(source)
    if flat is None or not np.isfinite(flat.columns["d_free"]).any():
        raise NothingToDrawError("The figure 'naive' needs lines fitted alone beside the joint fit; there are none.")
    known = {one.label: one for one in lines}
    if line is not None and line not in known:
        raise ConfigurationError(f"There is no line {line!r} in the fits; known are {', '.join(known)}.")
    chosen = known[line] if line else max(lines, key=lambda one: _disagreement(flat.of(one.phase, one.hkl)))
    x_of, label = _abscissa(source)
    figure = style.new_figure(HEIGHT_MM)
    upper, lower = figure.subplots(2, 1, sharex=True)
    _spacings(upper, flat.of(chosen.phase, chosen.hkl), chosen, x_of)
    near = [one for one in lines if abs(one.d / chosen.d - 1) < NEIGHBOUR]
    _areas(lower, flat.whole(), near, sorted({one.phase for one in lines}), x_of)
    lower.set_xlabel(label)
    for axes, letter in ((upper, "A"), (lower, "B")):
        style.panel_letter(axes, letter)
    return figure


def _disagreement(part: FlatLines) -> float:
    columns = part.columns
    both = np.isfinite(columns["d"]) & np.isfinite(columns["d_free"])
    if not both.any():
        return -1.0
    variance = columns["d_std"][both] ** 2 + columns["d_free_std"][both] ** 2
    return float(np.sqrt(np.mean((columns["d_free"][both] - columns["d"][both]) ** 2 / np.maximum(variance, 1e-14))))


def _abscissa(source: Source) -> tuple[dict[int, float], str]:
    timeline = source.table("spectrum_timeline")
    frames = source.frames("lines")
    middles = middle_hours(timeline, time_axis(source))
    if timeline is None or middles is None:
        return {frame: float(frame) for frame in frames}, NUMBERED
    return dict(zip(frames, at_frames(timeline, "spectrum", frames, middles).tolist(), strict=True)), TIME_LABEL


def _averaged(part: FlatLines, name: str, x_of: dict[int, float]) -> tuple[np.ndarray, ...]:
    """Abscissa, value, low, high of each spectrum: the elements' inverse-variance mean."""
    value, std = part.columns[name], part.columns[f"{name}_std"]
    rows = []
    for spectrum in np.unique(part.spectrum):
        there = (part.spectrum == spectrum) & np.isfinite(value) & (std > 0)
        if there.any():
            weight = 1 / std[there] ** 2
            mean, half = np.average(value[there], weights=weight), NORMAL_95 / np.sqrt(weight.sum())
            rows.append((x_of.get(int(spectrum), np.nan), mean, mean - half, mean + half))
    return tuple(np.array(rows, float).reshape(-1, 4).T)


def _spacings(axes: "Axes", part: FlatLines, line: Line, x_of: dict[int, float]) -> None:
    for name, colour, label in (("d_free", style.VERMILION, "fitted alone"), ("d", style.BLUE, "all lines together")):
        banded(axes, *_averaged(part, name, x_of), color=colour, label=label)
    axes.set_ylabel(f"{line.label}, d (Å)")
    legend_above(axes)


def _areas(axes: "Axes", flat: FlatLines, near: list[Line], phases: list[str], x_of: dict[int, float]) -> None:
    styles = ("-", ":", "--", "-.")
    for k, one in enumerate(near):
        x, value, low, high = _averaged(flat.of(one.phase, one.hkl), "area", x_of)
        how = {"color": phase_colour(one.phase, phases), "linestyle": styles[k % len(styles)]}
        banded(axes, x, value, low, high, label=f"{one.label}, {one.d:.4f} Å", **how)
    axes.set_ylabel("Line area (counts)")
    legend_above(axes, columns=min(len(near), 3))
