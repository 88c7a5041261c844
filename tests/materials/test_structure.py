"""Structures give the numbers that independent programs and the literature give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operando.materials.catalogue import load, names
from operando.materials.structure import at_temperature, cell_volume, d_spacing, lines, molar_volume


@pytest.mark.parametrize(("name", "volume"), [("In", 15.7), ("InLi", 23.6), ("Li", 13.0)])
def test_molar_volumes_are_those_of_the_structures(name: str, volume: float) -> None:
    assert molar_volume(load(name)) == pytest.approx(volume, abs=0.05)


def _oracle(name: str, d_min: float) -> dict[float, float]:
    """Spacing -> multiplicity x |F|² by pymatgen, without polarisation and Lorentz factors or thermal motion."""
    from pymatgen.analysis.diffraction.xrd import XRDCalculator
    from pymatgen.core import Lattice, Structure

    structures = {
        "In": ("I4/mmm", Lattice.tetragonal(3.2517, 4.9459), ["In"], [[0, 0, 0]]),
        "InLi": ("Fd-3m", Lattice.cubic(load("InLi").cell[0]), ["In", "Li"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        "Li2S": ("Fm-3m", Lattice.cubic(load("Li2S").cell[0]), ["S", "Li"], [[0, 0, 0], [0.25, 0.25, 0.25]]),
    }
    structure = Structure.from_spacegroup(*structures[name])
    calculator = XRDCalculator(wavelength=0.2)
    limit = 2 * np.degrees(np.arcsin(0.1 / d_min))
    pattern = calculator.get_pattern(structure, scaled=False, two_theta_range=(0.5, limit))
    theta = np.radians(pattern.x / 2)
    polarised = (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
    return dict(zip(pattern.d_hkls, pattern.y / polarised, strict=True))


@pytest.mark.parametrize("name", ["In", "InLi", "Li2S"])
def test_lines_agree_with_pymatgen(name: str) -> None:
    from dataclasses import replace

    material = load(name)
    still = replace(material, atoms=tuple(replace(atom, b_iso=0.0) for atom in material.atoms))
    ours = lines(still, 1.0)
    theirs = _oracle(name, 1.0)
    assert len(ours) == len(theirs)
    strongest = max(theirs.values())
    for line in ours:
        d = min(theirs, key=lambda other: abs(other - line.d))
        assert line.d == pytest.approx(d, abs=1e-5)
        assert line.intensity == pytest.approx(theirs[d], abs=0.01 * strongest)


def test_the_neighbour_line_is_there() -> None:
    indium = {line.hkl: line for line in lines(load("In"), 1.2)}
    assert indium[2, 1, 1].d == pytest.approx(1.395, abs=5e-4)
    assert indium[2, 0, 2].d == pytest.approx(1.3585, abs=5e-4)
    assert indium[2, 1, 1].intensity / indium[2, 0, 2].intensity == pytest.approx(2.0, rel=0.1)
    inli = {line.hkl: line for line in lines(load("InLi"), 1.2)}
    assert 1.385 <= inli[4, 2, 2].d <= 1.390


def test_reflections_of_one_spacing_are_one_line() -> None:
    spacings = [line.d for line in lines(load("InLi"), 0.6)]
    assert min(-np.diff(spacings)) > 1e-6
    merged = next(line for line in lines(load("InLi"), 1.2) if line.hkl == (5, 1, 1))
    assert merged.multiplicity == 24 + 8


@given(st.floats(2.0, 20.0), st.floats(2.0, 20.0), st.floats(2.0, 20.0))
def test_spacing_of_an_orthorhombic_lattice(a: float, b: float, c: float) -> None:
    cell = (a, b, c, 90.0, 90.0, 90.0)
    assert cell_volume(cell) == pytest.approx(a * b * c)
    assert d_spacing(np.array([1, 2, 3]), cell) == pytest.approx(1 / np.sqrt(1 / a**2 + 4 / b**2 + 9 / c**2))


def test_forty_five_kelvin_move_indium_by_0_14_per_cent() -> None:
    indium = load("In")
    warm = at_temperature(indium, indium.temperature_c + 45.0)
    assert warm.cell[0] / indium.cell[0] - 1 == pytest.approx(0.0014, abs=1e-4)
    assert warm.density_g_per_cm3 < indium.density_g_per_cm3


def test_every_material_names_its_sources_and_has_a_plausible_density() -> None:
    for name in names():
        material = load(name)
        assert material.sources
        assert 0.4 < material.density_g_per_cm3 < 25.0
