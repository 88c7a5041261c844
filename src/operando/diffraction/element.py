"""Everything the spectra of one exposure say together: each detector element fitted, phases placed in all at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import xarray as xr
from pydantic import Field

from operando.diffraction.background import pile_up
from operando.diffraction.extra import Rule, fit_along
from operando.diffraction.fluorescence import elements_of, in_range
from operando.diffraction.geometry import energy_times_d
from operando.diffraction.locate import locate
from operando.diffraction.observed import observed
from operando.diffraction.pawley import Fit, solve
from operando.diffraction.phases import Pattern, pattern, spacings, tie_unresolved
from operando.diffraction.presence import keep_present, residual_areas
from operando.diffraction.problem import Priors, Problem, State, build, shares
from operando.model.errors import ConfigurationError
from operando.model.material import Material
from operando.model.parameters import Parameters

GERMANIUM_RESOLUTION = (0.25, 5.545 * 0.11 * 0.00296)
"""FWHM² = r0² + r1 E of a common germanium detector: electronic noise, and 5.545 × Fano factor × pair energy (keV)."""


_FLUORESCENCE_DOUBT = 2e-3
"""Relative standard deviation of fluorescence lines about the calibrated energy scale."""


class FitParameters(Parameters):
    """How spectra are fitted."""

    energy_min_kev: float = Field(18.0, ge=1.0, le=200.0, description="lowest energy that is fitted, keV")
    energy_max_kev: float = Field(120.0, ge=5.0, le=400.0, description="highest energy that is fitted, keV")
    knot_spacing_kev: float = Field(6.0, ge=0.5, le=50.0, description="spacing of the background's knots, keV")
    search_reach: float = Field(
        0.02, ge=0.0, le=0.1, description="relative range of lattices searched about the catalogue's"
    )
    search_doubt: float = Field(
        0.008, gt=0.0, le=0.1, description="relative standard deviation expected of the catalogue's lattices"
    )
    lattice_doubt: float = Field(
        2.5e-3, gt=0.0, le=0.05, description="relative standard deviation of an edge about where its phase was found"
    )
    resolution_doubt: float = Field(0.3, gt=0.0, le=2.0, description="relative standard deviation of the line widths")
    weakest_line: float = Field(
        0.002, ge=0.0, le=1.0, description="lines below this share of the strongest are left out"
    )
    most_lines: int = Field(100, ge=1, le=2000, description="lines of a phase at most, the strongest (or widest) ones")
    unindexed_significance: float = Field(
        5.0, ge=3.0, description="standard deviations a peak that no phase explains must stand out to be fitted along"
    )
    most_unindexed: int = Field(25, ge=0, le=200, description="unexplained peaks fitted along at most")
    fluorescence: tuple[str, ...] = Field(
        (), description="elements that fluoresce, besides those of the phases and of the shielding that is found"
    )
    dead_time_shift_kev: float = Field(
        0.5,
        ge=0.0,
        le=20.0,
        description="standard deviation of the energy scale's shift, keV at 100 % dead time; found from the lines",
    )
    false_alarm_rate: float = Field(1e-3, gt=0.0, lt=0.5, description="chance that an absent phase is reported")
    free_lines: bool = Field(True, description="also fit each line alone, to show what a naive analysis would say")


@dataclass(frozen=True)
class ElementFit:
    """The fit of one detector element.

    ``patterns``: the lines of the named phases; ``place_of``: where each stands in the problem, -1 where it was
    dropped as absent; ``evidence``: log-likelihood that each gains over its absence; ``found``: where each was looked
    for, relative stretch of its free edges.
    """

    element: int
    problem: Problem
    fit: Fit
    patterns: tuple[Pattern, ...]
    place_of: tuple[int, ...]
    evidence: tuple[float, ...]
    found: tuple[np.ndarray, ...]
    dead_share: float = 0.0
    """Share of the real time that the electronics could not count."""

    def groups(self, phase: int) -> int:
        """Number of free areas of a phase."""
        return int(self.patterns[phase].group.max()) + 1

    def areas(self, phase: int) -> tuple[np.ndarray, np.ndarray]:
        """Areas (lines,) of a phase and their standard deviations, as counted."""
        pattern, at = self.patterns[phase], self.place_of[phase]
        if at < 0:
            energies = self.problem.energy_times_d / spacings(pattern, self.found[phase])
            return residual_areas(self.problem, self.fit, energies)
        part = self.problem.layout.area_slices[at]
        std = np.sqrt(np.diag(self.fit.covariance)[part])
        share = shares(pattern)
        return self.fit.state.areas[part][pattern.group] * share, std[pattern.group] * share

    def stretch(self, phase: int) -> tuple[np.ndarray, np.ndarray]:
        """Relative stretch of the phase's free edges and its covariance; NaN where the phase was dropped."""
        edges = self.patterns[phase].free_edges
        if self.place_of[phase] < 0:
            return np.full(edges, np.nan), np.full((edges, edges), np.nan)
        columns = self.problem.layout.edge_slices[self.place_of[phase]]
        part = slice(columns.start + self.problem.linear, columns.stop + self.problem.linear)
        return self.fit.state.shapes[columns], self.fit.covariance[part, part]

    def resolution(self) -> tuple[float, float]:
        """FWHM² = r0² + r1 E as fitted."""
        edges = self.problem.layout.edges
        terms = self.fit.state.shapes[edges : edges + 2]
        r0, r1 = self.problem.resolution
        return float(r0 * np.exp(terms[0] / 2.0)), float(r1 * np.exp(terms[1]))

    def broadening(self, phase: int) -> tuple[float, float]:
        """Relative FWHM squared of a phase's lines beyond the detector's, and its standard deviation."""
        if self.place_of[phase] < 0:
            return float("nan"), float("nan")
        at = self.problem.layout.edges + 2 + self.place_of[phase]
        unit = self.problem.priors.broadening**2
        std = float(np.sqrt(self.fit.covariance[self.problem.linear + at, self.problem.linear + at]))
        return float(self.fit.state.shapes[at]) * unit, std * unit

    def fluorescence_shift(self) -> tuple[float, float]:
        """Relative shift of the fluorescence lines against the energy scale, standard deviation; NaN if none."""
        std = float(np.sqrt(self.fit.covariance[-1, -1]))
        doubt = self.problem.priors.fluorescence
        if doubt == 0.0 or not std < 0.5 * doubt:
            return float("nan"), float("nan")
        return float(self.fit.state.shapes[-1]), std

    def pile_up(self) -> tuple[float, float]:
        """Share of the pulses that came in pairs and were counted at the sum of their energies, standard deviation."""
        at = self.problem.linear - 1
        return float(self.fit.state.smooth[-1]), float(np.sqrt(self.fit.covariance[at, at]))

    def offset(self) -> tuple[float, float]:
        """Shift of the energy scale in keV and its standard deviation; NaN where it was held."""
        if not self.problem.priors.offset:
            return float("nan"), float("nan")
        return float(self.fit.state.shapes[-2]), float(np.sqrt(self.fit.covariance[-2, -2]))

    def unindexed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Energy (keV), area and its standard deviation of each line that no phase explains."""
        rows = []
        for at in range(len(self.problem.patterns)):
            if self.problem.patterns[at].name == "":
                area = self.problem.layout.area_slices[at].start
                stretch = self.fit.state.shapes[self.problem.layout.edge_slices[at]][0]
                energy = self.problem.energy_times_d / (self.problem.patterns[at].d[0] * (1.0 + stretch))
                rows.append((energy, self.fit.state.areas[area], np.sqrt(self.fit.covariance[area, area])))
        table = np.array(rows, float).reshape(-1, 3)
        return table[:, 0], table[:, 1], table[:, 2]


def fit_spectrum(
    corrected: xr.Dataset, calibration: xr.Dataset, materials: Sequence[Material], params: FitParameters
) -> list[ElementFit]:
    """Fit all good elements of one spectrum; empty where none is good.

    Raises ``ConfigurationError`` for materials without lines in the fitted range.
    """
    elements = np.flatnonzero(corrected["good"].values)
    problems = [_problem(corrected, calibration, int(element), materials, params) for element in elements]
    if not problems:
        return []
    located = locate(problems, params.search_reach, params.search_doubt)
    return [
        replace(
            _fit_element(int(element), problem, state, params),
            dead_share=max(0.0, 1.0 - 1.0 / float(corrected["scale"].values[element])),
        )
        for element, (problem, state) in zip(elements, located, strict=True)
    ]


def _fit_element(element: int, problem: Problem, state: State, params: FitParameters) -> ElementFit:
    named, found = problem.patterns, tuple(problem.expected[part] for part in problem.layout.edge_slices)
    rule = Rule(params.unindexed_significance, params.most_unindexed)
    problem, fit = fit_along(problem, state, rule)
    trials = search_trials(problem, params.search_reach)
    problem, fit, place_of, evidence = keep_present(problem, fit, len(named), params.false_alarm_rate, trials, rule)
    fit = observed(problem, solve(problem, fit.state))
    return ElementFit(element, problem, fit, named, tuple(place_of), tuple(evidence), found)


def search_trials(problem: Problem, reach: float) -> float:
    """Independent places that the search for a lattice tried: its range over the width of a line."""
    middle = float(problem.energy.mean())
    return max(1.0, 2.0 * reach * middle / float(fwhm(problem.resolution, middle)))


def _fluorescing(materials: Sequence[Material], calibration: xr.Dataset, params: FitParameters) -> tuple[str, ...]:
    found = calibration.attrs.get("fluorescence", ())
    return tuple(sorted({*elements_of(materials), *params.fluorescence, *found}))


def _problem(
    corrected: xr.Dataset,
    calibration: xr.Dataset,
    element: int,
    materials: Sequence[Material],
    params: FitParameters,
) -> Problem:
    energy = corrected["energy"].values[element]
    used = (energy >= params.energy_min_kev) & (energy <= params.energy_max_kev)
    if used.sum() < 50:
        raise ConfigurationError(
            f"{corrected.attrs.get('file', 'spectrum')}: element {element} has {int(used.sum())} channels between "
            f"{params.energy_min_kev:g} and {params.energy_max_kev:g} keV; fit other energies "
            "(energy_min_kev and energy_max_kev of [steps.fit], or --energy)."
        )
    product = float(energy_times_d(float(calibration["two_theta"].values[element])))
    resolution = tuple(float(term) for term in calibration["resolution"].values[element])
    low, high = float(energy[used][0]), float(energy[used][-1])
    escape = corrected["escape"] if "escape" in corrected else 0.0 * corrected["background"]
    fluorescence = in_range(_fluorescing(materials, calibration, params), low, high)[:3]
    return build(
        counts=corrected["counts"].values[element][used],
        energy=energy[used],
        background=(corrected["background"] - escape).values[element][used],
        escape=escape.values[element][used],
        piled=pile_up(corrected["counts"].values[element], energy)[used],
        patterns=[_pattern(one, product, (low, high), resolution, params) for one in materials],
        energy_times_d=product,
        resolution=(resolution[0], resolution[1]),
        fluorescence=fluorescence,
        priors=Priors(
            lattice=params.lattice_doubt,
            resolution=params.resolution_doubt,
            offset=_offset_doubt(float(corrected["scale"].values[element]), params) if len(fluorescence[0]) else 0.0,
            fluorescence=_FLUORESCENCE_DOUBT if len(fluorescence[0]) else 0.0,
        ),
        knot_spacing_kev=params.knot_spacing_kev,
    )


def _offset_doubt(scale: float, params: FitParameters) -> float:
    """How far the energy scale may have shifted, keV; only a fluorescence line can tell it from lattices."""
    return params.dead_time_shift_kev * max(0.0, 1.0 - 1.0 / scale)


@lru_cache(maxsize=256)
def _pattern(
    material: Material,
    product: float,
    window: tuple[float, float],
    resolution: tuple[float, ...],
    params: FitParameters,
) -> Pattern:
    margin = 1.0 + params.search_reach
    free = pattern(
        material, product / window[1] * margin, product / window[0] / margin, params.weakest_line, params.most_lines
    )
    energy = product / free.d
    return tie_unresolved(free, 0.4 * np.sqrt(resolution[0] ** 2 + resolution[1] * energy) / energy)


def fwhm(resolution: tuple[float, float], energy: np.ndarray | float) -> np.ndarray:
    """Full width at half maximum in keV of the detector at an energy in keV."""
    return np.sqrt(resolution[0] ** 2 + resolution[1] * np.asarray(energy, float))
