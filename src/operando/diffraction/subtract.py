"""Step ``subtract``: every spectrum minus the pristine one, with honest variance; the joint fit supersedes it."""

import numpy as np

from operando.diffraction.difference import difference
from operando.model.products.diffraction import SUBTRACTED, Merged, Pristine, Subtracted
from operando.model.step import step

_WIDTH = 0.006
"""Relative width of a line, over which surplus and deficit are summed before they are paired."""


@step(version=2)
def subtract(merged: Merged, pristine: Pristine) -> Subtracted:
    """Scale the pristine spectrum by the exposures (live time × ring current) and subtract it; flag bipolar residuals.

    Variance n + s² n0. A surplus beside a deficit is a line that moved or widened, or two that traded counts: a
    difference can't tell which.
    """
    scale = float(merged["exposure"]) / max(float(pristine["exposure"]), 1e-12)
    d = merged["d"].values
    width = _WIDTH / float(np.log(d[-1] / d[0]) / max(len(d) - 1, 1))
    found = difference(merged["counts"].values, pristine["counts"].values, scale, width)
    bipolar = np.zeros(len(d), bool)
    for first, last in found.bipolar:
        bipolar[first : last + 1] = True
    return SUBTRACTED.new(
        coords={"d": ("bin", d, "angstrom")},
        attrs={**{key: merged.attrs[key] for key in ("frame", "file") if key in merged.attrs}, "scale": scale},
        difference=found.counts,
        difference_std=found.std,
        bipolar=bipolar,
    )
