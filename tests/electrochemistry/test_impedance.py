"""Impedance spectra fitted by a circuit; conductivity with geometry."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operando.electrochemistry.conductivity import conductivity
from operando.electrochemistry.geometry import pellet_thickness
from operando.electrochemistry.impedance import fit_spectrum, gradient, model
from operando.materials.catalogue import load
from operando.model.products.raw import IMPEDANCE

FREQUENCY = np.logspace(6, -1, 60)


def circuit(series, bulk, interface, noise=0.005, seed=0):
    """R0 + bulk arc of 0.5 nF + interface arc of 1 µF + a sloping tail."""
    jw = 2j * np.pi * FREQUENCY
    arc = bulk / (1 + (jw * bulk * 5e-10) ** 0.95) + interface / (1 + (jw * interface * 1e-6) ** 0.85)
    z = series + arc + 1 / (2e-3 * jw**0.6)
    rng = np.random.default_rng(seed)
    return z * (1 + noise * (rng.normal(size=z.size) + 1j * rng.normal(size=z.size)))


@settings(max_examples=5, deadline=None)
@given(st.floats(5, 50), st.floats(300, 2000), st.floats(100, 500), st.integers(0, 100))
def test_the_electrolytes_resistance_comes_back(series, bulk, interface, seed):
    fit = fit_spectrum(FREQUENCY, circuit(series, bulk, interface, seed=seed))
    assert fit.electrolyte == pytest.approx(series + bulk, rel=0.05)
    assert abs(fit.electrolyte - series - bulk) < 5 * fit.electrolyte_std
    assert fit.interface == pytest.approx(interface, rel=0.2)


def test_a_small_cells_interface_is_not_taken_for_electrolyte():
    jw = 2j * np.pi * FREQUENCY
    z = 14000.0 + 8000.0 / (1 + (jw / (2 * np.pi * 300)) ** 0.9) + 400.0 / jw**0.5
    assert fit_spectrum(FREQUENCY, z, length_over_area=62.0).electrolyte == pytest.approx(14000.0, rel=0.01)


def test_inductive_points_are_ignored():
    z = circuit(10.0, 500.0, 200.0)
    shorted = z + 2j * np.pi * FREQUENCY * 2e-5
    assert fit_spectrum(FREQUENCY, shorted).electrolyte == pytest.approx(510.0, rel=0.1)


def test_the_gradient_is_that_of_the_model():
    parameters = np.array([2.0, 6.0, -9.0, 0.9, 5.0, -5.0, 0.8, -6.0, 0.5])
    omega, step = 2 * np.pi * FREQUENCY, 1e-6
    for k, unit in enumerate(np.eye(parameters.size)):
        numeric = (model(parameters + step * unit, omega, 2) - model(parameters - step * unit, omega, 2)) / (2 * step)
        assert gradient(parameters, omega, 2)[:, k] == pytest.approx(numeric, rel=1e-5, abs=1e-6)


def test_too_few_points_are_not_fitted():
    fit = fit_spectrum(FREQUENCY[:5], circuit(10, 500, 200)[:5])
    assert math.isnan(fit.electrolyte)
    assert "only 5 usable points" in fit.sentence


def impedance(z):
    return IMPEDANCE.new(
        frequency=FREQUENCY[None],
        impedance_real=z.real[None],
        impedance_imaginary=z.imag[None],
        time=np.array(["2018-05-04T06:00:00"], "datetime64[ns]"),
    )


def test_conductivity_is_length_over_resistance_and_area():
    found = conductivity([impedance(circuit(10.0, 490.0, 200.0, noise=0.0))], bore_mm=3.0, thickness_um=400.0)
    resistance = float(found["resistance"][0])
    assert resistance == pytest.approx(500.0, rel=0.02)
    assert float(found["conductivity"][0]) == pytest.approx(0.04 / (resistance * math.pi * 0.15**2), rel=1e-9)


def test_without_geometry_the_conductivity_is_unknown_and_said():
    found = conductivity([impedance(circuit(10.0, 490.0, 200.0))])
    assert np.isnan(found["conductivity"].values).all()
    assert np.isfinite(found["resistance"].values).all()
    assert "bore_mm" in found.attrs["warnings"][0]


def test_the_thickness_of_a_dense_pellet_follows_from_its_mass():
    material = load("Li10SnP2S12")
    thickness, sentence = pellet_thickness(None, 5.6, material, math.pi * 0.15**2)
    assert thickness == pytest.approx(5.6e-3 / material.density_g_per_cm3 / (math.pi * 0.15**2) * 1e4)
    assert "pores make it thicker" in sentence


def test_real_spectra_of_a_solid_electrolyte_give_a_steady_conductivity(shared_data):
    from operando.formats.biologic_mpt import read_impedance
    from operando.model.reading import ReadOptions

    file = shared_data / "electrochemistry" / "solid_electrolyte_eis.mpt"
    found = conductivity(
        [read_impedance(file, ReadOptions(time_zone="Europe/Berlin"))], bore_mm=10.0, thickness_um=1000
    )
    assert found.sizes["spectrum"] == 8
    resistance, std = found["resistance"].values, found["resistance_std"].values
    assert resistance == pytest.approx(np.full(8, 945.0), rel=0.06)
    assert (std < 0.03 * resistance).all()
    assert (np.diff(found["interface"].values)[1:] < found["interface_std"].values[1:-1]).all()
    assert (found["misfit"].values < 0.1).all()
