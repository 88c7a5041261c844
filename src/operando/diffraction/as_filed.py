"""The calibration as a spectrum's file has it, before anything is measured."""

import numpy as np
import xarray as xr

from operando.diffraction.corrections import why_unusable
from operando.diffraction.element import GERMANIUM_RESOLUTION
from operando.model.errors import ConfigurationError
from operando.model.products.diffraction import CALIBRATION


def from_file(spectrum: xr.Dataset, two_theta_deg: float | None, needed: bool = True) -> xr.Dataset:
    """Calibration as the file has it, with the resolution of a common germanium detector.

    Raises ``ConfigurationError`` where no diffraction angle is known, unless it is not ``needed``.
    """
    file = str(spectrum.attrs.get("file", "spectrum"))
    counts = np.asarray(spectrum["counts"].values, float)
    coefficients = np.asarray(spectrum["energy_coefficients"].values, float)
    two_theta = np.asarray(spectrum["two_theta"].values, float)
    if needed:
        two_theta = known_two_theta(two_theta, two_theta_deg, file)
    reasons = [why_not(counts[e], coefficients[e], two_theta[e]) for e in range(len(counts))]
    attrs = {key: spectrum.attrs[key] for key in ("file",) if key in spectrum.attrs}
    if "ring_current" in spectrum and float(spectrum["ring_current"]) > 0.0:
        attrs["ring_current_ma"] = float(spectrum["ring_current"])
    return CALIBRATION.new(
        attrs={**attrs, "warnings": [f"{file}: element {e} is not used: {r}" for e, r in enumerate(reasons) if r]},
        energy_coefficients=coefficients,
        two_theta=two_theta,
        two_theta_std=np.full(len(counts), np.nan),
        good=np.array([not reason for reason in reasons]),
        resolution=np.tile(GERMANIUM_RESOLUTION, (len(counts), 1)),
        reason=np.array(reasons, dtype=str),
    )


def known_two_theta(in_file: np.ndarray, configured: float | None, file: str) -> np.ndarray:
    """Diffraction angle (elements,) in degrees: the file's, else the configured one."""
    if configured is not None and not 0.0 < configured < 180.0:
        raise ConfigurationError(f"two_theta_deg = {configured:g} is no diffraction angle; give degrees from 0 to 180.")
    usable = np.isfinite(in_file) & (in_file > 0.0) & (in_file < 180.0)
    if configured is None and not usable.any():
        raise ConfigurationError(
            f"{file}: it has no diffraction angle; add two_theta_deg = … to [diffraction], or give --two-theta."
        )
    return np.where(usable, in_file, np.nan if configured is None else configured)


def why_not(counts: np.ndarray, coefficients: np.ndarray, two_theta: float) -> str:
    """Reason why an element can't be used in the whole series, or nothing."""
    channel = np.arange(len(counts), dtype=float)
    slope = sum(order * c * channel ** (order - 1) for order, c in enumerate(coefficients) if order)
    if not np.isfinite(coefficients).all() or not np.all(np.asarray(slope) > 0.0):
        dead = why_unusable(counts)
        return dead if dead.startswith("dead") else "it has no energy scale that grows with the channel"
    return "" if np.isfinite(two_theta) else "it has no diffraction angle"
