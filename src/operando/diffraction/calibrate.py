"""Step ``calibrate``: energy scale, diffraction angle, good elements and resolution that the series shares."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from operando.diffraction.as_filed import from_file, known_two_theta
from operando.diffraction.corrections import corrected, dead_time_factor, why_unusable
from operando.diffraction.dead_time import DeadTimeScale
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
    lines: tuple[str, ...] = Field(
        (),
        description="what else shines in that spectrum with known energies and ties the energy scale: Pb, Co57, 59.5",
    )
    dead_time_a: tuple[float, ...] = Field(
        (), description="a1 … a5 of the energy scale with its dead time in %, as EDDI's calibration files give them"
    )
    dead_time_b: tuple[float, ...] = Field((), description="b1, b2, b3 of it")
    dead_time_c: tuple[float, ...] = Field((0.0, 0.0), description="c1, c2 of it")

    @model_validator(mode="after")
    def _whole_form(self) -> "CalibrateParameters":
        sizes = (len(self.dead_time_a), len(self.dead_time_b), len(self.dead_time_c))
        if (self.dead_time_a or self.dead_time_b) and sizes != (5, 3, 2):
            raise ValueError(
                f"the dead-time form has 5 a, 3 b and 2 c; given are {sizes[0]}, {sizes[1]} and {sizes[2]}"
            )
        return self

    @property
    def form(self) -> np.ndarray | None:
        """a1 … a5, b1 … b3, c1, c2 (10,), where they are given."""
        return np.r_[self.dead_time_a, self.dead_time_b, self.dead_time_c] if self.dead_time_a else None


_ALUMINA = CalibrateParameters()


@step(version=7)
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
    start = _known(spectrum, two_theta_deg, saved, params_of_fit, params)
    if not phases or not start["good"].values.any():
        return start
    start = start.assign_attrs(warnings=[*warnings_of(start), *_limits(start, spectrum, phases, params_of_fit)])
    return measured(spectrum, start, phases, params_of_fit, resolution_too=saved is None)


def _known(
    spectrum: xr.Dataset,
    two_theta_deg: float | None,
    saved: str | xr.Dataset | None,
    params_of_fit: FitParameters,
    params: CalibrateParameters,
) -> xr.Dataset:
    """What is known before the series' own lines are looked at."""
    if isinstance(saved, str):
        return with_dead_time(for_series(spectrum, load(Path(saved)), Path(saved).name, two_theta_deg), params.form)
    if saved is None:
        return with_dead_time(from_file(_at_dead_time(spectrum, params.form), two_theta_deg), params.form)
    powder, degrees = load_material(params.powder), params.powder_temperature_c
    of_powder = from_file(_at_dead_time(saved, params.form), two_theta_deg)
    start = with_dead_time(of_powder, params.form)
    known = calibrate_with(saved, powder, None, degrees, params_of_fit, params.lines, start)
    file = str(saved.attrs.get("file", "the powder's spectrum"))
    kept = for_series(spectrum, known, file, two_theta_deg)
    return kept.assign_attrs(warnings=[*warnings_of(known), *warnings_of(kept)])


def _at_dead_time(spectrum: xr.Dataset, form: np.ndarray | None) -> xr.Dataset:
    """The spectrum with the energy scale that a given form has at its own dead time."""
    if form is None:
        return spectrum
    scale, _ = dead_time_factor(spectrum["live_time"].values, spectrum["real_time"].values)
    coefficients = DeadTimeScale.of(form).at(scale)
    return spectrum.drop_dims("order").assign(
        energy_coefficients=(("element", "order"), coefficients, {"units": "keV"})
    )


def with_dead_time(start: xr.Dataset, form: np.ndarray | None) -> xr.Dataset:
    """The same with an energy scale (10,) that moves with dead time, where one is given."""
    if form is None:
        return start
    return start.assign(dead_time_scale=(("coefficient",), form, {"units": "1"}))


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


def for_series(spectrum: xr.Dataset, kept: xr.Dataset, name: str, two_theta_deg: float | None = None) -> xr.Dataset:
    """A calibration made before, with the elements of this series that are dead marked as such.

    Where it has no angle (it was made from a source), the series' own or ``two_theta_deg`` stands in.
    """
    counts = np.asarray(spectrum["counts"].values, float)
    if kept.sizes["element"] != len(counts):
        raise BrokenFileError(
            name, f"it has {kept.sizes['element']} elements, the spectra have {len(counts)}", "give the right one"
        )
    if not np.isfinite(kept["two_theta"].values[kept["good"].values]).all():
        own = known_two_theta(np.asarray(spectrum["two_theta"].values, float), two_theta_deg, name)
        angles = np.where(np.isfinite(kept["two_theta"].values), kept["two_theta"].values, own)
        kept = kept.assign(two_theta=(("element",), angles, kept["two_theta"].attrs))
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
