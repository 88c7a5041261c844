"""A polychromatic beam, straightened, gives the attenuation of one energy."""

import numpy as np
import pytest
from phantoms import disc, radius_map, scan_of, sinogram

from operando.materials.catalogue import load
from operando.model.configuration import Spectrum
from operando.model.errors import ConfigurationError
from operando.tomography import reconstruct_sinograms
from operando.tomography.hardening import hardening_curve, polychromatic, straightened
from operando.tomography.linearise import LineariseParameters, linearise, polynomial
from operando.tomography.normalise import NormaliseParameters, normalise

ENERGIES = np.linspace(40, 120, 17)
WEIGHTS = np.exp(-0.5 * ((ENERGIES - 70) / 20) ** 2)


def test_the_curve_starts_with_the_mean_attenuation_and_rises_above_what_is_seen() -> None:
    seen, true = hardening_curve(load("InLi"), ENERGIES, WEIGHTS)
    assert true[1] / seen[1] == pytest.approx(1, rel=1e-3)
    assert (true[10:] > seen[10:]).all()
    assert (np.diff(seen) > 0).all()


def test_straightening_undoes_hardening() -> None:
    from operando.materials.attenuation import mu

    material = load("InLi")
    lengths = np.linspace(0, 0.2, 50)
    seen = polychromatic(lengths, mu(material, ENERGIES), WEIGHTS)
    found = straightened(seen, hardening_curve(material, ENERGIES, WEIGHTS, effective_kev=60.0))
    np.testing.assert_allclose(found, lengths * mu(material, np.array([60.0])), rtol=1e-3, atol=1e-5)


def test_the_cup_of_a_hardened_disc_is_filled() -> None:
    from operando.materials.attenuation import mu

    material, angles, pixel = load("InLi"), np.arange(200) * np.pi / 200, 10.0
    lengths = sinogram([disc(50, 1.0)], angles, 128, 63.5) * pixel * 1e-4
    seen = polychromatic(lengths.ravel(), mu(material, ENERGIES), WEIGHTS).reshape(lengths.shape)
    scan = scan_of(np.exp(-seen)[:, None], angles)
    given = LineariseParameters(hardening_material="InLi", effective_kev=60.0)
    spectrum = Spectrum(energy_kev=tuple(ENERGIES), weight=tuple(WEIGHTS))
    transmission = normalise(scan, None, NormaliseParameters())
    r, expected = radius_map(128), float(mu(material, np.array([60.0]))[0])
    cups = []
    for params in (LineariseParameters(), given):
        data = np.moveaxis(linearise(transmission, None, params, spectrum=spectrum)["attenuation"].values, 1, 0)
        slice_ = reconstruct_sinograms(data, angles, 63.5)[0] / (pixel * 1e-4)
        cups.append((slice_[r < 10].mean() / slice_[(r > 40) & (r < 45)].mean(), slice_[r < 45].mean()))
    assert cups[0][0] < 0.95
    assert cups[1][0] == pytest.approx(1, abs=0.01)
    assert cups[1][1] == pytest.approx(expected, rel=0.01)


def test_a_known_beam_and_anode_are_enough_and_the_wish_to_leave_it_is_heard() -> None:
    scan = scan_of(np.full((10, 1, 16), 0.2), np.arange(10) * np.pi / 10)
    transmission = normalise(scan, None, NormaliseParameters())
    spectrum = Spectrum(energy_kev=tuple(ENERGIES), weight=tuple(WEIGHTS))

    def found(spectrum: Spectrum | None, anode: str | None, **chosen: object) -> np.ndarray:
        params = LineariseParameters.model_validate(chosen)
        material = load(anode) if anode else None
        return linearise(transmission, None, params, spectrum=spectrum, anode=material)["attenuation"].values

    plain = found(None, "InLi")
    np.testing.assert_array_equal(found(spectrum, "InLi"), found(spectrum, None, hardening_material="InLi"))
    assert (found(spectrum, "InLi") > 1.05 * plain).all()
    np.testing.assert_array_equal(found(spectrum, None), plain)
    np.testing.assert_array_equal(found(spectrum, "InLi", straighten=False), plain)


def test_hardening_without_a_spectrum_or_with_a_broken_one_is_refused() -> None:
    scan = scan_of(np.full((10, 1, 16), 0.5), np.arange(10) * np.pi / 10)
    transmission = normalise(scan, None, NormaliseParameters())
    params = LineariseParameters(hardening_material="InLi")
    with pytest.raises(ConfigurationError, match=r"give \[tomography\.spectrum\]"):
        linearise(transmission, None, params)
    for energies, weights in (((60.0, 70.0), (1.0,)), ((60.0,), (-1.0,)), ((-60.0,), (1.0,))):
        with pytest.raises(ConfigurationError, match="one weight above zero for each energy"):
            linearise(transmission, None, params, spectrum=Spectrum(energy_kev=energies, weight=weights))


def test_an_empty_spectrum_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="0 energies"):
        hardening_curve("InLi", np.array([]), np.array([]))


def test_polynomial_keeps_zero() -> None:
    np.testing.assert_allclose(polynomial(np.array([0.0, 1.0, 2.0]), (1.0, 0.1)), [0, 1.1, 2.4])
