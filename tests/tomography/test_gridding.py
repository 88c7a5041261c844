"""Gridding gives what exact filtered back projection gives, and right grey values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import disc, image, radius_map, shepp_logan, sinogram

from operando.tomography import reconstruct_sinograms
from operando.tomography.backproject import backproject
from operando.tomography.gridding import reconstruct_together


def half_turn(count: int) -> np.ndarray:
    return np.arange(count) * np.pi / count


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
def test_disc_comes_back_flat_and_right(share: float) -> None:
    size, mu = 256, 0.01
    angles = half_turn(400)
    radius = share * (size / 2 - 2)
    found = reconstruct_sinograms(
        sinogram([disc(radius, mu)], angles, size, 127.5)[None].astype(np.float32), angles, 127.5
    )[0]
    r = radius_map(size)
    assert found[r < radius - 4].mean() == pytest.approx(mu, rel=2e-3)
    middles = [found[(r >= 0.8 * radius * a) & (r < 0.8 * radius * (a + 0.25))].mean() for a in (0, 0.25, 0.5, 0.75)]
    np.testing.assert_allclose(middles, mu, rtol=5e-3 if share < 0.2 else 2e-3)
    assert np.abs(found[(r > radius + 6) & (r < size / 2 - 1)].mean() if share < 0.9 else 0) < 3e-3 * mu


@pytest.mark.parametrize(("size", "centre"), [(128, 63.5), (127, 63.0), (128, 70.3), (101, 44.75), (128, 100.0)])
def test_equals_direct_back_projection(size: int, centre: float) -> None:
    angles = half_turn(181) + 0.2
    shapes = [disc(20, 0.01, 4, -6), disc(6, 0.03, 15, 8), disc(3, -0.01, 2, -7)]
    data = sinogram(shapes, angles, size, centre)[None].astype(np.float32)
    inside = radius_map(size) < 0.9 * min(centre, size - 1 - centre)
    fast, direct = reconstruct_sinograms(data, angles, centre)[0], backproject(data, angles, centre)[0]
    truth = image(shapes, size)
    error = [np.sqrt(np.mean((x - truth)[inside] ** 2)) for x in (fast, direct)]
    assert error[0] < 1.05 * error[1]
    assert (
        abs(np.polyfit(truth[inside], fast[inside], 1)[0] / np.polyfit(truth[inside], direct[inside], 1)[0] - 1) < 0.03
    )


def test_shepp_logan_is_no_worse_than_exact_back_projection() -> None:
    size, angles = 256, half_turn(256)
    shapes = shepp_logan(size)
    data = sinogram(shapes, angles, size, 127.5)[None].astype(np.float32)
    truth, inside = image(shapes, size), radius_map(size) < 0.45 * size
    fast, direct = (f(data, angles, 127.5)[0] for f in (reconstruct_sinograms, backproject))
    error = [np.sqrt(np.mean((found - truth)[inside] ** 2)) for found in (fast, direct)]
    assert error[0] <= error[1]


@pytest.mark.parametrize("name", ["ramp", "shepp-logan", "hann", "parzen", "butterworth", "cosine", "hamming"])
def test_filters_keep_the_grey_values(name: str) -> None:
    angles = half_turn(200)
    data = sinogram([disc(40, 0.01)], angles, 128, 63.5)[None].astype(np.float32)
    found = reconstruct_sinograms(data, angles, 63.5, name)[0]
    assert found[radius_map(128) < 30].mean() == pytest.approx(0.01, rel=2e-3)


@pytest.mark.parametrize("count", [1, 3, 16, 17, 19])
def test_any_number_of_rows_gives_each_row_its_own_slice(count: int) -> None:
    angles = half_turn(60)
    data = np.stack([sinogram([disc(5 + i, 0.01)], angles, 64, 31.5) for i in range(count)]).astype(np.float32)
    found = reconstruct_sinograms(data, angles, 31.5)
    assert found.shape == (count, 64, 64)
    assert found.dtype == np.float32
    alone = np.stack([reconstruct_sinograms(row[None], angles, 31.5)[0] for row in data])
    np.testing.assert_allclose(found, alone, atol=2e-7)


@pytest.mark.parametrize("count", [1, 8, 15, 16, 24, 31])
def test_rows_that_fill_up_the_last_sixteen_change_no_bit_of_the_others(count: int) -> None:
    random, angles = np.random.default_rng(count), half_turn(40)
    data, more = (random.normal(0, 0.01, (rows, 40, 48)).astype(np.float32) for rows in (count, 6))
    volume, images = reconstruct_together(data, more, angles, 23.5, "ramp", 0)
    assert volume.tobytes() == reconstruct_sinograms(data, angles, 23.5).tobytes()
    assert images.tobytes() == reconstruct_sinograms(more, angles, 23.5).tobytes()


def test_repeated_runs_and_other_thread_counts_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    angles = half_turn(90)
    data = sinogram(shepp_logan(96), angles, 96, 47.5)[None].astype(np.float32)
    results = []
    for threads in ("1", "2", "3", "2"):
        monkeypatch.setenv("OPERANDO_THREADS", threads)
        results.append(reconstruct_sinograms(data, angles, 47.5).tobytes())
    assert len(set(results)) == 1


def test_full_turn_repeated_and_uneven_angles_are_weighted_right() -> None:
    even = half_turn(300)
    rng = np.random.default_rng(1)
    for angles in (
        np.arange(400) * 2 * np.pi / 400,
        np.concatenate([even, even[:50]]),
        np.sort(np.concatenate([even[::2], rng.uniform(0, np.pi, 150)])),
        even[::-1] - 7.0,
        np.linspace(0, np.pi, 301),
    ):
        data = sinogram([disc(30, 0.01, 5, 3)], angles, 96, 47.5)[None].astype(np.float32)
        found = reconstruct_sinograms(data, angles, 47.5)[0]
        near = np.hypot(np.arange(96) - 52.5, (np.arange(96) - 50.5)[:, None]) < 24
        assert found[near].mean() == pytest.approx(0.01, rel=3e-3)


def test_one_angle_smears_the_filtered_projection() -> None:
    data = sinogram([disc(10, 0.01)], np.array([0.3]), 64, 31.5)[None].astype(np.float32)
    fast, direct = (f(data, np.array([0.3]), 31.5)[0] for f in (reconstruct_sinograms, backproject))
    inside = radius_map(64) < 28
    assert np.corrcoef(fast[inside], direct[inside])[0, 1] > 0.98


def test_a_point_is_seen_where_the_interface_says() -> None:
    angles = half_turn(120)
    x, y, centre = 12.0, -7.0, 30.0
    data = sinogram([disc(1.5, 1.0, x, y)], angles, 72, centre)[None].astype(np.float32)
    row, column = np.unravel_index(reconstruct_sinograms(data, angles, centre)[0].argmax(), (72, 72))
    assert abs(column - (35.5 + x)) <= 0.5
    assert abs(row - (35.5 + y)) <= 0.5


@settings(max_examples=10, deadline=None)
@given(st.integers(24, 60), st.integers(20, 50), st.floats(0.35, 0.65), st.integers(0, 10**6))
def test_reconstruction_is_linear(columns: int, projections: int, centre: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    angles = half_turn(projections)
    one, two = rng.normal(size=(2, 1, projections, columns)).astype(np.float32)
    place = centre * (columns - 1)
    together = reconstruct_sinograms(one + 2 * two, angles, place)
    apart = reconstruct_sinograms(one, angles, place) + 2 * reconstruct_sinograms(two, angles, place)
    np.testing.assert_allclose(together, apart, atol=2e-5)


def test_noise_falls_with_dose_as_theory_says() -> None:
    """Variance of a voxel with white noise σ in N projections: σ² π² / (12 N) for the bare ramp."""
    rng = np.random.default_rng(2)
    for count in (100, 400):
        noise = rng.normal(0, 1, (16, count, 128)).astype(np.float32)
        found = reconstruct_sinograms(noise, half_turn(count), 63.5)
        measured = found[:, radius_map(128) < 50].var()
        assert measured == pytest.approx(np.pi**2 / (12 * count), rel=0.05)
