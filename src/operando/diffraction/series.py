"""A series of spectra alone, without a pipeline: what ``operando diffraction`` runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import xarray as xr

from operando.diffraction.calibrate import calibrate
from operando.diffraction.correct import correct
from operando.diffraction.element import FitParameters
from operando.diffraction.fit import fit
from operando.diffraction.refine import refine
from operando.model.contract import warnings_of
from operando.model.material import Material


@dataclass(frozen=True)
class Analysed:
    """Lines, lattices and shapes of each spectrum (contracts of these names), and what was odd, each sentence once."""

    lines: list[xr.Dataset]
    lattices: list[xr.Dataset]
    shapes: list[xr.Dataset]
    warnings: list[str]

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
    results = [fit(correct(one, shared), shared, tuple(phases), params or FitParameters()) for one in spectra]
    lines, lattices, _, shapes = (list(products) for products in zip(*results, strict=True))
    said = [*warnings_of(shared), *(note for one in lines for note in warnings_of(one))]
    return Analysed(lines, lattices, shapes, list(dict.fromkeys(said)))


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
