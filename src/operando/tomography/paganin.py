"""Phase retrieval for one material and one distance (Paganin et al. 2002, doi:10.1046/j.1365-2818.2002.01010.x)."""

import numpy as np
from scipy import fft

from operando.model.constants import HC_KEV_ANGSTROM
from operando.model.errors import ConfigurationError
from operando.tomography._threads import thread_count

UM_PER_ANGSTROM = 1e-4


def retrieve_phase(
    transmission: np.ndarray, delta_over_beta: float, distance_mm: float, energy_kev: float, pixel_um: float
) -> np.ndarray:
    """Filter whole projections (angle, row, column) so that the fringes of free propagation go.

    Returns the transmission that pure absorption would have given, float32. The filter
    1 / (1 + λ z (δ/β) k² / 4π) leaves the mean as it is. Needs whole frames: the fringes cross slabs.
    """
    for name, value in (("distance_mm", distance_mm), ("energy_kev", energy_kev), ("pixel_um", pixel_um)):
        if not value > 0:
            raise ConfigurationError(f"{name} = {value} must be above zero for phase retrieval.")
    wavelength = HC_KEV_ANGSTROM / energy_kev * UM_PER_ANGSTROM
    rows, columns = transmission.shape[1:]
    pad = [(0, fft.next_fast_len(2 * size, real=True) - size) for size in (rows, columns)]
    wide = np.pad(transmission, [(0, 0), *pad], mode="symmetric")
    k_row = 2 * np.pi * fft.fftfreq(wide.shape[1], pixel_um)
    k_column = 2 * np.pi * fft.rfftfreq(wide.shape[2], pixel_um)
    strength = wavelength * distance_mm * 1e3 * delta_over_beta / (4 * np.pi)
    response = 1 / (1 + strength * (k_row[:, None] ** 2 + k_column**2))
    waves = fft.rfft2(wide, workers=thread_count()) * response
    return fft.irfft2(waves, wide.shape[1:], workers=thread_count())[:, :rows, :columns].astype(np.float32)
