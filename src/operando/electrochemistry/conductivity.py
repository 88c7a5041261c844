"""Conductivity of the electrolyte from impedance spectra."""

from typing import Annotated

import numpy as np

from operando.electrochemistry.geometry import pellet_area_cm2, pellet_thickness
from operando.electrochemistry.impedance import Fit, fit_spectrum
from operando.electrochemistry.theory import mass_of
from operando.model.material import Material
from operando.model.products.electrochemistry import CONDUCTIVITY, Conductivity
from operando.model.products.raw import Impedance
from operando.model.step import Series, Setting, step


@step(version=1)
def conductivity(
    impedances: Series[Impedance],
    bore_mm: Annotated[float | None, Setting("cell.bore_mm")] = None,
    thickness_um: Annotated[float | None, Setting("cell.electrolyte.thickness_um")] = None,
    electrolyte_mass_mg: Annotated[float | dict[str, float] | None, Setting("cell.electrolyte.mass_mg")] = None,
    electrolyte: Annotated[Material | None, Setting("cell.electrolyte.material", resolve="material")] = None,
    offset_s: Annotated[float | None, Setting("electrochemistry.clock_offset_s")] = None,
) -> Conductivity:
    """Fit every impedance spectrum and give the electrolyte's resistance (ohm) and σ = L / (R A) in S/cm.

    The electrolyte is the series resistance plus the arcs whose capacitance is that of a bulk or of grain
    boundaries (C L / A below 10⁻⁷ F/cm; Irvine, Sinclair and West 1990, https://doi.org/10.1002/adma.19900020304).
    Without bore and thickness the conductivity is NaN; the thickness may come from mass, density and bore (a dense
    pellet).
    """
    area = pellet_area_cm2(bore_mm)
    thickness, sentence = pellet_thickness(thickness_um, mass_of(electrolyte_mass_mg), electrolyte, area)
    length_over_area = np.nan if thickness is None or area is None else thickness * 1e-4 / area
    shift = np.timedelta64(round((offset_s or 0.0) * 1e9), "ns")
    rows: list[tuple[np.datetime64, Fit]] = []
    for impedance in impedances:
        for k in range(impedance.sizes["spectrum"]):
            fit = fit_spectrum(
                impedance["frequency"].values[k],
                impedance["impedance_real"].values[k] + 1j * impedance["impedance_imaginary"].values[k],
                1.0 if np.isnan(length_over_area) else length_over_area,
            )
            rows.append((impedance["time"].values[k] + shift, fit))
    rows.sort(key=lambda row: (np.isnat(row[0]), row[0]))
    fits = [row[1] for row in rows]
    resistance, std = (
        np.array([getattr(fit, name) for fit in fits], float) for name in ("electrolyte", "electrolyte_std")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = length_over_area / resistance
        sigma_std = sigma * std / resistance
    sentences = [f"Impedance spectrum {k}: {fit.sentence}." for k, fit in enumerate(fits) if fit.sentence]
    return CONDUCTIVITY.new(
        time=np.array([row[0] for row in rows], "datetime64[ns]"),
        resistance=resistance,
        resistance_std=std,
        conductivity=sigma,
        conductivity_std=sigma_std,
        interface=np.array([fit.interface for fit in fits], float),
        interface_std=np.array([fit.interface_std for fit in fits], float),
        misfit=np.array([fit.misfit for fit in fits], float),
        attrs={"warnings": sentences + ([sentence] if sentence else [])},
    )
