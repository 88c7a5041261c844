"""The series taken apart without any phase named: non-negative factors, their patterns and amounts."""

from typing import TYPE_CHECKING

import numpy as np

from operando.figures import style
from operando.figures.abscissa import spectrum_abscissa
from operando.figures.panels.heat_map import spacing_axis
from operando.figures.reading import need
from operando.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT_MM = 100
STYLES = ("-", "--", ":", "-.")


def draw(source: Source) -> "Figure":
    """Draw A the pattern of each factor, shifted, and B how many counts of a spectrum it holds."""
    found = need(source.table("factors"), "factors", "corrected spectra")
    x, label = spectrum_abscissa(source, found["spectrum"].values.tolist())
    figure = style.new_figure(HEIGHT_MM)
    patterns, amounts = figure.subplots(2, 1)
    d, count = found["d"].values, found.sizes["factor"]
    density = found["pattern"].values / np.gradient(d)
    step = float(np.nanpercentile(density, 99.5))
    order = np.argsort(x, kind="stable")
    for k in range(count):
        how = {"color": style.PALETTE[k % len(style.PALETTE)], "linestyle": STYLES[k % len(STYLES)]}
        patterns.plot(d, density[k] + (count - 1 - k) * step, color=how["color"], linewidth=0.6)
        amounts.plot(
            x[order], found["amount"].values[order, k], label=f"factor {k + 1}", marker="o", markersize=1.8, **how
        )
    spacing_axis(patterns.xaxis, np.array([d[0], d[-1]]))
    patterns.set_ylabel("Counts per Å over\nall counts, shifted (1/Å)")
    amounts.set_ylim(0, 1.3 * float(np.nanmax(found["amount"].values)))
    amounts.set_ylabel("Amount (counts)")
    amounts.set_xlabel(label)
    amounts.set_title(f"Poisson deviance per count value {float(found['deviance']):.2f}", loc="right")
    amounts.legend(loc="upper left", bbox_to_anchor=(0.03, 1.0), ncols=4)
    for axes, letter in ((patterns, "A"), (amounts, "B")):
        style.panel_letter(axes, letter)
    return figure
