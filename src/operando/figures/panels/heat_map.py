"""Diffraction against time: one column a spectrum, lattice spacing upwards, lines named at the right."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from operando.figures import style
from operando.figures.abscissa import cell_edges
from operando.figures.spectra import Line, Patterns, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABEL_HEIGHT_PT = 8.5


def strongest_of(intensity: np.ndarray) -> float:
    """Upper end of the colour scale: the 99.8 percentile, so that one bright line does not hide the others."""
    return float(np.nanpercentile(np.abs(intensity), 99.8)) if np.isfinite(intensity).any() else 1.0


def heat_map(
    axes: "Axes", x: np.ndarray, patterns: Patterns, difference: bool = False, strongest: float | None = None
) -> Any:
    """Draw the patterns whose ``x`` is finite; what lies between far apart exposures stays empty.

    Returns the mesh, for a colour bar. The scale is a square root, so that weak lines show; it ends at ``strongest``.
    """
    from matplotlib.colors import CenteredNorm, PowerNorm

    order = np.flatnonzero(np.isfinite(x))[np.argsort(x[np.isfinite(x)], kind="stable")]
    shown = patterns.intensity[order]
    left, right = cell_edges(x[order])
    strongest = strongest_of(shown) if strongest is None else strongest
    norm = CenteredNorm(0, strongest) if difference else PowerNorm(0.5, 0, max(strongest, 1e-9), clip=True)
    mesh = axes.pcolormesh(
        *_with_gaps(left, right, patterns.edges, shown),
        norm=norm,
        cmap=style.DIVERGING if difference else style.SEQUENTIAL,
        rasterized=True,
    )
    spacing_axis(axes.yaxis, patterns.edges)
    return mesh


def spacing_axis(axis: Any, edges: np.ndarray) -> None:
    """Make an axis of lattice spacings: logarithmic, so that the crowded short ones get room, with plain ticks."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    low, high = float(edges[0]), float(edges[-1])
    name = axis.axis_name
    getattr(axis.axes, f"set_{name}scale")("log")
    getattr(axis.axes, f"set_{name}lim")(low, high)
    axis.set_major_locator(FixedLocator(spacing_ticks(low, high)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_label_text("Lattice spacing d (Å)")


def spacing_ticks(low: float, high: float) -> list[float]:
    """Round spacings from ``low`` to ``high``, about equally far apart on a logarithmic scale.

    >>> spacing_ticks(0.9, 4.5)
    [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0]
    """
    coarse = [0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
    inside = [value for value in coarse if low <= value <= high]
    if len(inside) >= 3:
        return inside
    step = 10.0 ** np.floor(np.log10((high - low) / 2))
    step *= max((k for k in (1, 2, 5) if (high - low) / (k * step) >= 3), default=1)
    first = np.ceil(low / step)
    return [round(float(k * step), 9) for k in np.arange(first, np.floor(high / step) + 1)]


def place_of(spacing: float, edges: np.ndarray) -> float:
    """Where a spacing lies along its axis, 0 to 1."""
    return float(np.log(spacing / edges[0]) / np.log(edges[-1] / edges[0]))


def intensity_bar(figure: "Figure", mesh: Any, place: "Axes") -> None:
    """Draw the colour bar of a heat map with few, round ticks."""
    from matplotlib.ticker import MaxNLocator

    exponent = int(np.floor(np.log10(max(abs(mesh.norm.vmax), 1e-9))))
    values = np.asarray(MaxNLocator(4).tick_values(mesh.norm.vmin, mesh.norm.vmax))
    bar = figure.colorbar(mesh, cax=place, ticks=_well_apart(mesh.norm, values))
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value / 10**exponent:g}")
    bar.set_label(f"Intensity above\nbackground ($10^{{{exponent}}}$ counts/Å)")


def _well_apart(norm: Any, values: np.ndarray) -> list[float]:
    """Ticks from the top down that leave room for each other on the scale."""
    kept: list[float] = []
    for value in values[(values >= norm.vmin) & (values <= norm.vmax)][::-1]:
        if not kept or float(norm(kept[-1])) - float(norm(value)) >= 0.15:
            kept.append(float(value))
    return kept


def _with_gaps(left: np.ndarray, right: np.ndarray, edges: np.ndarray, shown: np.ndarray) -> tuple[np.ndarray, ...]:
    """Edges along x with an empty cell wherever two frames don't touch."""
    xs, columns = [left[0]], []
    empty = np.full(edges.size - 1, np.nan)
    for start, end, column in zip(left, right, shown, strict=True):
        if start > xs[-1] + 1e-9:
            xs.append(start)
            columns.append(empty)
        xs.append(max(end, xs[-1]))
        columns.append(column)
    return np.array(xs), edges, np.ma.masked_invalid(np.array(columns).T)


def line_names(axes: "Axes", lines: Sequence[Line], height_pt: float, most: int = 14, columns: int = 1) -> None:
    """Name the strongest lines at the right edge, each label with a thin leader to its spacing.

    ``height_pt`` is the panel's height, from which the labels' distance follows; ``columns`` panels share the width.
    """
    low, high = axes.get_ylim()
    edges = np.array([low, high])
    room = max(int(height_pt // LABEL_HEIGHT_PT), 1)
    chosen = [line for line in lines if low <= line.d <= high][: min(most, room)]
    gap = LABEL_HEIGHT_PT / height_pt
    places = spread([place_of(line.d, edges) for line in chosen], gap, gap / 2, 1 - gap / 2)
    phases = sorted({line.phase for line in lines})
    for line, place in zip(chosen, places, strict=True):
        leader(axes, (1, place_of(line.d, edges)), (1 + 0.018 * columns, place))
        axes.annotate(
            line.label,
            (1 + 0.022 * columns, place),
            xycoords="axes fraction",
            va="center",
            fontsize=6,
            color=phase_colour(line.phase, phases),
            annotation_clip=False,
        )


def leader(axes: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a thin line beside the axes, in fractions of them.

    Not an annotation's arrow: that starts at the text's measured box, which may differ by a rounding from run to run.
    """
    x, y = zip(start, end, strict=True)
    axes.plot(
        x, y, color=style.GREY, linewidth=0.4, transform=axes.transAxes, clip_on=False, scalex=False, scaley=False
    )


def phase_colour(phase: str, phases: Sequence[str]) -> str:
    """One colour a crystalline phase, the same in every panel."""
    return style.PALETTE[sorted(phases).index(phase) % len(style.PALETTE)]
