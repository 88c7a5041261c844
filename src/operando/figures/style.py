"""Sizes, colours and the small vocabulary shared by all figures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MM = 1 / 25.4
SINGLE_COLUMN = 85 * MM
DOUBLE_COLUMN = 178 * MM
"""Column widths of a journal, inches."""

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Okabe and Ito's colours, told apart with any kind of colour vision (https://jfly.uni-koeln.de/color/)."""

GREY, PALE = "#666666", "#D9D9D9"
VOLTAGE, CURRENT, CHARGE = BLACK, BLUE, VERMILION
NUMBER = VERMILION
PHASE_COLOURS = {"void": SKY, "electrolyte": "#B8B8B8", "anode": ORANGE, "cathode": GREEN}
SEQUENTIAL, DIVERGING, GREYS = "cividis", "PuOr", "gray"


@contextmanager
def journal() -> Iterator[None]:
    """Apply the style file to what is drawn and saved inside."""
    import matplotlib as mpl
    from matplotlib import style

    with as_file(files("operando.figures") / "journal.mplstyle") as path, mpl.rc_context():
        mpl.rcdefaults()
        style.use(path)
        yield


def new_figure(height_mm: float, width: float = DOUBLE_COLUMN) -> "Figure":
    """Make an empty figure of journal width (inches), without pyplot's global state."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, hspace=0.02, wspace=0.02)
    return Figure(figsize=(width, height_mm * MM), layout=engine)


def colour_of(name: str, among: Sequence[str] = ()) -> str:
    """Colour of a phase: fixed for those of the cell, by its place in ``among`` otherwise.

    >>> colour_of("anode") == ORANGE
    True
    """
    if name in PHASE_COLOURS:
        return PHASE_COLOURS[name]
    return PALETTE[list(among).index(name) % len(PALETTE)] if name in among else GREY


def panel_letter(axes: "Axes", letter: str, outside: bool = False) -> None:
    """Write a bold panel letter inside the upper left corner, or above it."""
    axes.annotate(
        letter,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 2) if outside else (3, -3),
        textcoords="offset points",
        ha="left",
        va="bottom" if outside else "top",
        fontsize=8,
        fontweight="bold",
        bbox=None if outside else {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"},
        zorder=10,
    )
