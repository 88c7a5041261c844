"""The graphics card gives what the processor gives; the same code runs on NumPy where there is no card."""

from typing import Any

import numpy as np
import pytest
from phantoms import disc, shepp_logan, sinogram
from scipy import sparse

from operando.tomography import gpu, reconstruct_sinograms
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


class ColumnByColumn:
    """A sparse module whose products lie column by column, as those of cuSPARSE do."""

    def __init__(self, matrix: sparse.csr_matrix) -> None:
        self.matrix = matrix

    @classmethod
    def coo_matrix(cls, *given: Any, **named: Any) -> "ColumnByColumn":
        return cls(sparse.coo_matrix(*given, **named))

    def tocsr(self) -> "ColumnByColumn":
        return ColumnByColumn(self.matrix.tocsr())

    def __matmul__(self, other: np.ndarray) -> np.ndarray:
        return np.asfortranarray(self.matrix @ np.asfortranarray(other))


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Device:
    """A device made of NumPy and SciPy, found as a card would be."""
    device = Device(np, ColumnByColumn, 1 << 40)  # type: ignore[arg-type]
    monkeypatch.setattr(gpu, "find_device", lambda: device)
    gpu._KEPT.clear()
    return device


def _three() -> tuple[np.ndarray, np.ndarray]:
    angles = np.arange(50) * np.pi / 50
    data = np.repeat(sinogram(shepp_logan(48), angles, 48, 23.5)[None], 19, 0).astype(np.float32)
    return data * np.arange(1, 20, dtype=np.float32)[:, None, None], angles


def test_a_card_is_chosen_by_itself_and_gives_the_same(card: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    data, angles = _three()
    found = reconstruct_sinograms(data, angles, 23.5)
    assert len(gpu._KEPT) == 1
    monkeypatch.setattr(gpu, "find_device", lambda: None)
    expected = reconstruct_sinograms(data, angles, 23.5)
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    assert not np.array_equal(found, expected), "the other path was taken"


def test_a_card_that_runs_out_of_memory_leaves_it_to_the_processor(
    card: Device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data, angles = _three()

    def full(*given: object) -> None:
        raise MemoryError("out of memory to allocate 1 bytes")

    monkeypatch.setattr(Spreader, "__call__", full)
    found = reconstruct_sinograms(data, angles, 23.5)
    assert "the processor reconstructs" in caplog.text
    monkeypatch.setattr(gpu, "find_device", lambda: None)
    np.testing.assert_array_equal(found, reconstruct_sinograms(data, angles, 23.5))


def test_a_card_too_small_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(np.arange(90) * np.pi / 90, 64, 31.5, "ramp")
    for free, chosen in ((memory_needed(plan), False), (2 * memory_needed(plan), True)):
        monkeypatch.setattr(gpu, "find_device", lambda free=free: Device(np, sparse, free))
        assert (gpu.device_for(plan) is not None) == chosen


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
