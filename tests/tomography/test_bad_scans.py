"""What is wrong with a scan is said in one sentence that names the file."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from phantoms import disc, scan_of, sinogram
from recipes import COLUMNS, Recipe, half_turn, plain, reconstructed, run

from operando.model.errors import BrokenFileError, ConfigurationError, OperandoError
from operando.pipeline.store import Results
from operando.tomography import reconstruct_scan, reconstruct_sinograms
from operando.tomography.centre import estimate_centre
from operando.tomography.linearise import LineariseParameters, linearise
from operando.tomography.normalise import NormaliseParameters, normalise
from operando.tomography.reconstruct import pixel_of

ANGLES = np.arange(60) * np.pi / 60


@pytest.fixture
def scan() -> xr.Dataset:
    data = np.exp(-sinogram([disc(20, 0.02)], ANGLES, 64, 31.0))[:, None].repeat(3, 1)
    return scan_of(data, ANGLES, flux=20000)


def without(scan: xr.Dataset, key: int) -> xr.Dataset:
    return scan.isel(frame=np.flatnonzero(scan["image_key"].values != key))


def test_a_scan_without_flats_or_projections_is_refused(scan: xr.Dataset) -> None:
    with pytest.raises(BrokenFileError, match=r"scan_0001.nxs: it holds no flat fields"):
        normalise(without(scan, 1), None, NormaliseParameters())
    with pytest.raises(BrokenFileError, match=r"scan_0001.nxs: it holds no projections"):
        normalise(without(scan, 0), None, NormaliseParameters())


def test_flats_that_are_zero_are_refused(scan: xr.Dataset) -> None:
    counts = scan["counts"].values.copy()
    counts[scan["image_key"].values == 1] = 0
    broken = scan.assign(counts=scan["counts"].copy(data=counts))
    with pytest.raises(BrokenFileError, match=r"scan_0001.nxs: its flat fields are not above its dark fields"):
        reconstruct_scan(broken)
    dark = normalise(broken, None, NormaliseParameters())
    assert dark["starved"].values.all()
    assert np.isfinite(linearise(dark, None, LineariseParameters())["attenuation"].values).all()


def test_rows_behind_the_slits_are_flagged_and_the_others_come_through(scan: xr.Dataset) -> None:
    counts = scan["counts"].values.copy()
    counts[:, 0] = 100
    found = normalise(scan.assign(counts=scan["counts"].copy(data=counts)), None, NormaliseParameters())
    assert found["starved"].values[:, 0].all()
    assert not found["starved"].values[:, 1:].any()
    assert "no beam" in found.attrs["warnings"][0]
    assert np.isfinite(linearise(found, None, LineariseParameters())["attenuation"].values).all()
    volume, *_ = reconstruct_scan(scan.assign(counts=scan["counts"].copy(data=counts)))
    assert not volume[0].any()
    assert volume[1:].any(("y", "x")).all()


def test_missing_angles_are_refused(scan: xr.Dataset) -> None:
    angles = scan["rotation_angle"].values.copy()
    angles[-3:] = np.nan
    with pytest.raises(BrokenFileError, match="3 of 60 projections have no rotation angle"):
        normalise(scan.assign(rotation_angle=scan["rotation_angle"].copy(data=angles)), None, NormaliseParameters())


def test_degrees_taken_for_radians_are_noticed() -> None:
    data = np.zeros((1, 180, 32), np.float32)
    with pytest.raises(OperandoError, match="degrees taken for radians"):
        reconstruct_sinograms(data, np.arange(180.0), 15.5)


@pytest.mark.parametrize(
    ("data", "angles", "centre", "said"),
    [
        (np.zeros((1, 5, 32)), np.arange(4) / 2, 15.5, "5 projections but 4 angles"),
        (np.zeros((5, 32)), np.arange(5) / 2, 15.5, "2 dimensions"),
        (np.full((1, 5, 32), np.nan), np.arange(5) / 2, 15.5, "NaN"),
        (np.zeros((1, 5, 32)), np.arange(5) / 2, 40.0, "outside the 32 columns"),
        (np.zeros((1, 5, 32)), np.arange(5) / 2, np.nan, "outside the 32 columns"),
        (np.zeros((1, 5, 32)), [0, 1, np.nan, 2, 3], 15.5, "1 of 5 rotation angles are missing"),
    ],
)
def test_wrong_arrays_are_refused(data: np.ndarray, angles: np.ndarray, centre: float, said: str) -> None:
    with pytest.raises(OperandoError, match=said):
        reconstruct_sinograms(data.astype(np.float32), np.asarray(angles, float), centre)


def test_an_unknown_filter_is_named() -> None:
    with pytest.raises(ConfigurationError, match="filter = 'rampp' is unknown; use one of ramp"):
        reconstruct_sinograms(np.zeros((1, 5, 32), np.float32), np.arange(5) / 2, 15.5, "rampp")


def test_too_few_angles_give_no_centre() -> None:
    with pytest.raises(OperandoError, match=r"the angles cover 90\.0° only"):
        estimate_centre(np.zeros((90, 32)), np.arange(90) * np.pi / 180)


def test_no_pixel_size_is_said(scan: xr.Dataset) -> None:
    with pytest.raises(ConfigurationError, match=r"scan_0001.nxs: it has no pixel size"):
        pixel_of(scan, None)


def test_dead_pixels_zingers_and_nan_are_mended_and_flagged() -> None:
    rng = np.random.default_rng(3)
    clean = np.exp(-sinogram([disc(20, 0.02)], ANGLES, 64, 31.0))[:, None].repeat(3, 1)
    scan = scan_of(clean, ANGLES, flux=20000)
    counts = scan["counts"].values.astype(np.float32)
    counts[:, 1, 20] = 0
    counts[:, 2, 50] = 65535
    counts[30, 0, 10] = np.nan
    struck = rng.integers(12, 68, 20), rng.integers(0, 3, 20), rng.integers(2, 62, 20)
    counts[struck] += 30000
    counts[2, 0, 33] += 30000
    found = normalise(scan.assign(counts=scan["counts"].copy(data=counts)), None, NormaliseParameters())
    assert np.abs(found["transmission"].values - clean).max() < 0.1
    assert bool(found["starved"][20, 0, 10])
    assert len(found.attrs["warnings"]) == 3


def test_negative_after_dark_is_kept_and_flagged() -> None:
    data = np.full((60, 3, 64), 0.001)
    scan = scan_of(data, ANGLES, flux=10000, read_noise=30.0)
    found = normalise(scan, None, NormaliseParameters(zingers=False))
    assert (found["transmission"].values < 0).any()
    assert found["starved"].values[found["transmission"].values <= 0].all()
    assert np.isfinite(linearise(found, None, LineariseParameters())["attenuation"].values).all()


def test_flats_are_interpolated_in_time_and_scaled_with_the_ring_current() -> None:
    frames, rows, columns = 12, 2, 16
    key = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1])
    time = np.arange(frames) * 10.0
    current = 100 - 0.5 * np.arange(frames)
    beam = (1000 + 2 * time)[:, None, None] * np.ones((rows, columns))
    counts = beam * (current / current[key == 1].mean())[:, None, None] * np.where(key == 0, 0.5, 1.0)[:, None, None]
    scan = scan_of(np.zeros((1, rows, columns)), np.zeros(1), flats=1).isel(frame=slice(0, 0))
    scan = xr.Dataset(
        {
            "counts": (("frame", "row", "column"), counts.astype(np.float32), {"units": "count"}),
            "image_key": ("frame", key, {"units": "1"}),
            "rotation_angle": ("frame", np.linspace(0, 1, frames), {"units": "rad"}),
            "frame_time": ("frame", np.datetime64("2020-01-01", "ns") + (time * 1e9).astype("timedelta64[ns]")),
            "ring_current": ("frame", current, {"units": "mA"}),
        },
        attrs=scan.attrs,
    )
    found = normalise(scan, None, NormaliseParameters(zingers=False))
    np.testing.assert_allclose(found["transmission"].values, 0.5, rtol=1e-5)


def _no_beam(file: h5py.File) -> None:
    flats = np.flatnonzero(file["entry/instrument/detector/image_key"][()] == 1)
    for flat in flats:
        file["entry/instrument/detector/data"][flat] = 0


@pytest.mark.parametrize(
    ("spoil", "choice", "said"),
    [
        (_no_beam, "", "its flat fields are not above its dark fields"),
        (lambda file: None, "centre = 500.0\n", "the centre 500.0 px lies outside the 64 columns"),
    ],
    ids=["zero flats", "wrong centre"],
)
def test_a_bad_scan_fails_with_a_sentence_and_leaves_no_volume(
    tmp_path: Path, spoil: Callable[[h5py.File], None], choice: str, said: str
) -> None:
    folder = tmp_path / "one"
    Recipe(plain()[:, :5], half_turn()).write(folder / "raw" / "scan.nxs")
    with h5py.File(folder / "raw" / "scan.nxs", "r+") as file:
        spoil(file)
    report = reconstructed(folder, choice)
    assert any(said in failure.text and "scan.nxs" in failure.file for failure in report.failures), report.failures
    assert "Traceback" not in report.failures[0].text
    assert Results(folder).volume(0) is None
    assert not list((folder / "results" / "volumes").glob("[!.]*"))


def test_degrees_that_are_called_radians_are_read_as_degrees_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    Recipe(plain()[:, :4], half_turn()).write(folder / "raw" / "scan.nxs")
    right = run(folder, Recipe(plain(), half_turn()), "")[0]["mu"].values
    with h5py.File(folder / "raw" / "scan.nxs", "r+") as file:
        file["entry/sample/rotation_angle"].attrs["units"] = "rad"
    np.testing.assert_array_equal(run(folder, Recipe(plain(), half_turn()), "")[0]["mu"].values, right)
    said = [one["text"] for one in Results(folder).warnings()]
    assert any("can only be degrees; read as degrees" in text for text in said), said


def test_an_odd_number_of_rows_comes_back_whole(tmp_path: Path) -> None:
    volume, trust = run(tmp_path / "one", Recipe(plain()[:, :13], half_turn()), "", memory=1 << 22)
    assert volume["mu"].shape == (13, COLUMNS, COLUMNS)
    assert trust["starved_share"].sizes["z_coarse"] == 4
    rows = volume["mu"].values
    np.testing.assert_allclose(rows[-1], rows[0], atol=0.05 * np.ptp(rows))
