"""Lattice parameters of every phase as relative change, with bands."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from operando.figures.panels.curves import banded
from operando.figures.panels.heat_map import phase_colour
from operando.figures.reading import names_along
from operando.model.constants import NORMAL_95

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EDGES, STYLES = ("a", "b", "c"), ("-", ":", "--")
SAME_EDGE = 1e-6


def independent_edges(cell: np.ndarray) -> list[int]:
    """Which of a, b, c (frame, 3) are numbers of their own: a cubic cell has one, a tetragonal two."""
    kept: list[int] = []
    for edge in range(cell.shape[1]):
        same = [np.allclose(cell[:, edge], cell[:, k], rtol=SAME_EDGE, atol=0, equal_nan=True) for k in kept]
        if np.isfinite(cell[:, edge]).any() and not any(same):
            kept.append(edge)
    return kept


def lattice_changes(axes: "Axes", lattice: xr.Dataset, x: np.ndarray) -> None:
    """Draw Δa/a of each phase in units of 10⁻³, relative to its own median, 95 % bands."""
    phases = names_along(lattice, "phase")
    for place, phase in enumerate(phases):
        cell, std = (lattice[name].isel(phase=place).values for name in ("cell", "cell_std"))
        for edge in independent_edges(cell):
            value = cell[:, edge]
            reference = float(np.nanmedian(value))
            change, half = 1e3 * (value / reference - 1), 1e3 * NORMAL_95 * std[:, edge] / reference
            colour = phase_colour(phase, phases)
            label = f"{phase}, {EDGES[edge]} = {reference:.4f} Å"
            banded(axes, x, change, change - half, change + half, color=colour, label=label, linestyle=STYLES[edge])
    axes.set_ylabel("Lattice change\n($10^{-3}$ of median)")
