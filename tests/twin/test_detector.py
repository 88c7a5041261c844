"""The camera: statistics, glare, and what drifts."""

import numpy as np
import pytest

from operando.twin.detector import Camera, ring_current
from operando.twin.settings import Beam, Detector

PLAIN = {
    "columns": 120, "rows": 90, "open_counts": 9000.0, "read_noise_counts": 0.0, "glare": 0.0, "blur_um": 0.0,
    "ring_pattern": 0.0, "flat_drift": 0.0,
}  # fmt: skip


def camera(**changes: object) -> Camera:
    return Camera(Detector.model_validate({**PLAIN, **changes}), seed=4)


def test_flats_are_poisson():
    """Variance over mean of each pixel, over many flats, is one quantum's counts."""
    for per_quantum in (1.0, 4.0):
        sensor = camera(counts_per_quantum=per_quantum)
        mean = sensor.mean_counts(sensor.open_beam, 0.5, 1.0, True)
        stack = np.stack([sensor.expose(mean, (0, n)) for n in range(300)]).astype(float) - 100.0
        fano = np.mean(stack.var(axis=0, ddof=1)) / np.mean(stack)
        # Rounding adds 1/12 of a count²; the standard error over 300 frames and 10 800 pixels is 0.1 %.
        assert fano == pytest.approx(per_quantum, rel=0.005)


def test_darks_have_read_noise_only():
    dark = camera(read_noise_counts=5.0).expose(None, (0, 0)).astype(float)
    assert dark.mean() == pytest.approx(100, abs=0.3)
    assert dark.std() == pytest.approx(5, rel=0.05)


def test_glare_lifts_opaque_rays_and_keeps_the_open_beam():
    sensor = camera(glare=0.02, glare_radius_um=60.0)
    assert np.allclose(sensor.open_beam, 1, atol=1e-5)
    shadow = np.ones(sensor.shape, np.float32)
    shadow[:, 40:80] = 0
    image = sensor.image(shadow)
    assert 0.002 < image[45, 60] < 0.02
    assert image[45, 42] > image[45, 60]
    assert 0.98 < image[45, 5] < 1


def test_glare_conserves_light_where_the_image_ends_flat():
    spot = np.ones((90, 120), np.float32)
    spot[40:50, 55:65] = 0
    spread = camera(glare=0.05, glare_radius_um=30.0).image(spot)
    assert spread.sum() == pytest.approx(spot.sum(), rel=1e-3)


def test_slits_shade_rows_but_glare_reaches_them():
    sensor = camera(glare=0.02, slits_um=(100.0, 1000.0))
    assert sensor.lit_rows.start in range(34, 41)
    assert 0 < sensor.open_beam[5, 60] < 0.02
    assert sensor.open_beam[60, 60] > 0.97


def test_flats_drift_between_before_and_after():
    sensor = camera(flat_drift=0.01)
    before, after = (sensor.mean_counts(sensor.open_beam, t, 1.0, True) for t in (0.0, 1.0))
    assert np.std(after / before) == pytest.approx(np.std(sensor.drift), rel=0.05)


def test_rings_don_t_show_in_flats():
    sensor = camera(ring_pattern=0.01)
    flat = sensor.mean_counts(sensor.open_beam, 0.5, 1.0, True)
    half = sensor.mean_counts(0.5 * sensor.open_beam, 0.5, 1.0, False)
    assert np.std(2 * half / flat) == pytest.approx(0.005, rel=0.1)


def test_bad_pixels_and_zingers_are_as_many_as_asked():
    sensor = camera(hot_pixels=7, dead_pixels=5, zingers=20.0)
    mean = sensor.mean_counts(sensor.open_beam, 0.5, 1.0, True)
    frame = sensor.expose(mean, (0, 0))
    assert np.sum(frame == 65535) >= 7
    assert np.sum(frame == 0) == 5
    struck = [int(np.sum(sensor.expose(mean, (0, n)) > 12_000)) - 7 for n in range(30)]
    assert 10 < np.mean(struck) <= 22


def test_ring_current_decays_and_is_topped_up():
    beam = Beam(ring_current_ma=250.0, ring_lifetime_h=8.0, top_up_ma=2.0)
    current = ring_current(beam, np.linspace(0, 4 * 3600, 2000))
    assert current.max() == pytest.approx(250.0)
    assert current.min() == pytest.approx(248.0, abs=0.05)
    assert ring_current(beam.model_copy(update={"top_up_ma": 0.0}), 8 * 3600.0) == pytest.approx(250 / np.e)


def test_same_stream_same_frame():
    sensor = camera()
    mean = sensor.mean_counts(sensor.open_beam, 0.5, 1.0, True)
    assert np.array_equal(sensor.expose(mean, (3, 5)), sensor.expose(mean, (3, 5)))
    assert not np.array_equal(sensor.expose(mean, (3, 5)), sensor.expose(mean, (3, 6)))


def test_phase_contrast_makes_fringes_that_conserve_light():
    step = np.ones((90, 120), np.float32)
    step[:, 60:] = 0.8
    image = camera(phase_contrast_um2=3.0).image(step)
    assert image[45, 59] == pytest.approx(1 + 3.0 / 2.5**2 * 0.2, rel=1e-5)
    assert image[45, 60] == pytest.approx(0.8 - 3.0 / 2.5**2 * 0.2, rel=1e-5)
    assert image.sum() == pytest.approx(step.sum(), rel=1e-6)
