"""Regions that the paper's figures look at: where what was followed lies, and where the cavity is thickest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from operando.figures import style
from operando.figures.geometry import Window, cavity_window, track_window, vertical_cut, whole_height
from operando.figures.panels.lengths import Length, in_window, lengths_of, mark_length, near_plane
from operando.figures.panels.slices import Shown, slices_row
from operando.figures.source import Source
from operando.figures.states import State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAD, CAPTION_MM = 1.0, 6.0
"""Room about the lengths, in units of the longest."""


def followed_region(source: Source, states: Sequence[State]) -> Window:
    """The plane of the first followed length, cut to what holds all lengths of these states."""
    marks = [one for state in states for one in lengths_of(source, state.scan)]
    window = track_window(source.table("tracks"))
    if not marks:
        return window
    top, bottom = whole_height(source)
    room = PAD * max(one.length for one in marks)
    z = max(min(one.top for one in marks) - room, top), min(max(one.bottom for one in marks) + room / 4, bottom)
    return Window(window.y, z, _across(marks, room))


def _across(marks: Sequence[Length], room: float) -> tuple[float, float]:
    """At least three times the room wide, so that a single length is seen with its surroundings."""
    first, last = min(one.x for one in marks) - room, max(one.x for one in marks) + room
    more = max(3 * room - (last - first), 0.0) / 2
    return first - more, last + more


def second_region(source: Source, states: Sequence[State], first: Window) -> Window | None:
    """Where the cavity of the last state is thickest; ``None`` if that is the first region's plane."""
    window = cavity_window(source, states[-1].scan)
    if window.y is None or window.y == first.y:
        return None
    return Window(window.y, first.z)


def region_rows(source: Source, states: Sequence[State], regions: int) -> list[tuple[Window, Shown]]:
    """Slices of up to ``regions`` regions at these states."""
    if not states:
        return []
    first = followed_region(source, states)
    rows: list[tuple[Window, Shown]] = []
    for window in [first, second_region(source, states, first)][:regions]:
        cuts = [] if window is None else [(state, vertical_cut(source, state.scan, window)) for state in states]
        shown = [(state, cut) for state, cut in cuts if cut is not None]
        if window is not None and shown:
            rows.append((window, shown))
    return rows


def region_height(shown: Shown, width_mm: float) -> float:
    """Height in mm of a row of slices ``width_mm`` wide, captions included."""
    left, right, bottom, top = shown[0][1].extent
    return float(np.clip(width_mm / len(shown) * (bottom - top) / (right - left) + CAPTION_MM, 18, 70))


def region_slices(figure: "Figure", place: Any, window: Window, shown: Shown, letter: str, source: Source) -> None:
    """Draw one region's slices with the lengths that lie in its plane, numbers on the first and last."""
    grid = place.subgridspec(1, len(shown))
    every = [figure.add_subplot(grid[0, i]) for i in range(len(shown))]
    slices_row(figure, every, shown)
    for k, (axes, (state, cut)) in enumerate(zip(every, shown, strict=True)):
        for one in lengths_of(source, state.scan):
            if in_window(one, cut) and near_plane(one, window.y, cut.extent):
                mark_length(axes, one, label=k in {0, len(shown) - 1})
    style.panel_letter(every[0], letter, outside=True)
