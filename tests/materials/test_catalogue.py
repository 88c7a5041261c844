"""Users bring their own phases; mistakes are answered with a sentence."""

from pathlib import Path

import numpy as np
import pytest

from operando.materials.attenuation import mu
from operando.materials.catalogue import load, names
from operando.materials.structure import lines, molar_volume
from operando.model.errors import BrokenFileError, ConfigurationError

CIF = """data_halite
_chemical_formula_sum 'Na Cl'
_cell_length_a 5.6402
_cell_length_b 5.6402
_cell_length_c 5.6402
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na1 0 0 0
Cl1 0.5 0.5 0.5
"""


def test_all_phases_of_the_study_are_there() -> None:
    wanted = {"In", "InLi", "In2Li3", "InLi2", "In3Li13", "Li", "Li2S", "Li10SnP2S12", "steel304", "Torlon"}
    assert wanted | {"polyimide", "carbon", "S", "Al2O3", "CeO2", "LaB6", "MgO", "Au", "Si"} <= set(names())


def test_a_cif_becomes_a_material(tmp_path: Path) -> None:
    file = tmp_path / "halite.cif"
    file.write_text(CIF)
    halite = load("halite", [file])
    assert halite.formula_units == 4
    assert molar_volume(halite) == pytest.approx(27.02, abs=0.01)
    assert halite.density_g_per_cm3 == pytest.approx(2.163, abs=0.003)
    strongest = max(lines(halite, 1.0), key=lambda line: line.intensity)
    assert strongest.hkl in {(2, 0, 0), (2, 2, 0)}
    assert "halite" in names([file])


def test_a_card_without_a_formula_shines_with_no_element(tmp_path: Path) -> None:
    from operando.diffraction.fluorescence import elements_of

    file = tmp_path / "card.txt"
    file.write_text("2.106 100\n")
    assert elements_of((load("card", [file]), load("In"))) == ("In",)
    (tmp_path / "In2Li3.txt").write_text("2.106 100\n")
    assert load("In2Li3", [tmp_path / "In2Li3.txt"]).formula == "In2Li3"
    file.write_text("# formula: nothing\n2.106 100\n")
    with pytest.raises(BrokenFileError, match="'nothing' is no formula"):
        load("card", [file])


def test_a_card_of_d_and_intensity_becomes_a_material(tmp_path: Path) -> None:
    file = tmp_path / "card.txt"
    file.write_text("# formula: InLi\n3.92 40 1 1 1\n2.40, 100\n")
    card = load("card", [file])
    assert [line.d for line in lines(card, 1.0)] == [3.92, 2.40]
    assert lines(card, 1.0)[0].hkl == (1, 1, 1)
    assert card.formula == "InLi"


def test_a_material_in_toml(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'formula = "InLi"\nspace_group = "F m -3 m"\ncell = [6.0, 6.0, 6.0, 90, 90, 90]\nformula_units = 4\n'
    )
    assert lines(load("mine", [file]), 2.0)[0].hkl == (1, 1, 1)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.cif", "data_x\n_cell_length_a 5\n", "no cell or no known space group"),
        ("b.toml", 'formla = "In"\n', "did you mean 'formula'"),
        ("c.txt", "one two\n", "line 1 reads 'one two'"),
        ("d.txt", "\n", "it lists no lines"),
        ("e.pdf", "", "can't be read from '.pdf'"),
        ("f.toml", "formula = \n", "not TOML"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, text: str, found: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(BrokenFileError, match="(?s)" + found) as caught:
        load(file.stem, [file])
    assert name in str(caught.value)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'InLi2'"):
        load("InLi22")
    with pytest.raises(BrokenFileError, match=r"mine\.cif"):
        load("mine", ["mine.cif"])
    assert load("inli").name == "InLi"


TRANSMISSION = {
    "In": (1e-6, 0.002, 0.03, 0.11),
    "InLi": (1e-4, 0.014, 0.09, 0.23),
    "Li10SnP2S12": (0.36, 0.60, 0.73, 0.80),
}


@pytest.mark.parametrize("name", TRANSMISSION)
def test_transmission_through_three_millimetres(name: str) -> None:
    found = np.exp(-0.3 * mu(load(name), np.array([60.0, 80.0, 100.0, 120.0])))
    np.testing.assert_allclose(found, TRANSMISSION[name], rtol=0.16, atol=5e-4)


def test_indium_jumps_at_its_edge_and_a_bare_formula_needs_a_density() -> None:
    np.testing.assert_allclose(mu("In", np.array([27.93, 27.95]), 7.31), [61, 344], rtol=0.02)
    with pytest.raises(ConfigurationError, match="density"):
        mu("In", 60.0)
    with pytest.raises(ConfigurationError, match="1000 keV"):
        mu("In", 2000.0, 7.31)
