"""Corrections of whole frames, which reach across the edges of a slab: phase retrieval and a tilted axis."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from pydantic import Field

from operando.model.errors import ConfigurationError
from operando.model.parameters import Parameters
from operando.tomography._frames import row_numbers
from operando.tomography.paganin import filter_reach, retrieve_phase
from operando.tomography.reconstruct import pixel_of
from operando.tomography.tilt import tilt_reach, untilted


class CrossingParameters(Parameters):
    """Which corrections need rows beyond a slab."""

    phase_retrieval: Literal["none", "paganin"] = Field(
        default="none", description="take the fringes of free propagation off: none, or Paganin 2002 for one material"
    )
    delta_over_beta: float | None = Field(default=None, description="of that material, for phase retrieval", gt=0)
    distance_mm: float | None = Field(default=None, description="from sample to detector, for phase retrieval", gt=0)
    energy_kev: float | None = Field(default=None, description="of the beam, for phase retrieval", gt=0)
    tilt_mrad: float = Field(
        default=0.0,
        description="turn the frames back by this angle of the axis, as the warning of the step centre tells it",
        ge=-100,
        le=100,
    )


@dataclass(frozen=True)
class Crossing:
    """What is to be done to whole frames, and how many rows beyond a slab that takes."""

    phase: tuple[float, float, float, float] | None
    """δ/β, distance (mm), energy (keV), pixel (µm)."""
    angle: float
    """Of the axis in the detector's plane, rad."""
    reach: int

    def corrected(self, transmission: np.ndarray, dark: np.ndarray, middle_row: float) -> np.ndarray:
        """Correct frames (angle, row, column); ``dark`` rows, which have no beam, are filled from the nearest others.

        ``middle_row``: the detector's middle, counted from the first of these rows.
        """
        lit = np.flatnonzero(~dark)
        if lit.size and dark.any():
            rows = np.arange(len(dark))
            transmission = transmission[:, lit[np.abs(rows[:, None] - lit).argmin(1)]]
        if self.phase is not None:
            transmission = retrieve_phase(transmission, *self.phase)
        if self.angle:
            transmission = untilted(transmission, self.angle, (transmission.shape[2] - 1) / 2, middle_row)
        return transmission

    def moved(self, flags: np.ndarray, middle_row: float) -> np.ndarray:
        """Where flags (angle, row, column) lie in the corrected frames: a pixel that any flagged one touches."""
        if not self.angle:
            return flags
        turned = untilted(flags.astype(np.float32), self.angle, (flags.shape[2] - 1) / 2, middle_row, order=1)
        return turned > 1e-3


def crossing_of(scan: xr.Dataset, params: CrossingParameters, pixel_size_um: float | None) -> Crossing:
    """What the parameters ask for; raises ``ConfigurationError`` where phase retrieval lacks a number."""
    angle = params.tilt_mrad * 1e-3
    reach = tilt_reach(angle, scan.sizes["column"])
    if params.phase_retrieval == "none":
        return Crossing(None, angle, reach)
    given = (params.delta_over_beta, params.distance_mm, params.energy_kev)
    if None in given:
        raise ConfigurationError(
            "phase_retrieval = 'paganin' needs delta_over_beta, distance_mm and energy_kev in [steps.normalise]."
        )
    ratio, distance, energy = (float(value) for value in given if value is not None)
    phase = (ratio, distance, energy, pixel_of(scan, pixel_size_um))
    return Crossing(phase, angle, reach + filter_reach(*phase))


def surrounded(scan: xr.Dataset, reach: int) -> tuple[xr.Dataset, slice, float]:
    """These rows with ``reach`` more on either side, where they are among them, and the detector's middle row.

    The middle row counts from the first of the rows returned. A scan that is not cut is all there is.
    """
    if "every_row" not in scan:
        return scan, slice(0, scan.sizes["row"]), (scan.sizes["row"] - 1) / 2
    own, lines = row_numbers(scan), scan.sizes["line"]
    first, last = max(0, int(own[0]) - reach), min(lines, int(own[-1]) + 1 + reach)
    counts = scan["every_row"].isel(line=slice(first, last)).rename(line="row")
    wide = scan.drop_dims(["row", "line"]).assign(counts=counts).assign_coords(row=np.arange(first, last))
    return wide, slice(int(own[0]) - first, int(own[-1]) + 1 - first), (lines - 1) / 2 - first
