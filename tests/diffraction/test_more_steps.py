"""The series' second looks as steps: common axis, differences, factors, ellipses, areas against charge."""

import numpy as np
import pytest
from made import Phase, draw, expected, spectrum

from operando.diffraction.calibrate import calibrate
from operando.diffraction.common_axis import common_axis, onto_bins
from operando.diffraction.correct import correct
from operando.diffraction.element import FitParameters
from operando.diffraction.ellipse import ellipse
from operando.diffraction.factors import FactorsParameters, factors
from operando.diffraction.fit import fit
from operando.diffraction.geometry import energy_times_d
from operando.diffraction.per_charge import common_slope, per_charge
from operando.diffraction.pristine import pristine
from operando.diffraction.subtract import subtract
from operando.materials.catalogue import load
from operando.model.errors import ConfigurationError
from operando.model.products.diffraction import LINES
from operando.model.products.joint import SPECTRUM_TIMELINE

INLI = (load("InLi"),)


def merged(spectra):
    """All spectra on the axis of the first."""
    shared = calibrate(spectra[0], INLI, None)
    return [common_axis(correct(one, shared), shared) for one in spectra]


def test_a_common_axis_loses_no_count_and_moves_no_line() -> None:
    energy, product = 0.05 + 0.06 * np.arange(2048), float(energy_times_d(8.0))
    edges = np.geomspace(product / 100.0, product / 20.0, 1500)
    for at in (40.013, 55.5, 71.987):
        line = np.exp(-0.5 * ((energy - at) / 0.18) ** 2)
        found = onto_bins(line, energy, product, edges)
        assert found.sum() == pytest.approx(line.sum(), rel=1e-9)
        centre = found @ (product / np.sqrt(edges[1:] * edges[:-1])) / found.sum()
        assert centre == pytest.approx(energy @ line / line.sum(), rel=5e-6)


def test_elements_at_other_angles_come_together() -> None:
    angles = (7.9, 8.1)
    counts = np.array([np.random.default_rng(1).poisson(expected([Phase("InLi", 9000.0)], a)[0]) for a in angles])
    (one,) = merged([spectrum(counts, two_theta=angles)])
    d, net = one["d"].values, one["counts"].values - one["background"].values
    near = np.abs(d / 1.3872 - 1.0) < 0.01
    assert d[near] @ net[near] / net[near].sum() == pytest.approx(load("InLi").cell[0] / np.sqrt(24.0), rel=1e-3)
    assert float(one["exposure"]) == pytest.approx(180.0)


def test_a_line_that_moves_leaves_a_bipolar_difference() -> None:
    spectra = [draw([Phase("InLi", 9000.0, (strain,) * 3)], 2 + n, n) for n, strain in enumerate((0.0, 0.0, 4e-3))]
    first, same, moved = merged(spectra)
    before = pristine([first, same, moved])
    assert not subtract(same, before)["bipolar"].values.any()
    found = subtract(moved, before)
    assert found["bipolar"].values.sum() > 20
    assert found.attrs["scale"] == pytest.approx(1.0)


def test_the_named_spectrum_is_the_pristine_one() -> None:
    first, second = merged([draw([Phase("InLi", 9000.0)], 5 + n, n) for n in range(2)])
    before = pristine([first, second], "made_0001.med")
    assert before.attrs["pristine"] == "made_0001.med"
    assert not subtract(second, before)["difference"].values.any()
    assert subtract(first, before)["difference"].values.any()
    with pytest.raises(ConfigurationError, match="is none of the spectra"):
        pristine([first, second], "absent.med")


def test_factors_follow_what_trades_places() -> None:
    share = np.linspace(0.0, 1.0, 8)
    spectra = [draw([Phase("In", 6000 * s + 1.0), Phase("InLi", 6000 * (1.0 - s) + 1.0)], n, n)
               for n, s in enumerate(share)]  # fmt: skip
    found = factors(merged(spectra), FactorsParameters(count=2))
    amount = found["amount"].values
    rising = int(np.argmax(amount[-1] - amount[0]))
    assert np.corrcoef(amount[:, rising], share)[0, 1] > 0.98
    np.testing.assert_allclose(found["pattern"].values.sum(axis=1), 1.0, rtol=1e-4)
    assert float(found["deviance"]) < 1.3


def test_strain_against_azimuth_is_stored() -> None:
    azimuth = np.array([0.0, 45.0, 90.0, 135.0])
    strains = 1e-3 + 2e-3 * np.cos(2.0 * np.radians(azimuth - 30.0))
    spectra = []
    for frame, size in enumerate((0.0, 1.0)):
        random = np.random.default_rng(frame)
        counts = [random.poisson(expected([Phase("InLi", 9000.0, (size * s,) * 3)])[0]) for s in strains]
        spectra.append(spectrum(np.array(counts), frame).assign(azimuth=(("element",), azimuth, {"units": "deg"})))
    shared = calibrate(spectra[0], INLI, None)
    lattices = [fit(correct(one, shared), shared, INLI, FitParameters(free_lines=False))[1] for one in spectra]
    found = ellipse(lattices, spectra[0]).isel(spectrum=1, phase=0)
    assert float(found["mean"]) == pytest.approx(1e-3, abs=4 * float(found["mean_std"]))
    assert float(found["differential"]) == pytest.approx(2e-3, abs=4 * float(found["differential_std"]))
    assert float(found["axis"]) == pytest.approx(30.0, abs=4.0)
    blind = ellipse(lattices, spectra[0].drop_vars("azimuth"))
    assert np.isnan(blind["mean"].values).all()
    assert "no azimuths" in blind.attrs["warnings"][0]


def test_what_stays_behind_on_discharge_is_the_inactive_share() -> None:
    kinds = ["charge"] * 4 + ["rest"] + ["discharge"] * 4
    charge = np.r_[0.0, 0.01, 0.02, 0.03, 0.03, 0.03, 0.02, 0.01, 0.0]
    area = np.r_[1000.0 + 50_000.0 * charge[:4], 2500.0, 2500.0 + 40_000.0 * (charge[5:] - 0.03)]
    lines = [_summed_line(frame, value) for frame, value in enumerate(area)]
    found = per_charge(lines, _timeline(charge, kinds), INLI).isel(phase=0)
    np.testing.assert_allclose(found["slope"].values, [50_000.0, 40_000.0], rtol=1e-9)
    assert float(found["inactive"]) == pytest.approx(0.2)
    assert float(found["inactive_std"]) > 0.0
    assert np.isnan(common_slope(np.ones(3), np.ones(3), np.ones(3), np.zeros(3, int))[0])


def _summed_line(frame: int, area: float):
    coords = {
        "phase": ("line", np.array(["InLi"]), "text"),
        **{name: ("line", np.array([value])) for name, value in (("h", 4), ("k", 2), ("l", 2), ("element", -1))},
    }
    numbers = {name: np.array([1.0]) for name in ("d", "d_std", "d_free", "d_free_std")}
    return LINES.new(coords=coords, attrs={"frame": frame}, area=np.array([area]), area_std=np.array([20.0]), **numbers)


def _timeline(charge: np.ndarray, kinds: list[str]):
    n = len(charge)
    times = np.full(n, np.datetime64("NaT", "ns"))
    step = np.cumsum(np.r_[0, np.array(kinds[1:]) != np.array(kinds[:-1])])
    return SPECTRUM_TIMELINE.new(
        file=np.array([f"{i}.med" for i in range(n)]), start=times, end=times, charge=charge, voltage=np.zeros(n),
        current=np.zeros(n), cycle=np.zeros(n, int), step=step, step_kind=np.array(kinds),
    )  # fmt: skip
