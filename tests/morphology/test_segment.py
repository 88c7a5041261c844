"""Every voxel gets its phase, whatever the slab."""

import numpy as np
import pytest
import xarray as xr
from cells import PHASES, VOXEL, Cell, motions_of, starved_rows, with_change

from operando.model.errors import OperandoError
from operando.morphology.bore import bore
from operando.morphology.classify import ClassifyParameters, classify
from operando.morphology.histogram import histogram
from operando.morphology.phase_volumes import at_the_ends, phase_volumes
from operando.morphology.rigid import Rigid
from operando.morphology.segment import HALO, segment

CELL = Cell(gap=6.0, gap_radius=14.0, flipped=False)


@pytest.fixture(scope="module")
def scan() -> dict[str, xr.Dataset]:
    volume = CELL.volume(noise=0.2, seed=0)
    tube = bore(volume, 2 * CELL.bore * VOXEL / 1000)
    classes = classify([histogram(volume, tube, None)])
    return {"volume": volume, "bore": tube, "classes": classes}


def test_classes_are_found_with_a_rare_void(scan: dict[str, xr.Dataset]) -> None:
    mean = scan["classes"]["mean"].values
    assert np.allclose(mean, [0, 1.7, 14], atol=[0.4, 0.05, 0.1])
    assert 0.5 < float(scan["classes"]["blur"]) / VOXEL < 0.9


def test_one_more_scan_leaves_the_classes_bit_equal() -> None:
    tube = bore(CELL.volume(seed=0), 2 * CELL.bore * VOXEL / 1000)
    counted = [histogram(CELL.volume(noise=0.2, seed=seed), tube, None) for seed in range(4)]
    fewer, more = classify(counted[:3]), classify(counted)
    assert fewer["mean"].identical(more["mean"])


def test_volumes_of_the_phases_come_back(scan: dict[str, xr.Dataset]) -> None:
    labels = segment(scan["volume"], scan["bore"], scan["classes"])
    volumes = phase_volumes(labels, scan["bore"], scan["classes"])
    truth = CELL.truth()
    for name in PHASES:
        one = volumes.sel(phase=name)
        assert float(one["volume"]) / VOXEL**3 == pytest.approx(truth[name], rel=0.08 if name == "void" else 0.01)
    assert float(volumes["untrusted_volume"]) == 0


def test_slabs_give_what_the_whole_gives(scan: dict[str, xr.Dataset]) -> None:
    middle = VOXEL * (np.array(CELL.shape) - 1) / 2
    row = motions_of(Rigid.of(np.array([4.0, -3.0, 2.0]), np.array([0.01, 0.0, 0.004]), middle)).isel(scan=0)
    whole = segment(scan["volume"], scan["bore"], scan["classes"], row)
    part = scan["volume"].isel(z=slice(0, 6 + HALO))
    slab = segment(part, scan["bore"], scan["classes"], row).isel(z=slice(0, 6))
    assert slab["label"].equals(whole["label"].isel(z=slice(0, 6)))
    assert slab["share"].equals(whole["share"].isel(z=slice(0, 6)))


def test_slab_too_thin_for_the_motion_is_refused(scan: dict[str, xr.Dataset]) -> None:
    row = motions_of(Rigid.of(np.array([40 * VOXEL, 0, 0]), np.zeros(3), np.zeros(3))).isel(scan=0)
    with pytest.raises(OperandoError, match="moved by 40 voxels"):
        segment(scan["volume"].isel(z=slice(0, 40)), scan["bore"], scan["classes"], row)


def test_untrusted_voxels_are_no_phase(scan: dict[str, xr.Dataset]) -> None:
    labels = segment(scan["volume"], scan["bore"], scan["classes"], None, starved_rows(CELL.shape, 12))
    volumes = phase_volumes(labels, scan["bore"], scan["classes"])
    assert volumes["untrusted_rows"].values.tolist() == [[0, 11]]
    area = CELL.inside().sum()
    assert float(volumes["untrusted_volume"]) / VOXEL**3 == pytest.approx(12 * area, rel=0.02)
    assert float(volumes.sel(phase="anode")["volume"]) / VOXEL**3 == pytest.approx(
        CELL.truth()["anode"] - 12 * area, rel=0.03
    )


@pytest.mark.parametrize("shift", [0.3, 0.5, 0.7, 1.4])
def test_what_the_slits_light_is_counted_to_its_edge(shift: float) -> None:
    """Rows below the eighth are in the slits' shadow; the cell moves, and the trust of whole rows steps."""
    rows = np.full((1, 40), 10.0)
    lit = np.arange(40) + shift > 7.5
    own, first = at_the_ends(np.where(lit, rows, 0.0), lit.astype(float), shift)
    assert [float(more[0] + 10 * lit.sum()) for more in (own, first)] == pytest.approx([320, 320])


def test_rows_out_of_view_are_unknown(scan: dict[str, xr.Dataset]) -> None:
    row = motions_of(Rigid.of(np.array([5 * VOXEL, 0, 0]), np.zeros(3), np.zeros(3))).isel(scan=0)
    labels = segment(scan["volume"], scan["bore"], scan["classes"], row)
    inside = labels["label"].values[:, 36, 36]
    assert np.all(inside[-5:] == 255)
    assert not np.any(inside[:-5] == 255)


def test_an_anode_that_is_all_edges_is_found_and_known_no_better_than_its_voxels_allow() -> None:
    cell = with_change(CELL, gap=0.0)
    volume = cell.volume(seed=0)
    counted = histogram(volume, bore(volume, 2 * cell.bore * VOXEL / 1000), None)
    dense = counted["grey"].values > 8
    core, edge = counted["core"].values.copy(), counted["edge"].values.copy()
    edge[dense] += core[:, dense].sum(axis=0)
    core[:, dense] = 0
    found = classify([counted.assign(core=(counted["core"].dims, core), edge=(counted["edge"].dims, edge))])
    anode = found.sel(phase="anode")
    assert float(anode["mean"]) == pytest.approx(14, abs=0.2)
    assert float(anode["mean_std"]) >= 0.8 * float(anode["width"]) / np.sqrt(edge[dense].sum())


def test_given_means_are_used() -> None:
    volume = with_change(CELL, gap=0.0).volume(seed=0)
    tube = bore(volume)
    counted = [histogram(volume, tube, None)]
    assert np.allclose(
        classify(counted, PHASES, ClassifyParameters(means=(0.1, 1.7, 14)))["mean"], [0.1, 1.7, 14], atol=0.2
    )
    with pytest.raises(OperandoError, match="2 values for 3 phases"):
        classify(counted, PHASES, ClassifyParameters(means=(0.1, 14)))
