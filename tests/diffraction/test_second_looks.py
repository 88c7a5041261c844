"""Difference to the pristine, strain ellipses, factors: the other ways to look at a series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import Phase, expected

from operando.diffraction.azimuths import sin_squared_psi
from operando.diffraction.difference import difference
from operando.diffraction.geometry import energy_times_d, spacing_per_angle
from operando.diffraction.mixture import factorise
from operando.diffraction.stress import hydrostatic_pressure_mpa


def test_a_difference_of_equal_spectra_is_noise() -> None:
    mean, _ = expected([Phase("InLi", 4000.0)])
    random = np.random.default_rng(1)
    found = difference(random.poisson(2.0 * mean), random.poisson(mean), 2.0, 8.0)
    assert found.significance.std() == pytest.approx(1.0, abs=0.06)
    assert len(found.bipolar) == 0


def test_a_moved_line_is_flagged_as_bipolar() -> None:
    random = np.random.default_rng(2)
    before, after = (random.poisson(expected([Phase("InLi", 8000.0, (s,) * 3)])[0]) for s in (0.0, 4e-3))
    found = difference(after, before, 1.0, 8.0)
    assert len(found.bipolar) >= 4


@given(st.floats(-2e-3, 2e-3), st.floats(1e-4, 2e-3), st.floats(5.0, 175.0))
def test_a_strain_ellipse_comes_back(mean: float, size: float, axis: float) -> None:
    azimuth = np.array([10.0, 32.5, 55.0, 77.5, 100.0, 122.5, 145.0, 167.5, 190.0, 280.0])
    strain = mean + size * np.cos(2 * np.radians(azimuth - axis))
    strain[4] = np.nan
    found = sin_squared_psi(azimuth, strain, np.full(10, 1e-5))
    assert found.mean == pytest.approx(mean, abs=1e-9)
    assert found.differential == pytest.approx(size, rel=1e-6)
    assert found.axis_deg == pytest.approx(axis, abs=1e-4)
    with pytest.raises(ValueError, match="needs three"):
        sin_squared_psi(azimuth[:2], strain[:2], np.full(2, 1e-5))


def test_two_phases_that_trade_places_are_two_factors() -> None:
    random = np.random.default_rng(3)
    share = np.linspace(0.0, 1.0, 12)
    indium, alloy = (expected([Phase(name, 6000.0)])[0] for name in ("In", "InLi"))
    counts = random.poisson(np.outer(share, indium) + np.outer(1.0 - share, alloy))
    found = factorise(counts, 2)
    rising = found.amounts[:, int(np.argmax(found.amounts[-1]))]
    assert np.corrcoef(rising, share)[0, 1] > 0.99
    assert found.deviance < 1.2
    assert factorise(counts, 1).deviance > 2.0 * found.deviance


def test_angle_and_stress() -> None:
    assert float(energy_times_d(8.0)) == pytest.approx(88.869, abs=0.001)
    assert float(spacing_per_angle(8.0)) * 1e-3 == pytest.approx(-1.25e-4, rel=0.01)
    assert hydrostatic_pressure_mpa(1.397 / 1.384 - 1.0, 36.0) == pytest.approx(-1014.0, abs=1.0)
