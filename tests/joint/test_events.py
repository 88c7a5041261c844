"""Which of two things came first, and when things began."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joint_parts import at, exposures, filled, record, spectra_exposures
from scipy.stats import norm

from operando.electrochemistry.curve import curve
from operando.joint.events import events, order_of, steadied
from operando.joint.onset import Posterior, before, parted_onset, rise_onset, uniform
from operando.joint.scan_timeline import scan_timeline
from operando.joint.spectrum_timeline import spectrum_timeline
from operando.model.products.diffraction import PHASE_PRESENCE
from operando.model.products.electrochemistry import RESISTANCES
from operando.model.products.morphology import INTERFACE

SCANS, EVERY = 60, 900.0


def rise(t, onset, power, stop, after):
    """A rise from ``onset`` that ends at ``stop``, where the next step of the protocol begins."""
    height = np.maximum(t - onset, 0.0) ** power / (20 * EVERY) ** power
    top = (stop - onset) ** power / (20 * EVERY) ** power
    return np.where(t > stop, after * top, height)


def staged(seed, lag_scans, noise=0.02):
    """Cavities that open first and a resistance that follows ``lag_scans`` later, with noise and other rhythms."""
    rng = np.random.default_rng(seed)
    t = np.arange(SCANS) * EVERY
    onset = EVERY * rng.uniform(12, 35)
    stop = onset + EVERY * rng.uniform(8, 20)
    powers = rng.choice([0.5, 1.0, 1.0, 1.5], size=2)
    cavity = rise(t, onset, powers[0], stop, rng.uniform(0.2, 1.1)) + noise * rng.normal(size=SCANS)
    late = t + rng.uniform(0, EVERY)
    resistance = rise(late, onset + lag_scans * EVERY, powers[1], stop + lag_scans * EVERY, rng.uniform(0.2, 1.1))
    resistance = 400.0 * (1 + resistance + noise * rng.normal(size=SCANS))
    return onset, t, cavity, late, resistance


def surfaces(cavities):
    """Interfaces with these volumes of cavities."""
    empty = filled(INTERFACE, contact_loss=0.0, contact_loss_seen=0.0)
    return [
        empty.assign(cavity_volume=empty["cavity_volume"].copy(data=volume)).assign_attrs(frame=k)
        for k, volume in enumerate(cavities)
    ]


def products(t, cavity, late, resistance):
    return {
        "scan_timeline": scan_timeline(None, None, exposures(t, 90.0)),
        "interfaces": surfaces(1e6 * cavity),
        "resistances": filled(RESISTANCES, time=at(late), resistance=resistance, delay=np.full(late.size, 0.5)),
    }


def test_the_order_of_two_events_is_right_where_the_lag_exceeds_one_scan():
    right = 0
    for seed in range(40):
        rng = np.random.default_rng(1000 + seed)
        _, *series = staged(seed, lag_scans=rng.uniform(1.2, 4.0))
        found = events(**products(*series))
        kinds = [str(kind) for kind in found["kind"].values]
        right += kinds == ["void_onset", "resistance_rise_onset"] and order_of(found)[0]["probability"] > 0.5
    assert right >= 36


def test_onset_intervals_hold_the_truth():
    held = widths = 0
    for seed in range(60):
        onset, t, cavity, *_ = staged(100 + seed, 2.0)
        when = rise_onset(t + 45.0, cavity)
        held += when.quantile(0.025) - 45 <= onset <= when.quantile(0.975) + 45
        widths += when.quantile(0.975) - when.quantile(0.025)
    assert held >= 54
    assert widths / 60 < 5 * EVERY


def lost_contact(seed):
    """When a gap began to open under a rough surface at a steady rate, scan times, and the share that lost contact."""
    rng = np.random.default_rng(seed)
    onset, rate = EVERY * rng.uniform(3, 5), rng.uniform(0.1, 0.6) / EVERY
    t = EVERY * (np.arange(14) + rng.uniform(0, 1))
    level = np.linspace(-4, 4, 4000)
    opened = norm.pdf(level) + level * norm.cdf(level)
    lost = np.where(t > onset, norm.cdf(np.interp(rate * np.maximum(t - onset, 0), opened, level)), 0.0)
    return onset, t, lost + 0.01 * (lost > 0) * rng.normal(size=t.size)


def test_a_rise_unlike_any_shape_and_without_scatter_before_is_not_told_too_sharply():
    held = 0
    for seed in range(60):
        onset, t, lost = lost_contact(seed)
        when = rise_onset(t, lost)
        held += when.quantile(0.025) <= onset <= when.quantile(0.975)
    assert held >= 54


def test_noise_alone_is_no_event():
    alarms = [rise_onset(np.arange(60.0), np.random.default_rng(seed).normal(size=60)) for seed in range(200)]
    assert sum(alarm is not None for alarm in alarms) <= 2


def test_a_flat_or_short_series_is_no_event():
    assert rise_onset(np.arange(30.0), np.zeros(30)) is None
    assert rise_onset(np.arange(4.0), np.arange(4.0)) is None
    assert rise_onset(np.arange(30.0), np.full(30, np.nan)) is None


def test_a_fall_is_no_rise():
    assert rise_onset(np.arange(40.0), -np.maximum(np.arange(40.0) - 20, 0)) is None


@settings(max_examples=30)
@given(st.floats(-50, 50), st.floats(0.5, 30), st.floats(-50, 50), st.floats(0.5, 30))
def test_probabilities_of_both_orders_add_to_one(a, width_a, b, width_b):
    first, second = uniform(a, a + width_a), uniform(b, b + width_b)
    assert before(first, second) + before(second, first) == pytest.approx(1.0, abs=2e-3)


def test_disjoint_intervals_leave_no_doubt():
    assert before(uniform(0, 1), uniform(2, 3)) > 1 - 1e-9
    assert before(uniform(2, 3), uniform(0, 1)) < 1e-9


def test_the_interval_of_a_certain_instant_is_that_instant():
    sure = Posterior(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0]))
    assert 1.0 <= sure.likely <= 2.0


def phase_events(present, length=90.0):
    n = len(present)
    timeline = spectrum_timeline(None, None, spectra_exposures(np.arange(n) * EVERY, length))
    presence = filled(
        PHASE_PRESENCE,
        coords={"spectrum": np.arange(n), "phase": ("phase", np.array(["InLi"], object))},
        present=np.array(present, float)[:, None],
    )
    return events(spectrum_timeline=timeline, presence=presence)


def test_a_phase_appears_between_the_last_spectrum_without_and_the_first_with_it():
    found = phase_events([0] * 5 + [1] * 5)
    assert found["kind"].values.tolist() == ["phase_onset"]
    low, high = found["low"].values[0], found["high"].values[0]
    assert at(4 * EVERY) <= low < high <= at(5 * EVERY + 90.0)
    assert "InLi appears" in str(found["text"].values[0])


def test_a_single_odd_spectrum_is_no_transition():
    assert phase_events([0, 0, 1, 0, 0, 1, 1, 1])["kind"].values.tolist() == ["phase_onset"]
    assert steadied(np.array([True, False, True])).tolist() == [True, True, True]


def test_an_event_carries_its_charge_and_step():
    cell, protocol = curve([record([(20.0, 0.1)])])
    onset, t, cavity, *_ = staged(3, 2.0, noise=0.005)
    timeline = scan_timeline(cell, protocol, exposures(t, 90.0))
    found = events(scan_timeline=timeline, interfaces=surfaces(cavity), curve=cell, protocol=protocol)
    assert float(found["charge"][0]) == pytest.approx(0.1 * onset / 3600, rel=0.05)
    assert float(found["charge_low"][0]) < float(found["charge"][0]) < float(found["charge_high"][0])
    assert "during the charge of cycle 0" in str(found["text"].values[0])


def bounded(loss_high):
    """Interfaces in which no gap is seen, and what may hide is bounded; NaN where nothing is told."""
    empty = filled(INTERFACE, cavity_volume=0.0, contact_loss=0.0, contact_loss_low=0.0, contact_loss_seen=0.0)
    return [
        empty.assign(contact_loss_high=empty["contact_loss_high"].copy(data=high)).assign_attrs(frame=k)
        for k, high in enumerate(loss_high)
    ]


@pytest.mark.parametrize(
    ("loss_high", "said"),
    [
        ([0.6] * 30, "up to 60 % of the contact"),
        ([np.nan] * 20 + [0.1] * 10, "could not be measured in 20 of 30 scans."),
        ([np.nan] * 30, "in 30 of 30 scans."),
        ([0.1] * 29 + [np.nan], None),
    ],
)
def test_no_cavities_is_not_said_where_none_could_have_been_seen(loss_high, said):
    timeline = scan_timeline(None, None, exposures(np.arange(30) * EVERY, 90.0))
    found = events(scan_timeline=timeline, interfaces=bounded(loss_high))
    assert found.sizes["event"] == 0
    warnings = found.attrs["warnings"]
    assert not warnings if said is None else (len(warnings) == 1 and said in warnings[0])


def test_nothing_known_gives_an_empty_table():
    found = events()
    assert found.sizes["event"] == 0
    assert json.loads(found.attrs["order"]) == []


def test_few_scans_are_enough_for_a_clear_onset_at_the_start_of_a_step():
    steps = [(0.25, 0.0), (0.5, 0.1), (0.25, 0.0), (0.5, 0.3), (0.25, 0.0), (0.45, -0.3), (1.0, 0.0)]
    cell, protocol = curve([record(steps)])
    scans = 300.0 + 1800.0 * np.arange(6)
    timeline = scan_timeline(cell, protocol, exposures(scans, 60.0))
    found = events(
        scan_timeline=timeline,
        interfaces=surfaces(np.array([0.0, 0.02, 0.01, 0.0, 5.0, 5.4])),
        curve=cell,
        protocol=protocol,
    )
    assert found["kind"].values.tolist() == ["void_onset"]
    assert found["low"].values[0] <= at(1.75 * 3600) <= found["high"].values[0]
    assert at(scans[2]) <= found["low"].values[0], "what begins slowly may not show in the scan after"
    assert found["high"].values[0] <= at(scans[4] + 60)


def test_few_scans_tell_an_onset_where_their_intervals_part():
    t = np.array([0.0, 3.0, 4.0, 6.0]) * EVERY
    found = parted_onset(t, np.array([0.0, 0.0, 5.0, 1.0]), np.array([1.0, 1.2, 6.0, 3.0]), (3.5 * EVERY,))
    assert t[1] <= found.quantile(0.025) <= found.quantile(0.975) <= t[2]
    assert found.likely == 3.5 * EVERY, "half of the probability lies on the beginning of a step"
    assert parted_onset(t, np.zeros(4), np.ones(4)) is None
    assert parted_onset(t, np.array([0.0, 0.0, 1.1, 1.0]), np.array([1.0, 1.2, 6.0, 3.0])) is None


def test_a_long_series_is_left_to_its_own_scatter():
    t = np.arange(20) * EVERY
    values = np.where(t > 10 * EVERY, 5.0, 0.0)
    assert parted_onset(t, values, values + 1) is None


def test_what_may_hide_in_every_scan_alike_does_not_hide_an_onset():
    t = np.array([0.0, 3.0, 4.0, 6.0]) * EVERY
    flat = filled(INTERFACE, contact_loss_high=0.7, contact_loss_low=0.0, contact_loss=0.0, cavity_volume=0.0)
    seen = zip((0.0, 0.0, 0.6, 0.35), (0.0, 0.0, 0.5, 0.25), (0.0, 0.0, 0.7, 0.45), strict=True)
    interfaces = [
        flat.assign({
            f"contact_loss_seen{end}": flat["contact_loss"].copy(data=value)
            for end, value in zip(("", "_low", "_high"), three, strict=True)
        }).assign_attrs(frame=k)
        for k, three in enumerate(seen)
    ]
    found = events(scan_timeline=scan_timeline(None, None, exposures(t, 90.0)), interfaces=interfaces)
    assert "contact_loss_onset" in found["kind"].values
    onset = found["low"].values[0], found["high"].values[0]
    assert at(t[1:2])[0] <= onset[0] <= onset[1] <= at(t[2:3] + 90)[0]
