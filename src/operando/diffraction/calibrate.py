"""Step ``calibrate``: energy scale, diffraction angle, good elements and resolution that the series shares."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import xarray as xr
from pydantic import Field

from operando.diffraction.as_filed import from_file
from operando.diffraction.corrections import corrected, why_unusable
from operando.diffraction.element import FitParameters, fit_spectrum
from operando.diffraction.geometry import channel_energies, energy_times_d
from operando.diffraction.phases import left_out
from operando.diffraction.reference import calibrate_with
from operando.diffraction.saved import load
from operando.diffraction.shielding import shielding
from operando.materials.catalogue import load as load_material
from operando.model.contract import warnings_of
from operando.model.errors import BrokenFileError
from operando.model.material import Material
from operando.model.parameters import Parameters
from operando.model.products.diffraction import Calibration
from operando.model.products.raw import Spectrum
from operando.model.step import First, Setting, step

_FIRST_GUESS_DOUBT = 0.7


class CalibrateParameters(Parameters):
    """What a reference powder is."""

    powder: str = Field("Al2O3", description="the reference powder, where diffraction.calibration is its spectrum")
    powder_temperature_c: float = Field(22.5, ge=-273.15, description="its temperature, °C")


_ALUMINA = CalibrateParameters()


@step(version=6)
def calibrate(
    spectrum: First[Spectrum],
    phases: Annotated[tuple[Material, ...] | None, Setting("diffraction.phases", resolve="material")],
    two_theta_deg: Annotated[float | None, Setting("diffraction.two_theta_deg")],
    saved: Annotated[str | xr.Dataset | None, Setting("diffraction.calibration", resolve="spectrum")] = None,
    fitting: Annotated[Mapping[str, Any] | None, Setting("steps.fit")] = None,
    params: CalibrateParameters = _ALUMINA,
) -> Calibration:
    """Take the file's energy scale and angle, find dead elements, resolution and shielding on the first spectrum.

    The file's 2θ goes first, ``two_theta_deg`` fills in. ``saved``: a saved calibration (JSON), which replaces both,
    or a reference powder's spectrum, whose lines give every element its 2θ.
    Raises ``ConfigurationError`` where neither is known.
    """
    params_of_fit = FitParameters(**(fitting or {}))
    if isinstance(saved, str):
        kept = for_series(spectrum, load(Path(saved)), Path(saved).name)
        return kept.assign_attrs(warnings=[*warnings_of(kept), *_limits(kept, spectrum, phases or (), params_of_fit)])
    if saved is not None:
        powder = load_material(params.powder)
        known = calibrate_with(saved, powder, two_theta_deg, params.powder_temperature_c, params_of_fit)
        start = for_series(spectrum, known, str(saved.attrs.get("file", "the powder's spectrum")))
    else:
        start = from_file(spectrum, two_theta_deg)
    if not phases or not start["good"].values.any():
        return start
    start = start.assign_attrs(warnings=[*warnings_of(start), *_limits(start, spectrum, phases, params_of_fit)])
    return measured(spectrum, start, phases, params_of_fit, resolution_too=saved is None)


def _limits(known: xr.Dataset, spectrum: xr.Dataset, phases: Sequence[Material], params: FitParameters) -> list[str]:
    """Sentences on phases of which lines are left out, in the widest range that a good element is fitted over."""
    good = np.flatnonzero(known["good"].values)
    if not len(good):
        return []
    energy = channel_energies(known["energy_coefficients"].values[good], spectrum.sizes["channel"])
    product = energy_times_d(known["two_theta"].values[good])
    d_min = float(np.min(product / np.minimum(energy[:, -1], params.energy_max_kev)))
    d_max = float(np.max(product / np.maximum(energy[:, 0], params.energy_min_kev)))
    said = (left_out(one, d_min, d_max, params.most_lines) for one in phases)
    return [sentence for sentence in said if sentence]


def for_series(spectrum: xr.Dataset, kept: xr.Dataset, name: str) -> xr.Dataset:
    """A calibration made before, with the elements of this series that are dead marked as such."""
    counts = np.asarray(spectrum["counts"].values, float)
    if kept.sizes["element"] != len(counts):
        raise BrokenFileError(
            name, f"it has {kept.sizes['element']} elements, the spectra have {len(counts)}", "give the right one"
        )
    dead = np.array([why_unusable(one).startswith("dead") for one in counts])
    good = kept["good"].values & ~dead
    reason = np.where(dead, "dead, it has no counts", kept["reason"].values.astype(str))
    said = [f"{name}: element {e} is not used: {reason[e]}" for e in np.flatnonzero(~good)]
    current = {"ring_current_ma": float(spectrum["ring_current"])} if "ring_current" in spectrum else {}
    return kept.assign(good=(("element",), good, kept["good"].attrs), reason=(("element",), reason)).assign_attrs(
        **current, warnings=said
    )


def measured(
    spectrum: xr.Dataset,
    start: xr.Dataset,
    phases: Sequence[Material],
    params: FitParameters,
    resolution_too: bool = True,
) -> xr.Dataset:
    """The calibration with what a fit of the spectrum shows: resolution (rounded to be stable), shielding.

    Resolution is nearly free in this fit. ``attrs["fluorescence"]`` names elements beside the sample.
    """
    resolution = start["resolution"].values.copy()
    nearly_free = params.model_copy(update={"resolution_doubt": _FIRST_GUESS_DOUBT, "free_lines": False})
    fits = fit_spectrum(corrected(spectrum, start), start, phases, nearly_free)
    for one in fits:
        if one.fit.converged and resolution_too:
            resolution[one.element] = [float(f"{term:.3g}") for term in one.resolution()]
    found = start.assign(resolution=(("element", "term"), resolution, {"units": "keV"}))
    return found.assign_attrs(fluorescence=list(shielding(fits)))
