"""A compressed scan is decoded once, not once a slab."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import operando
from operando.formats import _lazy, nxtomo
from operando.model.reading import ReadOptions
from operando.pipeline import experiment
from operando.pipeline.events import Options
from operando.pipeline.store import Results
from operando.pipeline.unpack import UNPACKED, unpacked


def pack(path: Path) -> None:
    """Compress the frames of a scan, one chunk a frame, as detectors write them."""
    with h5py.File(path, "r+") as file:
        detector, data = file["entry/instrument/detector"], file["entry/data"]
        counts, attrs = detector["data"][()], dict(detector["data"].attrs)
        del detector["data"], data["data"]
        packed = detector.create_dataset("data", data=counts, chunks=(1, *counts.shape[1:]), compression="gzip")
        packed.attrs.update(attrs)
        data["data"] = packed


@pytest.fixture
def packed(tiny_raw: Path, tmp_path: Path) -> Path:
    """The experiment ``tiny`` with compressed scans."""
    folder = Path(shutil.copytree(tiny_raw, tmp_path / "experiment"))
    for path in folder.glob("raw/tomo/*.nxs"):
        pack(path)
    return folder


def test_a_frame_that_is_one_compressed_chunk_is_known(packed: Path, tiny_raw: Path) -> None:
    for folder, whole in ((packed, True), (tiny_raw, False)):
        scan = nxtomo.read(folder / "raw/tomo/scan_0000.nxs", ReadOptions())
        assert scan["counts"].encoding["whole_frames"] is whole


def test_a_virtual_scan_is_as_its_sources_are(packed: Path, tiny_raw: Path, tmp_path: Path) -> None:
    for folder, whole in ((packed, True), (tiny_raw, False)):
        path = tmp_path / "linked.nxs"
        shutil.copy(folder / "raw/tomo/scan_0000.nxs", path)
        shutil.copy(path, tmp_path / "frames.nxs")
        with h5py.File(path, "r+") as file:
            source = h5py.VirtualSource("frames.nxs", "entry/instrument/detector/data", file["entry/data/data"].shape)
            layout = h5py.VirtualLayout(source.shape, "u2")
            layout[:] = source
            del file["entry/instrument/detector/data"], file["entry/data/data"]
            file["entry/data/data"] = file["entry/instrument/detector"].create_virtual_dataset("data", layout)
        assert nxtomo.read(path, ReadOptions())["counts"].encoding["whole_frames"] is whole


def test_each_frame_is_decoded_once(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    read = _lazy.Hdf5Part.read

    def counting(part: _lazy.Hdf5Part, key: _lazy.Key) -> np.ndarray:
        values = read(part, key)
        decoded.append(len(values))
        return values

    monkeypatch.setattr(_lazy.Hdf5Part, "read", counting)
    scan = nxtomo.read(packed / "raw/tomo/scan_0000.nxs", ReadOptions())
    readable = unpacked(scan, tmp_path / "copy.frames")
    for row in range(0, scan.sizes["row"], 8):
        readable["counts"].isel(row=slice(row, row + 8)).values  # noqa: B018
    assert sum(decoded) == scan.sizes["frame"]


@given(data=st.data())
def test_what_is_read_from_the_copy_is_what_is_in_the_file(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shape = tuple(data.draw(st.integers(1, most)) for most in (12, 30, 6))
    values = np.random.default_rng(0).integers(0, 65535, shape).astype(np.uint16)
    scan = xr.Dataset({"counts": (("frame", "row", "column"), values)})
    scan["counts"].encoding["whole_frames"] = True
    readable = unpacked(scan, tmp_path_factory.mktemp("copies") / "frames")
    rows = sorted(data.draw(st.tuples(st.integers(0, shape[1]), st.integers(0, shape[1]))))
    frames = data.draw(st.lists(st.integers(0, shape[0] - 1), min_size=1))
    part = {"frame": frames, "row": slice(*rows)}
    np.testing.assert_array_equal(readable["counts"].isel(part).values, scan["counts"].isel(part).values)
    one = {"frame": frames[0], "row": data.draw(st.integers(0, shape[1] - 1)), "column": slice(0, None, 2)}
    np.testing.assert_array_equal(readable["counts"].isel(one).values, scan["counts"].isel(one).values)


def test_a_compressed_experiment_gives_the_same_volumes_and_leaves_no_copy(
    packed: Path, tiny_raw: Path, tmp_path: Path
) -> None:
    plain = Path(shutil.copytree(tiny_raw, tmp_path / "plain"))
    for folder in (packed, plain):
        experiment.bring_up_to_date(folder, Options(workers=0, only=("reconstruct",)), lambda event: None, "0.1.0")
        assert not list((folder / "results" / UNPACKED).glob("*"))
    found, expected = Results(packed), Results(plain)
    assert len(found.frames("volume")) == 4
    for product in ("volume", "trust"):
        assert found.product(product, 1).drop_attrs().identical(expected.product(product, 1).drop_attrs())


def test_one_compressed_scan_alone_is_the_same(packed: Path, tiny_raw: Path) -> None:
    one, other = (
        operando.reconstruct(operando.open(folder / "raw/tomo/scan_0000.nxs"), rows=slice(20, 28))
        for folder in (packed, tiny_raw)
    )
    np.testing.assert_array_equal(one.values, other.values)
