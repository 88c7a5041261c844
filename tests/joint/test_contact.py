"""Resistance against contact area."""

import numpy as np
import pytest
from joint_parts import at, exposures, filled

from operando.joint.contact import contact, exponent
from operando.joint.scan_timeline import scan_timeline
from operando.model.products.electrochemistry import RESISTANCES
from operando.model.products.morphology import INTERFACE


def staged(power, scans=20, noise=0.02):
    rng = np.random.default_rng(1)
    area = np.linspace(1e6, 2e5, scans)
    surfaces = [
        filled(
            INTERFACE,
            contact_area=value,
            contact_area_low=0.98 * value,
            contact_area_high=1.02 * value,
            attrs={"frame": k},
        )
        for k, value in enumerate(area)
    ]
    ohms = 400.0 * (area / area[0]) ** power * np.exp(noise * rng.normal(size=scans))
    starts = 900.0 * np.arange(scans)
    jumps = filled(
        RESISTANCES,
        time=at(starts + 200.0),
        resistance=ohms,
        resistance_std=noise * ohms,
        delay=np.full(scans, 0.5),
    )
    return scan_timeline(None, None, exposures(starts, 90.0)), surfaces, jumps


@pytest.mark.parametrize("power", [-1.0, -0.5])
def test_the_power_law_is_recovered(power):
    found = contact(*staged(power))
    assert float(found["exponent_low"]) <= power <= float(found["exponent_high"])
    assert float(found["exponent"]) == pytest.approx(power, abs=0.05)
    assert found["lag"].values == pytest.approx(155.0)


def test_jumps_far_from_any_scan_and_of_other_delay_are_left_out():
    timeline, surfaces, jumps = staged(-1.0)
    jumps["time"].values[0] = at(1e6)
    jumps["delay"].values[1] = 30.0
    found = contact(timeline, surfaces, jumps)
    assert found.sizes["point"] == 18
    assert found["scan"].values.tolist() == list(range(2, 20))


def test_too_few_points_give_no_exponent():
    assert np.isnan(exponent(np.array([1.0, 2.0]), np.array([2.0, 1.0]))).all()
    timeline, surfaces, jumps = staged(-1.0)
    empty = contact(timeline, surfaces, jumps.isel(jump=[]))
    assert empty.sizes["point"] == 0
