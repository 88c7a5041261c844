"""Step ``calibrate``: energy scale, diffraction angle, good elements and resolution that the series shares."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import xarray as xr

from operando.diffraction.corrections import corrected, why_unusable
from operando.diffraction.element import GERMANIUM_RESOLUTION, FitParameters, fit_spectrum
from operando.diffraction.saved import load
from operando.diffraction.shielding import shielding
from operando.model.errors import BrokenFileError, ConfigurationError
from operando.model.material import Material
from operando.model.products.diffraction import CALIBRATION, Calibration
from operando.model.products.raw import Spectrum
from operando.model.step import First, Setting, step

_FIRST_GUESS_DOUBT = 0.7


@step(version=3)
def calibrate(
    spectrum: First[Spectrum],
    phases: Annotated[tuple[Material, ...] | None, Setting("diffraction.phases", resolve="material")],
    two_theta_deg: Annotated[float | None, Setting("diffraction.two_theta_deg")],
    saved: Annotated[str | None, Setting("diffraction.calibration", resolve="file")] = None,
    fitting: Annotated[Mapping[str, Any] | None, Setting("steps.fit")] = None,
) -> Calibration:
    """Take the file's energy scale and angle, find dead elements, resolution and shielding on the first spectrum.

    The file's 2θ goes first, ``two_theta_deg`` fills in; a ``saved`` calibration (JSON) replaces both.
    Raises ``ConfigurationError`` where neither is known.
    """
    if saved is not None:
        return from_saved(spectrum, Path(saved))
    start = from_file(spectrum, two_theta_deg)
    if not phases or not start["good"].values.any():
        return start
    return measured(spectrum, start, phases, FitParameters(**(fitting or {})))


def from_saved(spectrum: xr.Dataset, path: Path) -> xr.Dataset:
    """A saved calibration, with the elements of this series that are dead marked as such."""
    kept = load(path)
    counts = np.asarray(spectrum["counts"].values, float)
    if kept.sizes["element"] != len(counts):
        raise BrokenFileError(
            path, f"it has {kept.sizes['element']} elements, the spectra have {len(counts)}", "give the right one"
        )
    dead = np.array([why_unusable(one).startswith("dead") for one in counts])
    good = kept["good"].values & ~dead
    reason = np.where(dead, "dead, it has no counts", kept["reason"].values.astype(str))
    said = [f"{path.name}: element {e} is not used: {reason[e]}" for e in np.flatnonzero(~good)]
    return kept.assign(good=(("element",), good, kept["good"].attrs), reason=(("element",), reason)).assign_attrs(
        warnings=said
    )


def from_file(spectrum: xr.Dataset, two_theta_deg: float | None) -> xr.Dataset:
    """Calibration as the file has it, with the resolution of a common germanium detector."""
    file = str(spectrum.attrs.get("file", "spectrum"))
    counts = np.asarray(spectrum["counts"].values, float)
    coefficients = np.asarray(spectrum["energy_coefficients"].values, float)
    two_theta = known_two_theta(np.asarray(spectrum["two_theta"].values, float), two_theta_deg, file)
    reasons = [why_not(counts[e], coefficients[e], two_theta[e]) for e in range(len(counts))]
    attrs = {key: spectrum.attrs[key] for key in ("file",) if key in spectrum.attrs}
    if "ring_current" in spectrum and float(spectrum["ring_current"]) > 0.0:
        attrs["ring_current_ma"] = float(spectrum["ring_current"])
    return CALIBRATION.new(
        attrs={**attrs, "warnings": [f"{file}: element {e} is not used: {r}" for e, r in enumerate(reasons) if r]},
        energy_coefficients=coefficients,
        two_theta=two_theta,
        two_theta_std=np.full(len(counts), np.nan),
        good=np.array([not reason for reason in reasons]),
        resolution=np.tile(GERMANIUM_RESOLUTION, (len(counts), 1)),
        reason=np.array(reasons, dtype=str),
    )


def known_two_theta(in_file: np.ndarray, configured: float | None, file: str) -> np.ndarray:
    """Diffraction angle (elements,) in degrees: the file's, else the configured one."""
    if configured is not None and not 0.0 < configured < 180.0:
        raise ConfigurationError(f"two_theta_deg = {configured:g} is no diffraction angle; give degrees from 0 to 180.")
    usable = np.isfinite(in_file) & (in_file > 0.0) & (in_file < 180.0)
    if configured is None and not usable.any():
        raise ConfigurationError(f"{file}: it has no diffraction angle; add two_theta_deg = … to [diffraction].")
    return np.where(usable, in_file, np.nan if configured is None else configured)


def why_not(counts: np.ndarray, coefficients: np.ndarray, two_theta: float) -> str:
    """Reason why an element can't be used in the whole series, or nothing."""
    channel = np.arange(len(counts), dtype=float)
    slope = sum(order * c * channel ** (order - 1) for order, c in enumerate(coefficients) if order)
    if not np.isfinite(coefficients).all() or not np.all(np.asarray(slope) > 0.0):
        dead = why_unusable(counts)
        return dead if dead.startswith("dead") else "it has no energy scale that grows with the channel"
    return "" if np.isfinite(two_theta) else "it has no diffraction angle"


def measured(spectrum: xr.Dataset, start: xr.Dataset, phases: Sequence[Material], params: FitParameters) -> xr.Dataset:
    """The calibration with what a fit of the spectrum shows: resolution (rounded to be stable), shielding.

    Resolution is nearly free in this fit. ``attrs["fluorescence"]`` names elements beside the sample.
    """
    resolution = start["resolution"].values.copy()
    nearly_free = params.model_copy(update={"resolution_doubt": _FIRST_GUESS_DOUBT, "free_lines": False})
    fits = fit_spectrum(corrected(spectrum, start), start, phases, nearly_free)
    for one in fits:
        if one.fit.converged:
            resolution[one.element] = [float(f"{term:.3g}") for term in one.resolution()]
    found = start.assign(resolution=(("element", "term"), resolution, {"units": "keV"}))
    return found.assign_attrs(fluorescence=list(shielding(fits)))
