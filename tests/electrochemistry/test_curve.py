"""One curve from all files; steps and cycles from the current alone."""

import numpy as np
import pytest
from cycler_files import at, cycler_file
from hypothesis import given, settings
from hypothesis import strategies as st

from operando.electrochemistry.curve import curve
from operando.electrochemistry.cycles import cycles
from operando.electrochemistry.numbering import cycle_numbers
from operando.electrochemistry.resistances import resistances
from operando.model.errors import ConfigurationError

PAPER = [(5.0, 0.010), (0.5, 0.0)] + [
    step
    for current, hours in ((0.16324, 0.9), (0.08162, 1.8), (0.04081, 3.6), (0.016324, 9.4))
    for step in ((hours, current), (0.25, 0.0), (0.8 * hours, -current), (0.25, 0.0))
]


def named(protocol):
    return list(zip(protocol["kind"].values.tolist(), protocol["cycle"].values.tolist(), strict=True))


def test_the_papers_protocol_is_found_from_its_current():
    _, protocol = curve([cycler_file(PAPER, noise_ma=1e-5, noise_v=2e-4)])
    expected = [("charge", 0), ("rest", 0)]
    for cycle in range(1, 5):
        expected += [("charge", cycle), ("rest", cycle), ("discharge", cycle), ("rest", cycle)]
    assert named(protocol) == expected
    assert protocol["charge"].values[0] == pytest.approx(0.05, rel=1e-3)


def test_charge_is_the_sum_of_current_times_time():
    found, protocol = curve([cycler_file(PAPER)])
    assert float(found["charge"][-1]) == pytest.approx(sum(h * i for h, i in PAPER), rel=1e-9)
    assert protocol["charge"].values == pytest.approx([h * i for h, i in PAPER], abs=1e-12)


def test_a_hold_is_told_from_the_charge_before_it():
    record = cycler_file([(1.0, 0.1), (1.0, 0.1), (0.5, 0.0), (1.0, -0.1)])
    seconds = (record["time"].values - at(0)) / np.timedelta64(1, "s")
    holding = (seconds > 3600) & (seconds <= 7200) & (record["current"].values > 0)
    record["current"].values[holding] = 0.1 * np.exp(-(seconds[holding] - 3600) / 1800)
    record["voltage"].values[holding] = record["voltage"].values[holding][0]
    _, protocol = curve([record])
    assert [kind for kind, _ in named(protocol)] == ["charge", "hold", "rest", "discharge"]
    hold = protocol.isel(step=1)
    assert float(hold["charge"]) == pytest.approx(0.1 * 0.5 * (1 - np.exp(-2)), rel=0.05)


def test_alternating_current_is_an_impedance_measurement():
    record = cycler_file([(1.0, 0.0), (0.1, 0.0), (1.0, 0.1)])
    seconds = (record["time"].values - at(0)) / np.timedelta64(1, "s")
    during = np.flatnonzero((seconds > 3600) & (seconds < 3960))
    record["current"].values[during] = 0.05 * (-1.0) ** np.arange(during.size)
    _, protocol = curve([record])
    assert [kind for kind, _ in named(protocol)] == ["rest", "impedance", "charge"]


def test_a_current_pulse_is_no_new_cycle():
    steps = [(2.0, 0.1), (0.01, -0.1), (2.0, 0.1), (3.0, -0.1), (2.0, 0.1), (2.0, -0.1)]
    _, protocol = curve([cycler_file(steps, every=5.0)])
    assert protocol["cycle"].values.tolist() == [1, 1, 1, 1, 2, 2]


def test_a_cell_that_starts_with_a_discharge_has_it_in_cycle_0():
    _, protocol = curve([cycler_file([(1.0, -0.1), (1.0, 0.1), (1.0, -0.1)])])
    assert protocol["cycle"].values.tolist() == [0, 1, 1]


def test_pulses_of_one_titration_stay_in_one_cycle():
    steps = [(0.2, 0.1), (0.2, 0.0)] * 5 + [(0.2, -0.1), (0.2, 0.0)] * 5
    _, protocol = curve([cycler_file(steps)])
    assert set(protocol["cycle"].values.tolist()) == {1}


def test_two_stage_charging_is_no_conditioning():
    steps = [(1.0, 0.1), (1.0, 0.05), (1.5, -0.1)] * 2
    _, protocol = curve([cycler_file(steps)])
    assert protocol["cycle"].values.tolist() == [1, 1, 1, 2, 2, 2]


def test_only_charging_is_before_the_first_full_cycle():
    assert cycle_numbers(np.array([1.0]), np.array([0.1]), np.array([True]), np.array([False]), 0.02).tolist() == [0]


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 400))
def test_a_record_cut_into_two_files_gives_the_same_curve(cut):
    whole = cycler_file([(1.0, 0.1), (0.5, 0.0), (1.0, -0.08)])
    cut = min(cut, whole.sizes["sample"] - 3)
    halves = [whole.isel(sample=slice(cut, None)), whole.isel(sample=slice(None, cut + 1))]
    together, _ = curve([whole])
    joined, _ = curve(halves)
    moved = abs(float(whole["current"][cut])) * 30 / 3600
    assert float(joined["charge"][-1]) == pytest.approx(float(together["charge"][-1]), abs=moved + 1e-9)
    assert joined.sizes["sample"] == together.sizes["sample"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0.2, 2.0), st.sampled_from([-0.1, -0.03, 0.0, 0.03, 0.1])), min_size=1, max_size=6))
def test_steps_hold_all_of_the_charge(steps):
    found, protocol = curve([cycler_file(steps)])
    assert float(protocol["charge"].sum()) == pytest.approx(float(found["charge"][-1]), abs=1e-9)
    assert (np.diff(protocol["cycle"].values) >= 0).all()
    assert (protocol["start"].values <= protocol["end"].values).all()


def test_files_in_any_order_and_their_gap_is_said():
    first, second = cycler_file([(1.0, 0.1)]), cycler_file([(1.0, 0.1)], start=3626.5, file="b.csv")
    found, _ = curve([second, first])
    assert float(found["charge"][-1]) == pytest.approx(0.2, rel=1e-9)
    assert any("gap of 26.5 s" in text for text in found.attrs["warnings"])


def test_a_repeated_file_counts_once():
    record = cycler_file([(1.0, 0.1)])
    found, _ = curve([record, record.assign_attrs(file="copy.csv")])
    assert float(found["charge"][-1]) == pytest.approx(0.1, rel=1e-9)
    assert any("copy.csv" in text and "left out" in text for text in found.attrs["warnings"])


def test_files_that_overlap_by_an_hour_point_to_the_time_zone():
    first, second = cycler_file([(3.0, 0.1)]), cycler_file([(3.0, 0.1)], start=2 * 3600 + 5.0, file="b.csv")
    found, _ = curve([first, second])
    assert any("about 1 h: check time_zone" in text for text in found.attrs["warnings"])


def test_repeated_rows_and_steps_back_in_time_are_left_out():
    record = cycler_file([(1.0, 0.1)])
    order = np.r_[0:40, 38:40, 40:60, 59, 60 : record.sizes["sample"]]
    found, _ = curve([record.isel(sample=order)])
    assert found.sizes["sample"] == record.sizes["sample"]
    assert float(found["charge"][-1]) == pytest.approx(0.1, rel=1e-9)


def test_the_cyclers_clock_is_moved_to_the_beamlines():
    record = cycler_file([(10.0, 0.1)])
    found, _ = curve([record], offset_s=-12.0, drift_ppm=100.0)
    assert found["time"].values[0] == at(-12.0)
    assert found["time"].values[-1] == at(36000 - 12.0 + 3.6)


def test_a_record_without_times_asks_for_them():
    record = cycler_file([(1.0, 0.1)])
    record["time"].values[:] = np.datetime64("NaT")
    with pytest.raises(ConfigurationError, match="start_time"):
        curve([record])


def test_a_wrong_sign_is_said():
    record = cycler_file(PAPER)
    record["current"].values[:] *= -1
    found, _ = curve([record])
    assert any('positive_current = "discharge"' in text for text in found.attrs["warnings"])
    assert curve([cycler_file(PAPER)])[0].attrs["warnings"] == []


@pytest.mark.parametrize(("factor", "said"), [(1e3, "µA and was taken for mA"), (1e-3, "A and was taken for mA")])
def test_a_wrong_unit_of_the_current_is_said(factor, said):
    record = cycler_file(PAPER)
    record["current"].values[:] *= factor
    found, _ = curve([record], None, None, 0.4, 0.35, 1166.0)
    assert any(said in text for text in found.attrs["warnings"])


def test_the_instruments_own_charge_decides_what_its_current_means():
    record = cycler_file([(1.0, 0.1), (1.0, -0.1)], every=60.0)
    seconds = (record["time"].values - at(0)) / np.timedelta64(1, "s")
    own = np.concatenate([[0.0], np.cumsum(record["current"].values[1:] * np.diff(seconds) / 3600)])
    record = record.isel(sample=slice(0, None, 7))
    own = np.concatenate([[0.0], np.cumsum(record["current"].values[1:] * np.diff(seconds[::7]) / 3600)])
    record["charge"] = ("sample", own, {"units": "mAh"})
    found, _ = curve([record])
    assert found.attrs["integration"] == "mean since the previous sample"
    assert found["charge"].values == pytest.approx(own, abs=1e-12)


def test_a_cycle_is_summed_up():
    found, protocol = curve([cycler_file(PAPER, noise_v=1e-4)])
    table = cycles(found, protocol, 0.4, 0.35, 1166.0, 3.0)
    assert table["cycle"].values.tolist() == [1, 2, 3, 4]
    assert table["c_rate"].values == pytest.approx([1.0, 0.5, 0.25, 0.1], rel=1e-9)
    assert table["coulombic_efficiency"].values == pytest.approx(0.8, rel=1e-9)
    assert table["resistance"].values == pytest.approx(400.0, rel=0.05)
    assert (np.abs(table["resistance"].values - 400.0) < 4 * table["resistance_std"].values).all()
    # The voltage is open-circuit + I R here: polarisation is 2 I R / 2 I, less the slope of the open circuit.
    assert (table["energy_efficiency"].values < 0.8).all()
    assert table["areal_capacity"].values == pytest.approx(table["discharge"].values / 0.0706858, rel=1e-5)


def test_resistance_is_unknown_where_no_sample_follows_within_a_second():
    record = cycler_file(PAPER, every=10.0)
    seconds = (record["time"].values - at(0)) / np.timedelta64(1, "s")
    thinned = record.isel(sample=np.concatenate([[True], np.diff(seconds) > 0]))
    found, protocol = curve([thinned])
    assert np.isnan(cycles(found, protocol)["resistance"].values).all()
    assert (resistances(found, protocol)["delay"].values == 10.0).all()


def test_missing_masses_leave_the_rate_unknown_and_say_so():
    found, protocol = curve([cycler_file(PAPER)])
    table = cycles(found, protocol)
    assert np.isnan(table["c_rate"].values).all()
    assert "no mass_mg" in table.attrs["warnings"][0]


def test_a_relaxation_is_split_from_the_ohmic_part():
    record = cycler_file([(1.0, 0.1), (0.5, 0.0)], every=0.2)
    seconds = (record["time"].values - at(0)) / np.timedelta64(1, "s")
    resting = (seconds >= 3600) & (record["current"].values == 0)
    since = seconds[resting] - 3600
    slow_ohm, decay = 150.0, 20.0
    record["voltage"].values[resting] -= 0.1e-3 * slow_ohm * (1 - np.exp(-since / decay))
    jump = resistances(*curve([record])).isel(jump=-1)
    assert float(jump["ohmic"]) == pytest.approx(400.0, rel=0.02)
    assert float(jump["slow"]) == pytest.approx(slow_ohm * (1 - np.exp(-60 / decay)), rel=0.02)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.1, -0.1, 0.01, -0.02]), min_size=1, max_size=40),
    st.sampled_from([0.0, 0.001, 1.0, 30.0, 4000.0]),
    st.integers(0, 1000),
)
def test_any_record_has_steps_that_hold_its_charge(currents, every, seed):
    rng = np.random.default_rng(seed)
    seconds = np.cumsum(every * rng.uniform(0.5, 1.5, len(currents)))
    record = cycler_file([(1.0, 0.1)]).isel(sample=np.zeros(len(currents), int))
    record = record.assign(
        time=("sample", at(seconds)),
        current=("sample", np.array(currents), {"units": "mA"}),
        voltage=("sample", 3 + rng.normal(size=len(currents)), {"units": "V"}),
    )
    found, protocol = curve([record])
    assert float(protocol["charge"].sum()) == pytest.approx(float(found["charge"][-1]), abs=1e-9)
    assert found["step"].values[-1] == protocol.sizes["step"] - 1
    cycles(found, protocol)
    resistances(found, protocol)
