"""What is known of the cell during each exposure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joint_parts import at, exposures, paper_curve, record

from operando.electrochemistry.curve import curve
from operando.joint.averaging import exposure_means
from operando.joint.scan_timeline import scan_timeline


@given(st.floats(0, 800), st.floats(0.01, 199))
def test_mean_over_an_exposure_is_the_exact_integral(start, length):
    seconds = np.linspace(0, 1000, 11)
    values = np.random.default_rng(3).normal(size=11)
    fine = start + length * (np.arange(200_000) + 0.5) / 200_000
    brute = np.interp(fine, seconds, values).mean()
    exact = exposure_means(seconds, values, np.zeros(11, int), np.array([start]), np.array([start + length]))
    assert exact[0] == pytest.approx(brute, abs=1e-6)


def test_charge_of_a_scan_is_the_charge_at_its_middle_under_constant_current():
    curve_, protocol = paper_curve()
    timeline = scan_timeline(curve_, protocol, exposures([3600.0], 90.0))
    assert float(timeline["charge"][0]) == pytest.approx(0.010 * 3645 / 3600, rel=1e-9)
    assert int(timeline["cycle"][0]) == 0
    assert str(timeline["step_kind"].values[0]) == "charge"


def test_nothing_is_extrapolated_outside_the_record():
    curve_, protocol = paper_curve()
    end = float((curve_["time"].values[-1] - at(0)) / np.timedelta64(1, "s"))
    timeline = scan_timeline(curve_, protocol, exposures([-3600.0, -45.0, 100.0, end - 10], 90.0))
    assert np.isfinite(timeline["charge"].values).tolist() == [False, False, True, False]
    assert timeline["cycle"].values[0] == -1
    assert timeline["step"].values[0] == -1
    assert not timeline["step_kind"].values[0]
    assert sum("outside the cycler's record" in text for text in timeline.attrs["warnings"]) == 3


def test_an_exposure_across_a_gap_of_the_record_has_no_charge():
    files = [record([(1.0, 0.1)]), record([(1.0, 0.1)], start=3600.0 + 300.0, file="later.csv")]
    curve_, protocol = curve(files)
    timeline = scan_timeline(curve_, protocol, exposures([3000.0, 3580.0, 3700.0, 4000.0], 60.0))
    assert np.isfinite(timeline["charge"].values).tolist() == [True, False, False, True]


def test_without_a_cycler_the_scans_keep_their_times():
    timeline = scan_timeline(None, None, exposures([0.0, 900.0], 90.0))
    assert np.isnan(timeline["charge"].values).all()
    assert timeline["start"].values[1] == at(900.0)


def test_two_scans_at_the_same_time_are_said():
    timeline = scan_timeline(None, None, exposures([0.0, 0.0], 90.0))
    assert "the same time as scan_0000.nxs" in timeline.attrs["warnings"][0]


def test_zones_that_disagree_by_an_hour_are_said():
    curve_, protocol = curve([record([(10.0, 0.1)])])
    late = exposures(np.arange(3700.0, 3600 + 36000.0, 900.0), 90.0)
    timeline = scan_timeline(curve_, protocol, late)
    assert any("1 h after the cycler's record" in text for text in timeline.attrs["warnings"])
    right = scan_timeline(curve_, protocol, exposures(np.arange(100.0, 35800.0, 900.0), 90.0))
    assert right.attrs["warnings"] == []


def test_clock_drift_of_the_scans_is_taken_out_about_the_first():
    timeline = scan_timeline(None, None, exposures([0.0, 1e6], 90.0), drift_ppm=10.0)
    assert timeline["start"].values[1] == at(1e6 + 10.0)
