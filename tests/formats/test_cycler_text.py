"""BDF and EC-Lab text: decimal commas, zones, glitches of the clock, impedance."""

from pathlib import Path

import format_files
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from operando.formats import biologic_mpt
from operando.formats.catalogue import identify, open_raw
from operando.model.errors import BrokenFileError, ConfigurationError
from operando.model.products.raw import IMPEDANCE, RECORD
from operando.model.reading import ReadOptions

PARIS = ReadOptions(time_zone="Europe/Paris")
LABELS = ["mode", "time/s", "Ewe/V", "<I>/mA", "(Q-Qo)/mA.h"]
rows_of = npst.arrays(
    float, st.tuples(st.integers(1, 30), st.just(3)), elements=st.floats(-1e3, 1e3, width=32).map(lambda x: x + 0.0)
)


def bdf(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows_of, st.sampled_from(",."))
def test_mpt_comes_back_as_written(tmp_path: Path, values: np.ndarray, decimal: str) -> None:
    seconds = np.arange(len(values)) * 30.25
    rows = np.column_stack([np.ones(len(values)), seconds, values])
    path = tmp_path / "a.mpt"
    path.write_bytes(format_files.mpt(rows, LABELS, decimal))
    record = RECORD.check(open_raw(path, PARIS))
    np.testing.assert_allclose(record["voltage"].values, values[:, 0])
    np.testing.assert_allclose(record["current"].values, values[:, 1])
    np.testing.assert_allclose(record["charge"].values, values[:, 2])
    start = np.datetime64("2022-07-26T20:38:30.190", "ns")
    np.testing.assert_array_equal(record["time"].values, start + (seconds * 1e9).astype("timedelta64[ns]"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows_of)
def test_bdf_comes_back_as_written(tmp_path: Path, values: np.ndarray) -> None:
    lines = [
        f"{30 * i},{1525413600 + 30 * i},{volt!r},{ampere!r},{charge!r}"
        for i, (volt, ampere, charge) in enumerate(values.tolist())
    ]
    header = "test_time_second,unix_time_second,voltage_volt,current_ampere,net_capacity_ah"
    record = RECORD.check(open_raw(bdf(tmp_path / "a.csv", header, *lines)))
    np.testing.assert_allclose(record["voltage"].values, values[:, 0])
    np.testing.assert_allclose(record["current"].values, values[:, 1] * 1e3)
    np.testing.assert_allclose(record["charge"].values, values[:, 2] * 1e3)
    assert record["time"].values[0] == np.datetime64("2018-05-04T06:00:00", "ns")


def test_bdfs_preferred_labels_and_units_are_read(tmp_path: Path) -> None:
    path = bdf(tmp_path / "a.csv", "Test Time / s;Voltage / mV;Current / mA", "0;3500,5;1,5", "1;3501;1,5")
    record = open_raw(path, ReadOptions(start_time="2018-05-04T08:00:00+02:00"))
    assert record["voltage"].values.tolist() == [3.5005, 3.501]
    assert record["current"].values.tolist() == [1.5, 1.5]
    assert record["time"].values[1] == np.datetime64("2018-05-04T06:00:01", "ns")


def test_discharge_positive_files_are_turned(tmp_path: Path) -> None:
    path = bdf(tmp_path / "a.csv", "unix_time_second,voltage_volt,current_ampere", "0,3,0.5")
    assert open_raw(path, ReadOptions(positive_current="discharge"))["current"].values.tolist() == [-500.0]


def test_a_file_without_absolute_time_asks_for_its_start(tmp_path: Path) -> None:
    path = bdf(tmp_path / "a.csv", "test_time_second,voltage_volt,current_ampere", "0,3,0.5", "1.5,3,0.5")
    with pytest.raises(ConfigurationError, match="start_time"):
        open_raw(path)
    alone = open_raw(path, ReadOptions(require_time=False))
    assert np.isnat(alone["time"].values).all()
    assert alone["elapsed"].values.tolist() == [0, 1.5]


def test_repeated_rows_and_a_glitch_of_the_clock_are_left_out_and_said(tmp_path: Path) -> None:
    rows = ["0,3,0.5", "1,3,0.5", "1,3,0.5", "2,3.1,0.5", "1.5,3.1,0.5", "3,3.2,0.5"]
    record = open_raw(bdf(tmp_path / "a.csv", "unix_time_second,voltage_volt,current_ampere", *rows))
    assert record["voltage"].values.tolist() == [3, 3, 3.1, 3.2]
    said = " ".join(record.attrs["warnings"])
    assert "1 rows repeat the row before" in said
    assert "1 rows go back (row 5" in said


def test_the_same_instant_with_another_value_is_a_step_and_stays(tmp_path: Path) -> None:
    rows = ["0,3,0.5", "1,3,0.5", "1,3,-0.5", "2,2.9,-0.5"]
    record = open_raw(bdf(tmp_path / "a.csv", "unix_time_second,voltage_volt,current_ampere", *rows))
    assert record.sizes["sample"] == 4
    assert record.attrs["warnings"] == []


def test_a_clock_that_starts_again_is_refused(tmp_path: Path) -> None:
    rows = [f"{i % 50},3,0.5" for i in range(100)]
    with pytest.raises(BrokenFileError, match="row 51 goes back in time"):
        open_raw(bdf(tmp_path / "a.csv", "unix_time_second,voltage_volt,current_ampere", *rows))


def test_a_cut_last_row_is_a_warning_and_a_broken_middle_an_error(tmp_path: Path) -> None:
    header = "unix_time_second,voltage_volt,current_ampere"
    record = open_raw(bdf(tmp_path / "a.csv", header, "0,3,0.5", "1,3"))
    assert record.sizes["sample"] == 1
    assert "line 3 is cut off" in record.attrs["warnings"][0]
    with pytest.raises(BrokenFileError, match=r"line 3 can't be read \('1,x,0\.5'\)"):
        open_raw(bdf(tmp_path / "a.csv", header, "0,3,0.5", "1,x,0.5", "2,3,0.5"))


def test_empty_fields_lose_their_row_only(tmp_path: Path) -> None:
    header = "unix_time_second,voltage_volt,current_ampere,net_capacity_ah"
    record = open_raw(bdf(tmp_path / "a.csv", header, "0,3,0.5,", "1,,0.5,", "2,3,0.5,"))
    assert record.sizes["sample"] == 2
    assert "1 of 3 rows lack" in record.attrs["warnings"][0]


def test_an_impossible_voltage_is_refused(tmp_path: Path) -> None:
    path = bdf(tmp_path / "a.csv", "unix_time_second,voltage_volt,current_ampere", "0,34228721,0.5", "1,34228722,0.5")
    with pytest.raises(BrokenFileError, match=r"3\.42287e\+07 V.*decimal sign"):
        open_raw(path)


def test_a_header_alone_holds_no_rows(tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError, match="no rows"):
        open_raw(bdf(tmp_path / "a.csv", "unix_time_second,voltage_volt,current_ampere"))


def test_blocks_join_without_a_seam(tmp_path: Path) -> None:
    count = 50_001
    rows = [f"{i},3,0.5" for i in range(count)]
    record = open_raw(bdf(tmp_path / "a.csv", "unix_time_second,voltage_volt,current_ampere", *rows))
    np.testing.assert_array_equal(record["elapsed"].values, np.arange(count))


def test_current_is_the_charge_per_time_where_the_file_has_none(tmp_path: Path) -> None:
    rows = np.array([[0, 3, 0], [3600, 3, 2.0], [7200, 3, 1.0]])
    path = tmp_path / "a.mpt"
    path.write_bytes(format_files.mpt(rows, ["time/s", "Ewe/V", "dq/mA.h"]))
    record = open_raw(path, PARIS)
    assert record["current"].values.tolist() == [0, 2, 1]
    assert record.attrs["current_kind"] == "mean"
    assert "dq/dt" in record.attrs["warnings"][0]


def test_the_cells_voltage_is_preferred_to_the_working_electrodes(tmp_path: Path) -> None:
    path = tmp_path / "a.mpt"
    path.write_bytes(format_files.mpt(np.array([[0, 3, 4.2, 0]]), ["time/s", "Ewe/V", "Ecell/V", "I/mA"]))
    record = open_raw(path, PARIS)
    assert record["voltage"].values.tolist() == [4.2]
    assert record.attrs["voltage_column"] == "Ecell/V"


def test_a_day_first_date_is_recognised_where_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "a.mpt"
    path.write_bytes(
        format_files.mpt(np.array([[0, 3, 0]]), ["time/s", "Ewe/V", "I/mA"], started="26.07.2022 22:38:30")
    )
    assert open_raw(path, PARIS)["time"].values[0] == np.datetime64("2022-07-26T20:38:30", "ns")


def test_times_written_as_dates_are_seconds_since_the_start(tmp_path: Path) -> None:
    text = format_files.mpt(np.empty((0, 3)), ["time/s", "Ewe/V", "I/mA"]).decode("latin-1")
    rows = ["07/26/2022 22:38:30.190\t3,5\t1,0", "07/26/2022 22:39:00.190\t3,6\t1,0"]
    path = tmp_path / "a.mpt"
    path.write_bytes("\r\n".join([text, *rows]).encode("latin-1"))
    record = open_raw(path, PARIS)
    assert record["elapsed"].values.tolist() == [0, 30]
    assert record["voltage"].values.tolist() == [3.5, 3.6]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"Nb header lines : 6 ", b"Nb header lines : 60", "ends within its 60 header lines"),
        (b"Nb header lines : 6 ", b"Nb header lines : 5 ", "has no time/s"),
        (b"Nb header lines", b"Lines", "not the number of header lines"),
        (b"Ewe/V", b"Eoo/V", "no column of voltage"),
        (b"<I>/mA", b"<J>/mA", "neither a column of current nor of charge"),
    ],
)
def test_broken_headers_are_named(tmp_path: Path, old: bytes, new: bytes, words: str) -> None:
    labels = ["time/s", "Ewe/V", "<I>/mA"]
    path = tmp_path / "a.mpt"
    path.write_bytes(format_files.mpt(np.zeros((2, 3)), labels).replace(old, new))
    with pytest.raises(BrokenFileError, match=words):
        biologic_mpt.read(path, PARIS)


def test_sweeps_are_told_apart(tmp_path: Path) -> None:
    sweep = np.array([[1e4, 10, 1], [1e3, 20, 5], [1e2, 30, 9], [10, 40, 2]])
    points = np.vstack([sweep, sweep + np.array([0, 1, 0]), [[0, 0, 0]], sweep[:3] + np.array([0, 2, 0])])
    rows = np.column_stack([np.arange(len(points)), np.zeros((len(points), 2)), points])
    labels = ["time/s", "Ewe/V", "I/mA", "freq/Hz", "Re(Z)/Ohm", "-Im(Z)/Ohm"]
    path = tmp_path / "a.mpt"
    path.write_bytes(format_files.mpt(rows, labels))
    impedance = IMPEDANCE.check(biologic_mpt.read_impedance(path, PARIS))
    assert impedance["impedance_real"].values[:, 0].tolist() == [10, 11, 12]
    assert np.isnan(impedance["frequency"].values[2, 3])
    assert impedance["impedance_imaginary"].values[0].tolist() == [-1, -5, -9, -2]


def test_the_perex_pair_is_26_and_a_half_seconds_apart(shared_data: Path) -> None:
    first, second = (
        open_raw(shared_data / "joint" / "perex" / f"220726cell4operandoxas{name}_C06.mpt", PARIS)
        for name in ("", "continuation")
    )
    hours = [float(r["elapsed"][-1] - r["elapsed"][0]) / 3600 for r in (first, second)]
    assert hours == pytest.approx([38.9, 9.6], abs=0.05)
    assert first["time"].values[0] == np.datetime64("2022-07-26T20:38:30.190", "ns")
    gap = (second["time"].values[0] - first["time"].values[-1]) / np.timedelta64(1, "s")
    assert gap == pytest.approx(26.5, abs=0.05)
    assert first["charge"].values[-1] == pytest.approx(0.8402035414918015)
    mean = first["current"].values[1:] * np.diff(first["elapsed"].values) / 3600
    assert mean.sum() == pytest.approx(first["charge"].values[-1], rel=1e-4)
    with pytest.raises(ConfigurationError, match="time_zone"):
        open_raw(shared_data / "joint" / "perex" / "220726cell4operandoxas_C06.mpt")


def test_the_llzo_file_holds_eight_spectra(shared_data: Path) -> None:
    path = shared_data / "electrochemistry" / "solid_electrolyte_eis.mpt"
    impedance = biologic_mpt.read_impedance(path, ReadOptions(time_zone="Europe/Berlin"))
    assert impedance.sizes["spectrum"] == 8
    np.testing.assert_allclose(impedance["frequency"].values[:, 0], 1e6, rtol=1e-3)
    assert impedance["impedance_real"].values[-1, -1] == pytest.approx(1137.9438)
    assert impedance["impedance_imaginary"].values[-1, -1] == pytest.approx(-42.537605)
    record = open_raw(path, ReadOptions(time_zone="Europe/Berlin"))
    assert float(record["elapsed"][-1] - record["elapsed"][0]) / 3600 == pytest.approx(9.1, abs=0.1)


def test_the_sintef_file_needs_a_start_time(shared_data: Path) -> None:
    path = shared_data / "electrochemistry" / "sintef_landt.bdf.csv"
    assert identify(path).name == "bdf_csv"
    with pytest.raises(ConfigurationError, match="start_time"):
        open_raw(path)
    record = open_raw(path, ReadOptions(start_time="2024-01-01T00:00:00Z"))
    assert record["time"].values[1] == np.datetime64("2024-01-01T00:00:15.020", "ns")
    assert record["voltage"].values[0] == 2.9215
