"""Energy scale and angle of every element from lines that are known: a powder's, a source's, fluorescence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from operando.diffraction.as_filed import from_file
from operando.diffraction.corrections import corrected
from operando.diffraction.element import GERMANIUM_RESOLUTION, ElementFit, FitParameters, fit_spectrum, fwhm
from operando.diffraction.energy_scale import Position, Scale, guess, position, solve
from operando.diffraction.merge import measured
from operando.diffraction.phases import spacings
from operando.diffraction.sources import Known, known_lines
from operando.materials.structure import at_temperature
from operando.model.contract import warnings_of
from operando.model.material import Material
from operando.model.products.diffraction import CALIBRATION

_ALONE, _NEIGHBOUR = 2.2, 0.03
"""A powder's line is used for the energy scale if within so many FWHM no other has this share of its intensity."""

_WORTH, _BESIDE = 0.005, 1.5
"""A line of known energy is not used if so near, in FWHM, the powder has a line of this share of its strongest."""

_CLEAR = 15.0
"""Standard deviations of its area by which such a line stands out."""

_BENDS_KEV = 0.005
"""Scatter of the powder's lines about the energy scale that is worth a sentence."""


@dataclass(frozen=True)
class _Element:
    """What is found of one element: angle and scale, and the lines that they rest on."""

    two_theta: float
    two_theta_std: float
    coefficients: np.ndarray
    covariance: np.ndarray
    chi_squared: float
    lines: int
    note: str = ""
    bend_kev: float = 0.0


def calibrate_with(
    spectrum: xr.Dataset,
    powder: Material,
    two_theta_deg: float | None = None,
    temperature_c: float = 22.5,
    params: FitParameters | None = None,
    lines: Sequence[str] = (),
    start: xr.Dataset | None = None,
) -> xr.Dataset:
    """Calibration whose 2θ makes the powder's lattice come out as certified.

    ``lines`` names what else shines with known energies (``Pb``, ``Co57``, ``59.541``): then the energy scale of each
    element follows together with its angle. Without them the scale of the file, or of ``start``, is kept, and what
    the powder's lines scatter about it goes into the angle's standard deviation, since all of it may be one slope.
    ``two_theta_deg`` is the first guess where the file has none. An element that does not see the powder keeps its
    angle, is no longer good and says why.
    """
    known = at_temperature(powder, temperature_c)
    options = params or FitParameters(resolution_doubt=0.7)
    start = start if start is not None else from_file(spectrum, two_theta_deg)
    fits = {one.element: one for one in fit_spectrum(corrected(spectrum, start), start, (known,), options)}
    good, reason = start["good"].values.copy(), start["reason"].values.astype(object)
    resolution = start["resolution"].values.copy()
    counts = np.asarray(spectrum["counts"].values, float)
    found: dict[int, _Element] = {}
    for element in np.flatnonzero(good):
        one = fits.get(int(element))
        if one is None or not measured(one, 0, options):
            good[element], reason[element] = False, f"it does not see the lines of {powder.name}"
            continue
        coefficients = start["energy_coefficients"].values[element]
        found[int(element)] = _calibrated(counts[element], one, coefficients, powder.cell_relative_std, lines)
        resolution[element] = one.resolution()
    told = [*(f"element {element}: {one.note}" for element, one in found.items() if one.note), *_bends(found, lines)]
    attrs = {**start.attrs, "powder": powder.name, "temperature_c": temperature_c, "lines": list(lines)}
    made = _put_together(start, found, good, reason, resolution)
    doubt: dict[str, Any] = {
        "two_theta_covariance": _covariance(made["two_theta"], made["two_theta_std"], powder.cell_relative_std)
    }
    return CALIBRATION.new(attrs={**attrs, "warnings": [*warnings_of(start), *told]}, **made, **doubt)


def scale_from_lines(spectrum: xr.Dataset, lines: Sequence[str], start: xr.Dataset | None = None) -> xr.Dataset:
    """Calibration of the energy scale alone, from lines of known energy; angles stay as the file or ``start`` has them.

    Where the file has no scale, one is looked for that puts at least three lines onto peaks. Elements on which this
    fails are no longer good and say why. Raises ``ConfigurationError`` for names that mean no line.
    """
    start = start if start is not None else from_file(spectrum, None, needed=False)
    counts = np.asarray(spectrum["counts"].values, float)
    good, reason = start["good"].values.copy(), start["reason"].values.astype(object)
    found: dict[int, _Element] = {}
    for element in range(len(counts)):
        if counts[element].sum() == 0 or reason[element].startswith("dead"):
            continue
        scale, gained = _scale_alone(counts[element], start["energy_coefficients"].values[element], lines)
        good[element] = scale is not None
        reason[element] = "" if scale is not None else f"fewer than two lines of {', '.join(lines)} stand out in it"
        if scale is not None:
            found[element] = _of_scale(scale, gained, float(start["two_theta"].values[element]))
    attrs = {**{key: value for key, value in start.attrs.items() if key != "warnings"}, "lines": list(lines)}
    said = [f"element {e} is not used: {reason[e]}" for e in range(len(counts)) if not good[e]]
    made = _put_together(start, found, good, reason, start["resolution"].values)
    return CALIBRATION.new(attrs={**attrs, "warnings": said}, **made)


def _scale_alone(counts: np.ndarray, start: np.ndarray, names: Sequence[str]) -> tuple[Scale | None, int]:
    """Scale of one element and how many lines were found."""
    peaks = known_lines(names, _closeness())
    known = np.isfinite(start).all() and len(start) > 1 and start[1] > 0.0
    begin = np.resize(np.r_[start, 0.0, 0.0], 3) if known else guess(counts, peaks)
    if begin is None:
        return None, 0
    positions = _positions(counts, begin, peaks, GERMANIUM_RESOLUTION)
    return solve(positions, float(begin[1])), len(positions)


def _positions(
    counts: np.ndarray, coefficients: np.ndarray, peaks: Sequence[Known], resolution: tuple[float, float]
) -> list[Position]:
    found = [position(counts, one, coefficients, float(fwhm(resolution, one.middle))) for one in peaks]
    return [one for one in found if one is not None]


def _closeness(resolution: tuple[float, float] = GERMANIUM_RESOLUTION, energy: float = 50.0) -> float:
    return float(fwhm(resolution, energy))


def _calibrated(
    counts: np.ndarray, one: ElementFit, coefficients: np.ndarray, cell_doubt: float, lines: Sequence[str]
) -> _Element:
    """Angle, and with ``lines`` the energy scale, of one element that sees the powder."""
    own = _powder_positions(counts, one, coefficients)
    two_theta = _nominal_angle(one)
    if lines:
        peaks = known_lines(lines, _closeness(one.resolution()))
        others = _positions(counts, coefficients, _undisturbed(peaks, one), one.resolution())
        scale = solve([*own, *others], float(coefficients[1]), cell_doubt)
        if scale is not None and np.isfinite(scale.two_theta):
            return _of_scale(scale, len(own) + len(others), two_theta)
    bend = _bend(own, coefficients)
    angle = _corrected_angle(two_theta, one, np.hypot(cell_doubt, bend))
    note = f"no line of {', '.join(lines)} stands clearly out, so that its energy scale is kept" if lines else ""
    unknown = np.full((3, 3), np.nan)
    return _Element(*angle, coefficients, unknown, np.nan, len(own), note, bend * float(one.problem.energy.mean()))


def _bends(found: dict[int, _Element], lines: Sequence[str]) -> list[str]:
    """A sentence where the powder's lines do not lie on the energy scale."""
    worst = max((one.bend_kev for one in found.values()), default=0.0)
    if lines or worst < _BENDS_KEV:
        return []
    return [
        f"the powder's lines scatter by up to {1e3 * worst:.0f} eV about the energy scale, which makes most of the "
        "doubt of 2θ; name what else shines with known energies in that spectrum (lines, --lines) to have both"
    ]


def _nominal_angle(one: ElementFit) -> float:
    from operando.model.constants import HC_KEV_ANGSTROM

    return float(np.degrees(2.0 * np.arcsin(HC_KEV_ANGSTROM / 2.0 / one.problem.energy_times_d)))


def _powder_positions(counts: np.ndarray, one: ElementFit, coefficients: np.ndarray) -> list[Position]:
    """Where the powder's lines stand that are clear and alone."""
    pattern = one.patterns[0]
    energy = one.problem.energy_times_d / spacings(pattern, one.stretch(0)[0])
    areas, stds = one.areas(0)
    found = []
    for row in np.flatnonzero(areas > _CLEAR * stds):
        width = float(fwhm(one.resolution(), energy[row]))
        near = (np.abs(energy - energy[row]) < _ALONE * width) & (np.arange(len(energy)) != row)
        if pattern.intensity[near].sum() < _NEIGHBOUR * pattern.intensity[row]:
            known = Known(pattern.name, np.array([energy[row]]), np.ones(1))
            found.append(position(counts, known, coefficients, width, float(pattern.d[row])))
    return [one for one in found if one is not None]


def _undisturbed(peaks: Sequence[Known], one: ElementFit) -> list[Known]:
    """Peaks beside which the powder has no line worth mentioning: a blend would stand between the two."""
    pattern = one.patterns[0]
    energy = one.problem.energy_times_d / spacings(pattern, one.stretch(0)[0])
    strong = energy[pattern.intensity > _WORTH * pattern.intensity.max()]
    return [
        peak for peak in peaks if (np.abs(strong - peak.middle) > _BESIDE * fwhm(one.resolution(), peak.middle)).all()
    ]


def _bend(lines: Sequence[Position], coefficients: np.ndarray) -> float:
    """Relative scatter of a powder's E × d on an energy scale beyond counting: what the scale is off by from place to
    place, and so may be off by as a whole."""
    if len(lines) < 3:
        return 0.0
    energy = np.polynomial.polynomial.polyval([one.channel for one in lines], coefficients)
    products = energy * [one.spacing for one in lines]
    counting = np.array([one.std for one in lines]) * coefficients[1] / energy
    variance = float(np.var(products / products.mean(), ddof=1)) - float(np.mean(counting**2))
    return float(np.sqrt(max(variance, 0.0)))


def _of_scale(scale: Scale, lines: int, two_theta: float) -> _Element:
    angle = (scale.two_theta, scale.two_theta_std) if np.isfinite(scale.two_theta) else (two_theta, np.nan)
    left_out = lines - int(np.isfinite(scale.residual_kev).sum())
    note = f"{left_out} of {lines} lines do not go with the others and are left out" if left_out else ""
    return _Element(*angle, scale.coefficients, scale.covariance, scale.chi_squared, lines - left_out, note)


def _put_together(
    start: xr.Dataset,
    found: dict[int, _Element],
    good: np.ndarray,
    reason: np.ndarray,
    resolution: np.ndarray,
) -> dict[str, Any]:
    """Variables of a calibration: what was found of each element over what it started from."""
    two_theta, std = start["two_theta"].values.copy(), start["two_theta_std"].values.copy()
    elements = len(two_theta)
    coefficients, covariance = np.zeros((elements, 3)), np.full((elements, 3, 3), np.nan)
    before = start["energy_coefficients"].values[:, :3]
    coefficients[:, : before.shape[1]] = before
    chi_squared, lines = np.full(elements, np.nan), np.zeros(elements)
    for element, one in found.items():
        two_theta[element] = one.two_theta
        std[element] = one.two_theta_std if np.isfinite(one.two_theta_std) else std[element]
        coefficients[element, : len(one.coefficients)] = one.coefficients
        covariance[element] = one.covariance
        chi_squared[element], lines[element] = one.chi_squared, one.lines
    return {
        "energy_coefficients": coefficients,
        "energy_covariance": covariance,
        "two_theta": two_theta,
        "two_theta_std": std,
        "good": good,
        "resolution": resolution,
        "reason": reason.astype(str),
        "known_lines": lines,
        "chi_squared": chi_squared,
    }


def _covariance(two_theta_deg: np.ndarray, std: np.ndarray, cell_doubt: float) -> np.ndarray:
    """Covariance (elements, elements) in deg²: the doubt of the certified cell moves all elements alike."""
    shared = np.degrees(2.0 * np.tan(np.radians(two_theta_deg) / 2.0)) * cell_doubt
    covariance = np.outer(shared, shared)
    np.fill_diagonal(covariance, std**2)
    return np.where(np.isfinite(std)[:, None] & np.isfinite(std), covariance, np.nan)


def _corrected_angle(two_theta_deg: float, one: ElementFit, doubt: float) -> tuple[float, float]:
    """2θ in degrees and its standard deviation from one common stretch of all edges: sin θ grows by as much as the
    lattice seemed too large. ``doubt``: relative, of the certified cell and of the energy scale."""
    stretch, covariance = one.stretch(0)
    weight = np.linalg.inv(covariance)
    ones = np.ones(len(stretch))
    variance = 1.0 / float(ones @ weight @ ones)
    common = variance * float(ones @ weight @ stretch)
    misfit = max(1.0, float((stretch - common) @ weight @ (stretch - common)) / max(len(stretch) - 1, 1))
    theta = np.radians(two_theta_deg) / 2.0
    corrected_theta = np.arcsin(np.sin(theta) * (1.0 + common))
    std = np.tan(theta) * np.sqrt(variance * misfit + doubt**2)
    return float(np.degrees(2.0 * corrected_theta)), float(np.degrees(2.0 * std))
