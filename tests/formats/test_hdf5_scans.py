"""NXtomo and DataExchange: lazily, in radians, with UTC times, and clear words for what is broken."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import format_files
import h5py
import numpy as np
import pytest

from operando.formats.catalogue import identify, open_raw
from operando.model.errors import BrokenFileError, ConfigurationError
from operando.model.products.raw import DARK, FLAT, PROJECTION, SCAN
from operando.model.reading import ReadOptions


def utc(text: str) -> np.datetime64:
    return np.datetime64(text, "ns")


def test_nxtomo_frames_come_back_as_written(tmp_path: Path) -> None:
    data = format_files.nxtomo(tmp_path / "a.nxs")
    scan = SCAN.check(open_raw(tmp_path / "a.nxs"))
    assert identify(tmp_path / "a.nxs").name == "nxtomo"
    np.testing.assert_array_equal(scan["counts"].values, data)
    assert scan["counts"].dtype == np.uint16
    assert scan["image_key"].values.tolist() == [2, 1, 0, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(scan["rotation_angle"].values, np.linspace(0, np.pi, 8))
    assert scan["start"].values == utc("2018-05-04T06:00:00")
    assert scan["end"].values == utc("2018-05-04T06:01:30")


def test_a_slab_of_rows_is_read_alone(tmp_path: Path) -> None:
    data = format_files.nxtomo(tmp_path / "a.nxs", rows=9)
    counts = open_raw(tmp_path / "a.nxs")["counts"]
    np.testing.assert_array_equal(counts.isel(row=slice(4, 6)).values, data[:, 4:6])
    np.testing.assert_array_equal(counts.isel(frame=[5, 2, 2, 0], row=1).values, data[[5, 2, 2, 0], 1])
    np.testing.assert_array_equal(counts.isel(frame=slice(None, None, -1)).values, data[::-1])
    assert counts.isel(row=slice(4, 6)).variable._in_memory is False


@pytest.mark.parametrize(("columns", "asked"), [(2048, 8), (5, 0)])
def test_the_next_rows_of_every_frame_are_asked_for_where_they_lie_scattered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int, asked: int
) -> None:
    data = format_files.nxtomo(tmp_path / "a.nxs", rows=6, columns=columns)
    found: list[bytes] = []

    def fetched(file: int, start: int, length: int, advice: int) -> None:
        found.append(os.pread(file, length, start))

    monkeypatch.setattr(os, "posix_fadvise", fetched)
    open_raw(tmp_path / "a.nxs")["counts"].isel(row=slice(0, 2)).values  # noqa: B018
    assert found == [frame[2:4].tobytes() for frame in data][:asked]


def test_a_scan_of_12_gb_opens_in_milliseconds(tmp_path: Path) -> None:
    path = tmp_path / "big.nxs"
    format_files.nxtomo(path, **{"instrument/detector/data": None})
    with h5py.File(path, "r+") as file:
        detector = file["entry/instrument/detector"]
        detector.create_dataset("data", (1500, 2016, 2016), np.uint16)  # Allocated late: no bytes on disk.
        del detector["image_key"]
        detector["image_key"] = np.zeros(1500, np.uint8)
        del file["entry/sample/rotation_angle"]
        file["entry/sample/rotation_angle"] = np.linspace(0, 180, 1500)
    open_raw(path)
    took = []
    for _ in range(5):
        begin = time.perf_counter()
        scan = open_raw(path)
        took.append(time.perf_counter() - begin)
    assert scan["counts"].nbytes > 12e9
    assert min(took) < 0.05
    assert scan["counts"].isel(row=slice(0, 1), frame=slice(0, 3)).values.shape == (3, 1, 2016)


def test_a_lazy_scan_can_be_sent_to_a_worker(tmp_path: Path) -> None:
    data = format_files.nxtomo(tmp_path / "a.nxs")
    copy = pickle.loads(pickle.dumps(open_raw(tmp_path / "a.nxs")))
    np.testing.assert_array_equal(copy["counts"].isel(row=1).values, data[:, 1])


def test_frame_times_give_start_and_end_of_the_sample_frames(tmp_path: Path) -> None:
    seconds = np.arange(8.0) * 10
    format_files.nxtomo(
        tmp_path / "a.nxs", **{"instrument/detector/start_time": seconds, "instrument/detector/count_time": 2.0}
    )
    scan = open_raw(tmp_path / "a.nxs")
    assert scan["start"].values == utc("2018-05-04T06:00:20")
    assert scan["end"].values == utc("2018-05-04T06:01:12")
    assert scan["frame_time"].values[0] == utc("2018-05-04T06:00:01")


def test_frame_times_since_1970_need_no_zone(tmp_path: Path) -> None:
    format_files.nxtomo(
        tmp_path / "a.nxs", start_time=None, **{"instrument/detector/timestamp": 1525413600.0 + np.arange(8)}
    )
    assert open_raw(tmp_path / "a.nxs")["start"].values == utc("2018-05-04T06:00:02")


def test_a_local_time_asks_for_its_zone(tmp_path: Path) -> None:
    path = tmp_path / "a.nxs"
    format_files.nxtomo(path, start_time="2018-05-04T08:00:00", end_time="2018-05-04T08:01:30")
    with pytest.raises(ConfigurationError, match=r"a\.nxs: its times have no time zone"):
        open_raw(path)
    assert np.isnat(open_raw(path, ReadOptions(require_time=False))["start"].values)
    berlin = open_raw(path, ReadOptions(time_zone="Europe/Berlin"))
    assert berlin["start"].values == utc("2018-05-04T06:00:00")


def test_a_scan_without_times_has_none(tmp_path: Path) -> None:
    format_files.nxtomo(tmp_path / "a.nxs", start_time=None, end_time=None)
    assert np.isnat(open_raw(tmp_path / "a.nxs")["start"].values)


@pytest.mark.parametrize(
    ("named", "value", "micrometres"),
    [("m", 2.5e-6, 2.5), ("mm", 2.5e-3, 2.5), ("um", 2.5, 2.5), ("µm", 2.5, 2.5), (None, 2.5e-6, 2.5)],
)
def test_pixel_size_comes_in_micrometres(tmp_path: Path, named: str | None, value: float, micrometres: float) -> None:
    path = tmp_path / "a.nxs"
    format_files.nxtomo(path, **{"instrument/detector/x_pixel_size": value})
    if named:
        with h5py.File(path, "r+") as file:
            file["entry/instrument/detector/x_pixel_size"].attrs["units"] = named
    assert float(open_raw(path)["pixel_size"]) == pytest.approx(micrometres)


def test_magnification_brings_the_pixel_to_the_sample_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.nxs"
    format_files.nxtomo(path, **{"instrument/detector/x_pixel_size": 11e-6, "instrument/detector/magnification": 4.4})
    scan = open_raw(path)
    assert float(scan["pixel_size"]) == pytest.approx(2.5)
    assert "magnification 4.4" in " ".join(scan.attrs["warnings"])


def test_a_pixel_size_that_is_no_length_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nxs"
    format_files.nxtomo(path, **{"instrument/detector/x_pixel_size": 2.5})
    with h5py.File(path, "r+") as file:
        file["entry/instrument/detector/x_pixel_size"].attrs["units"] = "s"
    with pytest.raises(BrokenFileError, match="no length"):
        open_raw(path)


def test_the_configured_pixel_size_is_used_only_where_the_file_has_none(tmp_path: Path) -> None:
    format_files.nxtomo(tmp_path / "a.nxs")
    assert float(open_raw(tmp_path / "a.nxs", ReadOptions(pixel_size_um=3.0))["pixel_size"]) == 3.0
    assert "pixel_size" not in open_raw(tmp_path / "a.nxs")


def test_ring_current_is_read_in_milliamperes(tmp_path: Path) -> None:
    path = tmp_path / "a.nxs"
    format_files.nxtomo(path, **{"control/data": np.linspace(0.3, 0.2, 8)})
    with h5py.File(path, "r+") as file:
        file["entry/control/data"].attrs["units"] = "A"
    np.testing.assert_allclose(open_raw(path)["ring_current"].values, np.linspace(300, 200, 8))


def test_a_monitor_in_other_units_is_no_ring_current(tmp_path: Path) -> None:
    format_files.nxtomo(tmp_path / "a.nxs", **{"control/data": np.ones(8)})
    scan = open_raw(tmp_path / "a.nxs")
    assert "ring_current" not in scan
    assert any("control/data" in text for text in scan.attrs["warnings"])


def test_virtual_and_linked_frames_are_followed(tmp_path: Path) -> None:
    data = format_files.nxtomo(tmp_path / "source.h5")
    format_files.nxtomo(tmp_path / "a.nxs", **{"instrument/detector/data": None})
    with h5py.File(tmp_path / "a.nxs", "r+") as file:
        layout = h5py.VirtualLayout(data.shape, data.dtype)
        layout[:] = h5py.VirtualSource("source.h5", "entry/instrument/detector/data", data.shape)
        file["entry/instrument/detector"].create_virtual_dataset("data", layout)
    format_files.nxtomo(tmp_path / "b.nxs", **{"instrument/detector/data": None})
    with h5py.File(tmp_path / "b.nxs", "r+") as file:
        file["entry/instrument/detector/data"] = h5py.ExternalLink("source.h5", "/entry/instrument/detector/data")
    for name in ("a.nxs", "b.nxs"):
        np.testing.assert_array_equal(open_raw(tmp_path / name)["counts"].isel(row=2).values, data[:, 2])
    (tmp_path / "source.h5").unlink()
    for name in ("a.nxs", "b.nxs"):
        with pytest.raises(BrokenFileError, match=r"source\.h5"):
            open_raw(tmp_path / name)


def test_a_link_to_another_machines_folder_is_found_beside_the_file(tmp_path: Path) -> None:
    data = format_files.nxtomo(tmp_path / "source.hdf")
    format_files.nxtomo(tmp_path / "a.nxs", **{"instrument/detector/data": None})
    with h5py.File(tmp_path / "a.nxs", "r+") as file:
        link = h5py.ExternalLink("/beamline/2014/raw/source.hdf", "/entry/instrument/detector/data")
        file["entry/instrument/detector/data"] = link
    np.testing.assert_array_equal(open_raw(tmp_path / "a.nxs")["counts"].isel(row=1).values, data[:, 1])
    (tmp_path / "source.hdf").rename(tmp_path / "other.hdf")
    with pytest.raises(BrokenFileError, match=r"linked to /beamline/2014/raw/source\.hdf"):
        open_raw(tmp_path / "a.nxs")


def test_diamonds_raw_files_with_a_sub_entry_are_read(tmp_path: Path) -> None:
    path = tmp_path / "24888.nxs"
    data = format_files.nxtomo(tmp_path / "plain.nxs")
    keys = np.array([2, 1, 0, 0, 0, 0, 0, 0], float)
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry1")
        entry["instrument/scanDevice/image_key"] = keys
        entry["instrument/pco/start_time"] = np.arange(8.0)
        entry["instrument/pco/start_time"].attrs["start"] = b"2014-01-31T06:37:45"
        entry["instrument/pco/start_time"].attrs["units"] = b"s"
        tomo = entry.create_group("tomo_entry")
        tomo["definition"] = np.array([b"NXtomo"])
        tomo["instrument/detector/data"] = data
        tomo["instrument/detector/image_key"] = keys
        tomo["instrument/detector/x_pixel_size"] = np.array([b"b2017b74-c39d"])
        tomo["instrument/source/current"] = np.array([-1.0])
        tomo["instrument/source/current"].attrs["units"] = b"mA"
        tomo["sample/rotation_angle"] = np.linspace(-89.1, 90.9, 8)
    scan = open_raw(path, ReadOptions(time_zone="Europe/London", pixel_size_um=1.1))
    np.testing.assert_array_equal(scan["counts"].values, data)
    assert scan["start"].values == utc("2014-01-31T06:37:47")
    assert float(scan["pixel_size"]) == 1.1
    assert "ring_current" not in scan
    said = " ".join(scan.attrs["warnings"])
    assert "'b2017b74-c39d', no length" in said
    assert "is -1 mA in some frame" in said


def test_a_file_that_another_program_still_writes_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "a.nxs"
    format_files.nxtomo(path)
    hold = "import sys, h5py; f = h5py.File(sys.argv[1], 'r+'); print('open', flush=True); sys.stdin.read()"
    writer = subprocess.Popen([sys.executable, "-c", hold, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"open\n"
    with pytest.raises(BrokenFileError, match="still open for writing"):
        open_raw(path)
    writer.communicate(timeout=30)
    open_raw(path)


def test_frames_behind_a_plugin_filter_are_read(tmp_path: Path) -> None:
    hdf5plugin = pytest.importorskip("hdf5plugin")
    data = format_files.nxtomo(tmp_path / "a.nxs", **{"instrument/detector/data": None})
    with h5py.File(tmp_path / "a.nxs", "r+") as file:
        file["entry/instrument/detector"].create_dataset("data", data=data, **hdf5plugin.Bitshuffle())
    np.testing.assert_array_equal(open_raw(tmp_path / "a.nxs")["counts"].values, data)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"instrument/detector/image_key": np.zeros(5, np.uint8)}, "5 values for 8 frames"),
        ({"sample/rotation_angle": np.zeros(3)}, "3 values for 8 frames"),
        ({"sample/rotation_angle": None}, "rotation_angle is missing"),
        ({"sample/rotation_angle": np.full(8, np.nan)}, "not a number"),
        ({"instrument/detector/image_key": np.ones(8, np.uint8)}, "no frame as a projection"),
        ({"instrument/detector/data": np.zeros((8, 4))}, "not a stack of frames"),
        ({"instrument/detector/data": np.zeros((0, 4, 4))}, "not a stack of frames"),
        ({"instrument/detector/data": None}, "data is missing"),
    ],
)
def test_a_broken_nxtomo_is_named_with_what_was_found(tmp_path: Path, changes: dict, words: str) -> None:
    format_files.nxtomo(tmp_path / "a.nxs", **changes)
    with pytest.raises(BrokenFileError, match=words) as caught:
        open_raw(tmp_path / "a.nxs")
    assert "a.nxs" in str(caught.value)


def test_a_truncated_hdf5_file_is_called_truncated(tmp_path: Path) -> None:
    for suffix in (".nxs", ".h5"):
        path = tmp_path / f"a{suffix}"
        format_files.nxtomo(path, frames=200)
        path.write_bytes(path.read_bytes()[:4000])
        with pytest.raises(BrokenFileError, match="truncated"):
            open_raw(path)


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "a.nxs").touch()
    with pytest.raises(BrokenFileError, match="0 bytes"):
        open_raw(tmp_path / "a.nxs")


def test_alignment_frames_are_set_aside_with_a_warning(tmp_path: Path) -> None:
    keys = np.array([2, 1, 0, 0, 0, 0, 0, -1], np.int8)
    format_files.nxtomo(tmp_path / "a.nxs", **{"instrument/detector/image_key_control": keys})
    scan = open_raw(tmp_path / "a.nxs")
    assert (scan["image_key"].values == PROJECTION).sum() == 5
    assert any("1 frames are alignment" in text for text in scan.attrs["warnings"])


@pytest.mark.parametrize(
    ("values", "units", "span", "said"),
    [
        (np.linspace(0, 180, 61), "degree", np.pi, None),
        (np.linspace(0, np.pi, 61), "rad", np.pi, None),
        (np.linspace(0, 180, 61), None, np.pi, "no unit"),
        (np.linspace(0, np.pi, 61), None, np.pi, "read as radians"),
        (np.linspace(0, 180, 61), "rad", np.pi, "only be degrees"),
        (np.linspace(0, np.pi, 61), "deg", np.pi, "read as radians"),
        (np.linspace(-88, 92, 61), "deg", np.pi, None),
    ],
)
def test_degrees_and_radians_are_told_apart(
    tmp_path: Path, values: np.ndarray, units: str | None, span: float, said: str | None
) -> None:
    format_files.data_exchange(tmp_path / "a.h5", values, units, count=61)
    scan = open_raw(tmp_path / "a.h5")
    angles = scan["rotation_angle"].values[scan["image_key"].values == PROJECTION]
    assert np.ptp(angles) == pytest.approx(span)
    warnings = scan.attrs["warnings"]
    assert (said in " ".join(warnings)) if said else not warnings


def test_data_exchange_joins_its_three_stacks(tmp_path: Path) -> None:
    format_files.data_exchange(tmp_path / "a.h5", np.linspace(0, 150, 6))
    scan = open_raw(tmp_path / "a.h5")
    values, keys = scan["counts"].values[:, 0, 0], scan["image_key"].values
    assert values[keys == PROJECTION].tolist() == list(range(6))
    assert values[keys == FLAT].tolist() == [100, 101]
    assert values[keys == DARK].tolist() == [200, 201, 202]
    assert scan["counts"].dtype == np.float32
    assert np.isnan(scan["rotation_angle"].values[keys != PROJECTION]).all()
    picked = [9, 0, 4, 9, 3]
    np.testing.assert_array_equal(scan["counts"].isel(frame=picked).values, scan["counts"].values[picked])


def test_missing_theta_is_taken_as_equally_spaced_and_said(tmp_path: Path) -> None:
    format_files.data_exchange(tmp_path / "a.h5")
    scan = open_raw(tmp_path / "a.h5")
    angles = scan["rotation_angle"].values[scan["image_key"].values == PROJECTION]
    np.testing.assert_allclose(np.rad2deg(angles), [0, 30, 60, 90, 120, 150])
    assert any("no theta" in text for text in scan.attrs["warnings"])


def test_lost_frames_are_no_guess(tmp_path: Path) -> None:
    format_files.data_exchange(tmp_path / "a.h5", np.arange(7.0))
    with pytest.raises(BrokenFileError, match="7 values for 6 projections"):
        open_raw(tmp_path / "a.h5")


def test_the_tooth(shared_data: Path) -> None:
    scan = open_raw(shared_data / "tomography" / "tooth.h5")
    keys = scan["image_key"].values
    assert [(keys == k).sum() for k in (PROJECTION, FLAT, DARK)] == [181, 10, 10]
    assert scan["counts"].shape == (201, 2, 640)
    angles = np.rad2deg(scan["rotation_angle"].values[keys == PROJECTION])
    assert angles[0] == 0
    assert angles[-1] == pytest.approx(179.0055, abs=1e-3)
    assert scan["counts"].values[keys == FLAT].mean() == pytest.approx(27941.957, rel=1e-5)
    assert scan["counts"].values[keys == DARK].mean() == pytest.approx(105.185, rel=1e-4)
    assert np.isnat(scan["start"].values)


def test_the_savu_scan_starts_at_negative_angles(shared_data: Path) -> None:
    scan = open_raw(shared_data / "tomography" / "savu_image_test.h5")
    keys = scan["image_key"].values
    assert [(keys == k).sum() for k in (PROJECTION, FLAT, DARK)] == [91, 1, 1]
    angles = np.rad2deg(scan["rotation_angle"].values[keys == PROJECTION])
    assert (angles.min(), angles.max()) == pytest.approx((-88.2, 91.8), abs=1e-3)
    with h5py.File(shared_data / "tomography" / "savu_image_test.h5") as file:
        expected = file["exchange/data"][:, 60]
    np.testing.assert_array_equal(scan["counts"].isel(row=60).values[keys == PROJECTION], expected)
