"""What the electronics and the ring do to a spectrum, and what the fit makes of it."""

import numpy as np
import pytest
from made import Phase, draw, expected, spectrum

from operando.diffraction.background import pile_up
from operando.diffraction.calibrate import calibrate
from operando.diffraction.correct import correct
from operando.diffraction.element import FitParameters
from operando.diffraction.fit import fit
from operando.diffraction.series import analyse
from operando.materials.catalogue import load

PHASES = [Phase("In", 6000.0), Phase("InLi", 8000.0)]
MATERIALS = (load("In"), load("InLi"))
LEAD = {74.969: 3000.0, 72.805: 1780.0, 84.94: 1100.0}


def test_pulses_in_pairs_stand_at_the_sum_of_their_energies() -> None:
    energy = 0.05 + 0.06 * np.arange(2048)
    counts = np.zeros(2048)
    counts[[400, 700]] = 100.0
    piled = pile_up(counts, energy)
    for at, share in ((48.1, 0.25), (66.1, 0.5), (84.1, 0.25)):
        near = np.abs(energy - at) < 0.2
        assert piled[near].sum() == pytest.approx(share * counts.sum(), rel=1e-6)
        assert float(piled[near] @ energy[near]) / piled[near].sum() == pytest.approx(at, abs=1e-6)
    assert piled.sum() == pytest.approx(counts.sum(), rel=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.03])
def test_the_share_of_pile_up_comes_back(share: float) -> None:
    mean, _ = expected(PHASES, fluorescence={24.21: 60_000.0, 24.0: 31_000.0})
    energy = 0.05 + 0.06 * np.arange(2048)
    counts = np.random.default_rng(3).poisson((1.0 - 2.0 * share) * mean + share * pile_up(mean, energy))
    _, (lattice,), _ = analyse([spectrum(counts)], MATERIALS)
    assert float(lattice["pile_up"]) == pytest.approx(share, abs=max(4.0 * float(lattice["pile_up_std"]), 2e-3))
    assert float(lattice["pile_up_std"]) < 0.01


def test_shielding_is_found_and_named() -> None:
    calibration = calibrate(draw(PHASES, 1, fluorescence=LEAD), MATERIALS, None)
    assert calibration.attrs["fluorescence"] == ["Pb"]
    assert calibrate(draw(PHASES, 1), MATERIALS, None).attrs["fluorescence"] == []


def test_areas_are_scaled_by_the_ring_current() -> None:
    strong, weak = draw(PHASES, 4, 0), draw(PHASES, 4, 1)
    strong["ring_current"] = ((), 100.0, {"units": "mA"})
    weak["ring_current"] = ((), 50.0, {"units": "mA"})
    shared = calibrate(strong, MATERIALS, None)
    params = FitParameters(free_lines=False)
    first, second = (fit(correct(one, shared), shared, MATERIALS, params)[0] for one in (strong, weak))
    known = np.isfinite(first["area"].values)
    np.testing.assert_allclose(second["area"].values[known], 2.0 * first["area"].values[known], rtol=1e-6)


def test_the_model_is_kept_channel_by_channel() -> None:
    one = draw(PHASES, 5)
    shared = calibrate(one, MATERIALS, None)
    _, _, fitted, _ = fit(correct(one, shared), shared, MATERIALS, FitParameters(free_lines=False))
    inside = np.isfinite(fitted["model"].values[0])
    counts, model = one["counts"].values[0][inside], fitted["model"].values[0][inside]
    assert inside.sum() > 1500
    assert ((counts - model) ** 2 / model).mean() == pytest.approx(1.0, abs=0.12)
    assert (fitted["smooth"].values[0][inside] <= model + 1e-6).all()
