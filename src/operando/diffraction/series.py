"""A series of spectra alone, without a pipeline: what ``operando diffraction`` runs."""

from collections.abc import Sequence

import xarray as xr

from operando.diffraction.calibrate import calibrate
from operando.diffraction.correct import correct
from operando.diffraction.element import FitParameters
from operando.diffraction.fit import fit
from operando.model.contract import warnings_of
from operando.model.material import Material


def analyse(
    spectra: Sequence[xr.Dataset],
    phases: Sequence[Material],
    two_theta_deg: float | None = None,
    params: FitParameters | None = None,
    calibration: xr.Dataset | None = None,
) -> tuple[list[xr.Dataset], list[xr.Dataset], list[str]]:
    """Lines and lattice of each spectrum (contract ``spectrum``), and what was odd, each sentence once.

    The first spectrum calibrates the series unless ``calibration`` is given. Raises ``ConfigurationError`` where
    no diffraction angle is known or a phase has no lines in range.
    """
    if not spectra:
        return [], [], []
    shared = calibration if calibration is not None else calibrate(spectra[0], tuple(phases), two_theta_deg)
    results = [fit(correct(one, shared), shared, tuple(phases), params or FitParameters()) for one in spectra]
    said = [*warnings_of(shared), *(note for lines, *_ in results for note in warnings_of(lines))]
    return [lines for lines, *_ in results], [lattice for _, lattice, *_ in results], list(dict.fromkeys(said))
