"""What is written can be read again, whole or not at all."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from operando.model.contract import Contract, Variable
from operando.model.errors import OperandoError
from operando.pipeline import arrays, codec, digest, stacking
from operando.pipeline.index import Entry, Index
from operando.pipeline.lock import LockedError, held

POINT = Contract(
    "point",
    "a test",
    {
        "d": Variable(("line",), "angstrom", "spacing", "std"),
        "time": Variable((), "time", "when"),
        "file": Variable(("line",), "text", "which"),
    },
)


def _point(values: np.ndarray) -> xr.Dataset:
    names = np.array([f"ü{n}" for n in range(values.size)], dtype=str)
    return POINT.new(d=values, d_std=values * 0.1, time=np.datetime64("2018-05-04T06:00:00.123456789"), file=names)


@settings(deadline=None, max_examples=25)
@given(hnp.arrays(np.float64, st.integers(0, 20)))
def test_a_small_product_comes_back_to_the_bit(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("codec") / "point.npz"
    with np.errstate(over="ignore", invalid="ignore"):
        point = _point(values)
    codec.write(point, path)
    back = POINT.check(codec.read(path))
    assert digest.of_content(back) == digest.of_content(point)
    xr.testing.assert_identical(back, point)


def test_equal_texts_have_equal_digests_wherever_they_lie_in_memory() -> None:
    one, two = (xr.Dataset({"kind": ("step", np.array(["".join(["re", "st"]), "charge"], object))}) for _ in range(2))
    assert digest.of_content(one) == digest.of_content(two)


def test_a_torn_file_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "point.npz"
    codec.write(_point(np.ones(3)), path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(OperandoError, match="delete it and run again"):
        codec.read(path)


def test_shorter_frames_are_padded_with_what_is_no_number() -> None:
    table = stacking.stack([_point(np.ones(2)), _point(np.ones(3))], "scan", [0, 4])
    assert table["scan"].values.tolist() == [0, 4]
    assert np.isnan(table["d"].values[0, 2])
    assert table["file"].values[0, 2] == ""


def test_a_volume_written_in_slabs_is_the_volume(tmp_path: Path) -> None:
    from operando.model.products.tomography import VOLUME

    random = np.random.default_rng(1)
    mu = random.normal(1.0, 0.2, (37, 70, 66)).astype(np.float32)
    axes = [np.arange(size) * 2.5 for size in mu.shape]
    whole = VOLUME.new(coords=dict(zip("zyx", axes, strict=True)), mu=mu)
    layout = arrays.Layout(37, 8, "z", (-0.5, 2.5))
    for start in range(0, 37, 8):
        slab = whole.isel(z=slice(start, start + 8))
        if start == 0:
            arrays.create(tmp_path / "v.zarr", slab, layout, "digest")
        arrays.write_slab(tmp_path / "v.zarr", start, slab, layout)
    back = VOLUME.check(arrays.open_lazily(tmp_path / "v.zarr"))
    assert back["mu"].dtype == np.float32
    assert np.abs(back["mu"].values - mu).max() <= 3.0 / 65535 / 2 * 1.01
    np.testing.assert_array_equal(back["z"], axes[0])
    coarse = xr.open_zarr(str(tmp_path / "v.zarr" / "1"), consolidated=False, chunks=None)["mu"].values
    assert coarse.shape == (19, 35, 33)
    twice = np.concatenate([mu, mu[-1:]])  # an odd last row counts twice
    means = twice.reshape(19, 2, 35, 2, 33, 2).mean((1, 3, 5))
    np.testing.assert_allclose(coarse, means, atol=5e-5)


def test_a_value_outside_the_stated_range_is_never_clipped(tmp_path: Path) -> None:
    from operando.model.products.tomography import VOLUME

    volume = VOLUME.new(mu=np.full((8, 4, 4), 7.0, np.float32))
    layout = arrays.Layout(8, 8, "z", (0.0, 5.0))
    arrays.create(tmp_path / "v.zarr", volume, layout, "digest")
    with pytest.raises(arrays.RangeExceededError) as caught:
        arrays.write_slab(tmp_path / "v.zarr", 0, volume, layout)
    low, high = arrays.widened((0.0, 5.0), caught.value.low, caught.value.high)
    assert low < 0.0 < 7.0 < high


def test_a_voxel_that_is_no_number_is_never_written(tmp_path: Path) -> None:
    from operando.model.errors import OperandoError
    from operando.model.products.tomography import VOLUME

    mu = np.ones((8, 4, 4), np.float32)
    mu[5, 2, 1] = np.nan
    volume, layout = VOLUME.new(mu=mu), arrays.Layout(8, 8, "z", (0.0, 5.0))
    arrays.create(tmp_path / "v.zarr", volume, layout, "digest")
    with pytest.raises(OperandoError, match="not numbers"):
        arrays.write_slab(tmp_path / "v.zarr", 0, volume, layout)


def test_other_programs_open_the_volume_as_ome_zarr(tmp_path: Path) -> None:
    """Read with ngff-zarr, which nothing here is made of."""
    import ngff_zarr

    from operando.model.products.tomography import VOLUME

    mu = np.random.default_rng(2).normal(1.0, 0.2, (16, 80, 80)).astype(np.float32)
    volume = VOLUME.new(coords={axis: np.arange(size) * 2.5 for axis, size in zip("zyx", mu.shape, strict=True)}, mu=mu)
    layout = arrays.Layout(16, 16, "z", None)
    arrays.create(tmp_path / "v.ome.zarr", volume, layout, "digest")
    arrays.write_slab(tmp_path / "v.ome.zarr", 0, volume, layout)
    seen = ngff_zarr.from_ngff_zarr(str(tmp_path / "v.ome.zarr"))
    assert seen.metadata.axes[0].unit == "micrometer"
    assert list(seen.images[0].scale.values()) == [2.5, 2.5, 2.5]
    np.testing.assert_array_equal(np.asarray(seen.images[0].data), mu)
    assert len(seen.images) == 2


def test_a_torn_last_line_of_the_index_is_as_if_never_written(tmp_path: Path) -> None:
    index = Index(tmp_path)
    index.append(Entry("segment", "a", "1", {}))
    index.append(Entry("segment", "b", "2", {}))
    text = index.path.read_text()
    index.path.write_text(text[:-9])
    again = Index(tmp_path)
    assert again.get("segment", "a") is not None
    assert again.get("segment", "b") is None
    again.compact()
    assert all(json.loads(line) for line in index.path.read_text().splitlines())


def test_who_reads_an_index_goes_on_reading_the_one_that_was_there(tmp_path: Path) -> None:
    run = Index(tmp_path)
    for number in (1, 2, 3):
        run.append(Entry("segment", "a", str(number), {"version": number}))
    reader = Index(tmp_path)
    run.append(Entry("align", "b", "4", {}, error="broken"))
    run.compact()
    run.append(Entry("segment", "a", "5", {}))
    assert [entry.digest for entry in reader] == ["3"]
    assert [(entry.step, entry.digest) for entry in run] == [("segment", "5"), ("align", "4")]
    assert list(Index(tmp_path)) == list(run)
    before = reader.get("segment", "a")
    assert before is not None
    assert before.recipe == {"version": 3}


def test_a_row_has_the_digest_of_its_content_alone() -> None:
    table = xr.Dataset(
        {
            "file": ("scan", np.array(["a.nxs", "longer.nxs", ""])),
            "start": ("scan", np.array(["2018-05-04", "NaT", "2018-05-06"], "datetime64[ns]")),
            "shift": (("axis", "scan"), np.arange(9.0).reshape(3, 3), {"units": "um"}),
            "voxel": ((), 2.5, {"units": "um"}),
        },
        coords={"scan": [4, 0, 7], "axis": ["z", "y", "x"]},
        attrs={"format": "made up", "frame": 3},
    )
    rows = digest.Rows(table, "scan")
    assert [rows.digest(n) for n in (0, 4, 7)] == [digest.of_content(table.sel(scan=n)) for n in (0, 4, 7)]
    assert rows.digest(1) is None
    plain = table.drop_vars("scan")
    assert digest.Rows(plain, "scan").digest(2) == digest.of_content(plain.isel(scan=2))


def test_a_second_run_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with held(tmp_path) as taken:
        assert taken is None
        with pytest.raises(LockedError, match="has worked on it since"), held(tmp_path):
            pass
    assert not (tmp_path / "lock.json").exists()


def test_a_lock_of_a_process_that_is_gone_is_taken_over_with_a_word(tmp_path: Path) -> None:
    import socket

    content = {"host": socket.gethostname(), "process": 4_000_000, "since": time.time() - 7200}
    (tmp_path / "lock.json").write_text(json.dumps(content))
    with held(tmp_path) as taken:
        assert taken is not None
        assert f"process 4000000 on {socket.gethostname()}, which is gone" in taken
        assert taken.endswith("for 2.0 h")


def test_a_product_that_starts_again_grows_in_a_place_of_its_own(tmp_path: Path) -> None:
    """A slab of the earlier start may still be written: it must not land in the new arrays."""
    from operando.pipeline.slabs import Slabs
    from operando.pipeline.worker import Outcome, Target, Task

    target = Target("volume", tmp_path / "abc.volume", big=True, integers=True)
    first = Slabs(Task("reconstruct", "abc", {}, (target,), 1_000_000))
    task = first.next_task()
    assert not first.record(task, Outcome(layout=arrays.Layout(20, 8, "z", (0.0, 1.0))))
    late = first.next_task()
    again = first.with_range(arrays.RangeExceededError(-3.0, 5.0))
    assert not again.counts(late)
    assert again.next_task().targets[0].path != late.targets[0].path
    assert again.base.value_range == (-15.0, 17.0)
    assert again.with_less_memory("it died").base.memory_bytes == 500_000
