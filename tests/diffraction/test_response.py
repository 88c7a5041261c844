"""What makes lines at different energies comparable: the twin's beam, cell and detector come back from the lines."""

import numpy as np
import pytest
import xarray as xr

from operando.diffraction.intensities import averaged, explain, shares, smooth_terms
from operando.diffraction.known_response import ResponseParameters, known_logarithm
from operando.diffraction.response import response
from operando.materials.catalogue import load
from operando.materials.structure import cell_volume
from operando.materials.structure import lines as structure_lines
from operando.model.errors import ConfigurationError
from operando.model.products.diffraction import CALIBRATION, LINES
from operando.twin.settings import Beam
from operando.twin.spectrometer import _flux, efficiency

PRODUCT = 88.869
NAMES = ("In", "InLi")
GIVEN = ResponseParameters(
    critical_energy_kev=13.45, filters_mm={"Al": 2.0, "Cu": 4.0}, sample_mm={"InLi": 0.2}, crystal="Ge", crystal_mm=10.0
)


def twin_response(energy: np.ndarray) -> np.ndarray:
    """The simulated beam, detector and 0.2 mm of InLi in the way."""
    beam = Beam(filters_mm={"Al": 2.0, "Cu": 4.0})
    way = known_logarithm(ResponseParameters(sample_mm={"InLi": 0.2}), energy, ()) + 2.0 * np.log(energy)
    return np.asarray(_flux(beam, energy) * efficiency(energy) * np.exp(way))


def measured(volumes: np.ndarray, seed: int = 1, texture: float = 0.0) -> list[xr.Dataset]:
    """Lines of spectra in which In and InLi have these volumes (spectra, 2), 3e5 counts in the strongest line."""
    random = np.random.default_rng(seed)
    hkl, d, owner, strength = [], [], [], []
    for number, name in enumerate(NAMES):
        cell = load(name).cell
        assert cell is not None
        for line in structure_lines(load(name), PRODUCT / 115.0, PRODUCT / 35.0):
            hkl.append(line.hkl)
            d.append(line.d)
            owner.append(number)
            strength.append(line.intensity / cell_volume(cell) ** 2)
    ideal = np.array(strength) * twin_response(PRODUCT / np.array(d))
    ideal = ideal / ideal.max() * 3e5 * np.exp(texture * random.standard_normal(len(d)))
    found = []
    for frame, volume in enumerate(volumes):
        mean = ideal * volume[owner]
        std = np.sqrt(mean + 400.0)
        found.append(
            LINES.new(
                coords={
                    "phase": ("line", np.array(NAMES)[owner], "text"),
                    **{index: ("line", np.array(hkl)[:, n]) for n, index in enumerate("hkl")},
                    "element": ("line", np.full(len(d), -1)),
                },
                attrs={"frame": frame},
                d=np.array(d), d_std=np.full(len(d), 1e-4), area=mean + std * random.standard_normal(len(d)),
                area_std=std, d_free=np.full(len(d), np.nan), d_free_std=np.full(len(d), np.nan),
            )
        )  # fmt: skip
    return found


def calibration() -> xr.Dataset:
    """One element whose E d is ``PRODUCT``."""
    return CALIBRATION.new(
        energy_coefficients=np.array([[0.0, 0.03]]),
        two_theta=np.array([np.degrees(2.0 * np.arcsin(12.398419843320026 / 2.0 / PRODUCT))]),
        two_theta_std=np.array([np.nan]),
        good=np.array([True]),
        resolution=np.array([[0.25, 0.0018]]),
        reason=np.array([""]),
    )


VOLUMES = np.stack([np.linspace(1.0, 0.3, 8), np.linspace(0.4, 1.2, 8)], axis=1)
MATERIALS = tuple(load(name) for name in NAMES)


@pytest.mark.parametrize("params", [ResponseParameters(), GIVEN], ids=["nothing given", "all given"])
def test_shares_and_response_come_back(params: ResponseParameters) -> None:
    found, shared = response(measured(VOLUMES), calibration(), MATERIALS, (), params)
    assert found.attrs["warnings"] == []
    true = VOLUMES / VOLUMES.sum(axis=1, keepdims=True)
    low, high = (shared[f"volume_share_{end}"].values for end in ("low", "high"))
    assert ((low <= true) & (true <= high)).mean() > 0.8
    assert (high - low).max() < 0.02
    energy = found["energy"].values
    beyond = energy > 45.0
    ideal = twin_response(energy) / twin_response(np.array([np.sqrt(energy[0] * energy[-1])]))
    assert found["relative"].values[beyond] == pytest.approx(ideal[beyond], rel=0.03)
    assert float(found["scatter"]) < 0.02


def test_texture_is_seen_as_scatter_and_held_by_the_interval() -> None:
    held, widths = 0, []
    for seed in range(12):
        found, shared = response(measured(VOLUMES[:2], seed, 0.2), calibration(), MATERIALS)
        true = VOLUMES[0, 0] / VOLUMES[0].sum()
        low, high = (float(shared[f"volume_share_{end}"][0, 0]) for end in ("low", "high"))
        held += low < true < high
        widths.append(high - low)
        assert 0.1 < float(found["scatter"]) < 0.35
    assert held >= 10
    assert 0.02 < np.median(widths) < 0.2


def test_a_wrong_way_through_the_sample_is_noticed() -> None:
    wrong = GIVEN.model_copy(update={"sample_mm": {"InLi": 0.6}})
    found, _ = response(measured(VOLUMES), calibration(), MATERIALS, (), wrong)
    assert any(
        "depart smoothly from the response that [steps.response] gives" in one for one in found.attrs["warnings"]
    )


def test_what_is_not_given_is_said() -> None:
    found, _ = response(measured(VOLUMES), calibration(), MATERIALS)
    said = " ".join(found.attrs["assumptions"])
    assert "Not given: the beam's spectrum, absorption in the sample, the detector." in said
    nothing, shared = response(measured(VOLUMES), calibration(), MATERIALS, (), ResponseParameters(apart=NAMES))
    assert np.isnan(shared["volume_share"]).all()
    assert np.isfinite(shared["amount"]).all()
    assert nothing.sizes["energy"] == 0


def test_amounts_follow_the_volumes_without_any_atoms() -> None:
    _, shared = response(measured(VOLUMES), calibration(), MATERIALS)
    wanted = VOLUMES / VOLUMES.mean(axis=0)
    off = (shared["amount"].values - wanted) / np.hypot(shared["amount_std"].values, 2e-3)
    assert np.abs(off).max() < 4.5


def test_what_can_not_be_a_beam_is_refused() -> None:
    for wrong in (
        ResponseParameters(beam_kev=(10.0, 50.0), beam_photons=(1.0, 1.0)),
        ResponseParameters(beam_kev=(10.0, 150.0), beam_photons=(1.0,)),
        ResponseParameters(critical_energy_kev=10.0, beam_kev=(10.0, 150.0), beam_photons=(1.0, 1.0)),
    ):
        with pytest.raises(ConfigurationError, match=r"\[steps.response\]"):
            known_logarithm(wrong, np.array([30.0, 100.0]), ())


def test_a_vanished_phase_has_a_share_from_nothing() -> None:
    value, low, high = shares(np.array([[-0.01, 1.0]]), np.array([[0.02, 0.02]]), np.eye(2) * 1e-4, 20)
    assert value[0, 0] == low[0, 0] == 0.0 < high[0, 0] < 0.06


def test_lines_in_the_noise_are_not_compared() -> None:
    found, shared = response(measured(VOLUMES * 1e-9), calibration(), MATERIALS)
    assert any("can't be compared" in one for one in found.attrs["warnings"])
    assert np.isnan(shared["volume_share"]).all()


def test_too_few_lines_say_so() -> None:
    with pytest.raises(ValueError, match="can't tell"):
        explain(np.ones(3), np.ones(3), np.zeros(3), np.ones((3, 1)))
    assert averaged(np.full((2, 1), np.nan), np.full((2, 1), np.nan)).amounts == pytest.approx(
        [np.nan] * 2, nan_ok=True
    )
    assert smooth_terms(np.array([50.0]), 50.0, 3) == pytest.approx(np.zeros((1, 3)))
