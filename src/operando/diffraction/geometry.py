"""Bragg's law at a fixed angle: spacing in Å, energy in keV, 2θ in degrees."""

import numpy as np

from operando.model.constants import HC_KEV_ANGSTROM


def energy_times_d(two_theta_deg: np.ndarray | float) -> np.ndarray:
    """E × d in keV Å at a diffraction angle.

    >>> round(float(energy_times_d(8.0)), 3)
    88.869
    """
    return np.asarray(HC_KEV_ANGSTROM / (2.0 * np.sin(np.radians(np.asarray(two_theta_deg, float)) / 2.0)))


def spacing_per_angle(two_theta_deg: np.ndarray | float) -> np.ndarray:
    """Relative change of the spacing per degree of error in 2θ: -cot θ δθ."""
    theta = np.radians(np.asarray(two_theta_deg, float)) / 2.0
    return np.asarray(-np.radians(1.0) / 2.0 / np.tan(theta))


def channel_energies(coefficients: np.ndarray, channels: int) -> np.ndarray:
    """Energies of channel middles, keV; coefficients (…, order) from the constant on, channels count from 0."""
    channel = np.arange(channels, dtype=float)
    powers = channel[None, :] ** np.arange(coefficients.shape[-1])[:, None]
    return np.asarray(coefficients, float) @ powers
