"""A blurred camera averages light, not line integrals: what an edge lacks by that is given back."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phantoms import disc, radius_map, scan_of, sinogram
from recipes import COLUMNS, PIXEL, ROWS, Recipe, half_turn, run
from scipy import ndimage

from operando.tomography import reconstruct_sinograms
from operando.tomography.edge_gradient import HALO, WIDEST, EdgeGradient, weights_of
from operando.tomography.linearise import LineariseParameters, linearise
from operando.tomography.normalise import NormaliseParameters, normalise

WIDTH = 0.6


def seen(line_integrals: np.ndarray, width: float = WIDTH) -> np.ndarray:
    """-ln of the light (angle, row, column) that a camera with this blur sees, float32."""
    light = np.exp(-line_integrals)
    light = ndimage.gaussian_filter(light, (0, width, width), mode="nearest", truncate=5)
    return np.asarray(-np.log(light), np.float32)


def same(values: np.ndarray) -> np.ndarray:
    return values


def lacking(
    attenuation: np.ndarray, width: float = WIDTH, straighten: Callable[[np.ndarray], np.ndarray] = same
) -> np.ndarray:
    """What line integrals lack, with every row lit."""
    return EdgeGradient.of(width, straighten).lacking(attenuation, np.zeros(attenuation.shape[1], bool))


def block(height: float) -> np.ndarray:
    """A dense block of rows with a flat top, beside thin material."""
    values = np.full((1, 40, 50), 0.1)
    values[:, 12:26] = height
    return values


@pytest.mark.parametrize(("height", "stays"), [(0.5, 0.2), (1.5, 0.2), (2.5, 0.3)])
def test_a_flat_surface_along_the_beam_gets_its_height_back(height: float, stays: float) -> None:
    true = block(height)
    blurred = seen(true)
    lacks = (true - blurred).sum()
    left = lacks - lacking(blurred).sum()
    surfaces = 2 * true.shape[2]
    assert lacks / surfaces > 0.06 * height**2  # the height that it seems to lack, voxels × line integral
    assert abs(left) < stays * lacks


def test_a_hardened_beam_lacks_more_and_gets_it_back() -> None:
    """Line integrals that are straightened after the blur: p = t - t² / 5."""
    true = block(1.5)
    blurred = seen(true - true**2 / 5)

    def straighten(p: np.ndarray) -> np.ndarray:
        return np.asarray(2.5 * (1 - np.sqrt(np.maximum(1 - 0.8 * p, 0))))

    lacks = (true - straighten(blurred)).sum()
    monochromatic = (true - seen(true)).sum()
    left = lacks - lacking(blurred, straighten=straighten).sum()
    assert lacks > 1.2 * monochromatic
    assert abs(left) < 0.2 * lacks


@given(st.floats(0.0, 8.0), st.floats(0.11, WIDEST))
def test_where_nothing_changes_nothing_lacks(level: float, width: float) -> None:
    found = lacking(np.full((1, 9, 11), level, np.float32), width)
    np.testing.assert_allclose(found, 0, atol=3e-3 * max(level, 1e-2))


def test_noise_stays_as_it_was_to_first_order() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, (4, 40, 50)).astype(np.float32)
    found = lacking(1 + noise)
    assert found.std() < 0.03 * noise.std()
    assert abs(found.mean()) < 0.03 * noise.std()


def test_the_slits_shadow_is_no_edge_of_the_sample() -> None:
    """Rows without beam carry some large value: the lit row beside them lacks nothing by it."""
    values = np.full((2, 20, 30), 1.0, np.float32)
    values[:, :6] = 8.0
    dark = np.arange(20) < 6
    assert abs(lacking(values)[:, 6]).min() > 0.1
    np.testing.assert_allclose(EdgeGradient.of(WIDTH, same).lacking(values, dark), 0, atol=1e-3)
    assert not EdgeGradient.of(WIDTH, same).lacking(values, np.ones(20, bool)).any()


def test_no_row_shows_how_a_scan_is_cut() -> None:
    """With ``HALO`` rows around it a slab gets what the whole gets, to the bit, with the widest blur too."""
    values = np.random.default_rng(2).uniform(0.2, 2.5, (2, 40, 30)).astype(np.float32)
    whole, part = lacking(values, WIDEST), lacking(values[:, 3 : 3 + 2 * HALO + 4], WIDEST)
    np.testing.assert_array_equal(part[:, HALO:-HALO], whole[:, 3 + HALO : 3 + HALO + 4])


def test_weights_add_up_to_one_and_reach_no_further_than_the_halo() -> None:
    for width in (0.11, 0.6, 0.8, 1.0, WIDEST):
        weights = weights_of(width)
        assert 3 * (len(weights) - 1) <= HALO
        assert weights[0] + 2 * weights[1:].sum() == pytest.approx(1, abs=1e-6)


def test_a_blur_too_wide_to_be_given_back_is_told_and_changes_nothing() -> None:
    scan = scan_of(np.exp(-block(1.5)).repeat(10, 0), np.arange(10) * np.pi / 10)
    transmission = normalise(scan, None, NormaliseParameters())
    plain, wide, known = (
        linearise(transmission, None, LineariseParameters(), blur_um=blur, pixel_size_um=PIXEL)
        for blur in (None, 2 * PIXEL, WIDTH * PIXEL)
    )
    assert not any("blur" in said for one in (plain, known) for said in one.attrs["warnings"])
    assert [said for said in wide.attrs["warnings"] if "blur is 2.0 pixels wide" in said]
    np.testing.assert_array_equal(wide["attenuation"].values, plain["attenuation"].values)
    assert (known["attenuation"].values > plain["attenuation"].values + 0.01).any()


def test_a_void_in_dense_material_is_no_longer_filled() -> None:
    angles = np.arange(200) * np.pi / 200
    true = sinogram([disc(40, 0.03), disc(10, -0.03)], angles, 96, 47.5)[:, None].repeat(5, 1)
    blurred = seen(true, 1.0)
    mended = blurred + lacking(blurred, 1.0)
    hole = radius_map(96) < 6
    haze = [abs(reconstruct_sinograms(data[:, 2][None], angles, 47.5)[0][hole].mean()) for data in (blurred, mended)]
    assert haze[0] > 0.005 * 0.03
    assert haze[1] < 0.4 * haze[0]


def test_a_run_knows_the_blur_and_slabs_do_not_show(tmp_path: Path) -> None:
    """A flat surface between two rows: what lies above and below it adds up, in slabs as in one piece."""
    angles = half_turn()
    line = sinogram([disc(24, 0.04)], angles, COLUMNS, 31.5)
    thick = np.where(np.arange(ROWS) < ROWS // 2, 1.0, 0.1)
    recipe = Recipe(np.exp(-seen(line[:, None] * thick[:, None])), angles, beam=60000.0)
    known = f"blur_um = {WIDTH * PIXEL}\n"
    inner = radius_map(COLUMNS) < 18
    heights = []
    for name, choice, memory in (("plain", "", None), ("known", known, None), ("slabs", known, 1 << 22)):
        volume, _ = run(tmp_path / name, recipe, choice, memory)
        found = volume["mu"].values
        full, little = found[2, inner].mean(), found[-3, inner].mean()
        heights.append(((found[:, inner].mean() - little) / (full - little)) * ROWS)
        if name == "known":
            whole = found
    assert ROWS / 2 - heights[0] > 0.1
    assert abs(heights[1] - ROWS / 2) < 0.3 * (ROWS / 2 - heights[0])
    assert math.isclose(heights[2], heights[1], abs_tol=1e-3)
    np.testing.assert_allclose(found, whole, atol=float(np.ptp(whole)) * 1e-3)
