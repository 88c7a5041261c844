"""Step ``response``: what makes lines at different energies comparable, and the shares of the phases that follow."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from operando.diffraction.comparable import Comparable, assumptions, comparable, doubts
from operando.diffraction.geometry import energy_times_d
from operando.diffraction.intensities import Explained, shares
from operando.diffraction.known_response import ResponseParameters
from operando.diffraction.rounding import without_last_bits
from operando.diffraction.strengths import Measured, measured
from operando.model.material import Material, Reaction
from operando.model.products.diffraction import (
    PHASE_SHARES,
    RESPONSE,
    Calibration,
    Lines,
    PhaseShares,
    Response,
)
from operando.model.step import Series, Setting, step

_POINTS = 60
"""Energies at which the response is given."""

_NOTHING_GIVEN = ResponseParameters()


@step(version=2)
def response(
    lines: Series[Lines],
    calibration: Calibration,
    phases: Annotated[tuple[Material, ...] | None, Setting("diffraction.phases", resolve="material")],
    reactions: Annotated[tuple[Reaction, ...], Setting("cell.anode", resolve="reactions")] = (),
    params: ResponseParameters = _NOTHING_GIVEN,
) -> tuple[Response, PhaseShares]:
    """Find flux × absorption × efficiency from what is given and from the lines, and the phases' shares of the volume.

    Lines of phases with known atoms that lie together share one response: what is given of beam, absorption and
    detector, times a smooth factor (ln E, E⁻³, E) that the lines' own intensities tell where something is missing.
    Texture shows as scatter about it and widens the intervals. Phases together are those of the anode's reactions, or
    all if there are none, but for those that are ``apart``.
    """
    materials = tuple(phases or ())
    good = calibration["good"].values.astype(bool)
    product = float(energy_times_d(float(np.mean(calibration["two_theta"].values[good])))) if good.any() else np.nan
    found = [measured(lines, one, product) for one in materials]
    chosen = _together(found, reactions, params)
    table = comparable([found[n] for n in chosen], materials, params) if chosen else None
    fit, notes = _fitted(table)
    frames = np.array([int(one.attrs["frame"]) for one in lines], int)
    attrs: dict[str, list[str]] = {"warnings": notes, "assumptions": assumptions(table, fit)}
    density = np.array([one.density_g_per_cm3 for one in materials])
    return (
        without_last_bits(_response(table, fit, attrs)),
        without_last_bits(_shares(frames, found, chosen, density, fit, {"assumptions": attrs["assumptions"]})),
    )


def _together(found: Sequence[Measured], reactions: Sequence[Reaction], params: ResponseParameters) -> list[int]:
    """Numbers of the phases with known atoms that lie together."""
    reacting = {name for one in reactions for name, _ in (*one.reactants, *one.products)}
    known = [
        n
        for n, one in enumerate(found)
        if one.name not in params.apart and np.isfinite(one.strength * one.series.areas).any()
    ]
    return [n for n in known if found[n].name in reacting] or known


def _fitted(table: Comparable | None) -> tuple[Explained | None, list[str]]:
    """The fit, and sentences on what does not go with it."""
    if table is None:
        return None, []
    try:
        fit = table.explained(table.design(table.terms))
    except ValueError as error:
        return None, [f"the lines' intensities can't be compared: {error}"]
    return fit, doubts(table)


def _response(table: Comparable | None, fit: Explained | None, attrs: dict[str, list[str]]) -> xr.Dataset:
    phases = () if table is None else table.phases
    hkl = np.concatenate([np.zeros((0, 3), int), *(one.hkl for one in phases)])
    energy, used = (np.zeros(0), np.zeros(0, bool)) if table is None else (table.energy, table.used)
    grid, curves = _curves(table, fit)
    observed = _observed(table, fit)
    return RESPONSE.new(
        coords={
            "energy": ("energy", grid, "keV"),
            "phase": ("line", np.array([one.name for one in phases for _ in one.energy], dtype=str), "text"),
            **{index: ("line", hkl[:, n]) for n, index in enumerate("hkl")},
            "line_energy": ("line", energy, "keV"),
        },
        attrs=dict(attrs),
        **dict(zip(("relative", "relative_low", "relative_high", "given"), curves, strict=True)),
        observed=observed[0],
        observed_std=observed[1],
        used=used,
        scatter=np.float64(np.nan if fit is None else fit.scatter),
    )


def _curves(table: Comparable | None, fit: Explained | None) -> tuple[np.ndarray, np.ndarray]:
    """Energies, and the response with its bounds and what is given of it (4, energies)."""
    if table is None or fit is None:
        return np.zeros(0), np.zeros((4, 0))
    grid = np.geomspace(*table.limits, _POINTS)
    count = len(table.phases)
    terms, given = table.smooth(grid, len(fit.coefficients) - count), table.given(grid)
    value = given + terms @ fit.coefficients[count:]
    variance = np.einsum("gi,ij,gj->g", terms, fit.covariance[count:, count:], terms)
    half = stdtrit(fit.freedom, 0.975) * np.sqrt(variance)
    return grid, np.exp([value, value - half, value + half, given])


def _observed(table: Comparable | None, fit: Explained | None) -> tuple[np.ndarray, np.ndarray]:
    """Areas and their deviations (lines,) over the phase's volume and what the atoms give."""
    if table is None or fit is None:
        nothing = np.full(0 if table is None else len(table.energy), np.nan)
        return nothing, nothing
    unit = table.strength * np.exp(fit.coefficients[table.owner])
    return table.areas / unit, table.stds / unit


def _shares(
    frames: np.ndarray,
    found: Sequence[Measured],
    chosen: Sequence[int],
    density: np.ndarray,
    fit: Explained | None,
    attrs: dict[str, list[str]],
) -> xr.Dataset:
    amount, amount_std, chi_squared = (
        np.array([getattr(one.series, name) for one in found]).reshape(-1, len(frames)).T
        for name in ("amounts", "amount_stds", "chi_squared")
    )
    amount_std = amount_std * np.sqrt(np.maximum(chi_squared, 1.0))
    by_volume, by_mass = np.full((2, 3, len(frames), len(found)), np.nan)
    if fit is not None and len(chosen) > 1:
        count, part = len(chosen), np.s_[:, list(chosen)]
        covariance = fit.covariance[:count, :count]
        for out, weight in ((by_volume, np.ones(count)), (by_mass, density[list(chosen)])):
            size = np.exp(fit.coefficients[:count]) * weight
            drawn = shares(amount[part] * size, amount_std[part] * size, covariance, fit.freedom)
            for row, values in enumerate(drawn):
                out[row][part] = values
    names = np.array([one.name for one in found], dtype=str)
    ends = ("", "_low", "_high")
    return PHASE_SHARES.new(
        coords={"spectrum": frames, "phase": ("phase", names, "text")},
        attrs=dict(attrs),
        **{f"volume_share{end}": values for end, values in zip(ends, by_volume, strict=True)},
        **{f"mass_share{end}": values for end, values in zip(ends, by_mass, strict=True)},
        amount=amount,
        amount_std=amount_std,
        chi_squared=chi_squared,
    )
