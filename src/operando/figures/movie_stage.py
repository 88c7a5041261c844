"""The movie's picture: what stands still is drawn once, what moves is set for every frame."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from operando.figures import style
from operando.figures.abscissa import TIME_LABEL, TimeAxis, middle_hours, time_axis
from operando.figures.geometry import Cut, cell_window, grey_limits, vertical_cut
from operando.figures.panels.cell import voltage_and_current
from operando.figures.panels.curves import legend_above
from operando.figures.panels.heat_map import heat_map, intensity_bar, line_names
from operando.figures.panels.height_map import HeightScale, height_scale, outline_cavities, show_heights
from operando.figures.panels.lengths import in_window, length_curves, lengths_of, mark_length, near_plane
from operando.figures.panels.slices import draw_cut, scale_bar
from operando.figures.panels.volumes import volume_change
from operando.figures.reading import NothingToDrawError, at_frames
from operando.figures.source import Source
from operando.figures.spectra import known_lines, patterns, spacing_range

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_PX, HEIGHT_PX = 1920, 1080
DPI = 240
CURVE_FRAMES = 120
NAME, LETTER = 0.04, 0.019
"""Room for the names of lines beside the heat map, and for each letter of the longest, in parts of its width."""


@dataclass(frozen=True)
class Moment:
    """What one frame shows: the scan, ``-1`` without tomography, and its abscissa."""

    scan: int
    x: float
    clock: str


@dataclass
class Stage:
    """A figure drawn once, and what moves in it. ``show`` sets everything that moves."""

    source: Source
    axis: TimeAxis | None
    moments: list[Moment]
    figure: "Figure"
    movers: list[Callable[[Moment], None]] = field(default_factory=list)

    def show(self, index: int) -> np.ndarray:
        """Pixels of one frame: (1080, 1920, 3), uint8."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        moment = self.moments[index]
        with style.journal():
            for move in self.movers:
                move(moment)
            canvas: Any = FigureCanvasAgg(self.figure)
            canvas.draw()
            self.figure.set_layout_engine("none")
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def prepare(source: Source) -> Stage:
    """Draw what does not move."""
    from matplotlib.figure import Figure

    axis = _one_axis(source)
    moments = _moments(source, axis)
    if not moments:
        raise NothingToDrawError("The movie has nothing to show: no scan, spectrum or cycler file is done.")
    with style.journal():
        figure = Figure(figsize=(WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI, layout="constrained")
        stage = Stage(source, axis, moments, figure)
        _compose(stage)
        # The layout must not depend on which frame is drawn first; names beside the axes need a second round.
        for move in stage.movers:
            move(moments[0])
        for _ in range(2):
            figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return stage


def _one_axis(source: Source) -> TimeAxis | None:
    """All instruments' axis; the first one's that has any, where they lie too far apart for one movie."""
    axis = time_axis(source)
    if axis is None or axis.shared:
        return axis
    return next(found for name in ("scan", "cell", "spectrum") if (found := time_axis(source, name)) is not None)


def _seen(stage: Stage, x: np.ndarray) -> bool:
    """Whether anything lies on the axis that is shown."""
    low, high = stage.axis.limits if stage.axis is not None else (-np.inf, np.inf)
    return bool(((x >= low) & (x <= high)).any())


def _moments(source: Source, axis: TimeAxis | None) -> list[Moment]:
    scans = source.frames("volume")
    timeline = source.table("scan_timeline")
    if scans:
        middles = middle_hours(timeline, axis)
        if timeline is None or middles is None:
            return [Moment(scan, float(scan), f"scan {scan}") for scan in scans]
        hours = at_frames(timeline, "scan", scans, middles)
        return [
            Moment(s, h, _clock(source, s, h)) for s, h in zip(scans, hours.tolist(), strict=True) if np.isfinite(h)
        ]
    if axis is not None:
        return [Moment(-1, float(h), f"{h:.1f} h") for h in np.linspace(axis.first, axis.last, CURVE_FRAMES)]
    return [Moment(-1, float(i), f"spectrum {i}") for i in source.frames("corrected")]


def _clock(source: Source, scan: int, hour: float) -> str:
    timeline = source.table("scan_timeline")
    words = [f"{hour:.1f} h"]
    if timeline is not None:
        one = timeline.isel(scan=int(np.flatnonzero(timeline["scan"].values == scan)[0]))
        if str(one["step_kind"].values):
            words.append(f"cycle {int(one['cycle'].values)}, {one['step_kind'].values}")
        if np.isfinite(one["charge"].values):
            words.append(f"{float(one['charge'].values):.4f} mAh")
    return "   ".join([*words, f"scan {scan}"])


def _compose(stage: Stage) -> None:
    drawers = [draw for draw in (_diffraction(stage), _cell(stage), _sizes(stage)) if draw is not None]
    has_slices = stage.moments[0].scan >= 0
    outer = stage.figure.add_gridspec(1, 2 if has_slices else 1, width_ratios=[1, 1.25] if has_slices else [1])
    if drawers:
        right = outer[-1].subgridspec(len(drawers), 1, height_ratios=[height for height, _ in drawers])
        timed: list[Axes] = []
        for row, (_, draw) in enumerate(drawers):
            axes = stage.figure.add_subplot(right[row], sharex=timed[0] if timed else None)
            draw(axes)
            timed.append(axes)
        _finish(timed, stage)
    if has_slices:
        _slices(stage, outer[0] if drawers else outer[:])
    title = stage.figure.suptitle(stage.moments[0].clock, fontsize=9, x=0.01, ha="left", family="monospace")
    stage.movers.append(lambda moment: title.set_text(moment.clock))


def _finish(timed: "list[Axes]", stage: Stage) -> None:
    for axes in timed:
        axes.tick_params(labelbottom=axes is timed[-1])
        line = axes.axvline(0, color=style.VERMILION, linewidth=0.8, zorder=7)
        stage.movers.append(_line_mover(line))
    timed[-1].set_xlabel(TIME_LABEL if stage.axis else "Scan or spectrum (number)")
    if stage.axis:
        timed[-1].set_xlim(stage.axis.limits)


def _line_mover(line: Any) -> Callable[[Moment], None]:
    return lambda moment: line.set_xdata([moment.x, moment.x])


def _dot_mover(dot: Any, x: np.ndarray, y: np.ndarray) -> Callable[[Moment], None]:
    def move(moment: Moment) -> None:
        inside = x.size > 0 and x[0] <= moment.x <= x[-1]
        dot.set_data([moment.x], [float(np.interp(moment.x, x, y)) if inside else np.nan])

    return move


Drawer = tuple[float, Callable[["Axes"], None]]


def _along(stage: Stage, dim: str, frames: list[int]) -> np.ndarray:
    timeline = stage.source.table(f"{dim}_timeline")
    middles = middle_hours(timeline, stage.axis)
    if stage.axis is None:
        return np.array(frames, float)
    return (
        np.full(len(frames), np.nan)
        if timeline is None or middles is None
        else at_frames(timeline, dim, frames, middles)
    )


def _diffraction(stage: Stage) -> Drawer | None:
    lines = known_lines(stage.source)
    found = patterns(stage.source, *spacing_range(lines)) if lines else None
    if found is None:
        return None
    x = _along(stage, "spectrum", found.frames.tolist())
    if not _seen(stage, x):
        return None

    beside = 1 + NAME + LETTER * max(len(line.label) for line in lines)

    def draw(axes: "Axes") -> None:
        mesh = heat_map(axes, x, found)
        line_names(axes, lines, 112)
        intensity_bar(stage.figure, mesh, axes.inset_axes((beside, 0.0, 0.02, 1.0)))

    return 1.4, draw


def _cell(stage: Stage) -> Drawer | None:
    curve, axis = stage.source.table("curve"), stage.axis
    if curve is None or axis is None:
        return None
    hours = axis.hours(curve["time"].values)
    if not _seen(stage, hours):
        return None

    def draw(axes: "Axes") -> None:
        right = voltage_and_current(axes, curve, axis)
        for one, name in ((axes, "voltage"), (right, "current")):
            values = one.lines[0].get_ydata() if name == "current" else curve[name].values
            factor = float(np.nanmax(np.abs(values)) / max(np.nanmax(np.abs(curve[name].values)), 1e-12))
            (dot,) = one.plot([], [], "o", color=one.lines[0].get_color(), markersize=4, zorder=8)
            stage.movers.append(_dot_mover(dot, hours, curve[name].values * round(factor)))

    return 1.0, draw


def _sizes(stage: Stage) -> Drawer | None:
    """Followed lengths, or the anode's volume where nothing was followed."""
    tracks, volumes = stage.source.table("tracks"), stage.source.table("phase_volumes")
    table = tracks if tracks is not None and tracks.sizes.get("track", 0) else volumes
    if table is None:
        return None
    x = _along(stage, "scan", table["scan"].values.tolist())
    if not _seen(stage, x):
        return None

    def draw(axes: "Axes") -> None:
        if table is not tracks:
            volume_change(axes, table, x)
            return
        for colour, value in length_curves(axes, table, x):
            (dot,) = axes.plot([], [], "o", color=colour, markersize=4, zorder=8)
            known = np.isfinite(x) & np.isfinite(value)
            stage.movers.append(_dot_mover(dot, x[known], value[known]))
        legend_above(axes)

    return 0.9, draw


def _slices(stage: Stage, place: Any) -> None:
    """The surface's height map, and below it a vertical slice with what was followed in it.

    Their scales come from the first, middle and last scan, so that no frame changes them.
    """
    source, scans = stage.source, [moment.scan for moment in stage.moments]
    scale = height_scale(source, [scans[0], scans[len(scans) // 2], scans[-1]])
    if scale is not None:
        grid = place.subgridspec(2, 1)
        _heights(stage, grid[0], scale)
        place = grid[1]
    window = cell_window(source, source.table("tracks"))
    probes = [vertical_cut(source, scan, window) for scan in (scans[0], scans[len(scans) // 2], scans[-1])]
    shown = [cut for cut in probes if cut is not None]
    limits = grey_limits(shown)
    axes = stage.figure.add_subplot(place, facecolor=style.GREY)
    image = draw_cut(axes, shown[0], limits)
    axes.set_xlim(shown[0].extent[:2])
    axes.set_ylim(shown[0].extent[2:])
    scale_bar(axes, shown[0].extent)
    stage.figure.colorbar(image, ax=axes, pad=0.01, aspect=25).set_label("µ (1/cm)")
    marks: list[Any] = []

    def move(moment: Moment) -> None:
        while marks:
            marks.pop().remove()
        cut = vertical_cut(source, moment.scan, window)
        if cut is None:
            image.set_data(np.full_like(shown[0].image, np.nan))
            return
        image.set_data(cut.image)
        image.set_extent(cut.extent)
        _mark(axes, stage, moment, cut, window.y, marks)

    stage.movers.append(move)


def _heights(stage: Stage, place: Any, scale: HeightScale) -> None:
    axes = stage.figure.add_subplot(place)
    first = stage.source.product("interface", stage.source.frames("interface")[0])
    if first is None:
        return
    image = show_heights(axes, first, scale)
    scale_bar(axes, image.get_extent(), "black")
    stage.figure.colorbar(image, ax=axes, pad=0.01, aspect=25).set_label("Surface height (µm)")

    def move(moment: Moment) -> None:
        for contour in list(axes.collections):
            contour.remove()
        interface = stage.source.product("interface", moment.scan)
        if interface is None:
            image.set_data(np.full_like(first["height"].values, np.nan))
            return
        image.set_data(interface["height"].values - scale.level)
        outline_cavities(axes, interface)

    stage.movers.append(move)


def _mark(axes: "Axes", stage: Stage, moment: Moment, cut: Cut, plane: float | None, marks: list[Any]) -> None:
    before = set(axes.get_children())
    for one in lengths_of(stage.source, moment.scan):
        if in_window(one, cut):
            mark_length(axes, one, near_plane(one, plane, cut.extent))
    marks.extend(child for child in axes.get_children() if child not in before)
