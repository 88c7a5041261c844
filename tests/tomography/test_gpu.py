"""The graphics card gives what the processor gives; the same code runs on NumPy where there is no card."""

import numpy as np
import pytest
from phantoms import disc, shepp_logan, sinogram
from scipy import sparse

from operando.tomography import reconstruct_sinograms
from operando.tomography.gpu import Device, Spreader, find_device, memory_needed
from operando.tomography.padding import extended
from operando.tomography.plan import make_plan


@pytest.mark.parametrize(("columns", "centre", "count"), [(64, 31.5, 3), (61, 28.2, 16), (64, 45.0, 10)])
def test_the_card_s_code_equals_the_processor_s(columns: int, centre: float, count: int) -> None:
    angles = np.arange(90) * np.pi / 90
    data = np.stack([
        sinogram([*shepp_logan(columns), disc(3 + i / 2, 0.1)], angles, columns, centre) for i in range(count)
    ])
    data = data.astype(np.float32)
    expected = reconstruct_sinograms(data, angles, centre)
    found = Spreader(make_plan(angles, columns, centre, "ramp"), Device(np, sparse, 1 << 40))(data)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_padded_projections_wrap_the_same_way() -> None:
    angles = np.arange(60) * np.pi / 60
    data = sinogram([disc(60, 0.01)], angles, 64, 31.5)[None].astype(np.float32)
    wide = extended(data, 40, 31.5)
    from operando.tomography.gridding import reconstruct_padded

    expected = reconstruct_padded(wide, angles, 31.5, "ramp", 40)
    found = Spreader(make_plan(angles, 64, 31.5, "ramp", 40), Device(np, sparse, 1 << 40))(wide)
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_what_does_not_fit_into_the_card_is_known_before() -> None:
    plan = make_plan(np.arange(90) * np.pi / 90, 64, 31.5, "ramp")
    assert memory_needed(plan) > 90 * 79 * 25 * 8


def test_a_real_card_agrees_to_a_ten_thousandth(monkeypatch: pytest.MonkeyPatch) -> None:
    if find_device() is None:
        pytest.skip("no graphics card with CuPy here")
    angles = np.arange(400) * np.pi / 400
    data = np.repeat(sinogram(shepp_logan(256), angles, 256, 127.5)[None], 20, 0).astype(np.float32)
    found = reconstruct_sinograms(data, angles, 127.5)
    monkeypatch.setenv("OPERANDO_GPU", "0")
    find_device.cache_clear()
    expected = reconstruct_sinograms(data, angles, 127.5)
    find_device.cache_clear()
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
