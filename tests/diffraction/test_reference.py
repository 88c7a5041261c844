"""Angles from a reference powder, calibrations on disk, and the dead-time formula."""

from pathlib import Path

import numpy as np
import pytest
from made import Phase, expected, read, spectrum

from operando.diffraction.calibrate import calibrate
from operando.diffraction.dead_time import DeadTimeScale, offset_per_dead_time
from operando.diffraction.reference import calibrate_with
from operando.diffraction.saved import load, save
from operando.materials.catalogue import load as material
from operando.model.errors import BrokenFileError

TRUE_ANGLES = (8.004, 7.997)


def alumina(seed: int) -> np.ndarray:
    """Counts of two elements at slightly other angles than the file will say."""
    random = np.random.default_rng(seed)
    return np.array([random.poisson(expected([Phase("Al2O3", 8000.0)], angle)[0]) for angle in TRUE_ANGLES])


def test_the_powder_gives_each_element_its_angle() -> None:
    calibration = calibrate_with(spectrum(alumina(1), live=100.0), material("Al2O3"))
    off = (calibration["two_theta"].values - TRUE_ANGLES) / calibration["two_theta_std"].values
    assert np.abs(off).max() < 4.0
    assert calibration["two_theta_std"].values.max() < 1e-3
    assert calibration["good"].values.all()


def test_an_element_without_the_powder_says_so() -> None:
    random = np.random.default_rng(2)
    counts = alumina(2)
    counts[1] = random.poisson(np.full(2048, 20.0))
    calibration = calibrate_with(spectrum(counts), material("Al2O3"))
    assert calibration["good"].values.tolist() == [True, False]
    assert str(calibration["reason"].values[1]) == "it does not see the lines of Al2O3"


def test_a_calibration_comes_back_from_disk(tmp_path: Path) -> None:
    calibration = calibrate_with(spectrum(alumina(3)), material("Al2O3"))
    file = tmp_path / "angles.json"
    save(calibration, file, {"operator": "somebody"})
    again = load(file)
    for name in ("two_theta", "two_theta_std", "energy_coefficients", "resolution"):
        np.testing.assert_array_equal(again[name].values, calibration[name].values)
    assert again.attrs["powder"] == "Al2O3"
    assert again.attrs["operator"] == "somebody"
    series = spectrum(alumina(4), 1)
    np.testing.assert_array_equal(calibrate(series, None, None, str(file))["two_theta"], calibration["two_theta"])
    with pytest.raises(BrokenFileError, match="it has 2 elements, the spectra have 1"):
        calibrate(spectrum(alumina(4)[:1]), None, None, str(file))
    file.write_text("{}")
    with pytest.raises(BrokenFileError, match="no saved calibration"):
        load(file)


def test_a_powder_named_in_the_configuration_gives_the_angles() -> None:
    series = spectrum(alumina(5), 1)
    found = calibrate(series, None, None, spectrum(alumina(6)))
    off = (found["two_theta"].values - TRUE_ANGLES) / found["two_theta_std"].values
    assert np.abs(off).max() < 4.0
    covariance = found["two_theta_covariance"].values
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), found["two_theta_std"].values)
    assert 0.0 < covariance[0, 1] < covariance[0, 0]
    assert found.attrs["powder"] == "Al2O3"


@pytest.mark.data
def test_the_alumina_standard_confirms_the_angles_of_the_file(shared_data: Path) -> None:
    standard = read(shared_data / "diffraction" / "aps6bmb_MgO" / "COSI_021_0001.med", 0)
    calibration = calibrate_with(standard, material("Al2O3"))
    good = [element for element in range(10) if element != 4]
    assert calibration["good"].values[good].all()
    off = calibration["two_theta"].values[good] - standard["two_theta"].values[good]
    assert np.abs(off).max() < 0.003
    assert calibration["two_theta_std"].values[good].max() < 0.0025


def test_the_dead_time_formula() -> None:
    scale = DeadTimeScale((0.1, -0.5, 2.0, 0.02, 1.0), (0.05, 1e-6, 1e-8), (1e-9, 1e-11))
    channel, t = np.array([0.0, 1000.0]), 10.0
    by_hand = 0.1 + np.exp(-0.5 * 12.0) - 0.02 / 11.0 + (0.05 + 1e-5 + 1e-6) * channel + (1e-9 + 1e-10) * channel**2
    np.testing.assert_allclose(scale.energy(channel, t), by_hand)
    slope, std = offset_per_dead_time(np.array([0.02, 0.05]), np.array([0.006, 0.015]), np.array([1e-3, 1e-3]))
    assert slope == pytest.approx(0.3)
    assert 0 < std < 0.03
