"""The last cycle as in the paper's Fig. 3: diffraction, voltage and current, slices of two regions with lengths."""

from typing import TYPE_CHECKING

from operando.figures.paper_layout import cycles_figure, full_cycles
from operando.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    source: Source,
    cycles: tuple[int, ...] | None = None,
    states: int = 7,
    d_range: tuple[float, float] | None = None,
    difference: bool = False,
) -> "Figure":
    """Draw ``cycles`` (default: the last) with ``states`` numbered slices.

    ``difference`` subtracts the first spectrum as the paper did.
    """
    return cycles_figure(
        source, "fig3", tuple(cycles or full_cycles(source)[-1:]), states, d_range, difference, regions=2
    )
