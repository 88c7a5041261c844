"""Slices side by side on one grey scale, with numbers and a scale bar."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from operando.figures import style
from operando.figures.geometry import Cut, grey_limits, round_length
from operando.figures.states import State

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


Shown = Sequence[tuple[State, Cut]]
"""Slices and the states they show."""


def draw_cut(axes: "Axes", cut: Cut, limits: tuple[float, float]) -> Any:
    """Draw one slice without ticks, z downwards; returns the image, for a colour bar."""
    image = axes.imshow(
        cut.image, extent=cut.extent, vmin=limits[0], vmax=limits[1], cmap=style.GREYS, interpolation="antialiased"
    )
    axes.set(xticks=[], yticks=[])
    return image


def heading(axes: "Axes", state: State, with_caption: bool = True) -> None:
    """Write the state's number and, if there is room, when it was."""
    axes.set_title(state.caption if with_caption else "", fontsize=6, pad=2)
    axes.annotate(
        str(state.number),
        (0, 1),
        xycoords="axes fraction",
        xytext=(2.5, -2.5),
        textcoords="offset points",
        ha="left",
        va="top",
        color=style.NUMBER,
        fontweight="bold",
        bbox={"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": "none"},
    )


def scale_bar(axes: "Axes", extent: Sequence[float], colour: str = "white") -> None:
    """Draw a scale bar of a round length in the lower right corner."""
    left, right, bottom, top = extent
    length = round_length(0.4 * (right - left))
    end = right - 0.05 * (right - left)
    height = bottom - 0.05 * (bottom - top)
    axes.plot(
        [end - length, end],
        [height, height],
        color=colour,
        linewidth=2.0,
        solid_capstyle="butt",
        scalex=False,
        scaley=False,
    )
    axes.annotate(
        length_text(length),
        (end, height),
        xytext=(0, 2.5),
        textcoords="offset points",
        ha="right",
        va="bottom",
        color=colour,
        fontsize=6,
    )


def length_text(length: float) -> str:
    """Write a length in µm, or mm from 1000 µm on.

    >>> length_text(2000.0)
    '2 mm'
    """
    return f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"


def slices_row(figure: "Figure", every: "Sequence[Axes]", shown: Shown) -> None:
    """Draw slices at numbered states into a row of axes: one grey scale, one scale bar, one colour bar."""
    limits = grey_limits([cut for _, cut in shown])
    images = [draw_cut(axes, cut, limits) for axes, (_, cut) in zip(every, shown, strict=True)]
    for axes, (state, _) in zip(every, shown, strict=True):
        heading(axes, state)
    place = min(1, len(shown) - 1)  # lengths are written on the first and the last
    scale_bar(every[place], shown[place][1].extent)
    bar = figure.colorbar(images[-1], ax=list(every), pad=0.01, fraction=0.02, aspect=15)
    bar.set_label("µ (1/cm)")
