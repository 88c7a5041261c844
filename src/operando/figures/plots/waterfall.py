"""Diffraction patterns one above the other, with the fitted phases' lines named."""

from typing import TYPE_CHECKING

import numpy as np

from operando.figures import style
from operando.figures.abscissa import NUMBERED, TIME_LABEL, middle_hours, time_axis
from operando.figures.panels.heat_map import leader, phase_colour, place_of, spacing_axis
from operando.figures.reading import NothingToDrawError, at_frames
from operando.figures.source import Source
from operando.figures.spectra import Line, Patterns, known_lines, patterns, spacing_range, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_MM = 110
LABEL_SHARE, MOST_LABELS = 0.022, 24


def draw(source: Source, spectra: int = 25, d_range: tuple[float, float] | None = None) -> "Figure":
    """Draw up to ``spectra`` evenly chosen patterns, coloured by time, over ``d_range`` in Å."""
    lines = known_lines(source)
    low_high = d_range or (spacing_range(lines) if lines else None)
    found = patterns(source, *low_high) if low_high else None
    if found is None:
        raise NothingToDrawError("The figure 'waterfall' needs corrected and fitted spectra; there are none.")
    timeline = source.table("spectrum_timeline")
    middles = middle_hours(timeline, time_axis(source))
    timed = timeline is not None and middles is not None
    x = found.frames.astype(float)
    if timeline is not None and middles is not None:
        x = at_frames(timeline, "spectrum", found.frames.tolist(), middles)
    figure = style.new_figure(HEIGHT_MM)
    axes = figure.subplots()
    _patterns(figure, axes, found, x, spectra, TIME_LABEL if timed else NUMBERED)
    _names(axes, [line for line in lines if found.edges[0] <= line.d <= found.edges[-1]])
    return figure


def _patterns(figure: "Figure", axes: "Axes", found: Patterns, x: np.ndarray, most: int, label: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    known = np.flatnonzero(np.isfinite(x))
    chosen = known[np.unique(np.linspace(0, known.size - 1, min(most, known.size)).round().astype(int))]
    norm = Normalize(x[known].min(), max(x[known].max(), x[known].min() + 1e-9))
    colours = ScalarMappable(norm, style.SEQUENTIAL)
    step = 0.25 * float(np.nanpercentile(found.intensity[chosen], 99.5))
    exponent = int(np.floor(np.log10(max(step, 1.0))))
    for k, row in enumerate(chosen):
        shown = (found.intensity[row] + k * step) / 10.0**exponent
        axes.plot(found.d, shown, color=colours.to_rgba(x[row]), linewidth=0.5)
    spacing_axis(axes.xaxis, found.edges)
    axes.set_ylabel(f"Intensity above background, shifted ($10^{{{exponent}}}$ counts/Å)")
    figure.colorbar(colours, ax=axes, pad=0.01, fraction=0.03, aspect=40).set_label(label)


def _names(axes: "Axes", lines: list[Line]) -> None:
    """Ticks at the top edge with upright names."""
    edges = np.array(axes.get_xlim())
    lines = sorted(lines[:MOST_LABELS], key=lambda line: line.d)
    places = spread([place_of(line.d, edges) for line in lines], LABEL_SHARE, 0.01, 0.99)
    phases = sorted({line.phase for line in lines})
    for line, place in zip(lines, places, strict=True):
        leader(axes, (place_of(line.d, edges), 1), (place, 1.025))
        axes.annotate(
            line.label,
            (place, 1.03),
            xycoords="axes fraction",
            rotation=90,
            ha="center",
            va="bottom",
            fontsize=6,
            color=phase_colour(line.phase, phases),
            annotation_clip=False,
        )
