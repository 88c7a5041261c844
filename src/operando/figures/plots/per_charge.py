"""How much a phase's lines grow and shrink per charge, and what share stays behind, with 95 % intervals."""

from typing import TYPE_CHECKING

import numpy as np

from operando.figures import style
from operando.figures.panels.heat_map import phase_colour
from operando.figures.reading import NothingToDrawError, names_along, need
from operando.figures.source import Source
from operando.model.constants import NORMAL_95

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT_MM = 62
MARKS = {"charge": "o", "discharge": "s"}
TELLING = 1.0
"""A share whose interval reaches further than this to both sides tells nothing."""


def draw(source: Source) -> "Figure":
    """Draw A the slope of each phase's summed area on charge and on discharge, B the share that stays inactive."""
    found = need(source.table("area_per_charge"), "per_charge", "fitted spectra and a cycler's record")
    phases = names_along(found, "phase")
    if not np.isfinite(found["slope"].values).any():
        raise NothingToDrawError("The figure 'per_charge' has nothing to draw: no step holds two spectra of a phase.")
    figure = style.new_figure(HEIGHT_MM)
    slopes, inactive = figure.subplots(1, 2, sharey=True)
    rows = np.arange(len(phases))
    exponent = int(np.floor(np.log10(float(np.nanmax(np.abs(found["slope"].values))) or 1.0)))
    for k, way in enumerate(names_along(found, "way")):
        value, half = (found[name].values[:, k] / 10.0**exponent for name in ("slope", "slope_std"))
        slopes.errorbar(
            value, rows + (k - 0.5) * 0.3, xerr=NORMAL_95 * half, fmt=MARKS.get(way, "^"), markersize=4,
            color=(style.BLUE, style.VERMILION)[k % 2], label=way, capsize=2,
        )  # fmt: skip
    known = NORMAL_95 * found["inactive_std"].values < TELLING
    for k in rows[~known]:
        inactive.text(0.5, k, "not determined", ha="center", va="center", transform=inactive.get_yaxis_transform())
    for k in rows[known]:
        one = found.isel(phase=int(k))
        inactive.errorbar(
            100 * float(one["inactive"]), k, xerr=100 * NORMAL_95 * float(one["inactive_std"]), fmt="o", markersize=4,
            color=phase_colour(phases[k], phases), capsize=2,
        )  # fmt: skip
    slopes.set_yticks(rows, phases)
    slopes.set_ylim(len(phases) - 0.4, -1.0)
    slopes.set_ylabel("Phase (name)")
    slopes.set_xlabel(f"Summed line area per charge ($10^{{{exponent}}}$ counts/mAh)")
    if not known.any():
        inactive.set_xticks([])
    inactive.set_xlabel("Inactive share: 1 − discharge / charge (%)")
    for axes, letter in ((slopes, "A"), (inactive, "B")):
        axes.axvline(0.0, color=style.GREY, linewidth=0.6, linestyle=":")
        style.panel_letter(axes, letter)
    slopes.legend(loc="upper right", ncols=2)
    return figure
