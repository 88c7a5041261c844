"""Attenuation of a material, through xraydb (Elam's tables, https://doi.org/10.1016/S0969-806X(01)00227-4)."""

import numpy as np

from operando.model.errors import ConfigurationError
from operando.model.material import Material


def mu(material: Material | str, energy_kev: np.ndarray | float, density_g_per_cm3: float | None = None) -> np.ndarray:
    """Linear attenuation coefficient in 1/cm at ``energy_kev`` (any shape).

    ``material`` is a ``Material``, or a formula with ``density_g_per_cm3``. Raises ``ConfigurationError``
    where no density is known or an energy is outside the tables (0.1 to 1000 keV).
    """
    formula = material.formula if isinstance(material, Material) else material
    density = density_g_per_cm3
    if density is None and isinstance(material, Material):
        density = material.density_g_per_cm3
    if density is None or not density > 0.0:
        raise ConfigurationError(f"{formula}: its attenuation needs a density; give density_g_per_cm3.")
    return density * mass_attenuation(formula, energy_kev)


def mass_attenuation(formula: str, energy_kev: np.ndarray | float) -> np.ndarray:
    """Mass attenuation coefficient in cm²/g at ``energy_kev`` (any shape)."""
    from xraydb import atomic_mass, chemparse, mu_elam

    energies = np.asarray(energy_kev, float)
    if energies.size and not (energies.min() >= 0.1 and energies.max() <= 1000.0):
        raise ConfigurationError(
            f"{formula}: attenuation is tabulated from 0.1 to 1000 keV, "
            f"not for {energies.min():g} to {energies.max():g} keV."
        )
    parts = chemparse(formula)
    weights = {element: count * atomic_mass(element) for element, count in parts.items()}
    total = sum(weights.values())
    flat = np.atleast_1d(energies) * 1000.0
    summed = sum(weight / total * np.asarray(mu_elam(element, flat)) for element, weight in weights.items())
    return np.asarray(summed).reshape(energies.shape)
