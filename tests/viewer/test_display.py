"""The planes for the screen: true, in place, made once."""

from pathlib import Path

import made_up_folder
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_folder import made_up

from operando.pipeline import display
from operando.pipeline.index import Index
from operando.pipeline.store import Results


@given(shape=st.tuples(*[st.integers(1, 9)] * 3), factor=st.integers(1, 4), seed=st.integers(0, 99), mean=st.booleans())
def test_binning_keeps_shape_mean_and_labels(shape: tuple[int, int, int], factor: int, seed: int, mean: bool):
    block = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    small = display.binned(block, factor, mean=mean)
    assert small.shape == tuple(-(-n // factor) for n in shape)
    assert small.dtype == np.uint8
    assert block.min() <= small.min()
    assert small.max() <= block.max()
    first = block[:factor, :factor, :factor]
    assert small[0, 0, 0] == (round(float(first.mean())) if mean else block[0, 0, 0]) or first.mean() % 1 == 0.5


def test_nothing_is_written_twice_and_only_what_changed_again(tmp_path: Path):
    results = made_up_folder.write(tmp_path, [0, 8])
    assert display.write_display(results) == []
    index = Index(results.path)
    made_up_folder.add_big(index, "volume", results.keys("scan")[1], made_up.volume(20.0, 3))
    results.reload()
    before = display.catalogue(results)["volume"][1].key
    made = display.write_display(results)
    assert [path.name.split("-")[0] for path in made] == ["volume"]
    assert display.catalogue(results)["volume"][1].key != before
    assert not (results.path / "display" / f"volume-{before}").exists()


def test_a_moved_scan_is_shown_in_the_first_scans_frame(tmp_path: Path):
    """A cell that moved by (2, -1, 3) voxels looks as if it had not."""
    results = made_up_folder.write(tmp_path, [0, 8])
    still = display.catalogue(results)["volume"][1]
    planes = [display.read_plane(results, still, "z", 1, number) for number in range(10, 40)]
    index, key = Index(results.path), results.keys("scan")[1]
    volume = made_up.volume(float(made_up.scan_hours()[8]), 1)
    moved = volume.assign(mu=volume["mu"].copy(data=np.roll(volume["mu"].values, (2, -1, 3), axis=(0, 1, 2))))
    made_up_folder.add_big(index, "volume", key, moved)
    motions = results.table("motions")
    motions = motions.assign(translation=motions["translation"].copy(data=np.array([[0, 0, 0], [40.0, -20.0, 60.0]])))
    made_up_folder.add(index, "motions", "", motions)
    results.reload()
    display.write_display(results)
    image = display.catalogue(results)["volume"][1]
    assert image.moved
    for number, plane in zip(range(10, 40), planes, strict=True):
        found = np.frombuffer(display.read_plane(results, image, "z", 1, number), np.uint8).reshape(80, 80)[5:-5, 5:-5]
        expected = np.frombuffer(plane, np.uint8).reshape(80, 80)[5:-5, 5:-5]
        assert np.abs(found.astype(int) - expected).max() <= 3


def test_the_three_axes_show_the_same_voxels(tmp_path: Path):
    results = made_up_folder.write(tmp_path, [0])
    image = display.catalogue(results)["volume"][0]
    for factor in (1, 2):
        shape = image.shape_at(factor)
        stacks = {
            axis: np.stack(
                [
                    np.frombuffer(display.read_plane(results, image, axis, factor, n), np.uint8).reshape(
                        image.plane_shape(axis, factor)
                    )
                    for n in range(shape["zyx".index(axis)])
                ],
                axis="zyx".index(axis),
            )
            for axis in "zyx"
        }
        np.testing.assert_array_equal(stacks["z"], stacks["y"])
        np.testing.assert_array_equal(stacks["z"], stacks["x"])


def test_large_volumes_keep_full_planes_across_z_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(display, "SMALL_VOXELS", 1000)
    results = made_up_folder.write(tmp_path, [0])
    images = display.catalogue(results)
    assert set(images["volume"][0].planes) == {("z", 1), ("z", 2), ("y", 2), ("x", 2)}
    assert set(images["labels"][0].planes) == {("z", 2), ("y", 2), ("x", 2)}
    assert images["labels"][0].factor_for("z", 1) == 2


def test_slabs_make_the_same_planes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    whole = made_up_folder.write(tmp_path / "whole", [0])
    monkeypatch.setattr(display, "SLAB_BYTES", 6400 * 5)
    slabs = made_up_folder.write(tmp_path / "slabs", [0])
    for name in ("volume", "labels", "trust"):
        one, other = (display.catalogue(results)[name][0] for results in (whole, slabs))
        assert display.read_box(whole, one) == display.read_box(slabs, other)
        for axis, factor in one.planes:
            for number in range(one.shape_at(factor)["zyx".index(axis)]):
                assert display.read_plane(whole, one, axis, factor, number) == display.read_plane(
                    slabs, other, axis, factor, number
                )


def test_a_plane_that_is_not_there_is_an_index_error(tmp_path: Path):
    results = Results(made_up_folder.write(tmp_path, [0]).folder)
    image = display.catalogue(results)["volume"][0]
    for axis, factor, number in (("z", 1, 48), ("z", 1, -1), ("z", 3, 0)):
        with pytest.raises(IndexError):
            display.read_plane(results, image, axis, factor, number)
