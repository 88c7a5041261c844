"""Phase retrieval for one material and one distance (Paganin et al. 2002, doi:10.1046/j.1365-2818.2002.01010.x)."""

import numpy as np
from scipy import fft

from operando.model.constants import HC_KEV_ANGSTROM
from operando.model.errors import ConfigurationError
from operando.tomography._threads import thread_count

UM_PER_ANGSTROM = 1e-4
REACH = 10.0
"""Lengths of the filter beyond which it no longer matters: e^-10."""


def retrieve_phase(
    transmission: np.ndarray, delta_over_beta: float, distance_mm: float, energy_kev: float, pixel_um: float
) -> np.ndarray:
    """Filter whole projections (angle, row, column) so that the fringes of free propagation go.

    Returns the transmission that pure absorption would have given, float32. The filter
    1 / (1 + λ z (δ/β) k² / 4π) leaves the mean as it is. Needs whole frames, or ``filter_reach`` rows more on
    either side: the fringes cross slabs. At the edges the frames are mirrored.
    """
    strength = filter_length(delta_over_beta, distance_mm, energy_kev, pixel_um) ** 2
    k_row, k_column = (np.pi * np.arange(size) / size for size in transmission.shape[1:])
    response = (1 / (1 + strength * (k_row[:, None] ** 2 + k_column**2))).astype(np.float32)
    waves = fft.dctn(transmission.astype(np.float32), axes=(1, 2), workers=thread_count()) * response
    return np.asarray(fft.idctn(waves, axes=(1, 2), workers=thread_count()), np.float32)


def filter_length(delta_over_beta: float, distance_mm: float, energy_kev: float, pixel_um: float) -> float:
    """Length (pixels) over which the filter falls by e; raises ``ConfigurationError`` for what must be above zero."""
    given = {
        "delta_over_beta": delta_over_beta, "distance_mm": distance_mm, "energy_kev": energy_kev, "pixel_um": pixel_um,
    }  # fmt: skip
    for name, value in given.items():
        if not value > 0:
            raise ConfigurationError(f"{name} = {value} must be above zero for phase retrieval.")
    wavelength = HC_KEV_ANGSTROM / energy_kev * UM_PER_ANGSTROM
    return float(np.sqrt(wavelength * distance_mm * 1e3 * delta_over_beta / (4 * np.pi)) / pixel_um)


def filter_reach(delta_over_beta: float, distance_mm: float, energy_kev: float, pixel_um: float) -> int:
    """Rows on either side that a slab needs."""
    return int(np.ceil(REACH * filter_length(delta_over_beta, distance_mm, energy_kev, pixel_um)))
