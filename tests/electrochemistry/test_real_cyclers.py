"""Cycler files of other groups."""

import numpy as np
import pytest

from operando.electrochemistry.curve import curve
from operando.electrochemistry.cycles import cycles
from operando.electrochemistry.derivatives import derivatives
from operando.formats.catalogue import open_raw
from operando.model.reading import ReadOptions


@pytest.fixture(scope="module")
def perex(shared_data):
    """The two EC-Lab exports of one operando day."""
    options = ReadOptions(time_zone="Europe/Paris")
    return [open_raw(path, options) for path in sorted((shared_data / "joint" / "perex").glob("*.mpt"))]


def test_perex_charges_agree_with_eclab_and_the_gap_is_said(perex):
    found, _ = curve(perex[::-1])
    split = perex[0].sizes["sample"]
    for part, own in ((found["charge"].values[:split], perex[0]), (found["charge"].values[split:], perex[1])):
        instrument = own["charge"].values - own["charge"].values[0]
        assert np.abs(part - part[0] - instrument).max() < 1e-4 * np.ptp(instrument)
    hours = [(one["time"].values[-1] - one["time"].values[0]) / np.timedelta64(1, "h") for one in perex]
    assert hours == pytest.approx([38.9, 9.6], abs=0.05)
    assert any("gap of 26.5 s" in text for text in found.attrs["warnings"])


def test_perex_cycles_are_eclabs_half_cycles(perex):
    found, protocol = curve(perex)
    moving = [kind for kind in protocol["kind"].values if kind != "rest"]
    assert moving == [
        "charge",
        "discharge",
        "charge",
        "discharge",
        "charge",
        "charge",
        "hold",
        "discharge",
        "charge",
        "discharge",
    ]
    table = cycles(found, protocol)
    assert table["cycle"].values.tolist() == [1, 2, 3, 4]
    assert table["charge"].values[:2] == pytest.approx([1.61446, 1.43356], rel=1e-4)
    assert table["discharge"].values[:2] == pytest.approx([1.32111, 1.29629], rel=1e-4)
    assert any("ends during the discharge of cycle 4" in text for text in table.attrs["warnings"])
    assert np.isfinite(table["coulombic_efficiency"].values).tolist() == [True, True, True, False]


def test_perex_derivatives_hold_all_charge(perex):
    found, protocol = curve(perex)
    table = derivatives(found, protocol)
    width = np.abs(np.diff(table["voltage"].values, axis=1)).mean(axis=1)
    total = table["dq_dv"].values.sum(axis=1) * width
    assert total == pytest.approx(np.abs(protocol["charge"].values[table["step"].values]), rel=1e-3)


def test_a_bdf_file_starts_with_a_discharge(shared_data):
    file = shared_data / "electrochemistry" / "sintef_landt.bdf.csv"
    _, protocol = curve([open_raw(file, ReadOptions(start_time="2024-01-01T00:00:00Z"))])
    assert protocol["kind"].values.tolist() == ["rest", "discharge", "charge", "discharge"]
    assert protocol["cycle"].values.tolist() == [0, 0, 1, 1]


def test_a_symmetric_solid_cell_has_32_half_cycles(shared_data):
    pytest.importorskip("galvani", reason="the .mpr reader needs galvani")
    pytest.importorskip("operando.formats.biologic_mpr")
    file = shared_data / "electrochemistry" / "solid_state_gcpl.mpr"
    record = open_raw(file, ReadOptions(time_zone="Europe/Zurich", start_time="2020-01-01T00:00:00+01:00"))
    found, protocol = curve([record])
    moving = protocol["kind"].values[protocol["kind"].values != "rest"]
    assert moving.tolist() == ["discharge", "charge"] * 16
    assert np.abs(protocol["charge"].values).max() == pytest.approx(0.132, rel=1e-4)
    table = cycles(found, protocol)
    assert np.isnan(table["energy_efficiency"].values).all()
    assert (np.diff(table["polarisation"].values) > 0).all()
