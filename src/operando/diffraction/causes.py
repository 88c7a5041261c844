"""Step ``causes``: for every apparent shift of a line, what may have made it and what can't have."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import xarray as xr
from pydantic import Field

from operando.diffraction.comparison import summed
from operando.diffraction.element import FitParameters
from operando.diffraction.newcomers import appeared, new_lines, with_newcomers
from operando.diffraction.pristine import place_of_reference
from operando.diffraction.rounding import rounded, significant
from operando.diffraction.verdict import Verdict, judge, weigh
from operando.model.constants import NORMAL_95
from operando.model.material import Material
from operando.model.parameters import Parameters
from operando.model.products.diffraction import CAUSES, Calibration, Causes, Corrected, Lattice
from operando.model.step import Series, Setting, step


class CausesParameters(Parameters):
    """How states of the cell are compared."""

    window: int = Field(0, ge=0, le=100, description="spectra summed for each state; 0: a tenth of the series, 1 to 5")
    candidates: bool = Field(True, description="also test known phases of the same host that are not named")


@step(version=5)
def causes(
    spectra: Series[Corrected],
    lattices: Series[Lattice],
    calibration: Calibration,
    phases: Annotated[tuple[Material, ...] | None, Setting("diffraction.phases", resolve="material")],
    reference: Annotated[str | None, Setting("diffraction.reference")],
    pressed_mpa: Annotated[float | None, Setting("cell.pressing_pressure_mpa")],
    params: CausesParameters,
    fitting: Annotated[Mapping[str, Any] | None, Setting("steps.fit")] = None,
) -> Causes:
    """Compare the reference state with the last and with the most different one by joint fits of all lines.

    Causes that the data can't separate stay together in the verdict; "cannot tell" is an answer. ``fitting``: the
    parameters of the step ``fit``, so that both fit alike.
    """
    fit_params = FitParameters(**(fitting or {}))
    materials = phases or ()
    verdicts: list[tuple[Verdict, int, int]] = []
    if len(spectra) >= 2 and materials:
        width = params.window or min(5, max(1, len(spectra) // 10))
        first = place_of_reference(spectra, reference)
        for last in _compared(spectra, lattices, first, width):
            states = [summed(spectra[place : place + width]) for place in (first, last)]
            found = _between(states, calibration, materials, pressed_mpa, fit_params, params.candidates)
            frames = [int(spectra[place].attrs["frame"]) for place in (first, last)]
            verdicts += [(one, frames[0], frames[1]) for one in found]
    return CAUSES.new(
        shift=significant(np.array([one.shift.value for one, _, _ in verdicts], float)),
        shift_std=significant(np.array([one.shift.high - one.shift.low for one, _, _ in verdicts]) / 2 / NORMAL_95),
        verdict=np.array([json.dumps(_entry(*one), ensure_ascii=False) for one in verdicts], dtype=object).astype(str),
    )


def _compared(spectra: Sequence[xr.Dataset], lattices: Sequence[xr.Dataset], first: int, width: int) -> list[int]:
    """Starts of the windows that are compared with the reference: the last, and the most different of each phase."""
    starts = len(spectra) - width
    chosen = {max(starts, 0)}
    by_frame = {one.attrs["frame"]: one for one in lattices}
    count = lattices[0].sizes["phase"] if lattices else 0
    edges = np.array([_edges(by_frame.get(one.attrs["frame"]), count) for one in spectra])
    for column in range(edges.shape[1]):
        value, std = edges[:, column, 0], edges[:, column, 1]
        significance = np.abs(value - value[first]) / np.hypot(std, std[first])
        known = np.where(np.isfinite(significance), significance, 0.0)
        smooth = np.convolve(known, np.ones(width) / width, mode="valid")
        most = int(np.argmax(smooth))
        if smooth[most] > 5.0 and smooth[most] > 1.5 * smooth[-1]:
            chosen.add(most)
    return sorted(one for one in chosen if one != first)


def _edges(lattice: xr.Dataset | None, count: int) -> np.ndarray:
    if lattice is None:
        return np.full((count, 2), np.nan)
    return np.stack([lattice["cell"].values[:, 0], lattice["cell_std"].values[:, 0]], axis=1)


def _between(
    states: Sequence[xr.Dataset],
    calibration: xr.Dataset,
    materials: Sequence[Material],
    pressed_mpa: float | None,
    params: FitParameters,
    candidates: bool,
) -> list[Verdict]:
    before, after = states
    comparison, unnamed = with_newcomers(before, after, calibration, materials, params, candidates)
    if not comparison.before:
        return []
    new = tuple(dict.fromkeys((*appeared(comparison), *unnamed)))
    evidence = weigh(comparison, new, new_lines(comparison), pressed_mpa)
    verdicts = [judge(evidence, phase) for phase in range(len(materials))]
    return [one for one in verdicts if one is not None]


def _entry(verdict: Verdict, first: int, last: int) -> dict[str, object]:
    """The object of summary.json."""
    return {
        "phase": verdict.phase,
        "from": first,
        "to": last,
        "shift": rounded(verdict.shift).as_json(),
        "lattice_shift": rounded(verdict.lattice_shift).as_json(),
        "remaining": list(verdict.remaining),
        "excluded": list(verdict.excluded),
        "text": verdict.text,
    }
