"""A series of spectra alone, without a pipeline: what ``operando diffraction`` runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from operando.diffraction.calibrate import calibrate
from operando.diffraction.correct import correct
from operando.diffraction.element import FitParameters
from operando.diffraction.fit import fit
from operando.diffraction.refine import refine
from operando.model.contract import warnings_of
from operando.model.material import Material

KEPT = 25


@dataclass(frozen=True)
class Analysed:
    """Lines, lattices and shapes of each spectrum (contracts of these names), and what was odd, each sentence once."""

    lines: list[xr.Dataset]
    lattices: list[xr.Dataset]
    shapes: list[xr.Dataset]
    warnings: list[str]
    calibration: xr.Dataset | None = None
    corrected: dict[int, xr.Dataset] = field(default_factory=dict)
    """Of a long series only ``KEPT`` spectra, evenly chosen, and likewise ``fitted``: enough for pictures."""
    fitted: dict[int, xr.Dataset] = field(default_factory=dict)

    def together(self) -> tuple[xr.Dataset | None, list[str]]:
        """Lattices of all spectra refined at once (contract ``refined``), and what the spectra contradict each other
        about; ``None`` for fewer than two spectra."""
        if len(self.shapes) < 2:
            return None, []
        refined, _ = refine(self.shapes)
        return refined, list(warnings_of(refined))


def fit_series(
    spectra: Sequence[xr.Dataset],
    phases: Sequence[Material],
    two_theta_deg: float | None = None,
    params: FitParameters | None = None,
    calibration: xr.Dataset | None = None,
) -> Analysed:
    """Fit each spectrum (contract ``spectrum``) from the same start.

    The first spectrum calibrates the series unless ``calibration`` is given. Raises ``ConfigurationError`` where
    no diffraction angle is known or a phase has no lines in range.
    """
    if not spectra:
        return Analysed([], [], [], [])
    shared = calibration if calibration is not None else calibrate(spectra[0], tuple(phases), two_theta_deg)
    found = Analysed([], [], [], [], shared)
    whole = set(np.linspace(0, len(spectra) - 1, min(KEPT, len(spectra))).round().astype(int).tolist())
    said = list(warnings_of(shared))
    for number, one in enumerate(spectra):
        seen = correct(one, shared)
        lines, lattice, model, shapes = fit(seen, shared, tuple(phases), params or FitParameters())
        if number in whole:
            found.corrected[number], found.fitted[number] = seen, model
        found.lines.append(lines)
        found.lattices.append(lattice)
        found.shapes.append(shapes)
        said += warnings_of(lines)
    found.warnings.extend(dict.fromkeys(said))
    return found


def analyse(
    spectra: Sequence[xr.Dataset],
    phases: Sequence[Material],
    two_theta_deg: float | None = None,
    params: FitParameters | None = None,
    calibration: xr.Dataset | None = None,
) -> tuple[list[xr.Dataset], list[xr.Dataset], list[str]]:
    """Lines and lattice of each spectrum, each on its own, and what was odd: see ``fit_series``."""
    found = fit_series(spectra, phases, two_theta_deg, params, calibration)
    return found.lines, found.lattices, found.warnings
