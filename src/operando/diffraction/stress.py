"""Strain as stress: what a lattice change would mean mechanically."""

from collections.abc import Sequence

import numpy as np

from operando.model.material import Material


def mean_strain(change: Sequence[float], edges: tuple[int, int, int]) -> float:
    """Mean linear strain of a cell from the relative changes of its free edges; a third of the volume's."""
    return float(np.mean([change[edge] for edge in edges]))


def hydrostatic_pressure_mpa(strain: float, bulk_modulus_gpa: float) -> float:
    """Pressure in MPa that a linear strain needs, -3 K ε: positive presses the lattice together.

    >>> round(hydrostatic_pressure_mpa(1e-3, 36.0), 1)
    -108.0
    """
    return -3.0 * bulk_modulus_gpa * 1e3 * strain


def stress_sentence(material: Material, strain: float, pressed_mpa: float | None) -> str:
    """How the stress behind a strain compares with what the cell saw; empty where no bulk modulus is known."""
    if material.bulk_modulus_gpa is None or not np.isfinite(strain):
        return ""
    pressure = hydrostatic_pressure_mpa(strain, material.bulk_modulus_gpa)
    way = "compression" if pressure > 0 else "tension"
    beside = [f"{pressed_mpa:.0f} MPa the layers were pressed at"] if pressed_mpa else []
    if material.yield_stress_mpa is not None:
        beside.append(f"a yield stress of {material.yield_stress_mpa:g} MPa")
    ending = f", beside {' and '.join(beside)}" if beside else ""
    return (
        f"As strain it would need a hydrostatic {way} of {abs(pressure):.0f} MPa "
        f"(3 K ε with K = {material.bulk_modulus_gpa:g} GPa){ending}."
    )
