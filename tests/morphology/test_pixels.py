"""Phases by a trained classifier or by another program's probabilities."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from cells import PHASES, VOXEL, Cell, motions_of
from realisations import fixed_bore

from operando.model.errors import OperandoError
from operando.morphology import pixels
from operando.morphology.classify import classify
from operando.morphology.histogram import histogram
from operando.morphology.levels import levels
from operando.morphology.phase_volumes import phase_volumes
from operando.morphology.pixels import PixelClassifier, read_ilastik
from operando.morphology.rigid import Rigid
from operando.morphology.segment import segment, segmented

CELL = Cell(shape=(24, 36, 36), bore=14.0, level=10.0, gap=6.0, gap_at=(18.0, 18.0), gap_radius=8.0)


@pytest.fixture(scope="module")
def scan() -> dict[str, xr.Dataset]:
    volume = CELL.volume(0.6, 0.2, seed=0)
    tube = fixed_bore(volume, CELL)
    counted = histogram(volume, tube, None)
    return {"volume": volume, "bore": tube, "levels": levels(counted, classify([counted]))}


def _marks(labels: np.ndarray) -> np.ndarray:
    """Every ninth voxel of some rows is marked."""
    marks = np.zeros_like(labels)
    marks[4:22:3, ::3, ::3] = labels[4:22:3, ::3, ::3]
    marks[marks > len(PHASES)] = 0
    return marks


def test_trained_classifier_measures_what_thresholds_measure(
    scan: dict[str, xr.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = segment(scan["volume"], scan["bore"], scan["levels"])
    trained = PixelClassifier.train(scan["volume"], _marks(plain["label"].values), PHASES, trees=10)
    found = trained.probabilities(scan["volume"])
    assert np.allclose(found.sum(axis=0), 1, atol=1e-5)
    monkeypatch.setattr(pixels, "rows_per_block", lambda *_: 5)
    assert np.array_equal(trained.probabilities(scan["volume"], 3, 14), found[:, 3:14])
    labels = segmented(scan["volume"], scan["bore"], scan["levels"], None, None, PHASES, probabilities=found)
    inside = plain["label"].values > 0
    assert np.mean(labels["label"].values[inside] == plain["label"].values[inside]) > 0.98
    volumes = phase_volumes(labels, scan["bore"], scan["levels"])
    anode = float(volumes.sel(phase="anode")["volume"]) / VOXEL**3
    assert anode == pytest.approx(CELL.truth()["anode"], rel=0.02)


def test_probabilities_are_placed_with_the_scan(scan: dict[str, xr.Dataset]) -> None:
    row = motions_of(Rigid.of(np.array([2 * VOXEL, 0.0, 0.0]), np.zeros(3), np.zeros(3))).isel(scan=0)
    step = np.zeros((3, *CELL.shape), np.float32)
    step[2, :12], step[1, 12:] = 1.0, 1.0
    labels = segmented(scan["volume"], scan["bore"], scan["levels"], row, None, PHASES, probabilities=step)
    middle = labels["label"].values[:, 18, 18]
    assert middle[:22].tolist() == [3] * 10 + [2] * 12
    assert middle[22:].tolist() == [255, 255]
    with pytest.raises(OperandoError, match="of this very volume"):
        segmented(scan["volume"], scan["bore"], scan["levels"], None, None, PHASES, probabilities=step[:, 1:])


def test_ilastik_probabilities_are_read_in_any_order_of_axes(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 256, (4, 5, 6, 3)).astype(np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exported_data"] = values
        turned = file.create_dataset("turned", data=np.moveaxis(values, -1, 0)[None])
        turned.attrs["axistags"] = json.dumps({"axes": [{"key": key} for key in "tczyx"]})
        file["flat"] = values[0]
    expected = np.moveaxis(values, -1, 0) / np.float32(255)
    assert np.allclose(read_ilastik(tmp_path / "a.h5"), expected)
    assert np.allclose(read_ilastik(tmp_path / "a.h5", "turned", 1, 3), expected[:, 1:3])
    with pytest.raises(OperandoError, match="no dataset"):
        read_ilastik(tmp_path / "a.h5", "volume")
    with pytest.raises(OperandoError, match="not z, y, x and c"):
        read_ilastik(tmp_path / "a.h5", "flat")


def test_unmarked_phase_is_named(scan: dict[str, xr.Dataset]) -> None:
    with pytest.raises(OperandoError, match="no voxel is marked as void"):
        PixelClassifier.train(scan["volume"], np.full(CELL.shape, 2, np.uint8), PHASES)


def test_a_scan_is_left_as_it_was(scan: dict[str, xr.Dataset]) -> None:
    before = scan["volume"]["mu"].values.copy()
    row = motions_of(None).isel(scan=0).assign(grey_scale=1.1)
    segment(scan["volume"], scan["bore"], scan["levels"], row)
    assert np.array_equal(scan["volume"]["mu"].values, before)
