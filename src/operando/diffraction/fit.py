"""Step ``fit``: all lines of all named phases of one spectrum at once, with one lattice a phase."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import xarray as xr

from operando.diffraction.element import ElementFit, FitParameters, fit_spectrum
from operando.diffraction.merge import LineTable, Merged, free_line, line_spacings, measured, merge
from operando.diffraction.pawley import STRONG
from operando.diffraction.phases import Pattern
from operando.diffraction.problem import smooth_part
from operando.diffraction.rounding import significant, without_last_bits
from operando.diffraction.shapes import shapes
from operando.model.contract import warnings_of
from operando.model.material import Material
from operando.model.products.diffraction import (
    FITTED,
    LATTICE,
    LINES,
    Calibration,
    Corrected,
    Fitted,
    Lattice,
    Lines,
    Shapes,
)
from operando.model.step import Setting, step


@step(version=10)
def fit(
    corrected: Corrected,
    calibration: Calibration,
    phases: Annotated[tuple[Material, ...] | None, Setting("diffraction.phases", resolve="material")],
    params: FitParameters,
) -> tuple[Lines, Lattice, Fitted, Shapes]:
    """Fit every element of the spectrum with all phases together (Poisson likelihood, free areas, Pawley).

    Neighbouring lines of different phases share their counts as the lattices demand, so that more of one phase is
    not taken for strain of another. Each spectrum is fitted from the same start, independent of the others.
    Lines that no phase explains are fitted along and listed in the warnings.
    """
    materials = phases or ()
    fits = fit_spectrum(corrected, calibration, materials, params) if materials else []
    merged = [merge(fits, number, params) for number in range(len(materials))] if fits else []
    table = _table(corrected, fits, merged, materials, params)
    attrs: dict[str, object] = {key: corrected.attrs[key] for key in ("frame", "file") if key in corrected.attrs}
    attrs["false_alarm_rate"] = params.false_alarm_rate
    known_angles = bool(np.isfinite(calibration["two_theta_std"].values).any())
    notes = [*warnings_of(corrected), *_notes(corrected, fits, merged, materials, known_angles)]
    lines = _lines(
        table, {**attrs, "warnings": notes, "unindexed_kev": significant(np.array(unindexed(fits))).tolist()}
    )
    lattice = _lattice(fits, merged, materials, params, attrs, len(corrected["good"]))
    known = shapes(fits, len(corrected["good"]), lattice["there"].values, attrs)
    model = _fitted(corrected, fits, attrs)
    return without_last_bits(lines), without_last_bits(lattice), without_last_bits(model), without_last_bits(known)


def _table(
    corrected: xr.Dataset,
    fits: Sequence[ElementFit],
    merged: Sequence[Merged],
    materials: Sequence[Material],
    params: FitParameters,
) -> LineTable:
    table = LineTable([], [], [], [])
    scale = corrected["scale"].values * (float(corrected["current"]) if "current" in corrected else 1.0)
    for phase in range(len(merged)):
        _add_summed(table, fits, merged[phase], phase, scale, materials[phase].name)
        if len(fits) > 1:
            for one in fits:
                _add_element(table, one, phase, float(scale[one.element]), materials[phase].name, params)
    return table if len(fits) != 1 else _with_free(table, fits[0], merged, params)


def _add_summed(
    table: LineTable, fits: Sequence[ElementFit], together: Merged, phase: int, scale: np.ndarray, name: str
) -> None:
    """Lines of the phase summed over the elements; only those that every element's range holds are summed."""
    hkl = fits[0].patterns[phase].hkl
    d, d_std = line_spacings(fits[0], phase, together.stretch, together.covariance)
    area, variance = np.zeros(len(hkl)), np.zeros(len(hkl))
    for one in fits:
        areas, stds = (np.r_[values * scale[one.element], np.nan] for values in one.areas(phase))
        same = (one.patterns[phase].hkl[None] == hkl[:, None]).all(axis=2)
        row = np.where(same.any(axis=1), same.argmax(axis=1), -1)
        area, variance = area + areas[row], variance + stds[row] ** 2
    std = np.sqrt(variance)
    for row in fits[0].patterns[phase].reported:
        table.add(
            name, hkl[row], -1, (float(d[row]), float(d_std[row]), float(area[row]), float(std[row]), np.nan, np.nan)
        )


def _add_element(table: LineTable, one: ElementFit, phase: int, scale: float, name: str, params: FitParameters) -> None:
    pattern = one.patterns[phase]
    stretch, covariance = one.stretch(phase)
    d, d_std = line_spacings(one, phase, stretch, covariance)
    if not measured(one, phase, params):
        d, d_std = np.full_like(d, np.nan), np.full_like(d, np.nan)
    areas, stds = (values * scale for values in one.areas(phase))
    nothing = np.full_like(d, np.nan)
    free, free_std = free_line(one, phase) if params.free_lines else (nothing, nothing)
    for row in pattern.reported:
        hkl, values = pattern.hkl[row], (d[row], d_std[row], areas[row], stds[row], free[row], free_std[row])
        table.add(name, hkl, one.element, tuple(float(x) for x in values))  # type: ignore[arg-type]


def _with_free(table: LineTable, one: ElementFit, merged: Sequence[Merged], params: FitParameters) -> LineTable:
    """A detector of one element has one row a line, with the naive fit in it."""
    if not params.free_lines:
        return table
    rows = [one.patterns[phase].reported for phase in range(len(merged))]
    free = [[part[row] for part in free_line(one, phase)] for phase, row in enumerate(rows)]
    d_free = np.concatenate([part[0] for part in free])
    d_free_std = np.concatenate([part[1] for part in free])
    values = [(*row[:4], float(a), float(b)) for row, a, b in zip(table.values, d_free, d_free_std, strict=True)]
    return LineTable(table.phase, table.hkl, table.element, values)


def _lines(table: LineTable, attrs: dict[str, object]) -> xr.Dataset:
    values = np.array(table.values, float).reshape(-1, 6)
    hkl = np.array(table.hkl, int).reshape(-1, 3)
    return LINES.new(
        coords={
            "phase": ("line", np.array(table.phase, dtype=str), "text"),
            "h": ("line", hkl[:, 0]),
            "k": ("line", hkl[:, 1]),
            "l": ("line", hkl[:, 2]),
            "element": ("line", np.array(table.element, int)),
        },
        attrs=attrs,
        **dict(zip(("d", "d_std", "area", "area_std", "d_free", "d_free_std"), values.T, strict=True)),
    )


def _lattice(
    fits: Sequence[ElementFit],
    merged: Sequence[Merged],
    materials: Sequence[Material],
    params: FitParameters,
    attrs: dict[str, object],
    elements: int,
) -> xr.Dataset:
    cell, cell_std = np.full((2, len(materials), 3), np.nan)
    by_element, by_element_std = np.full((2, elements, len(materials), 3), np.nan)
    presence, deviance = np.zeros(len(materials)), np.nan
    correlation = np.full((len(materials), 3, 3), np.nan)
    for phase, together in enumerate(merged):
        pattern = fits[0].patterns[phase]
        cell[phase], cell_std[phase] = _edges(pattern, together.stretch, together.covariance)
        correlation[phase] = _correlation(pattern, together.covariance)
        presence[phase] = together.gain / together.groups
        for one in fits:
            if measured(one, phase, params):
                pair = _edges(pattern, *one.stretch(phase))
                by_element[one.element, phase], by_element_std[one.element, phase] = pair
    if fits:
        deviance = sum(one.fit.deviance for one in fits) / sum(one.fit.freedom for one in fits)
    return LATTICE.new(
        coords={
            "phase": ("phase", np.array([one.name for one in materials], dtype=str), "text"),
            "edge": ("edge", np.array(["a", "b", "c"]), "text"),
        },
        attrs=attrs,
        cell=cell,
        cell_std=cell_std,
        cell_element=by_element,
        cell_element_std=by_element_std,
        presence=presence,
        there=np.array([one.there for one in merged] or [False] * len(materials)),
        cell_correlation=correlation,
        **_widths(fits, len(materials)),
        deviance=np.float64(deviance),
    )


def _fitted(corrected: xr.Dataset, fits: Sequence[ElementFit], attrs: dict[str, object]) -> xr.Dataset:
    model, smooth = np.full((2, *corrected["counts"].shape), np.nan)
    for one in fits:
        used = np.isin(corrected["energy"].values[one.element], one.problem.energy)
        model[one.element, used] = one.fit.model
        smooth[one.element, used] = smooth_part(one.problem, one.fit.state)
    return FITTED.new(attrs={key: attrs[key] for key in ("frame", "file") if key in attrs}, model=model, smooth=smooth)


def _edges(pattern: Pattern, stretch: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    edges = list(pattern.edges)
    nominal = np.array(pattern.cell)
    return nominal * (1.0 + stretch[edges]), nominal * np.sqrt(np.diag(covariance))[edges]


def _correlation(pattern: Pattern, covariance: np.ndarray) -> np.ndarray:
    std = np.sqrt(np.diag(covariance))
    edges = list(pattern.edges)
    return np.asarray((covariance / np.outer(std, std))[np.ix_(edges, edges)])


def _widths(fits: Sequence[ElementFit], phases: int) -> dict[str, np.ndarray]:
    """Broadening of each phase, shift of the fluorescence and pile-up, weighted means over the elements."""
    means = [_mean([one.broadening(phase) for one in fits]) for phase in range(phases)]
    shift, shift_std = _mean([one.fluorescence_shift() for one in fits])
    piled, piled_std = _mean([one.pile_up() for one in fits])
    broadening = np.array(means, float).reshape(-1, 2)
    return {
        "broadening": broadening[:, 0],
        "broadening_std": broadening[:, 1],
        "pile_up": np.asarray(piled),
        "pile_up_std": np.asarray(piled_std),
        "fluorescence_shift": np.asarray(shift),
        "fluorescence_shift_std": np.asarray(shift_std),
    }


def _mean(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    known = np.array([pair for pair in pairs if np.isfinite(pair).all()], float).reshape(-1, 2)
    if not len(known):
        return float("nan"), float("nan")
    weights = known[:, 1] ** -2.0
    return float(weights @ known[:, 0] / weights.sum()), float(weights.sum() ** -0.5)


def _widest_strong(pattern: Pattern, spread: float) -> str:
    row = int(np.flatnonzero(pattern.intensity >= STRONG * pattern.intensity.max())[0])
    indices = "".join(str(index) for index in pattern.hkl[row])
    return f"d({indices}) of {pattern.name} differs by up to {spread * pattern.d[row]:.4f} Å"


def unindexed(fits: Sequence[ElementFit]) -> list[float]:
    """Energies in keV of clear lines that no phase explains, seen by most elements; rounded to 10 eV."""
    seen: list[float] = []
    for one in fits:
        energy, area, std = one.unindexed()
        seen.extend(energy[area > 8.0 * std].tolist())
    return _common(sorted(seen), len(fits))


def _common(energies: list[float], elements: int) -> list[float]:
    groups: list[list[float]] = []
    for energy in energies:
        if groups and energy - groups[-1][-1] < 0.2:
            groups[-1].append(energy)
        else:
            groups.append([energy])
    return [round(float(np.mean(group)), 2) for group in groups if 2 * len(group) > elements]


def _notes(
    corrected: xr.Dataset,
    fits: Sequence[ElementFit],
    merged: Sequence[Merged],
    materials: Sequence[Material],
    known_angles: bool,
) -> list[str]:
    file = str(corrected.attrs.get("file", "spectrum"))
    if not fits:
        return [f"{file}: no detector element can be used, so nothing is fitted"] if materials else []
    why = "a 2θ calibration would bring them together"
    if known_angles:
        why = "their 2θ is calibrated, so that strain that depends on azimuth or an energy scale that moved is left"
    notes = [
        f"{file}: {_widest_strong(fits[0].patterns[n], one.spread)} between the elements; {why}"
        for n, one in enumerate(merged)
        if one.there and len(fits) > 1
    ]
    failed = [str(one.element) for one in fits if not one.fit.converged]
    if failed:
        notes.append(
            f"{file}: the fit of element {', '.join(failed)} did not converge; its intervals are not to be trusted"
        )
    lost = unindexed(fits)
    if lost:
        notes.append(f"{file}: no phase explains the lines at {', '.join(f'{energy:.2f}' for energy in lost)} keV")
    share = float(np.median([_unexplained_share(one) for one in fits]))
    if share > 0.5:
        notes.append(
            f"{file}: {100 * share:.0f} % of what stands out belongs to no phase; "
            "check two_theta_deg, the energy scale and phases before any lattice is trusted"
        )
    return notes


def _unexplained_share(one: ElementFit) -> float:
    """Share of all line areas that lines without a phase have taken."""
    foreign = float(one.unindexed()[1].sum())
    areas = [one.areas(phase)[0] for phase in range(len(one.patterns)) if one.place_of[phase] >= 0]
    return foreign / max(foreign + float(sum(np.nansum(part) for part in areas)), 1.0)
