"""``.med``: the APS's multi-element text, one spectrum of all elements."""

from pathlib import Path

import format_files
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operando.formats import aps_med
from operando.formats.catalogue import identify, open_raw
from operando.model.errors import BrokenFileError, ConfigurationError
from operando.model.products.raw import SPECTRA
from operando.model.reading import ReadOptions

CHICAGO = ReadOptions(time_zone="America/Chicago")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_what_was_written_comes_back(tmp_path: Path, elements: int, channels: int, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 10**6, (elements, channels))
    path = tmp_path / "a.med"
    path.write_text(format_files.med(elements, channels, counts))
    spectra = SPECTRA.check(open_raw(path, CHICAGO))
    np.testing.assert_array_equal(spectra["counts"].values[0], counts)
    assert spectra["counts"].dtype == np.int64
    np.testing.assert_allclose(spectra["energy_coefficients"].values, [[0.1, 0.0648, 0.0]] * elements)
    assert spectra["start"].values[0] == np.datetime64("2016-11-04T09:52:52.890", "ns")
    assert spectra["end"].values[0] - spectra["start"].values[0] == np.timedelta64(150_250_000_000, "ns")


def test_the_zone_is_asked_for_unless_no_time_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "a.med"
    path.write_text(format_files.med(1, 8, np.ones((1, 8))))
    with pytest.raises(ConfigurationError, match="time_zone"):
        open_raw(path)
    alone = open_raw(path, ReadOptions(require_time=False))
    assert np.isnat(alone["start"].values).all()
    assert alone.attrs["local_start"] == "2016-11-04T04:52:52.890000"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("CHANNELS:           8", "CHANNELS:           9", "promises 9 channels, 8 rows"),
        ("ELEMENTS:             2", "ELEMENTS:             3", "3 numbers"),
        ("ELEMENTS:             2", "ELEMENTS:             x", "'x' for ELEMENTS"),
        ("Nov 04", "Nov 34", "DATE"),
        (" 1 1\n 1 1\n", " 1 1\n 1 x\n", "line 21 should hold 2 numbers"),
        (" 1 1\n 1 1\n", " 1 1\n 1 -1\n", "-1 counts"),
        ("DATA:", "DUTY:", "before DATA"),
    ],
)
def test_what_is_broken_is_said(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = format_files.med(2, 8, np.ones((2, 8)))
    assert old in text
    head, _, tail = text.rpartition(old)
    path = tmp_path / "a.med"
    path.write_text(head + new + tail)
    with pytest.raises(BrokenFileError, match=words):
        aps_med.read(path, CHICAGO)


def test_angles_come_from_the_configuration_only_where_the_file_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a.med"
    text = format_files.med(1, 8, np.ones((1, 8)))
    path.write_text(text)
    options = ReadOptions(time_zone="UTC", two_theta_deg=8.0)
    assert open_raw(path, options)["two_theta"].values == pytest.approx([6.5])
    path.write_text("\n".join(line for line in text.split("\n") if not line.startswith("TWO_THETA")))
    assert open_raw(path, options)["two_theta"].values == pytest.approx([8.0])


def test_the_al2o3_standard(shared_data: Path) -> None:
    path = shared_data / "diffraction" / "aps6bmb_MgO" / "COSI_021_0001.med"
    spectra = open_raw(path, CHICAGO)
    assert identify(path).name == "aps_med"
    assert spectra["counts"].shape == (1, 10, 2048)
    assert spectra["start"].values[0] == np.datetime64("2016-11-04T09:52:52.890", "ns")
    assert spectra["live_time"].values[0, 0] == pytest.approx(307.2420654)
    assert spectra["real_time"].values[0, 0] == pytest.approx(300.0086060)
    assert spectra.attrs["warnings"] == [
        "element 0: LIVE > REAL (307.242 s of 300.009 s).",
        "element 4 is dead: no counts.",
    ]
    assert np.isnan(spectra["energy_coefficients"].values[4]).all()
    np.testing.assert_allclose(spectra["energy_coefficients"].values[0], [0.096714117, 0.064842783, 1.2718128e-8])
    assert spectra["two_theta"].values[9] == pytest.approx(6.5014453)
    assert spectra["counts"].values[0, :, 1].tolist() == [551, 0, 17, 26, 0, 1, 0, 0, 0, 0]
    assert spectra.attrs["environment"]["Thermocouple1 Temperature"] == "26.31994"


def test_the_mgo_series_is_in_order_and_never_overlaps(shared_data: Path) -> None:
    files = sorted((shared_data / "diffraction" / "aps6bmb_MgO").glob("COSI_022_*.med"))
    spectra = [open_raw(path, CHICAGO) for path in files]
    starts = np.array([s["start"].values[0] for s in spectra])
    ends = np.array([s["end"].values[0] for s in spectra])
    assert len(files) == 25
    assert (starts[1:] > ends[:-1]).all()
    for each in spectra:
        assert any("element 0: LIVE > REAL" in text for text in each.attrs["warnings"])
        assert any("element 4 is dead" in text for text in each.attrs["warnings"])
