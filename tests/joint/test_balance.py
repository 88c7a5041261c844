"""Charge against volume."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joint_parts import difference, exposures, filled, paper_curve, record

from operando.electrochemistry.curve import curve
from operando.joint.balance import balance
from operando.joint.conclusion import conclusion
from operando.joint.expected import charge_between, difference_of, expected_volume, ratio_of
from operando.joint.lattice_volumes import refined, refined_volumes
from operando.joint.pairs import nearest_two, pairs
from operando.joint.scan_timeline import scan_timeline
from operando.materials.catalogue import load
from operando.materials.reactions import candidates, reaction
from operando.materials.structure import molar_volume
from operando.model.constants import FARADAY_MAH_PER_MOL
from operando.model.interval import Quantity, from_std
from operando.model.products.diffraction import LATTICE, PHASE_PRESENCE
from operando.model.products.morphology import INTERFACE

REACTION = "In + Li -> InLi"


def staged(ratio=1.0, std_share=0.03, step_s=900.0, seed=0, side=0.0):
    """A paper-like run whose anode grows by ``ratio`` of what In + Li -> InLi gives, less a side reaction's share."""
    cell, protocol = paper_curve()
    last = (cell["time"].values[-1] - cell["time"].values[0]) / np.timedelta64(1, "s")
    timeline = scan_timeline(cell, protocol, exposures(np.arange(100.0, last - 100, step_s), 90.0))
    chosen = pairs(protocol, timeline)
    reactions = candidates(load("InLi"), 70.0, REACTION)
    charge = timeline["charge"].values
    rng = np.random.default_rng(seed)
    found = []
    for k in range(chosen.sizes["pair"]):
        earlier, later = int(chosen["from_scan"][k]), int(chosen["to_scan"][k])
        moved = charge[later] - charge[earlier]
        true = moved / FARADAY_MAH_PER_MOL * reactions[0].volume_cm3_per_mol * 1e12
        true *= ratio * (1 - side if moved > 0 else 1)
        std = std_share * abs(true) + 2e4
        found.append(difference(true + std * rng.normal(), std, [earlier, later]))
    return chosen, timeline, found, reactions


def test_a_ratio_of_one_is_found_where_all_charge_makes_volume():
    chosen, timeline, seen, reactions = staged()
    table = balance(chosen, timeline, seen, reactions=reactions, configured=REACTION)
    known = np.isfinite(table["ratio"].values[:, 0])
    inside = (table["ratio_low"].values[known, 0] <= 1) & (table["ratio_high"].values[known, 0] >= 1)
    assert inside.mean() >= 0.8
    charging = np.flatnonzero((table["step"].values == "charge") & (table["cycle"].values == 4))[0]
    assert float(table["ratio"][charging, 0]) == pytest.approx(1.0, abs=0.1)


def test_a_side_reaction_is_recovered_within_ten_points():
    for share in (0.0, 0.2, 0.4):
        chosen, timeline, seen, reactions = staged(side=share, seed=int(100 * share))
        table = balance(chosen, timeline, seen, reactions=reactions, configured=REACTION)
        found = conclusion(table)
        assert float(found["side_share"]) == pytest.approx(share, abs=0.1)
        assert float(found["side_share_low"]) <= share <= float(found["side_share_high"])


def test_what_an_opaque_anode_hides_is_not_called_a_side_reaction():
    chosen, timeline, seen, reactions = staged(ratio=0.2)
    surfaces = [filled(INTERFACE, attrs={"frame": scan}, unknown_share=0.9) for scan in timeline["scan"].values]
    table = balance(chosen, timeline, seen, surfaces, reactions=reactions, configured=REACTION)
    assert np.isnan(table["side_share"].values).all()
    assert np.isfinite(table["unaccounted"].values).any()
    assert "90 % of the anode's surface was out of sight" in " ".join(conclusion(table)["text"].values)


def test_nothing_is_called_missing_without_a_configured_reaction():
    chosen, timeline, seen, reactions = staged()
    table = balance(chosen, timeline, seen, reactions=reactions)
    assert np.isnan(table["unaccounted"].values).all()
    assert np.isnan(table["side_share"].values).all()
    assert np.isfinite(table["electrochemical"].values).any()
    assert "nothing is called missing" in str(conclusion(table)["text"].values[0])


def test_a_rest_has_no_ratio():
    chosen, timeline, seen, reactions = staged()
    table = balance(chosen, timeline, seen, reactions=reactions, configured=REACTION)
    resting = np.abs(table["charge"].values) < 1e-9
    assert resting.any()
    assert np.isnan(table["ratio"].values[resting]).all()


def test_failed_comparisons_stay_unknown():
    chosen, timeline, seen, reactions = staged()
    table = balance(chosen, timeline, seen[1:], reactions=reactions, configured=REACTION)
    assert np.isnan(float(table["morphological"][0]))
    assert np.isfinite(float(table["electrochemical"][0, 0]))


def test_charge_outside_the_record_is_unknown():
    cell, protocol = curve([record([(5.0, 0.1)])])
    timeline = scan_timeline(cell, protocol, exposures([-7200.0, 9000.0, 17000.0], 90.0))
    table = balance(pairs(protocol, timeline), timeline, reactions=candidates(load("InLi"), 70.0, REACTION))
    last = table.isel(pair=-1)
    assert (int(last["from_scan"]), int(last["to_scan"])) == (0, 2)
    assert np.isnan(float(last["charge"]))


@given(st.floats(0.2, 2), st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_the_ratios_interval_holds_the_ratio_and_widens_with_either_error(ratio, seen_std, expected_std):
    expected = from_std(1.0, expected_std, "um3")
    found = ratio_of(from_std(ratio, seen_std, "um3"), expected)
    assert found.low <= found.value <= found.high
    wider = ratio_of(from_std(ratio, 2 * seen_std, "um3"), expected)
    assert wider.high - wider.low > found.high - found.low


def test_the_ratio_keeps_the_sides_of_an_uneven_interval():
    seen = Quantity(1.0, 0.7, 1.1, "um3")
    up, down = ratio_of(seen, from_std(1.0, 1e-6, "um3")), ratio_of(seen, from_std(-1.0, 1e-6, "um3"))
    assert (up.low, up.high) == pytest.approx((0.7, 1.1), abs=1e-4)
    assert (down.low, down.high) == pytest.approx((-1.1, -0.7), abs=1e-4)


def test_fieller_covers_the_truth_in_95_percent():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        seen = from_std(0.8 + 0.15 * rng.normal(), 0.15, "um3")
        expected = from_std(1.0 + 0.2 * rng.normal(), 0.2, "um3")
        found = ratio_of(seen, expected)
        held += np.isnan(found.value) or found.low <= 0.8 <= found.high
    assert 0.935 <= held / 2000 <= 0.975


def test_errors_of_scale_and_zero_enter_the_charge():
    charge = charge_between(0.1, 0.3, 3600.0, 1e-3, 1e-4)
    assert charge.high - charge.value == pytest.approx(1.96 * np.hypot(2e-4, 1e-4), rel=1e-3)


def test_asymmetric_intervals_stay_so_in_a_difference():
    found = difference_of(Quantity(1, 1, 2, "um3"), Quantity(0, 0, 0, "um3"))
    assert (found.low, found.value, found.high) == (1, 1, 2)


@given(st.floats(0.01, 1), st.sampled_from(["In + Li -> InLi", "2 InLi + Li -> In2Li3", "Li+ -> Li"]))
def test_expected_volume_is_linear_in_charge_and_changes_its_sign(charge, text):
    one = reaction(text, 70.0)
    up = expected_volume(from_std(charge, 0.0, "mAh"), one).value
    down = expected_volume(from_std(-charge, 0.0, "mAh"), one).value
    assert up == pytest.approx(-down)
    assert up == pytest.approx(charge / FARADAY_MAH_PER_MOL * one.volume_cm3_per_mol * 1e12)


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=20, unique=True), st.floats(0, 1000), st.floats(0, 500))
def test_two_scans_are_always_different(times, start, length):
    middle = np.sort(np.array(times))
    i, j = nearest_two(middle, start, start + length)
    assert 0 <= i < j < middle.size


def test_steps_get_the_scans_nearest_their_ends_and_the_last_pair_is_all():
    chosen, timeline, *_ = staged()
    assert str(chosen["step"].values[-1]) == "all"
    assert (chosen["from_scan"].values < chosen["to_scan"].values).all()
    assert list(chosen["step"].values).count("null test") == 1
    charges = np.flatnonzero(chosen["step"].values == "charge")
    assert chosen["cycle"].values[charges].tolist() == [0, 1, 2, 3, 4]
    assert timeline["charge"].values[chosen["from_scan"].values[charges[0]]] < 0.002


def lattice(a_in, c_in, a_inli, frame):
    cell = np.array([[a_in, a_in, c_in], [a_inli] * 3])
    names = np.array(["In", "InLi"], object)
    return filled(
        LATTICE, coords={"phase": ("phase", names)}, cell=cell, cell_std=np.full((2, 3), 1e-4), attrs={"frame": frame}
    )


def test_lattices_refined_here_replace_the_listed_ones():
    materials = (load("In"), load("InLi"))
    volumes, sentences = refined_volumes([lattice(3.26, 4.96, 6.80, k) for k in range(5)], materials)
    assert sentences == []
    assert volumes["In"][0] == pytest.approx(3.26**2 * 4.96 / 2 * 0.602214, rel=1e-5)
    assert volumes["InLi"][0] == pytest.approx(6.80**3 / 8 * 0.602214, rel=1e-5)
    found = refined(reaction(REACTION, 70.0), volumes)
    assert found.volume_cm3_per_mol == pytest.approx(volumes["InLi"][0] - volumes["In"][0])
    plating = reaction("Li+ -> Li", 70.0)
    assert refined(plating, volumes) == plating


def test_an_implausible_lattice_is_refused_with_a_sentence():
    volumes, sentences = refined_volumes([lattice(3.5, 4.96, 6.80, 0)], (load("In"), load("InLi")))
    assert set(volumes) == {"InLi"}
    assert "refined lattice of In" in sentences[0]
    assert f"{molar_volume(load('In')):.2f}" in sentences[0]


def test_a_bad_null_test_is_a_warning():
    chosen, timeline, seen, reactions = staged()
    k = int(np.flatnonzero(chosen["step"].values == "null test")[0])
    seen[k] = difference(5e6, 1e5, seen[k].attrs["frame"])
    table = balance(chosen, timeline, seen, reactions=reactions, configured=REACTION)
    found = conclusion(table)
    assert "though no current flows" in found.attrs["warnings"][0]


def presence(**shares):
    names = np.array(list(shares), object)
    present = np.array([[float(k < 20 * share) for share in shares.values()] for k in range(20)])
    return filled(PHASE_PRESENCE, coords={"spectrum": np.arange(20), "phase": ("phase", names)}, present=present)


def test_observed_phases_contradict_the_masses():
    chosen, timeline, seen, reactions = staged()
    table = balance(chosen, timeline, seen, reactions=reactions, configured=REACTION)
    masses = {"In": 10.6, "Li": 1.5}
    texts = " ".join(conclusion(table, presence(In=0.9, InLi=1.0), masses, 70.0)["text"].values)
    assert "Li:In = 2.34; at equilibrium only InLi2 and In3Li13 would be there" in texts
    assert "Diffraction finds In and InLi, which should not be there" in texts
    assert "supports it but proves no share" in texts
    texts = " ".join(conclusion(table, presence(In=0.0, InLi=1.0), masses, 70.0)["text"].values)
    assert "does not support In + Li -> InLi: In was not found" in texts


def test_the_cathodes_own_change_is_said_where_its_reaction_is_known():
    chosen, timeline, seen, reactions = staged()
    table = balance(chosen, timeline, seen, reactions=reactions, configured=REACTION)
    texts = " ".join(str(text) for text in conclusion(table, None, None, 70.0, "Li2S")["text"].values)
    assert "S + 2 Li -> Li2S backwards" in texts
    for unknown in ("NMC811", "carbon"):
        texts = " ".join(str(text) for text in conclusion(table, None, None, 70.0, unknown)["text"].values)
        assert "cathode gives" not in texts


def test_missing_masses_are_said():
    chosen, timeline, seen, reactions = staged()
    table = balance(chosen, timeline, seen, reactions=reactions, configured=REACTION)
    assert any("mass_mg = { In = …, Li = … }" in str(text) for text in conclusion(table)["text"].values)
