"""Clocks: what the data say about an offset is shown and never applied."""

import numpy as np
import pytest
from joint_parts import at, exposures, filled, paper_curve

from operando.joint.clock_check import ClockCheckParams, clock_check
from operando.joint.clocks import whole_hours_apart
from operando.joint.scan_timeline import scan_timeline
from operando.model.products.morphology import PHASE_VOLUMES


def seen(offset_s, noise=0.01, seed=0):
    """Volumes of scans that follow the charge, with scans' clock ``offset_s`` ahead of the cycler's."""
    cell, protocol = paper_curve()
    starts = np.arange(8000.0, 100_000.0, 900.0)
    true = scan_timeline(cell, protocol, exposures(starts, 90.0))["charge"].values
    shown = scan_timeline(cell, protocol, exposures(starts + offset_s, 90.0))
    rng = np.random.default_rng(seed)
    volumes = [
        filled(
            PHASE_VOLUMES,
            coords={"phase": ("phase", np.array(["void", "anode"], object))},
            volume=np.array([0.0, 1e7 + 4e8 * value + 4e8 * noise * np.nanstd(true) * rng.normal()]),
            attrs={"frame": k},
        )
        for k, value in enumerate(true)
    ]
    return cell, shown, volumes


@pytest.mark.parametrize("offset", [0.0, 3600.0, -1800.0])
def test_the_offset_is_found_and_said_but_not_applied(offset):
    cell, timeline, volumes = seen(offset)
    found = clock_check(cell, timeline, volumes, params=ClockCheckParams(every_s=120.0))
    assert float(found["best"][0]) == pytest.approx(offset, abs=180)
    assert float(found["best_low"][0]) <= offset + 120
    assert float(found["best_high"][0]) >= offset - 120
    said = " ".join(found.attrs["warnings"])
    assert ("Nothing was shifted" in said) == (offset != 0.0)
    assert ("about 1 h as between time zones" in said) == (offset == 3600.0)
    assert timeline["start"].values[0] == at(8000.0 + offset)


def test_a_series_that_tells_nothing_gives_no_offset():
    cell, timeline, volumes = seen(0.0, noise=1e3)
    found = clock_check(cell, timeline, volumes[:4], params=ClockCheckParams(every_s=600.0))
    assert found.sizes["instrument"] == 0


def test_only_shifts_by_whole_hours_at_both_ends_are_called_zones():
    record = at(np.array([0.0, 36000.0]))
    start = np.arange(100.0, 35900.0, 900.0)
    assert whole_hours_apart(at(start + 3600), at(start + 3690), record) == 1
    assert whole_hours_apart(at(start - 7200), at(start - 7110), record) == -2
    assert whole_hours_apart(at(start), at(start + 90), record) == 0
    late = start[start > 3600]
    assert whole_hours_apart(at(late), at(late + 90), record) == 0
