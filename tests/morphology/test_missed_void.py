"""A gap too thin for thresholds narrows the blurred edge, and takes from the anode what it lacks in grey."""

import numpy as np
import pytest
from scipy.special import erf

from operando.model.products.morphology import INTERFACE, LEVELS
from operando.morphology.missed_void import MissedVoid, unseen_take

PHASES = ("void", "electrolyte", "anode")
VOID, ELECTROLYTE, ANODE = 0.0, 1.3, 17.0


def levels():
    boundary = {"phase": list(PHASES), "boundary": ["a", "b"]}
    nothing = {name: np.zeros(3) for name in ("mean_std", "mean_drift", "width")}
    return LEVELS.new(
        coords=boundary,
        mean=np.array([VOID, ELECTROLYTE, ANODE]),
        own=np.ones(3, bool),
        threshold=np.zeros(2),
        threshold_std=np.zeros(2),
        blur=1.0,
        streaks=0.0,
        noise=0.0,
        noise_correlation=1.0,
        **nothing,
    )


def gap_of(thickness, grey, counted=0.0, half=0.0):
    """What ``interface`` says of it, as far as ``MissedVoid`` asks."""
    named = {"cavity_volume": thickness, "cavity_counted": counted, "cavity_grey": grey}
    others = ("contact_area", "contact_loss", "contact_loss_seen", "roughness")
    values = {f"{name}{end}": 0.0 for name in others for end in ("", "_low", "_high")}
    return INTERFACE.new(
        coords={"y_map": ("y_map", np.zeros(1), "um"), "x_map": ("x_map", np.zeros(1), "um")},
        height=np.zeros((1, 1), np.float32),
        gap=np.zeros((1, 1), np.float32),
        cavity=np.zeros((1, 1), np.int32),
        facing=1,
        cavity_volume_low=thickness - half,
        cavity_volume_high=thickness + half,
        **named,
        **values,
    )


def below(x):
    return 0.5 * (1 + erf(x / (np.sqrt(2) * 0.7)))


@pytest.mark.parametrize("thickness", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("grey", [0.0, 0.2])
def test_the_anode_gets_back_what_a_hidden_gap_took(thickness, grey):
    u = np.arange(-30, 31) * 1.0
    seen = ANODE * below(-u) + ELECTROLYTE * below(u - thickness) + grey * (below(u) - below(u - thickness))
    anode_share = (seen - ELECTROLYTE) / (ANODE - ELECTROLYTE)  # as labels share an edge anode | electrolyte
    missing = below(-u).sum() - anode_share.sum()
    assert missing > 0.01 * thickness
    assert MissedVoid.of(gap_of(thickness, grey), levels(), PHASES).anode == pytest.approx(missing, rel=1e-3)


def test_a_void_that_labels_see_takes_nothing():
    found = MissedVoid.of(gap_of(5.0, VOID, counted=5.0), levels(), PHASES)
    assert found.volume == found.anode == 0.0


def test_the_fit_s_uncertainty_goes_over_in_the_same_proportion():
    found = MissedVoid.of(gap_of(2.0, VOID, half=0.98), levels(), PHASES)
    assert found.anode_std == pytest.approx(0.5 * ELECTROLYTE / (ANODE - ELECTROLYTE), rel=1e-3)


def test_nothing_is_corrected_where_no_gap_is_measured():
    unknown = gap_of(np.nan, np.nan)
    for interface in (None, unknown):
        assert MissedVoid.of(interface, levels(), PHASES) == MissedVoid(0.0, 0.0, 0.0)


def test_a_change_too_thin_to_show_its_void_may_be_too_large_by_what_that_takes():
    share = (ELECTROLYTE - VOID) / (ANODE - ELECTROLYTE)
    assert unseen_take(1e6, 10.0, np.nan, levels(), PHASES, 20.0) == pytest.approx(1e6 * share)
    assert unseen_take(-1e6, -10.0, 4e5, levels(), PHASES, 20.0) == pytest.approx(6e5 * share), "some of it is seen"
    assert unseen_take(1e6, 10.0, -2e6, levels(), PHASES, 20.0) == 0.0
    assert unseen_take(1e6, 100.0, np.nan, levels(), PHASES, 20.0) == 0.0, "a gap of five voxels would be seen"
