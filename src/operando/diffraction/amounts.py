"""How much of a phase the lines of a spectrum show."""

import numpy as np
import xarray as xr


def summed_lines(lines: xr.Dataset, phase: str) -> xr.Dataset:
    """Rows of one phase, summed over the detector's elements."""
    return lines.isel(line=np.flatnonzero((lines["phase"].values == phase) & (lines["element"].values == -1)))


def phase_areas(lines: xr.Dataset, phase: str) -> tuple[float, float]:
    """Summed area of a phase's lines and its standard deviation, counts × real / live time.

    Areas of neighbouring lines are taken as independent, which makes the deviation a little too large. NaN if no line
    of the phase could be measured.
    """
    rows = summed_lines(lines, phase)
    area, std = rows["area"].values, rows["area_std"].values
    known = np.isfinite(area) & np.isfinite(std)
    if not known.any():
        return float("nan"), float("nan")
    return float(area[known].sum()), float(np.sqrt((std[known] ** 2).sum()))
