"""Conditioning as in the paper's Fig. S1: voltage and current before the first full cycle, against time and charge."""

from typing import TYPE_CHECKING

import numpy as np

from operando.figures import style
from operando.figures.abscissa import TIME_LABEL, thinned, time_axis
from operando.figures.panels.cell import voltage_and_current
from operando.figures.reading import NothingToDrawError, need
from operando.figures.source import Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT_MM = 60


def draw(source: Source, cycle: int = 0) -> "Figure":
    """Draw A voltage and current of ``cycle`` against time, B voltage against the charge moved in it."""
    curve, protocol = (need(source.table(name), "s1", "a cycler's record") for name in ("curve", "protocol"))
    axis = time_axis(source)
    cycle_of_step = protocol["cycle"].values
    inside = cycle_of_step[np.clip(curve["step"].values.astype(int), 0, cycle_of_step.size - 1)] == cycle
    if axis is None or not inside.any():
        raise NothingToDrawError(f"The figure 's1' has nothing to draw: the record has no cycle {cycle}.")
    part = curve.isel(sample=inside)
    figure = style.new_figure(HEIGHT_MM)
    left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
    voltage_and_current(left, part, axis)
    left.set_xlabel(TIME_LABEL)
    charge = (part["charge"].values - part["charge"].values[0]) * 1e3
    right.plot(*thinned(charge, part["voltage"].values), color=style.VOLTAGE)
    right.set_xlabel("Charge moved (µAh)")
    right.set_ylabel("Voltage (V)")
    for axes, letter in ((left, "A"), (right, "B")):
        style.panel_letter(axes, letter)
    return figure
