"""dQ/dV and dV/dQ of noisy and non-monotonic data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operando.electrochemistry.derivatives import DerivativesParams, differentiate, monotonic

PARAMS = DerivativesParams()


def two_plateaus(charge):
    """A voltage with plateaus at 3.4 and 3.7 V, as Nernstian steps have."""
    share = np.clip(charge, 1e-4, 1 - 1e-4)
    return 3.4 + 0.3 / (1 + np.exp(-(share - 0.5) / 0.02)) + 0.05 * (share - 0.5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 0.01), st.booleans())
def test_all_charge_is_found_again_and_nothing_is_negative(seed, noise, discharging):
    charge = np.linspace(0, 1, 400)
    voltage = two_plateaus(charge)[:: -1 if discharging else 1] + noise * np.random.default_rng(seed).normal(size=400)
    at_voltage, dq_dv, at_charge, dv_dq = differentiate(charge, voltage, PARAMS)
    assert dq_dv.sum() * abs(at_voltage[1] - at_voltage[0]) == pytest.approx(1.0, rel=1e-6)
    assert (dq_dv >= 0).all()
    assert (dv_dq >= 0).all()
    assert (np.diff(at_charge) > 0).all()


def test_peaks_stand_at_the_plateaus_even_with_noise():
    charge = np.linspace(0, 1, 2000)
    voltage = two_plateaus(charge) + 0.002 * np.random.default_rng(0).normal(size=2000)
    at_voltage, dq_dv, at_charge, dv_dq = differentiate(charge, voltage, PARAMS)
    lower, upper = at_voltage < 3.55, at_voltage >= 3.55
    assert at_voltage[lower][np.argmax(dq_dv[lower])] == pytest.approx(3.39, abs=0.02)
    assert at_voltage[upper][np.argmax(dq_dv[upper])] == pytest.approx(3.71, abs=0.02)
    assert at_charge[np.argmax(dv_dq)] == pytest.approx(0.5, abs=0.02)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=50))
def test_the_monotonic_series_never_falls_and_keeps_the_mean(values):
    found = monotonic(np.array(values))
    assert (np.diff(found) >= -1e-12).all()
    assert found.mean() == pytest.approx(np.mean(values), abs=1e-9)
