"""The corrections that not every scan needs."""

import numpy as np
import pytest
from phantoms import disc, image, radius_map, sinogram
from scipy import fft

from operando.model.errors import ConfigurationError, OperandoError
from operando.tomography import reconstruct_sinograms
from operando.tomography.denoise import denoise_volume, effect_on_volume
from operando.tomography.flats import fitted_weights, principal_mixture
from operando.tomography.paganin import retrieve_phase
from operando.tomography.stitch import stitch_full_turn
from operando.tomography.tilt import estimate_tilt, untilted


def test_phase_retrieval_takes_the_fringes_off() -> None:
    """Propagated with the transport-of-intensity equation, a weak object comes back."""
    size, pixel, distance, energy, ratio = 128, 1.0, 50.0, 25.0, 300.0
    y, x = np.mgrid[:size, :size] - 63.5
    absorbed = np.exp(-0.1 * np.exp(-(((y**2 + x**2) / 200.0) ** 2)))[None]
    strength = 12.398419843 / energy * 1e-4 * distance * 1e3 * ratio / (4 * np.pi)
    k = 2 * np.pi * fft.fftfreq(size, pixel)
    fringed = fft.ifft2(fft.fft2(absorbed) * (1 + strength * (k[:, None] ** 2 + k**2))).real
    assert np.ptp(fringed) > 1.2 * np.ptp(absorbed)
    np.testing.assert_allclose(retrieve_phase(fringed, ratio, distance, energy, pixel), absorbed, atol=2e-3)
    with pytest.raises(ConfigurationError, match="distance_mm"):
        retrieve_phase(fringed, ratio, 0.0, energy, pixel)


def test_flats_follow_a_beam_that_moves() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:40, :60]

    def beam(shift: float) -> np.ndarray:
        return 5000 * (1 + 0.2 * np.sin((y + shift) / 3.0) + 0.1 * np.cos(x / 7.0))

    flats = np.stack([rng.poisson(beam(s)) for s in rng.uniform(-1, 1, 30)]).astype(float)
    sample = np.ones((40, 60))
    sample[10:30, 15:45] = 0.5
    projections = np.stack([rng.poisson(beam(s) * sample) for s in (0.8, -0.7, 0.1)]).astype(float)
    air = np.zeros((40, 60), bool)
    air[:, :10] = air[:, 50:] = True
    mixture = principal_mixture(flats.reshape(30, -1))
    components = mixture @ flats.reshape(30, -1)
    weights = fitted_weights(projections[:, air], components[:, air.ravel()])
    found = projections / (weights @ components).reshape(projections.shape)
    plain = projections / flats.mean(0)
    assert np.sqrt(np.mean((found - sample) ** 2)) < 0.5 * np.sqrt(np.mean((plain - sample) ** 2))
    with pytest.raises(OperandoError, match="no pixel is always beside the sample"):
        fitted_weights(projections[:, np.zeros((40, 60), bool)], components[:, :0])


def test_tilt_is_found_and_undone() -> None:
    rng = np.random.default_rng(1)
    rows = np.arange(0, 200, 20.0)
    angle, std = estimate_tilt(rows, 60 + 0.02 * rows + rng.normal(0, 0.02, 10), np.full(10, 0.02))
    assert abs(angle - 0.02) < 4 * std
    y, x = np.mgrid[:81, :81] - 40.0
    straight = np.exp(-(x**2) / 20)
    tilted = np.exp(-((x - 0.05 * y) ** 2) / 20)[None]
    np.testing.assert_allclose(
        untilted(tilted, np.arctan(0.05), 40.0)[0][10:-10, 10:-10], straight[10:-10, 10:-10], atol=0.03
    )


@pytest.mark.parametrize("centre", [110.0, 17.0, 112.4])
def test_half_acquisition_sees_almost_twice_the_field(centre: float) -> None:
    columns, angles = 128, np.arange(360) * 2 * np.pi / 360
    shapes = [disc(80, 0.005), disc(10, 0.02, 50, 20)]
    data = sinogram(shapes, angles, columns, centre)[None].astype(np.float32)
    wide, half, place = stitch_full_turn(data, angles, centre)
    found = reconstruct_sinograms(wide, half, place)[0]
    truth = image(shapes, wide.shape[2])
    r = radius_map(wide.shape[2])
    assert wide.shape[2] > 1.6 * columns
    assert found[r < 40].mean() == pytest.approx(truth[r < 40].mean(), rel=0.01)
    assert np.corrcoef(found[r < 85], truth[r < 85])[0, 1] > 0.98
    with pytest.raises(OperandoError, match="once round"):
        stitch_full_turn(data[:, :180], angles[:180], centre)


def test_denoising_keeps_edges_and_states_what_it_changes() -> None:
    rng = np.random.default_rng(2)
    truth = np.zeros((8, 48, 48), np.float32)
    truth[:, 12:36, 12:36] = 1.0
    noisy = truth + rng.normal(0, 0.2, truth.shape).astype(np.float32)
    quiet = denoise_volume(noisy, 0.2)
    assert np.std(quiet - truth) < 0.5 * np.std(noisy - truth)
    assert abs(effect_on_volume(truth, quiet, 0.5).net) < 0.01
    effect = effect_on_volume(noisy, quiet, 0.5)
    assert effect.lost >= 0
    assert effect.net == pytest.approx(effect.gained - effect.lost)
