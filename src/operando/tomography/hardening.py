"""Beam hardening: a polychromatic line integral grows slower than the length; straightened with the spectrum."""

import numpy as np

from operando.model.errors import ConfigurationError
from operando.model.material import Material

LONGEST = 12.0
"""Largest polychromatic line integral of a curve: nothing is seen through e^-12."""


def polychromatic(lengths_cm: np.ndarray, mu: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Line integral that a detector sees behind these lengths of a material.

    ``mu`` (1/cm) and ``weights`` (spectrum × detector response, any scale) at the same energies.
    """
    share = weights / weights.sum()
    return -np.log(np.exp(-np.outer(lengths_cm, mu)) @ share)


def hardening_curve(
    material: Material | str,
    energies_kev: np.ndarray,
    weights: np.ndarray,
    effective_kev: float | None = None,
    density_g_per_cm3: float | None = None,
    points: int = 512,
) -> tuple[np.ndarray, np.ndarray]:
    """Return seen line integrals and what they would be for one energy, both rising from 0.

    The one energy is ``effective_kev``, or that of the spectrum's mean attenuation, so that thin samples keep
    their values. Raises ``ConfigurationError`` for a spectrum that is empty or negative.
    """
    from operando.materials.attenuation import mu as attenuation

    energies, weights = np.asarray(energies_kev, float), np.asarray(weights, float)
    if (
        energies.shape != weights.shape
        or energies.size == 0
        or (energies <= 0).any()
        or (weights < 0).any()
        or weights.sum() <= 0
    ):
        raise ConfigurationError(
            f"the spectrum has {energies.size} energies and {weights.size} weights with the sum {weights.sum():g}; "
            "give one weight above zero for each energy."
        )
    mu = attenuation(material, energies, density_g_per_cm3)
    single = (
        float(weights @ mu / weights.sum())
        if effective_kev is None
        else float(attenuation(material, np.array([effective_kev]), density_g_per_cm3)[0])
    )
    longest = 1.0
    while polychromatic(np.array([longest]), mu, weights)[0] < LONGEST:
        longest *= 1.5
    lengths = longest * np.linspace(0, 1, points) ** 2
    return polychromatic(lengths, mu, weights), single * lengths


def straightened(line_integrals: np.ndarray, curve: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Look the seen line integrals up in a curve; negative ones (noise of the open beam) keep its first slope."""
    seen, true = curve
    slope = true[1] / seen[1]
    result = np.interp(line_integrals, seen, true)
    return np.where(line_integrals < 0, line_integrals * slope, result).astype(line_integrals.dtype)
