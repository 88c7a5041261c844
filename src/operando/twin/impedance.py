"""Impedance of the cell: the electrolyte's resistance, one charge-transfer arc, and diffusion at low frequency."""

from dataclasses import dataclass

import numpy as np

_PER_DECADE = 10
_HIGHEST_HZ, _LOWEST_HZ = 1e6, 0.1


@dataclass(frozen=True)
class Spectrum:
    """One spectrum: frequencies in Hz (falling), impedance in ohm, seconds on the cycler's clock."""

    frequency: np.ndarray
    impedance: np.ndarray
    seconds: np.ndarray
    voltage: float


def electrolyte_resistance(thickness_um: float, area_um2: float, conductivity_s_per_cm: float) -> float:
    """L / (σ A) in ohm."""
    return thickness_um * 1e-4 / (conductivity_s_per_cm * area_um2 * 1e-8)


def spectrum(
    electrolyte_ohm: float, transfer_ohm: float, start_s: float, voltage: float, generator: np.random.Generator
) -> Spectrum:
    """R + (R_ct parallel to a constant-phase element) + a Warburg element, with 0.2 % noise."""
    decades = int(np.log10(_HIGHEST_HZ / _LOWEST_HZ))
    frequency = np.geomspace(_HIGHEST_HZ, _LOWEST_HZ, decades * _PER_DECADE + 1)
    omega = 2j * np.pi * frequency
    peak_hz, depression = 300.0, 0.9
    arc = transfer_ohm / (1 + (omega / (2 * np.pi * peak_hz)) ** depression)
    warburg = 0.05 * transfer_ohm / np.sqrt(omega)
    noise = 1 + 2e-3 * (generator.standard_normal(len(frequency)) + 1j * generator.standard_normal(len(frequency)))
    seconds = start_s + np.cumsum(2.0 / frequency + 0.3)
    return Spectrum(frequency, (electrolyte_ohm + arc + warburg) * noise, seconds, voltage)
