"""What made the lines move: one thing is staged, and the verdict must keep it and drop what it can."""

import json
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from made import Phase, draw

from operando.diffraction.calibrate import calibrate
from operando.diffraction.causes import CausesParameters, causes
from operando.diffraction.correct import correct
from operando.diffraction.element import FitParameters
from operando.diffraction.explain import Shifts, explain, surviving
from operando.diffraction.fit import fit
from operando.diffraction.identify import identify
from operando.materials.catalogue import load
from operando.model.errors import ConfigurationError

MATERIALS = (load("In"), load("InLi"))
INDIUM_FLUORESCENCE = {24.21: 4000.0, 24.0: 2100.0, 27.276: 900.0}
CALM = CausesParameters(window=2, candidates=False)


def state(indium: float = 3000.0, alloy: float = 4000.0, strains: tuple[float, float] = (0.0, 0.0)) -> list[Phase]:
    """In and InLi with their amounts and isotropic strains."""
    return [Phase("In", indium, (strains[0],) * 3), Phase("InLi", alloy, (strains[1],) * 3)]


def verdicts(before: Callable[[int], xr.Dataset], after: Callable[[int], xr.Dataset]) -> dict[str, dict]:
    """Two spectra of each state through the whole wing; the entries by phase."""
    spectra = [before(0), before(1), after(2), after(3)]
    shared = calibrate(spectra[0], MATERIALS, None)
    corrected = [correct(one, shared) for one in spectra]
    lattices = [fit(one, shared, MATERIALS, FitParameters(free_lines=False))[1] for one in corrected]
    found = causes(corrected, lattices, shared, MATERIALS, "first", 370.0, CALM)
    entries = [json.loads(text) for text in found["verdict"].values]
    for entry in entries:
        assert (entry["from"], entry["to"]) == (0, 2)
        assert not set(entry["remaining"]) & set(entry["excluded"])
    return {entry["phase"]: entry for entry in entries}


def made(phases: list[Phase], **how: object) -> Callable[[int], xr.Dataset]:
    """A state that draws its spectrum by its number."""
    return lambda frame: draw(phases, 100 + frame, frame, fluorescence=INDIUM_FLUORESCENCE, **how)  # type: ignore[arg-type]


def test_more_indium_is_called_overlap_and_never_strain() -> None:
    found = verdicts(made(state(indium=200.0)), made(state(indium=8000.0)))
    assert "overlap" in found["InLi"]["remaining"]
    assert "strain" in found["InLi"]["excluded"]
    assert abs(found["InLi"]["shift"]["value"]) > 1e-3 > abs(found["InLi"]["lattice_shift"]["value"])
    assert "neighbours" in found["InLi"]["text"]


def test_strain_and_composition_stay_together_with_their_stress() -> None:
    found = verdicts(made(state()), made(state(strains=(0.0, 2e-3))))
    assert found["InLi"]["remaining"] == ["strain", "composition"]
    assert found["InLi"]["lattice_shift"]["value"] == pytest.approx(2e-3, rel=0.1)
    assert "370 MPa" in found["InLi"]["text"]
    assert "sin²ψ" in found["InLi"]["text"]


def test_an_angle_that_drifts_moves_every_lattice_but_no_fluorescence() -> None:
    found = verdicts(made(state()), made(state(strains=(1.5e-3, 1.5e-3))))
    for entry in found.values():
        assert "theta-drift" in entry["remaining"]
        assert {"energy-drift", "strain", "overlap"} <= set(entry["excluded"])


def test_a_gain_that_drifts_moves_the_fluorescence_too() -> None:
    found = verdicts(made(state()), made(state(), gain_error=1.5e-3))
    for entry in found.values():
        assert entry["remaining"] == ["energy-drift"]


def test_nothing_happens_and_nothing_is_claimed() -> None:
    assert verdicts(made(state()), made(state())) == {}


def test_one_cubic_phase_alone_cannot_tell() -> None:
    shifts = Shifts(np.array([1e-3]), np.array([[1e-10]]), ("InLi",), np.array([-1.0 / 60.0]))
    left = {one.cause for one in surviving(explain(shifts, {"InLi": (3e-5, 4e-6)}, ["InLi"]))}
    assert left == {"strain", "composition", "theta-drift", "energy-drift", "temperature"}


def test_a_reference_that_is_no_spectrum_is_refused() -> None:
    one = draw(state(), 1)
    shared = calibrate(one, MATERIALS, None)
    corrected = [correct(one, shared)] * 2
    with pytest.raises(ConfigurationError, match="pristine"):
        causes(corrected, [], shared, MATERIALS, "pristine.med", None, CALM)


def test_a_phase_that_comes_is_seen_to_come() -> None:
    spectra = [draw(state(alloy=amount), 50 + n, n) for n, amount in enumerate((0.0, 0.0, 1000.0, 4000.0))]
    shared = calibrate(spectra[-1], MATERIALS, None)
    fits = [fit(correct(one, shared), shared, MATERIALS, FitParameters(free_lines=False)) for one in spectra]
    found = identify([one for one, *_ in fits], [one for _, one, *_ in fits], MATERIALS)
    assert found["present"].sel(phase="InLi").values.tolist() == [False, False, True, True]
    assert found["present"].sel(phase="In").values.all()
    assert found["fraction"].sel(phase="InLi").values[-1] == pytest.approx(1.0)
    assert found.attrs["false_alarm_rate"] == 1e-3


def test_verdicts_hold_no_bits_that_depend_on_the_worker() -> None:
    from operando.diffraction.rounding import rounded
    from operando.model.interval import Quantity

    one, other = Quantity(1.23456789012345, -1e-4, 2.0, "1"), Quantity(1.2345678901234, -1.00000000000001e-4, 2.0, "1")
    assert rounded(one) == rounded(other)
