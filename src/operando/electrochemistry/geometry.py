"""Area and thickness of the electrolyte pellet."""

import math

from operando.model.material import Material


def pellet_area_cm2(bore_mm: float | None) -> float | None:
    """Cross-section of the tube in cm²."""
    return None if bore_mm is None else math.pi * (bore_mm / 20) ** 2


def pellet_thickness(
    thickness_um: float | None, mass_mg: float | None, material: Material | None, area_cm2: float | None
) -> tuple[float | None, str | None]:
    """Thickness in µm as given, or of a dense pellet of this mass, with the sentence that says so."""
    if thickness_um is not None:
        return thickness_um, None
    if area_cm2 is None:
        return None, "Without bore_mm in [cell] the conductivity can't be computed; the resistance is there."
    if mass_mg is None or material is None:
        return None, (
            "Without thickness_um or mass_mg in [cell.electrolyte] the conductivity can't be computed; "
            "the resistance is there."
        )
    thickness = mass_mg * 1e-3 / material.density_g_per_cm3 / area_cm2 * 1e4
    return thickness, (
        f"No thickness_um in [cell.electrolyte]: a dense pellet of {mass_mg:g} mg {material.name} "
        f"({material.density_g_per_cm3:g} g/cm³) would be {thickness:.0f} µm thick; pores make it thicker and the "
        "conductivity higher."
    )
