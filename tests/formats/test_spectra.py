"""SPEC, Amptek, ORTEC, Canberra, NeXus and two-column spectra."""

import contextlib
import struct
from pathlib import Path

import format_files
import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operando.formats.catalogue import identify, open_raw
from operando.model.errors import BrokenFileError, ConfigurationError, OperandoError
from operando.model.products.raw import PATTERN, SPECTRA
from operando.model.reading import ReadOptions

UTC = ReadOptions(time_zone="UTC")
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, newline="")
    return path


@FEW
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 50), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_spec_arrays_come_back(
    tmp_path: Path, points: int, elements: int, channels: int, width: int, seed: int
) -> None:
    counts = np.random.default_rng(seed).integers(0, 10**6, (points, elements, channels))
    tags = tuple(f"@A{i}" for i in range(elements))
    path = written(tmp_path, "a.spec", format_files.spec(counts, columns=width, tags=tags))
    spectra = SPECTRA.check(open_raw(path))
    np.testing.assert_array_equal(spectra["counts"].values, counts)
    np.testing.assert_allclose(spectra["energy_coefficients"].values, [[0.25, 0.05, 1e-7]] * elements)
    assert spectra["live_time"].values.max() == 55.5
    assert spectra["real_time"].values.min() == 60.5
    assert (spectra["ring_current"].values == 249.5).all()
    first = np.datetime64("2018-05-04T06:10:00", "ns")
    expected = first + np.arange(points) * np.timedelta64(60_500_000_000, "ns")
    np.testing.assert_array_equal(spectra["start"].values, expected)


def test_the_zone_of_spec_dates_follows_from_the_epoch_or_is_asked_for(tmp_path: Path) -> None:
    counts = np.ones((1, 1, 8))
    text = format_files.spec(counts).replace("Epoch", "Other")
    zoned = open_raw(written(tmp_path, "a.spec", text))
    assert zoned["start"].values[0] == np.datetime64("2018-05-04T06:10:00", "ns")
    local = written(tmp_path, "b.spec", format_files.spec(counts, epoch=False).replace("Epoch", "Other"))
    with pytest.raises(ConfigurationError, match="time_zone"):
        open_raw(local)
    told = open_raw(local, ReadOptions(time_zone="Europe/Berlin"))
    assert told["start"].values[0] == np.datetime64("2018-05-04T06:10:00", "ns")


def test_arrays_before_their_data_line_are_read_as_well(tmp_path: Path) -> None:
    text = "#S 1 ct\n#D Fri May 04 08:10:00 2018\n#L a  Seconds\n@A 1 2 3\n0 5\n@A 4 5 6\n1 7\n"
    spectra = open_raw(written(tmp_path, "a.spec", text), UTC)
    assert spectra["counts"].values[:, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert spectra["real_time"].values[:, 0].tolist() == [5, 7]
    assert np.isnat(spectra["start"].values).tolist() == [False, True]


def test_arrays_of_one_tag_are_elements_where_they_outnumber_the_rows(tmp_path: Path) -> None:
    header = "#S 1 aaaaaa\n#D Thu Feb 11 10:00:32 2016\n#@MCA %16C\n#@CHANN 3 0 2 1\n#@CALIB 1 2 3\n#@CTIME 5 4 6\n"
    rows = "#N 2\n#L uno  duo\n1 2\n@A 0 1 2\n@A 10 9 8\n@A 1 1 7\n3 4\n@A 3 4 5\n@A 7 6 5\n@A 1 1 1\n"
    spectra = open_raw(written(tmp_path, "a.spec", header + rows), UTC)
    assert spectra["counts"].values.tolist() == [[[0, 1, 2], [10, 9, 8], [1, 1, 7]], [[3, 4, 5], [7, 6, 5], [1, 1, 1]]]
    assert spectra["live_time"].values.tolist() == [[4] * 3] * 2


def test_eddis_columns_motors_and_header_lines_are_known(tmp_path: Path) -> None:
    text = (
        "#F eddi\n#D Mon Nov 07 10:00:00 2016\n#O0 zwei_theta  chi\n\n#S 12  ascan  chi 0 1 1 60\n"
        "#D Mon Nov 07 10:05:00 2016\n#P0 8.005 0\n#@CHANN 4 0 3 1\n#@TEMP 20 21 0\n"
        "#L chi  MCA_Real  MCA_Live  R_strom  Time\n0 61 60 251.5 61\n\n@A 1 2 3 4\n1 62 60 250.5 125\n\n@A 5 6 7 8\n"
    )
    spectra = open_raw(written(tmp_path, "a.spec", text), ReadOptions(time_zone="Europe/Berlin"))
    assert spectra["two_theta"].values.tolist() == [8.005]
    assert spectra["real_time"].values[:, 0].tolist() == [61, 62]
    assert spectra["live_time"].values[:, 0].tolist() == [60, 60]
    assert spectra["ring_current"].values.tolist() == [251.5, 250.5]
    starts = spectra["start"].values
    assert starts[0] == np.datetime64("2016-11-07T09:05:00", "ns")
    assert (starts[1] - starts[0]) / np.timedelta64(1, "s") == 63


def test_two_detectors_have_headers_of_their_own(tmp_path: Path) -> None:
    text = (
        "#S 1 mcaacq 60\n#D Mon Nov 07 10:05:00 2016\n#@RC 249.5\n"
        "#@CHANN 3 0 2 1\n#@CTIME 60 58 60\n#@CALIB 0.1 0.05 0\n@A 1 2 3\n"
        "#@CHANN 3 0 2 1\n#@CTIME 60 57 60\n#@CALIB 0.2 0.06 0\n@A 4 5 6\n"
    )
    spectra = open_raw(written(tmp_path, "a.spec", text), UTC)
    assert spectra["counts"].values.tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert spectra["energy_coefficients"].values[:, 1].tolist() == [0.05, 0.06]
    assert spectra["live_time"].values.tolist() == [[58, 57]]
    assert spectra["ring_current"].values.tolist() == [249.5]


def test_energies_of_a_stored_part_of_the_channels_stay_right(tmp_path: Path) -> None:
    text = "#S 1 ct\n#D Fri May 04 08:10:00 2018\n#@CHANN 100 10 15 2\n#@CALIB 0.1 0.05 0.001\n@A 1 2 3\n"
    coefficients = open_raw(written(tmp_path, "a.spec", text), UTC)["energy_coefficients"].values[0]
    energy = np.polynomial.polynomial.polyval(np.arange(3), coefficients)
    channel = np.array([10, 12, 14])
    np.testing.assert_allclose(energy, 0.1 + 0.05 * channel + 0.001 * channel**2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#S 1 ct\n#D Fri May 04 08:10:00 2018\n@A 1 2 3\\\n", "cut off"),
        ("#S 1 ct\n#D Fri May 04 08:10:00 2018\n#@CHANN 4 0 3 1\n@A 1 2 3\n", "3 of 4 channels"),
        ("#S 1 ct\n#D Fri May 04 08:10:00 2018\n@A 1 x 3\n", "no counts"),
        ("#S 1 ct\n#D Fri May 04 08:10:00 2018\n@A1 1 2 3\n@A2 1 2\n", "3, 2 channels"),
        ("#S 1 ct\n#D Fri May 04 08:10:00 2018\n#L a  b\n1 2\n", "no @A arrays"),
        ("#F x\n#D Fri May 04 08:10:00 2018\n@A 1 2 3\n", "before the first #S"),
    ],
)
def test_broken_spec_files_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BrokenFileError, match=words):
        open_raw(written(tmp_path, "a.spec", text), UTC)


def test_amptek_is_read_with_its_line_of_calibration(tmp_path: Path) -> None:
    counts = np.arange(1024)
    path = written(tmp_path, "a.mca", format_files.amptek(counts))
    spectra = SPECTRA.check(open_raw(path, UTC))
    assert identify(path).name == "amptek_mca"
    np.testing.assert_array_equal(spectra["counts"].values[0, 0], counts)
    np.testing.assert_allclose(spectra["energy_coefficients"].values[0], [0.5, 0.05, 0], atol=1e-12)
    assert spectra["start"].values[0] == np.datetime64("2013-05-23T14:13:10", "ns")
    assert spectra["end"].values[0] == np.datetime64("2013-05-23T14:15:10.250", "ns")
    with pytest.raises(ConfigurationError, match="time_zone"):
        open_raw(path)
    with pytest.raises(BrokenFileError, match="without <<END>>"):
        open_raw(written(tmp_path, "b.mca", format_files.amptek(counts)[:900]), UTC)


def test_spe_keeps_energies_right_for_a_stored_part_of_the_channels(tmp_path: Path) -> None:
    text = format_files.spe(np.arange(1, 11)).replace("0 9\r\n", "5 14\r\n")
    spectra = open_raw(written(tmp_path, "a.spe", text), UTC)
    assert spectra["counts"].values[0, 0].tolist() == [0] * 5 + list(range(1, 11))
    np.testing.assert_allclose(spectra["energy_coefficients"].values[0], [0.1, 0.05, 1e-7])
    with pytest.raises(BrokenFileError, match="promises 10 channels, 4 are there"):
        open_raw(written(tmp_path, "b.spe", text[: text.index("       5")]), UTC)


def test_the_ortec_sample(shared_data: Path) -> None:
    spectra = open_raw(shared_data / "diffraction" / "sample.spe", UTC)
    assert spectra["counts"].shape == (1, 1, 1024)
    assert int(spectra["counts"].sum()) == 892301
    assert (float(spectra["live_time"][0, 0]), float(spectra["real_time"][0, 0])) == (296, 300)
    assert np.isnan(spectra["energy_coefficients"].values).all()
    assert spectra["start"].values[0] == np.datetime64("2018-02-09T10:03:36", "ns")


def test_the_canberra_sample_agrees_with_spec_utils(shared_data: Path) -> None:
    path = shared_data / "diffraction" / "sample.cnf"
    spectra = open_raw(path, UTC)
    assert int(spectra["counts"].sum()) == 683658
    assert float(spectra["live_time"][0, 0]) == pytest.approx(841.42, abs=1e-4)
    assert float(spectra["real_time"][0, 0]) == pytest.approx(849.51, abs=1e-4)
    assert spectra["start"].values[0] == np.datetime64("2014-01-12T15:12:28.125", "ns")
    np.testing.assert_allclose(spectra["energy_coefficients"].values[0, :2], [-0.20971349, 0.71899295], rtol=1e-6)
    spec_utils = pytest.importorskip("SpecUtils")
    file = spec_utils.SpecFile()
    file.loadFile(str(path), spec_utils.ParserType.Auto)
    measured = file.measurements()[0]
    np.testing.assert_array_equal(spectra["counts"].values[0, 0], measured.gammaCounts())
    assert measured.liveTime() == pytest.approx(float(spectra["live_time"][0, 0]), rel=1e-6)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_canberra_file_ends_in_a_sentence(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(_cnf(np.arange(256)))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
    path = tmp_path / "a.cnf"
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    with contextlib.suppress(OperandoError):
        open_raw(path, UTC)


def _cnf(counts: np.ndarray) -> bytes:
    """A Genie file with nothing but parameters and channels."""
    content = bytearray(0x2000 + 4 * counts.size)
    parameters, channels = 0x800, 0x1E00
    for i, (kind, where) in enumerate(((0x12000, parameters), (0x12005, channels))):
        struct.pack_into("<I", content, 0x70 + 0x30 * i, kind)
        struct.pack_into("<I", content, 0x70 + 0x30 * i + 0x0A, where)
    struct.pack_into("<HH", content, parameters + 0x22, 0x100, 0x200)
    content[parameters + 0xBA] = counts.size // 256
    times = parameters + 0x30 + 0x200
    struct.pack_into("<Q", content, times + 1, 48962563481250000)
    for offset, seconds in ((0x09, 849.5), (0x11, 841.25)):
        struct.pack_into("<Q", content, times + offset, ~int(seconds * 1e7) & 0xFFFFFFFFFFFFFFFF)
    for i, value in enumerate((0.5, 0.25, 0.0)):
        low, high = struct.unpack("<HH", struct.pack("<f", value * 4))
        struct.pack_into("<HH", content, parameters + 0x30 + 0x100 + 0x44 + 4 * i, high, low)
    struct.pack_into(f"<{counts.size}I", content, channels + 0x200, *counts)
    return bytes(content)


def test_a_canberra_file_comes_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "a.cnf"
    path.write_bytes(_cnf(np.arange(512)))
    spectra = SPECTRA.check(open_raw(path, UTC))
    np.testing.assert_array_equal(spectra["counts"].values[0, 0], np.arange(512))
    assert spectra["energy_coefficients"].values[0].tolist() == [0.5, 0.25, 0]
    assert float(spectra["real_time"][0, 0]) == 849.5


def nexus(path: Path, **changes: object) -> np.ndarray:
    counts = np.random.default_rng(0).poisson(50, (3, 2, 64))
    content: dict[str, object] = {
        "start_time": "2018-05-04T08:00:00+02:00",
        "instrument/detector/data": counts,
        "instrument/detector/live_time": np.full((3, 2), 55.0),
        "instrument/detector/real_time": np.full((3, 2), 60.0),
        "instrument/detector/start_time": np.array([
            b"2018-05-04T08:00:00+02:00",
            b"2018-05-04T08:15:00+02:00",
            b"2018-05-04T06:30:00Z",
        ]),
        "instrument/detector/energy_coefficients": np.array([[0.1, 0.05, 0], [0.2, 0.051, 1e-7]]),
        "instrument/detector/two_theta": np.array([8.0, 8.1]),
        **changes,
    }
    with h5py.File(path, "w") as file:
        for name, value in content.items():
            if value is not None:
                file[f"entry/{name}"] = value
    return counts


def test_nexus_spectra_come_back(tmp_path: Path) -> None:
    counts = nexus(tmp_path / "a.nxs")
    spectra = SPECTRA.check(open_raw(tmp_path / "a.nxs"))
    assert identify(tmp_path / "a.nxs").name == "nexus_spectra"
    np.testing.assert_array_equal(spectra["counts"].values, counts)
    assert spectra["energy_coefficients"].values[1].tolist() == [0.2, 0.051, 1e-7]
    assert spectra["two_theta"].values.tolist() == [8.0, 8.1]
    minutes = (spectra["start"].values - np.datetime64("2018-05-04T06:00", "ns")) / np.timedelta64(1, "m")
    assert minutes.tolist() == [0, 15, 30]
    assert (spectra["end"].values - spectra["start"].values == np.timedelta64(60, "s")).all()


def test_nexus_energies_of_each_channel_become_coefficients(tmp_path: Path) -> None:
    nexus(
        tmp_path / "a.nxs",
        **{"instrument/detector/energy_coefficients": None, "instrument/detector/energy": 0.2 + 0.05 * np.arange(64)},
    )
    coefficients = open_raw(tmp_path / "a.nxs")["energy_coefficients"].values
    np.testing.assert_allclose(coefficients, [[0.2, 0.05, 0]] * 2, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"instrument/detector/live_time": np.ones(5)}, "shape"),
        ({"instrument/detector/start_time": np.arange(2.0)}, "2 times for 3 spectra"),
        ({"instrument/detector/data": np.zeros((0, 2, 4))}, "not .spectrum, element, channel."),
        ({"instrument/detector/energy_coefficients": np.ones((5, 3))}, "5, 3"),
        ({"instrument/detector/start_time": np.array([b"x", b"y", b"z"])}, "can't be read"),
    ],
)
def test_broken_nexus_spectra_are_named(tmp_path: Path, changes: dict, words: str) -> None:
    nexus(tmp_path / "a.nxs", **changes)
    with pytest.raises(BrokenFileError, match=words):
        open_raw(tmp_path / "a.nxs")


def test_two_columns_of_channels_and_counts_are_a_spectrum(tmp_path: Path) -> None:
    path = written(
        tmp_path, "a.txt", "# live time: 10.5\n# real time: 11\n" + "".join(f"{i} {i * i}\n" for i in range(1, 30))
    )
    spectra = SPECTRA.check(open_raw(path, ReadOptions(two_theta_deg=8.0)))
    assert spectra["counts"].values[0, 0, :4].tolist() == [0, 1, 4, 9]
    assert float(spectra["live_time"][0, 0]) == 10.5
    assert spectra["two_theta"].values.tolist() == [8.0]


def test_two_columns_of_energies_and_counts_are_a_spectrum(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "energy_keV,counts\n" + "".join(f"{0.1 + 0.05 * i:.4f},{i}\n" for i in range(30)))
    np.testing.assert_allclose(open_raw(path)["energy_coefficients"].values[0], [0.1, 0.05, 0], atol=1e-9)


def test_a_pattern_with_decimal_commas_and_a_start(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", format_files.text_samples()["xy_pattern"].decode())
    pattern = PATTERN.check(open_raw(path, ReadOptions(time_zone="Europe/Paris")))
    assert pattern["abscissa"].values.tolist() == [1, 1.5, 2]
    assert pattern["intensity"].values.tolist() == [0.5, 0.75, 0.5]
    assert pattern["start"].values == np.datetime64("2022-07-26T21:01:58", "ns")


def test_the_mythen_patterns(shared_data: Path) -> None:
    for path in sorted((shared_data / "joint" / "coincell8").glob("*.xye")):
        pattern = open_raw(path)
        assert pattern.sizes["point"] == 16553
        assert pattern.attrs["abscissa_unit"] == "deg"
        assert pattern["abscissa"].values[0] == pytest.approx(2.08)
        assert (pattern["intensity_std"].values > 0).all()


def test_the_xas_spectra_follow_each_other(shared_data: Path) -> None:
    files = sorted((shared_data / "joint" / "perex" / "xas").glob("*.txt"))
    patterns = [open_raw(path, ReadOptions(time_zone="Europe/Paris")) for path in files]
    starts = np.array([p["start"].values for p in patterns])
    assert len(files) == 29
    assert starts[0] == np.datetime64("2022-07-26T21:01:58.055", "ns")
    assert (np.diff(starts) > np.timedelta64(1, "h")).all()
    assert all((p["end"] - p["start"]).values / np.timedelta64(1, "s") == pytest.approx(130, abs=1) for p in patterns)
    assert patterns[0]["intensity"].values[0] == 0.0007013665
    with pytest.raises(ConfigurationError, match="time_zone"):
        open_raw(files[0])


def test_the_33id_file_agrees_with_silx(shared_data: Path) -> None:
    from silx.io.specfile import SpecFile

    path = shared_data / "diffraction" / "33id_spec.dat"
    spectra = open_raw(path)
    arrays = np.array([array for scan in SpecFile(str(path)) for array in scan.mca])
    np.testing.assert_array_equal(spectra["counts"].values[:, 0], arrays)
    assert spectra.sizes["spectrum"] == 4260
    assert spectra["start"].values[0] == np.datetime64("2003-07-17T07:38:25", "ns")
    assert spectra["ring_current"].values[0] == 101.701
    assert "130 of 4260 spectra have no time of their own." in spectra.attrs["warnings"]


def test_the_dls_file_ends_in_a_backslash_and_is_read(shared_data: Path) -> None:
    from silx.io.specfile import SpecFile

    path = shared_data / "diffraction" / "dls_i03.mca"
    assert identify(path).name == "spec_mca"
    spectra = open_raw(path, ReadOptions(time_zone="Europe/London"))
    np.testing.assert_array_equal(spectra["counts"].values[0, 0], SpecFile(str(path))[0].mca[0])
    np.testing.assert_allclose(spectra["energy_coefficients"].values[0], [-0.01266, 0.008024, 0])
    assert spectra["start"].values[0] == np.datetime64("2016-01-14T11:23:55", "ns")
