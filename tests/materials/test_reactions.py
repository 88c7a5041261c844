"""Volumes per mole of lithium follow from structures, for a named reaction."""

import pytest

from operando.materials.catalogue import load
from operando.materials.reactions import candidates, equilibrium_phases, reaction
from operando.model.errors import ConfigurationError


def test_indium_expands_by_7_8_to_7_9() -> None:
    for temperature in (25.0, 70.0):
        found = reaction("In + Li -> InLi", temperature)
        assert 7.8 <= found.volume_cm3_per_mol <= 7.9
        assert found.status == "sound"


def test_the_candidates_stand_side_by_side() -> None:
    found = candidates(load("InLi"))
    volumes = [round(one.volume_cm3_per_mol, 1) for one in found]
    assert volumes == [7.9, 10.8, 10.2, 12.2, 13.0]
    assert found[-1].text == "Li+ -> Li"
    assert found[1].status == "approximate"
    assert all(one.volume_std_cm3_per_mol > 0 for one in found)


def test_the_configured_reaction_comes_first_and_once() -> None:
    found = candidates(load("In"), 70.0, "InLi -> In2Li3")
    assert found[0].text == "InLi -> In2Li3"
    assert len(found) == 5


def test_the_paper_s_number_is_a_volume_per_atom() -> None:
    charge_mah = 0.1545
    per_mole = reaction("In + Li -> InLi").volume_cm3_per_mol
    expected = charge_mah * 3.6 / 96485.33 * per_mole * 1e12
    assert expected == pytest.approx(4.55e7, rel=0.01)


def test_lithium_is_balanced_or_refused() -> None:
    assert reaction("3 InLi2 -> In3Li13").volume_cm3_per_mol == pytest.approx(12.2, abs=0.1)
    assert reaction("S + 2 Li -> Li2S").volume_cm3_per_mol == pytest.approx(6.25, abs=0.05)
    for text, found in [
        ("In + 2 Li -> InLi", "does not balance: 2 Li"),
        ("In + Li -> Li2S", "elements on both sides differ"),
        ("InLi -> In + Li", "takes up no lithium"),
        ("In + Li = InLi", "is not a reaction"),
        ("In + ? -> InLi", "is not understood"),
        ("Im + Li -> InLi", "did you mean"),
    ]:
        with pytest.raises(ConfigurationError, match=found):
            reaction(text)


def test_at_equilibrium_the_anode_of_the_paper_holds_neither_indium_nor_inli() -> None:
    poorer, richer = equilibrium_phases({"In": 10.6, "Li": 1.5})
    assert (poorer.name, richer.name) == ("InLi2", "In3Li13")
    assert poorer.mass_mg + richer.mass_mg == pytest.approx(12.1)


def test_equilibrium_between_indium_and_inli() -> None:
    indium, inli = equilibrium_phases({"In": 114.818, "Li": 0.694})
    assert (indium.name, inli.name) == ("In", "InLi")
    assert indium.amount_mmol == pytest.approx(0.9, rel=1e-3)
    assert equilibrium_phases({"In": 1.0, "Li": 0.0})[0].name == "In"
    with pytest.raises(ConfigurationError, match="one host"):
        equilibrium_phases({"Li": 1.0})
