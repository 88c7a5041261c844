"""Energy scales from sources and fluorescence, angles with them, the dead-time form, and what drifts in a series."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made import GAIN, OFFSET, Phase, draw, expected, read, spectrum

from operando.diffraction.calibrate import CalibrateParameters, calibrate
from operando.diffraction.correct import correct
from operando.diffraction.drift import DriftParameters, drift
from operando.diffraction.energy_scale import Position, solve
from operando.diffraction.reference import calibrate_with, scale_from_lines
from operando.diffraction.saved import load, save
from operando.diffraction.series import fit_series
from operando.diffraction.sources import known_lines
from operando.materials.catalogue import load as material
from operando.model.errors import ConfigurationError

TRUE = np.array([0.12, 0.0602, -6e-8])
"""Offset, gain and curvature of a made-up detector, keV."""
LEAD = {74.970: 6000.0, 72.805: 3600.0, 84.939: 1400.0, 84.451: 700.0, 87.243: 600.0}
MATERIALS = (material("In"), material("InLi"))


def source(lines: dict[float, float], seed: int) -> xr.Dataset:
    """A spectrum of lines of known energy on a background, without angle or energy scale in its file."""
    channel = np.arange(2048.0)
    energy = TRUE @ channel ** np.arange(3)[:, None]
    mean = 15.0 + 60.0 * np.exp(-energy / 30.0)
    for at, area in lines.items():
        variance = (0.25**2 + 1.8e-3 * at) / 5.545
        mean += (
            area * np.gradient(energy) * np.exp(-0.5 * (energy - at) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
        )
    made = spectrum(np.random.default_rng(seed).poisson(mean), live=100.0)
    made["energy_coefficients"][:] = np.nan
    made["two_theta"][:] = np.nan
    return made


COBALT_AND_AMERICIUM = {
    14.413: 2000.0,
    122.061: 15000.0,
    136.474: 2500.0,
    26.345: 4000.0,
    59.541: 30000.0,
    88.034: 9000.0,
}


def test_sources_give_offset_gain_and_curvature_without_any_scale_to_start_from() -> None:
    pulls = []
    for seed in range(12):
        found = scale_from_lines(source(COBALT_AND_AMERICIUM, seed), ("Co57", "Am241", "88.034"))
        assert found["good"].values.all()
        off = found["energy_coefficients"].values[0] - TRUE
        pulls.append(off @ np.linalg.solve(found["energy_covariance"].values[0], off))
        at = np.array([1.0, 1300.0, 1300.0**2])
        assert abs(off @ at) < 4.0 * np.sqrt(at @ found["energy_covariance"].values[0] @ at) < 0.02
    assert 12.0 < sum(pulls) < 75.0, "χ² of 12 × 3 coefficients"


def test_a_spectrum_without_the_named_lines_says_so() -> None:
    found = scale_from_lines(source({}, 1), ("Co57", "Am241"))
    assert not found["good"].values.any()
    assert "fewer than two lines of Co57, Am241" in str(found["reason"].values[0])
    with pytest.raises(ConfigurationError, match="'Kryptonite' is no source, element or energy"):
        known_lines(["Kryptonite"], 0.3)


def test_a_line_that_is_another_one_is_left_out() -> None:
    channel = np.linspace(200.0, 1900.0, 8)
    energy = TRUE @ channel ** np.arange(3)[:, None]
    lines = [
        Position("x", c, 0.05, e + (0.8 if n == 3 else 0.0), np.nan)
        for n, (c, e) in enumerate(zip(channel, energy, strict=True))
    ]
    scale = solve(lines, 0.06)
    assert scale is not None
    assert np.flatnonzero(np.isnan(scale.residual_kev)).tolist() == [3]
    np.testing.assert_allclose(scale.coefficients, TRUE, rtol=1e-6)


def bent_alumina(seed: int) -> xr.Dataset:
    """Al2O3 and lead fluorescence at 2θ = 6.504°, with an energy scale in the file that is off by up to 50 eV."""
    mean, _ = expected([Phase("Al2O3", 20000.0)], 6.504, fluorescence=LEAD)
    made = spectrum(np.random.default_rng(seed).poisson(mean), two_theta=6.5, live=100.0)
    channel = np.array([300.0, 1000.0, 1900.0])
    wrong = OFFSET + GAIN * channel + np.array([-0.02, 0.03, -0.05])
    made["energy_coefficients"] = (("element", "order"), np.polyfit(channel, wrong, 2)[::-1][None], {"units": "keV"})
    return made


def test_powder_and_fluorescence_together_free_the_angle_from_a_wrong_energy_scale() -> None:
    powder = material("Al2O3")
    alone, both = calibrate_with(bent_alumina(3), powder), calibrate_with(bent_alumina(3), powder, lines=("Pb",))
    channel = np.array([1.0, 1200.0, 1200.0**2])
    assert abs(both["energy_coefficients"].values[0] @ channel - (OFFSET + GAIN * 1200.0)) < 0.01
    for found in (alone, both):
        assert abs(float(found["two_theta"][0]) - 6.504) < 3.0 * float(found["two_theta_std"][0])
    assert float(both["two_theta_std"][0]) < float(alone["two_theta_std"][0])
    assert any("scatter by up to" in note for note in alone.attrs["warnings"])


def test_a_calibration_made_from_a_source_takes_its_angle_from_the_series(tmp_path: Path) -> None:
    save(
        scale_from_lines(source(COBALT_AND_AMERICIUM, 4), ("Co57", "Am241")), tmp_path / "scale.json", {"file": "s.mca"}
    )
    assert load(tmp_path / "scale.json").attrs["file"] == "s.mca"
    used = calibrate(draw([Phase("In", 500.0)], 1), None, None, str(tmp_path / "scale.json"))
    assert used["two_theta"].values.tolist() == [8.0]
    np.testing.assert_allclose(used["energy_coefficients"].values[0], TRUE, atol=0.05)


def test_the_energy_scale_moves_with_dead_time_as_the_form_says() -> None:
    """EDDI's form: 30 eV at 10 % dead time are taken off again, and the lattice stays."""
    form = CalibrateParameters(dead_time_a=(OFFSET, 0.0, 0.0, 1.03, 1.0), dead_time_b=(GAIN, 3e-7, 0.0))
    shift = [OFFSET + 1.0 - 1.03 / (1.0 + t) - OFFSET for t in (0.0, 10.0)]
    mean, _ = expected([Phase("InLi", 6000.0)])
    series = []
    for frame, dead in enumerate((0.0, 0.1)):
        moved = np.interp(
            OFFSET + shift[frame] + (GAIN + 3e-7 * 100.0 * dead) * np.arange(2048.0),
            OFFSET + GAIN * np.arange(2048.0),
            mean,
        )
        counts = np.random.default_rng(frame).poisson(moved)
        series.append(spectrum(counts, frame, live=100.0 * (1.0 - dead), real=100.0))
    shared = calibrate(series[0], (material("InLi"),), None, params=form)
    energy = [correct(one, shared)["energy"].values[0] for one in series]
    assert energy[1][0] - energy[0][0] == pytest.approx(1.03 * (1.0 - 1.0 / 11.0))
    found = fit_series(series, (material("InLi"),), calibration=shared)
    cells = [(float(one["cell"][0, 0]), float(one["cell_std"][0, 0])) for one in found.lattices]
    assert abs(cells[1][0] - cells[0][0]) < 4.0 * np.hypot(cells[0][1], cells[1][1])
    with pytest.raises(ValueError, match="has 5 a, 3 b and 2 c"):
        CalibrateParameters(dead_time_a=(1.0,))


def drifting(gains: np.ndarray, seed: int) -> xr.Dataset:
    """Step ``drift`` on spectra whose gain goes that way, with the fluorescence of indium in them."""
    light = {24.21: 6000.0, 24.0: 3200.0, 27.276: 1300.0}
    phases = [Phase("In", 2500.0), Phase("InLi", 4000.0)]
    spectra = [draw(phases, seed + n, n, gain_error=g, fluorescence=light) for n, g in enumerate(gains)]
    for one in spectra:
        one["live_time"][:] = 99.8
    found = fit_series(spectra, MATERIALS)
    refined, _ = found.together()
    return drift(refined, found.lattices, DriftParameters())


def test_fluorescence_pins_a_gain_that_drifts() -> None:
    found = drifting(np.linspace(0.0, 8e-4, 5), 70)
    trend, std = float(found["trend"][0]), float(found["trend_std"][0])
    assert trend == pytest.approx(-8e-4, abs=4.0 * std)
    assert "fluorescence does not stand still" in found.attrs["warnings"][0]
    pinned, wide = found["pinned"].values[-1, -1], found["pinned_std"].values[-1, -1]
    assert abs(pinned) < 3.0 * wide < 8e-4


def test_what_stands_still_is_not_said_to_drift() -> None:
    found = drifting(np.zeros(5), 80)
    assert not found.attrs["warnings"]
    assert abs(float(found["trend"][0])) < 3.5 * float(found["trend_std"][0])


@pytest.mark.data
def test_the_alumina_standard_agrees_with_the_file_within_errors(shared_data: Path) -> None:
    """On the file's own energy scale, which its lines bend away from by up to 22 eV."""
    standard = read(shared_data / "diffraction" / "aps6bmb_MgO" / "COSI_021_0001.med", 0)
    found = calibrate_with(standard, material("Al2O3"))
    good = np.flatnonzero(found["good"].values)
    assert good.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    off = (found["two_theta"].values - standard["two_theta"].values)[good]
    assert np.abs(off / found["two_theta_std"].values[good]).max() < 2.5
    assert np.abs(off).max() < 0.003
    assert found["two_theta_std"].values[good].max() < 0.0025


@pytest.mark.data
def test_lead_and_alumina_lie_on_one_energy_scale(shared_data: Path) -> None:
    """Nine lines and four unknowns an element: χ² per degree of freedom says whether the model of both is right."""
    standard = read(shared_data / "diffraction" / "aps6bmb_MgO" / "COSI_021_0001.med", 0)
    found = calibrate_with(standard, material("Al2O3"), lines=("Pb",))
    tied = np.isfinite(found["chi_squared"].values)
    assert tied.sum() >= 7
    assert found["chi_squared"].values[tied].max() < 2.5
