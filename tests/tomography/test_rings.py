"""Rings go, what is really round stays."""

import numpy as np
import pytest
from phantoms import Ellipse, disc, radius_map, sinogram

from operando.tomography import reconstruct_sinograms
from operando.tomography.rings import remove_all_stripes, remove_stripes

ANGLES = np.arange(360) * np.pi / 360
COLUMNS = 256


def shapes() -> list[Ellipse]:
    return [disc(100, 0.004), disc(90, 0.006), disc(12, 0.02, 40, 10), disc(8, -0.008, -30, -45)]


def striped(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    clean = sinogram(shapes(), ANGLES, COLUMNS, 127.5)
    gain = 0.04 * rng.normal(size=COLUMNS) * (rng.random(COLUMNS) < 0.15)
    noisy = clean + rng.normal(0, 0.01, clean.shape)
    return noisy.astype(np.float32), (noisy + gain + 0.02 * gain * clean).astype(np.float32)


def slice_of(data: np.ndarray) -> np.ndarray:
    return reconstruct_sinograms(data[None], ANGLES, 127.5)[0]


def ring_energy(image: np.ndarray, reference: np.ndarray) -> float:
    """Spread of the mean over each radius, against the slice without stripes."""
    r = radius_map(COLUMNS).astype(int)
    inside = (r > 5) & (r < 120)
    profile = np.bincount(r[inside], (image - reference)[inside]) / np.maximum(np.bincount(r[inside]), 1)
    return float(profile[6:120].std())


@pytest.mark.parametrize(("method", "left"), [("offsets", 0.4), ("all-stripe", 0.4), ("sorting", 0.4)])
def test_rings_are_suppressed(method: str, left: float) -> None:
    noisy, faulty = striped()
    reference = slice_of(noisy)
    before = ring_energy(slice_of(faulty), reference)
    cleaned = remove_stripes(faulty, method, large_size=17, small_size=7, offset_width=7, wavelet_level=4)
    assert ring_energy(slice_of(cleaned), reference) < left * before


def test_offsets_leave_real_round_edges_alone() -> None:
    clean = sinogram(shapes(), ANGLES, COLUMNS, 127.5).astype(np.float32)
    changed = slice_of(remove_stripes(clean, "offsets", offset_width=7)) - slice_of(clean)
    r = radius_map(COLUMNS)
    assert changed[r < 85].std() < 0.02 * 0.006
    edge = (np.abs(r - 90) < 3) | (np.abs(r - 100) < 3)
    assert np.abs(changed[edge].mean()) < 0.02 * 0.004


def test_offsets_touch_nothing_where_there_is_no_stripe() -> None:
    noisy, _ = striped()
    changed = remove_stripes(noisy, "offsets") - noisy
    assert np.sqrt(np.mean(changed**2)) < 0.003


def test_all_stripe_equals_the_published_method() -> None:
    removal = pytest.importorskip("algotom.prep.removal", reason="algotom, the oracle, is not installed")
    _, faulty = striped(1)
    rng = np.random.default_rng(2)
    faulty[:, 60] = 0.5
    faulty[:, 200:203] *= 1.3
    faulty[:, 150] += rng.normal(0, 0.4, len(faulty)).astype(np.float32)
    expected = removal.remove_all_stripe(faulty, 3.0, 51, 21)
    found = remove_all_stripes(faulty, 3.0, 51, 21)
    assert np.mean(np.abs(found - expected)) < 1e-6
    assert np.quantile(np.abs(found - expected), 0.999) < 1e-5


def test_sorting_equals_the_published_method() -> None:
    removal = pytest.importorskip("algotom.prep.removal", reason="algotom, the oracle, is not installed")
    _, faulty = striped(3)
    expected = removal.remove_stripe_based_sorting(faulty, 21)
    differs = np.abs(remove_stripes(faulty, "sorting", small_size=21) - expected) > 1e-6
    assert differs.mean() < 1e-3, "equal values may be put back in another order"


def test_the_wavelet_transform_keeps_what_is_no_stripe() -> None:
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 1, (128, 96)).astype(np.float32)
    stripes = np.zeros_like(noise)
    stripes[:, 40] = 5.0
    cleaned = remove_stripes(noise + stripes, "wavelet-fft", wavelet_level=3)
    assert abs((cleaned - noise)[:, 40].mean()) < 2.0
    assert np.corrcoef(cleaned.ravel(), noise.ravel())[0, 1] > 0.95


def test_noise_free_and_tiny_sinograms_come_through() -> None:
    for size in ((5, 8), (60, 9), (40, 64)):
        clean = np.ones(size, np.float32)
        for method in ("offsets", "all-stripe", "sorting", "none"):
            np.testing.assert_allclose(remove_stripes(clean, method, large_size=5, small_size=3, offset_width=3), clean)


def test_a_sample_that_the_field_cuts_has_no_rings_at_its_edges() -> None:
    clean = sinogram([disc(50, 0.006), disc(8, 0.02, 8, 5)], ANGLES, 64, 31.0).astype(np.float32)
    changed = np.abs(remove_stripes(clean, "offsets", offset_width=5) - clean)
    assert changed[:, [0, 1, 2, -3, -2, -1]].max() < 1e-3
