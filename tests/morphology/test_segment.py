"""Every voxel gets its phase, whatever the slab."""

import numpy as np
import pytest
import xarray as xr
from cells import PHASES, VOXEL, Cell, as_volume, motions_of, starved_rows, with_change
from scipy import ndimage

from operando.model.errors import OperandoError
from operando.morphology.bore import bore
from operando.morphology.classify import ClassifyParameters, classify
from operando.morphology.histogram import histogram
from operando.morphology.labelling import running
from operando.morphology.phase_volumes import at_the_ends, phase_volumes
from operando.morphology.rigid import Rigid
from operando.morphology.segment import HALO, SegmentParameters, segment

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


MOTIONS = {
    "still": None,
    "moved": Rigid.of(np.array([5.2, -3.1, 2.3]), np.zeros(3), np.zeros(3)),
    "rotated": Rigid.of(np.array([-4.0, 3.0, 2.0]), np.array([0.01, 0.02, -0.004]), np.array([50.0, 50.0, 50.0])),
}


@pytest.fixture(scope="module")
def odd() -> dict[str, xr.Dataset]:
    """A scan with odd sizes and a voxel that binary numbers do not hold, twice as high as a cell."""
    cell = with_change(CELL, shape=(47, 69, 71))
    grey = cell.volume(noise=0.3, seed=0)["mu"].values
    volume = as_volume(np.concatenate([grey, grey[::-1]])[:93], voxel=1.3)
    tube = bore(volume, 2 * cell.bore * 1.3 / 1000)
    trust = starved_rows((93, 69, 71), 20)
    trust = trust.assign_coords({name: trust[name] * 1.3 / VOXEL for name in trust.coords})
    return {"volume": volume, "bore": tube, "classes": classify([histogram(volume, tube, None)]), "trust": trust}


@pytest.mark.parametrize("name", MOTIONS)
def test_labels_are_the_same_to_the_bit_however_they_are_cut(
    odd: dict[str, xr.Dataset], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, params = motions_of(MOTIONS[name]).isel(scan=0), SegmentParameters(smoothing=0.8)
    rest = (odd["bore"], odd["classes"], row, odd["trust"], PHASES, params)
    monkeypatch.setattr("operando.morphology.sampling.BLOCK_VOXELS", np.inf)
    whole = segment(odd["volume"], *rest)
    monkeypatch.setattr("operando.morphology.sampling.BLOCK_VOXELS", 1e5)
    assert whole.identical(segment(odd["volume"], *rest))
    for start, stop in ((0, 8), (8, 16), (45, 54), (53, 93)):
        low = max(start - HALO, 0)
        part = segment(odd["volume"].isel(z=slice(low, stop + HALO)), *rest)
        own = part.isel(z=slice(start - low, stop - low))
        for variable in ("label", "other", "share"):
            assert np.array_equal(own[variable], whole[variable].isel(z=slice(start, stop)))


def test_rows_beside_a_slab_are_not_labelled_and_read_only_where_they_are_seen(odd: dict[str, xr.Dataset]) -> None:
    slab = slice(2, 2 + 2 * HALO + 8)
    mu = odd["volume"]["mu"].values.copy()
    mu[2 : 2 + HALO - 16] = mu[2 + HALO + 8 + 16 :] = np.nan
    labels = [
        segment(volume.isel(z=slab), odd["bore"], odd["classes"])["label"].values
        for volume in (odd["volume"], odd["volume"].assign(mu=(("z", "y", "x"), mu)))
    ]
    assert np.array_equal(*labels)
    assert np.all(labels[0][:HALO] == 255)
    assert np.all(labels[0][-HALO:] == 255)
    assert set(np.unique(labels[0][HALO:-HALO])) > {0, 2}
    with pytest.raises(OperandoError, match="slab of 60 rows has none of its own"):
        segment(odd["volume"].isel(z=slice(2, 62)), odd["bore"], odd["classes"])


def test_running_extremes_are_those_of_a_cube() -> None:
    values = np.random.default_rng(0).integers(1, 250, (7, 9, 11)).astype(np.uint8)
    for reach in (1, 2, 3, 5, 7):
        for take, neutral, reference in (
            (np.minimum, 255, ndimage.minimum_filter),
            (np.maximum, 0, ndimage.maximum_filter),
        ):
            expected = reference(values, size=2 * reach + 1, mode="nearest")
            assert np.array_equal(running(values, reach, neutral, take), expected)


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
