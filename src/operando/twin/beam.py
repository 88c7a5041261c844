"""The white beam: a wiggler's spectrum through filters, as the detector weighs it."""

from dataclasses import dataclass

import numpy as np

from operando.materials.attenuation import mu
from operando.materials.catalogue import load
from operando.twin.settings import Beam

LUAG = ("Lu3Al5O12", 6.73)
"""Formula and density (g/cm³) of the scintillator LuAG:Ce; the Crytur data sheet gives 6.73."""

_FILTER_DENSITY = {"Al": 2.699, "Cu": 8.96, "C": 2.2, "Be": 1.848, "Si": 2.33, "Ag": 10.49, "Sn": 7.29, "Ti": 4.506}


@dataclass(frozen=True)
class Spectrum:
    """Energies in keV and what each contributes to the detector's signal; the weights sum to one."""

    energies: np.ndarray
    weights: np.ndarray


def flux(energies: np.ndarray, critical_kev: float) -> np.ndarray:
    """Photons per keV in the orbit's plane, relative: y K²(2/3; y/2) with y = E / E_c.

    X-ray Data Booklet (Lawrence Berkeley National Laboratory, 2009), section 2.1, equation 5, gives
    d²F/dθdψ ∝ y² K²(2/3; y/2) in a relative bandwidth; per keV it is one power of E less.
    """
    from scipy.special import kv

    y = np.asarray(energies, float) / critical_kev
    return np.asarray(y * kv(2 / 3, y / 2) ** 2)


def through_filters(beam: Beam, energies: np.ndarray) -> np.ndarray:
    """Photons per keV on the sample, relative."""
    exponent = np.zeros_like(energies)
    for name, thickness_mm in beam.filters_mm.items():
        exponent += thickness_mm / 10 * _filter_mu(name, energies)
    return np.asarray(flux(energies, beam.critical_energy_kev) * np.exp(-exponent))


def _filter_mu(name: str, energies: np.ndarray) -> np.ndarray:
    if name in _FILTER_DENSITY:
        return mu(name, energies, _FILTER_DENSITY[name])
    return mu(load(name), energies)


def camera_spectrum(beam: Beam, scintillator_um: float) -> Spectrum:
    """The polychromatic sum's energies, each an equal share of the open beam's signal.

    The signal of a photon is its energy times the chance that the scintillator absorbs it. One energy alone
    stands at the signal's mean.
    """
    fine = np.arange(beam.lowest_kev, beam.highest_kev, 0.05)
    absorbed = 1 - np.exp(-mu(*_formula_energy(fine), LUAG[1]) * scintillator_um * 1e-4)
    signal = through_filters(beam, fine) * fine * absorbed
    running = np.concatenate([[0.0], np.cumsum(signal)]) / signal.sum()
    group = np.minimum((running[:-1] * beam.energies).astype(int), beam.energies - 1)
    total = np.bincount(group, signal, beam.energies)
    mean = np.bincount(group, signal * fine, beam.energies) / np.where(total > 0, total, 1)
    used = total > 0
    return Spectrum(mean[used], total[used] / total.sum())


def _formula_energy(energies: np.ndarray) -> tuple[str, np.ndarray]:
    return LUAG[0], energies
