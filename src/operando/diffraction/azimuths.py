"""Strain against azimuth: what a ring of detector elements adds to one lattice parameter."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ellipse:
    """Strain ε(φ) = mean + differential × cos 2(φ - axis), with standard deviations; ``axis_deg`` of largest strain.

    ``chi_squared`` per degree of freedom says whether three numbers are enough.
    """

    mean: float
    mean_std: float
    differential: float
    differential_std: float
    axis_deg: float
    chi_squared: float


def sin_squared_psi(azimuth_deg: np.ndarray, strain: np.ndarray, strain_std: np.ndarray) -> Ellipse:
    """Fit the strain of a ring of elements (elements,); elements without a strain are NaN.

    At small 2θ the scattering vector lies nearly across the beam, so that azimuth is ψ against the load and ε is
    linear in sin²ψ: Noyan and Cohen (1987), https://doi.org/10.1007/978-1-4613-9570-6. Raises ``ValueError`` with
    fewer than three elements.
    """
    known = np.isfinite(strain) & np.isfinite(strain_std) & np.isfinite(azimuth_deg)
    if known.sum() < 3:
        raise ValueError(f"{int(known.sum())} elements see the phase; a strain ellipse needs three.")
    angle = np.radians(azimuth_deg[known])
    design = np.stack([np.ones(known.sum()), np.cos(2.0 * angle), np.sin(2.0 * angle)], axis=1)
    weighted = design / strain_std[known][:, None]
    covariance = np.linalg.inv(weighted.T @ weighted)
    mean, cosine, sine = covariance @ weighted.T @ (strain[known] / strain_std[known])
    off = (strain[known] - design @ np.array([mean, cosine, sine])) / strain_std[known]
    size = float(np.hypot(cosine, sine))
    slope = np.array([0.0, cosine, sine]) / max(size, 1e-300)
    return Ellipse(
        mean=float(mean),
        mean_std=float(np.sqrt(covariance[0, 0])),
        differential=size,
        differential_std=float(np.sqrt(slope @ covariance @ slope)),
        axis_deg=float(np.degrees(np.arctan2(sine, cosine)) / 2.0 % 180.0),
        chi_squared=float((off**2).sum() / max(known.sum() - 3, 1)),
    )
