"""Binary cycler files, Gamry's text and plain CSV with a column map."""

import contextlib
import sys
from datetime import datetime
from pathlib import Path

import format_files
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operando.formats import _biologic, biologic_mpr, biologic_mpt, gamry_dta, neware
from operando.formats.catalogue import identify, open_raw
from operando.model.errors import BrokenFileError, ConfigurationError, OperandoError
from operando.model.products.raw import IMPEDANCE, RECORD
from operando.model.reading import ReadOptions

PARIS = ReadOptions(time_zone="Europe/Paris")
MAP = {"time_s": "t", "voltage_V": "Ewe", "current_mA": "I"}


def csv(folder: Path, text: str) -> Path:
    path = folder / "a.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "t,Ewe,I\n0,3.5,0.1\n10,3.6,-0.1\n",
        "t;Ewe;I\n0;3,5;0,1\n10;3,6;-0,1\n",
        "t\tEwe\tI\n0\t3.5\t0.1\n10\t3.6\t-0.1\n",
        "t Ewe I\n0 3.5 0.1\n10 3.6 -0.1\n",
        '"t","Ewe","I"\n"0","3.5","0.1"\n"10","3.6","-0.1"\n',
        "my cell, 2024\nT , ewe,I\ns,V,mA\n0,3.5,0.1\n10,3.6,-0.1\n",
        "\ufefft,other,Ewe,I\n0,x,3.5,0.1\n10,y,3.6,-0.1\n".replace("x", "1").replace("y", "2"),
    ],
)
def test_any_table_is_read_by_its_column_map(tmp_path: Path, text: str) -> None:
    path = csv(tmp_path, text)
    record = RECORD.check(open_raw(path, ReadOptions(columns=MAP, start_time="2018-05-04T08:00:00+02:00")))
    assert identify(path).name == "plain_csv"
    assert record["voltage"].values.tolist() == [3.5, 3.6]
    assert record["current"].values.tolist() == [0.1, -0.1]
    assert record["time"].values[1] == np.datetime64("2018-05-04T06:00:10", "ns")


def test_units_are_in_the_maps_names(tmp_path: Path) -> None:
    path = csv(tmp_path, "t,Ewe,I\n0,3500,0.1\n0.5,3600,0.2\n")
    columns = {"time_h": "t", "voltage_mV": "Ewe", "current_A": "I"}
    record = open_raw(path, ReadOptions(columns=columns, require_time=False))
    assert record["elapsed"].values.tolist() == [0, 1800]
    assert record["voltage"].values.tolist() == [3.5, 3.6]
    assert record["current"].values.tolist() == [100, 200]


def test_dates_of_rows_give_absolute_times(tmp_path: Path) -> None:
    path = csv(tmp_path, "when,Ewe,I\n2018-05-04 08:00:00,3.5,1\n2018-05-04 08:00:30,3.6,1\n")
    columns = {"date_time": "when", "voltage_V": "Ewe", "current_mA": "I"}
    record = open_raw(path, ReadOptions(columns=columns, time_zone="Europe/Berlin"))
    assert record["time"].values[1] == np.datetime64("2018-05-04T06:00:30", "ns")
    assert record["elapsed"].values.tolist() == [0, 30]
    with pytest.raises(ConfigurationError, match="time_zone"):
        open_raw(path, ReadOptions(columns=columns))
    assert open_raw(path, ReadOptions(columns=columns, require_time=False))["elapsed"].values.tolist() == [0, 30]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, r"columns must name time, voltage and current.*the file has 't', 'Ewe', 'I'"),
        ({"voltage_V": "Ewe", "current_mA": "I"}, "must name time"),
        ({**MAP, "voltage_V": "Ewx"}, "no column 'Ewx'; did you mean 'Ewe'"),
        ({**MAP, "voltage": "Ewe"}, "'voltage'; did you mean 'voltage_V'"),
    ],
)
def test_a_wrong_map_is_explained(tmp_path: Path, columns: dict, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        open_raw(csv(tmp_path, "t,Ewe,I\n0,3.5,1\n1,3.5,1\n"), ReadOptions(columns=columns))


def test_gamry_curves_are_read_with_decimal_commas(tmp_path: Path) -> None:
    for decimal in ",.":
        path = tmp_path / "a.DTA"
        path.write_text(format_files.gamry(decimal))
        record = RECORD.check(open_raw(path, PARIS))
        assert identify(path).name == "gamry_dta"
        assert record["elapsed"].values.tolist() == [0, 10, 20]
        np.testing.assert_allclose(record["voltage"].values, [3.5, 3.6, 3.7])
        np.testing.assert_allclose(record["current"].values, 1.0)
        assert record["time"].values[0] == np.datetime64("2022-07-26T20:38:30", "ns")
        impedance = IMPEDANCE.check(gamry_dta.read_impedance(path, PARIS))
        np.testing.assert_allclose(impedance["frequency"].values, [[1e4, 1e3, 1e2, 1e1]])
        np.testing.assert_allclose(impedance["impedance_imaginary"].values, [[-10, -11, -12, -13]])


def test_gamry_says_what_is_cut_off(tmp_path: Path) -> None:
    text = format_files.gamry()
    path = tmp_path / "a.DTA"
    path.write_text(text[: text.index("ZCURVE") - 8])
    record = open_raw(path, PARIS)
    assert record.sizes["sample"] == 3
    path.write_text(text[: text.index("ZCURVE") - 20])
    said = " ".join(open_raw(path, PARIS).attrs["warnings"])
    assert "last row of CURVE is cut off" in said
    assert "promises 3 rows, 2 are there" in said


def test_gamrys_open_circuit_has_no_current_and_impedance_alone_its_dc_values(tmp_path: Path) -> None:
    head = "EXPLAIN\nTAG\t{}\nDATE\tLABEL\t8/15/2019\tDate\nTIME\tLABEL\t11:50:33\tTime\n"
    rest = "CURVE\tTABLE\t2\n\tPt\tT\tVf\n\t#\ts\tV\n\t0\t5\t2.5\n\t1\t10\t2.6\n"
    impedance = "ZCURVE\tTABLE\n\tPt\tTime\tFreq\tZreal\tZimag\tIdc\tVdc\n\t#\ts\tHz\tohm\tohm\tA\tV\n"
    impedance += "\t0\t1\t9\t1\t1\t1E-3\t2.5\n"
    path = tmp_path / "a.DTA"
    path.write_text(head.format("CORPOT") + rest)
    assert open_raw(path, PARIS)["current"].values.tolist() == [0, 0]
    path.write_text(head.format("CHRONOA") + rest)
    with pytest.raises(BrokenFileError, match="no complete row"):
        open_raw(path, PARIS)
    path.write_text(head.format("EISPOT") + impedance)
    record = open_raw(path, PARIS)
    assert (record["voltage"].values.tolist(), record["current"].values.tolist()) == ([2.5], [1.0])


def test_the_gamry_sample_agrees_with_gamry_parser(shared_data: Path) -> None:
    path = shared_data / "electrochemistry" / "gamry_sample.dta"
    record = open_raw(path, PARIS)
    assert record.sizes["sample"] == 40
    assert record["voltage"].values[0] == -0.0334979
    assert (record["current"].values == 0).all()
    impedance = gamry_dta.read_impedance(path, PARIS)
    assert impedance["frequency"].values[0, [0, -1]].tolist() == [1e4, 1]
    assert impedance["impedance_real"].values[0, -1] == 645.478700150494
    assert impedance["impedance_imaginary"].values[0, -1] == -90.618128307383


@pytest.mark.parametrize("name", ["solid_electrolyte_eis"])
def test_binary_and_text_of_one_measurement_agree(shared_data: Path, name: str) -> None:
    pytest.importorskip("galvani")
    folder = shared_data / "electrochemistry"
    binary, text = (open_raw(folder / f"{name}.{suffix}", PARIS) for suffix in ("mpr", "mpt"))
    for variable in ("elapsed", "voltage", "current", "charge"):
        np.testing.assert_allclose(binary[variable].values, text[variable].values, rtol=1e-6, atol=1e-9)
    assert np.abs(binary["time"].values - text["time"].values).max() <= np.timedelta64(1, "ns")
    first = biologic_mpr.read_impedance(folder / f"{name}.mpr", PARIS)
    second = biologic_mpt.read_impedance(folder / f"{name}.mpt", PARIS)
    assert first.sizes["spectrum"] == 8
    for variable in ("frequency", "impedance_real", "impedance_imaginary"):
        np.testing.assert_allclose(first[variable].values, second[variable].values, rtol=2e-6)


def test_the_solid_state_cell_gets_its_current_from_the_charge(shared_data: Path) -> None:
    pytest.importorskip("galvani")
    path = shared_data / "electrochemistry" / "solid_state_gcpl.mpr"
    record = open_raw(path, PARIS)
    assert identify(path).name == "biologic_mpr"
    assert "dq/dt" in record.attrs["warnings"][0]
    assert float(record["elapsed"][-1] - record["elapsed"][0]) / 3600 == pytest.approx(384, abs=0.5)
    current = record["current"].values
    assert np.median(np.abs(current)) == pytest.approx(0.011, rel=1e-3)
    assert np.count_nonzero(np.diff(np.sign(current[np.abs(current) > 0.005]))) == 31
    moved = np.sum(current[1:] * np.diff(record["elapsed"].values)) / 3600
    assert moved == pytest.approx(record["charge"].values[-1] - record["charge"].values[0], abs=1e-6)
    with pytest.raises(ConfigurationError, match="time_zone"):
        open_raw(path)


def test_without_galvani_the_extra_is_named(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "galvani.BioLogic", None)
    with pytest.raises(ConfigurationError, match=r"install operando\[biologic\]"):
        open_raw(shared_data / "electrochemistry" / "solid_state_gcpl.mpr")


def test_a_truncated_mpr_is_broken(tmp_path: Path, shared_data: Path) -> None:
    pytest.importorskip("galvani")
    whole = (shared_data / "electrochemistry" / "solid_electrolyte_eis.mpr").read_bytes()
    path = tmp_path / "a.mpr"
    for length in (100, 5000, 50_000):
        path.write_bytes(whole[:length])
        with pytest.raises(BrokenFileError, match=r"a\.mpr: (galvani can't read it|it holds no data)"):
            open_raw(path, PARIS)


def test_an_unfinished_mpr_has_no_start_and_asks_for_it(tmp_path: Path, shared_data: Path) -> None:
    pytest.importorskip("galvani")
    whole = (shared_data / "electrochemistry" / "solid_electrolyte_eis.mpr").read_bytes()
    path = tmp_path / "a.mpr"
    path.write_bytes(whole[: whole.index(b"MODULEVMP LOG")])
    with pytest.raises(ConfigurationError, match="start_time"):
        open_raw(path, PARIS)
    record = open_raw(path, ReadOptions(start_time="2021-08-23T11:44:40.646+02:00"))
    assert "not finished" in record.attrs["warnings"][0]
    whole_record = open_raw(shared_data / "electrochemistry" / "solid_electrolyte_eis.mpr", PARIS)
    np.testing.assert_array_equal(record["time"].values, whole_record["time"].values)
    impedance = biologic_mpr.read_impedance(path, ReadOptions(start_time="2021-08-23T11:44:40.646+02:00"))
    assert impedance.sizes["spectrum"] == 8
    assert impedance["time"].values[0] == np.datetime64("2021-08-23T10:06:53.221728441", "ns")
    with pytest.raises(ConfigurationError, match="start_time"):
        biologic_mpr.read_impedance(path, PARIS)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_binary_files_end_in_a_sentence(tmp_path: Path, shared_data: Path, data: st.DataObject) -> None:
    pytest.importorskip("galvani")
    source = data.draw(st.sampled_from(["electrochemistry/solid_electrolyte_eis.mpr", "joint/coincell8/cc8.ndax"]))
    content = bytearray((shared_data / source).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(30, len(content) - 1) | st.integers(30, 9000))
        content[at : at + 3] = data.draw(st.binary(min_size=3, max_size=3))
    path = tmp_path / Path(source).name
    path.write_bytes(bytes(content))
    with contextlib.suppress(OperandoError):
        open_raw(path, PARIS)


def test_current_from_charge_feigns_no_rest() -> None:
    elapsed, moved = np.array([0.0, 1, 1, 2, 3]), np.array([1.0, 1, 0, 1, 0]) / 3600
    np.testing.assert_allclose(_biologic.rate(elapsed, moved), [1, 1, 1, 1, 0])
    np.testing.assert_allclose(_biologic.rate(elapsed, moved * [0, 1, 1, 1, 1]), [0, 1, 1, 1, 0])
    assert _biologic.rate(np.zeros(3), np.ones(3)).tolist() == [0, 0, 0]


def test_the_coin_cell_starts_after_its_first_pattern(shared_data: Path) -> None:
    pytest.importorskip("fastnda")
    path = shared_data / "joint" / "coincell8" / "cc8.ndax"
    record = open_raw(path, ReadOptions(time_zone="Europe/Stockholm"))
    assert identify(path).name == "neware"
    assert record.sizes["sample"] == 4647
    assert record["time"].values[0] == np.datetime64("2025-07-02T17:08:11", "ns")
    assert float(record["elapsed"][-1]) / 3600 == pytest.approx(15.05, abs=0.01)
    assert record["voltage"].values[-3:].tolist() == [2.5486, 2.4996, 2.5]
    assert record["current"].values[-1] == -0.6251
    with pytest.raises(ConfigurationError, match="time_zone"):
        open_raw(path)


@pytest.mark.parametrize(
    ("written", "counted", "zoned"),
    [
        ("2025-07-02 19:08:11", "2025-07-02T19:08:11", False),
        ("2025-07-02 19:08:11", "2025-07-02T17:08:11", True),
        ("2025-07-02 19:08:11", "2025-07-02T17:01:00", False),
        (None, "2025-07-02T19:08:11", False),
    ],
)
def test_newares_clock_is_believed_to_be_utc_only_where_its_date_says_so(
    written: str | None, counted: str, zoned: bool
) -> None:
    unix = np.array([np.datetime64(counted, "s").astype("int64")], float)
    metadata = {} if written is None else {"TestInfo": {"TestInfo": {"StartTime": written}}}
    moment = neware._start(unix, metadata)
    assert moment is not None
    assert (moment.tzinfo is not None) == zoned
    assert moment.replace(tzinfo=None) == datetime.fromisoformat(counted)
