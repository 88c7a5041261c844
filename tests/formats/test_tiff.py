"""TIFF folders as scans, TIFF and HDF5 as volumes: lazily, in the order of the numbers."""

import contextlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operando.formats.catalogue import identify, open_raw
from operando.model.errors import BrokenFileError, OperandoError, UnknownFormatError
from operando.model.products.raw import RAW_VOLUME, SCAN
from operando.model.reading import ReadOptions


def image(value: int, shape: tuple[int, int] = (4, 5)) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.uint16).reshape(shape) + np.uint16(100 * value)


def folder_scan(folder: Path, layout: str, projections: int = 12) -> Path:
    """Write a scan of 12 projections (0…), two flats (20, 21) and one dark (30)."""
    names = {
        "folders": ("projections/img_{}.tif", "flats/img_{}.tif", "darks/img_{}.tif"),
        "mantid": ("Tomo/s_{}.tif", "Flat_Before/f_{}.tif", "Dark_Before/d_{}.tif"),
        "prefixes": ("proj_{}.tif", "flat_{}.tif", "dark_{}.tif"),
        "mixed": ("scan7_{}.tif", "flats/{}.tif", "darks/{}.tif"),
        "savu": ("tiffs/raw_{}.tif", "flat_{}.tif", "dark_{}.tif"),
    }[layout]
    for name, values in zip(names, (range(projections), (20, 21), (30,)), strict=True):
        for number, value in enumerate(values):
            path = folder / name.format(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, image(value))
    return folder


@pytest.mark.parametrize("layout", ["folders", "mantid", "prefixes", "mixed", "savu"])
def test_a_folder_is_a_scan_in_the_order_of_its_numbers(tmp_path: Path, layout: str) -> None:
    folder = folder_scan(tmp_path / "scan", layout)
    scan = SCAN.check(open_raw(folder, ReadOptions(pixel_size_um=2.5)))
    assert identify(folder).name == "tiff_folder"
    assert scan["image_key"].values.tolist() == [2, 1, 1] + [0] * 12
    expected = np.stack([image(v) for v in (30, 20, 21, *range(12))])
    np.testing.assert_array_equal(scan["counts"].values, expected)
    np.testing.assert_array_equal(scan["counts"].isel(row=slice(1, 3), frame=[4, 1]).values, expected[[4, 1], 1:3])
    np.testing.assert_array_equal(scan["counts"].isel(frame=5, column=2).values, expected[5, :, 2])
    np.testing.assert_allclose(np.rad2deg(scan["rotation_angle"].values[3:]), np.arange(12) * 15.0)
    assert "no angles.txt" in scan.attrs["warnings"][0]
    assert float(scan["pixel_size"]) == 2.5


def test_flats_after_the_scan_come_after_it(tmp_path: Path) -> None:
    folder = folder_scan(tmp_path / "scan", "mantid")
    (folder / "Flat_After").mkdir()
    tifffile.imwrite(folder / "Flat_After" / "f_0.tif", image(25))
    scan = open_raw(folder)
    assert scan["image_key"].values.tolist() == [2, 1, 1] + [0] * 12 + [1]
    np.testing.assert_array_equal(scan["counts"].isel(frame=-1).values, image(25))


def test_angles_are_read_from_their_file(tmp_path: Path) -> None:
    folder = folder_scan(tmp_path / "scan", "folders")
    (folder / "angles.txt").write_text("# index angle\n" + "\n".join(f"{i} {i * 16.3}" for i in range(12)))
    scan = open_raw(folder)
    np.testing.assert_allclose(np.rad2deg(scan["rotation_angle"].values[3:]), np.arange(12) * 16.3)
    assert scan.attrs["warnings"] == []
    (folder / "angles.txt").write_text("1\n2\n")
    with pytest.raises(BrokenFileError, match=r"angles\.txt: it has 2 angles for 12 projections"):
        open_raw(folder)


def test_images_of_different_sizes_are_refused(tmp_path: Path) -> None:
    folder = folder_scan(tmp_path / "scan", "folders")
    tifffile.imwrite(folder / "projections" / "img_3.tif", image(3, (4, 6)))
    with pytest.raises(BrokenFileError, match=r"img_3\.tif: it is \(4, 6\)"):
        open_raw(folder)["counts"].load()
    for path in (folder / "flats").iterdir():
        tifffile.imwrite(path, image(3, (2, 5)))
    with pytest.raises(BrokenFileError, match="have sizes"):
        open_raw(folder)


def test_an_empty_image_is_named(tmp_path: Path) -> None:
    folder = folder_scan(tmp_path / "scan", "folders")
    (folder / "projections" / "img_4.tif").write_bytes(b"")
    with pytest.raises(BrokenFileError, match=r"img_4\.tif: the file is empty"):
        open_raw(folder)


def test_a_truncated_image_is_named_when_it_is_read(tmp_path: Path) -> None:
    folder = folder_scan(tmp_path / "scan", "folders")
    path = folder / "projections" / "img_4.tif"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(BrokenFileError, match=r"img_4\.tif: the TIFF file ends after"):
        open_raw(folder)["counts"].isel(row=0).load()


def test_a_folder_without_names_of_kinds_is_a_volume(tmp_path: Path) -> None:
    for z in range(12):
        tifffile.imwrite(tmp_path / f"slice_{z}.tif", image(z), compression="zlib" if z % 2 else None)
    volume = RAW_VOLUME.check(open_raw(tmp_path))
    assert identify(tmp_path).name == "tiff_volume"
    np.testing.assert_array_equal(volume["grey"].values, np.stack([image(z) for z in range(12)]))
    assert (tmp_path / "empty").mkdir() is None
    with pytest.raises(UnknownFormatError):
        identify(tmp_path / "empty")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_a_stack_is_read_piece_by_piece(tmp_path: Path, compression: str | None, byteorder: str) -> None:
    data = np.random.default_rng(0).normal(size=(7, 4, 5)).astype(np.float32)
    path = tmp_path / "v.tif"
    tifffile.imwrite(path, data, compression=compression, byteorder=byteorder)
    grey = open_raw(path)["grey"]
    np.testing.assert_array_equal(grey.values, data)
    np.testing.assert_array_equal(grey.isel(z=slice(2, 4), y=1).values, data[2:4, 1])
    assert grey.dtype == np.float32
    assert grey.values.dtype.isnative


def test_voxel_size_comes_from_imagej_and_ome_only_with_a_unit(tmp_path: Path) -> None:
    data = np.zeros((3, 4, 5), np.uint8)
    tifffile.imwrite(
        tmp_path / "ij.tif", data, imagej=True, resolution=(0.4, 0.4), metadata={"unit": "um", "axes": "ZYX"}
    )
    tifffile.imwrite(
        tmp_path / "a.ome.tif", data, metadata={"axes": "ZYX", "PhysicalSizeX": 2.5, "PhysicalSizeXUnit": "µm"}
    )
    tifffile.imwrite(tmp_path / "plain.tif", data, resolution=(300, 300), photometric="minisblack")
    assert float(open_raw(tmp_path / "ij.tif")["voxel_size"]) == pytest.approx(2.5)
    assert float(open_raw(tmp_path / "a.ome.tif")["voxel_size"]) == pytest.approx(2.5)
    assert "voxel_size" not in open_raw(tmp_path / "plain.tif")
    assert float(open_raw(tmp_path / "plain.tif", ReadOptions(pixel_size_um=3))["voxel_size"]) == 3


@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 4, 5)])
def test_one_image_or_four_dimensions_are_no_volume(tmp_path: Path, shape: tuple[int, ...]) -> None:
    tifffile.imwrite(tmp_path / "v.tif", np.zeros(shape, np.uint8), photometric="minisblack")
    with pytest.raises(BrokenFileError, match=r"v\.tif"):
        open_raw(tmp_path / "v.tif")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_tiff_ends_in_a_sentence(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "v.tif"
    tifffile.imwrite(
        path,
        np.zeros((3, 4, 5), np.uint8),
        photometric="minisblack",
        compression=data.draw(st.sampled_from([None, "zlib"])),
    )
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(4, len(content) - 1))
        content[at : at + 2] = data.draw(st.binary(min_size=2, max_size=2))
    path.write_bytes(bytes(content[: data.draw(st.integers(5, len(content)))]))
    with contextlib.suppress(OperandoError):
        volume = open_raw(path)
        if volume["grey"].size < 1e6:
            volume["grey"].isel(z=0).load()


def test_an_hdf5_file_with_one_volume_is_read(tmp_path: Path) -> None:
    data = np.arange(60.0).reshape(3, 4, 5)
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["somewhere/else"] = data
        file["somewhere/voxel_size"] = 2.5e-3
        file["somewhere/voxel_size"].attrs["units"] = "mm"
    volume = RAW_VOLUME.check(open_raw(tmp_path / "v.h5"))
    np.testing.assert_array_equal(volume["grey"].isel(z=1).values, data[1])
    assert float(volume["voxel_size"]) == pytest.approx(2.5)
    with h5py.File(tmp_path / "v.h5", "r+") as file:
        file["another"] = data
    with pytest.raises(UnknownFormatError):
        open_raw(tmp_path / "v.h5")


def test_the_bubbles_and_the_electrode(shared_data: Path) -> None:
    for i in range(4):
        volume = open_raw(shared_data / "volumes" / f"bubble_{i}.tif")
        assert volume["grey"].shape == (101, 168, 156)
        assert volume["grey"].dtype == np.uint8
    expected = tifffile.imread(shared_data / "volumes" / "bubble_3.tif")
    np.testing.assert_array_equal(volume["grey"].isel(z=slice(40, 43)).values, expected[40:43])
    electrode = open_raw(shared_data / "volumes" / "electrode.tiff")["grey"]
    assert electrode.shape == (256, 256, 256)
    assert np.unique(electrode.values).size == 3
