"""The diffraction angle of every element from a reference powder."""

import numpy as np
import xarray as xr

from operando.diffraction.as_filed import from_file
from operando.diffraction.corrections import corrected
from operando.diffraction.element import ElementFit, FitParameters, fit_spectrum
from operando.diffraction.merge import measured
from operando.materials.structure import at_temperature
from operando.model.contract import warnings_of
from operando.model.material import Material
from operando.model.products.diffraction import CALIBRATION


def calibrate_with(
    spectrum: xr.Dataset,
    powder: Material,
    two_theta_deg: float | None = None,
    temperature_c: float = 22.5,
    params: FitParameters | None = None,
) -> xr.Dataset:
    """Calibration whose 2θ makes the powder's lattice come out as certified.

    ``two_theta_deg`` is the first guess where the file has none. The standard deviation holds counting statistics,
    misfit and the doubt of the certified cell; an element that does not see the powder keeps its angle, is no longer
    good and says why. sin θ grows by as much as the lattice seemed too large.
    """
    start = from_file(spectrum, two_theta_deg)
    known = at_temperature(powder, temperature_c)
    options = params or FitParameters(resolution_doubt=0.7)
    fits = {one.element: one for one in fit_spectrum(corrected(spectrum, start), start, (known,), options)}
    two_theta, std = start["two_theta"].values.copy(), start["two_theta_std"].values.copy()
    good, reason = start["good"].values.copy(), start["reason"].values.astype(object)
    resolution = start["resolution"].values.copy()
    for element in np.flatnonzero(good):
        one = fits.get(int(element))
        if one is None or not measured(one, 0, options):
            good[element], reason[element] = False, f"it does not see the lines of {powder.name}"
            continue
        two_theta[element], std[element] = _corrected_angle(float(two_theta[element]), one, powder.cell_relative_std)
        resolution[element] = one.resolution()
    return CALIBRATION.new(
        attrs={
            **start.attrs,
            "powder": powder.name,
            "warnings": list(warnings_of(start)),
            "temperature_c": temperature_c,
        },
        energy_coefficients=start["energy_coefficients"].values,
        two_theta=two_theta,
        two_theta_std=std,
        two_theta_covariance=_covariance(two_theta, std, powder.cell_relative_std),
        good=good,
        resolution=resolution,
        reason=reason.astype(str),
    )


def _covariance(two_theta_deg: np.ndarray, std: np.ndarray, cell_doubt: float) -> np.ndarray:
    """Covariance (elements, elements) in deg²: the doubt of the certified cell moves all elements alike."""
    shared = np.degrees(2.0 * np.tan(np.radians(two_theta_deg) / 2.0)) * cell_doubt
    covariance = np.outer(shared, shared)
    np.fill_diagonal(covariance, std**2)
    return np.where(np.isfinite(std)[:, None] & np.isfinite(std), covariance, np.nan)


def _corrected_angle(two_theta_deg: float, one: ElementFit, cell_doubt: float) -> tuple[float, float]:
    """2θ in degrees and its standard deviation from one common stretch of all edges."""
    stretch, covariance = one.stretch(0)
    weight = np.linalg.inv(covariance)
    ones = np.ones(len(stretch))
    variance = 1.0 / float(ones @ weight @ ones)
    common = variance * float(ones @ weight @ stretch)
    misfit = max(1.0, float((stretch - common) @ weight @ (stretch - common)) / max(len(stretch) - 1, 1))
    theta = np.radians(two_theta_deg) / 2.0
    corrected_theta = np.arcsin(np.sin(theta) * (1.0 + common))
    std = np.tan(theta) * np.sqrt(variance * misfit + cell_doubt**2)
    return float(np.degrees(2.0 * corrected_theta)), float(np.degrees(2.0 * std))
