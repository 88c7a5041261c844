"""Spectra and settings that can't be right: each says so, and none takes long."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made import Phase, draw, expected, spectrum

from operando.diffraction.calibrate import calibrate
from operando.diffraction.series import analyse
from operando.materials.catalogue import load, read
from operando.model.errors import BrokenFileError, ConfigurationError

PHASES = [Phase("In", 3000.0), Phase("InLi", 4000.0)]
MATERIALS = (load("In"), load("InLi"))


def said(spectra: list[xr.Dataset]) -> tuple[np.ndarray, list[str]]:
    """Whether each phase is found in the last spectrum, and every sentence."""
    _, lattices, notes = analyse(spectra, MATERIALS)
    return lattices[-1]["there"].values, notes


def test_a_spectrum_shifted_by_nine_kev_leaves_lines_without_a_phase() -> None:
    shifted = draw(PHASES, 1, 1)
    shifted["counts"][:] = np.roll(shifted["counts"].values, 150, axis=1)
    _, notes = said([draw(PHASES, 2, 0), shifted])
    assert any("made_0001" in note and "belongs to no phase; check two_theta_deg" in note for note in notes)
    assert not any("made_0000" in note and "belongs to no phase" in note for note in notes)


def test_an_angle_that_is_wrong_leaves_lines_without_a_phase() -> None:
    wrong = draw(PHASES, 3, 0)
    wrong["two_theta"][:] = 6.5
    _, notes = said([wrong])
    assert any("belongs to no phase; check two_theta_deg" in note for note in notes)


def test_an_angle_at_which_a_phase_has_no_lines_is_named() -> None:
    wrong = draw(PHASES, 4)
    wrong["two_theta"][:] = 0.4
    with pytest.raises(ConfigurationError, match="it has no lines between"):
        said([wrong])


def test_one_element_of_three_is_enough() -> None:
    mean, _ = expected(PHASES)
    counts = np.random.default_rng(5).poisson(mean)
    there, notes = said([spectrum(np.stack([0 * counts, counts, np.full(2048, 65535)]))])
    assert there.all()
    assert any("element 0 is not used: dead" in note for note in notes)
    assert any("element 2" in note and "saturated" in note for note in notes)


def test_a_phase_that_is_never_there_is_never_reported() -> None:
    spectra = [draw([Phase("InLi", 4000.0)], 6 + n, n) for n in range(3)]
    _, lattices, _ = analyse(spectra, (load("In"), load("InLi"), load("Li2S")))
    assert not any(one["there"].values[[0, 2]].any() for one in lattices)
    assert all(np.isnan(one["cell"].values[[0, 2]]).all() for one in lattices)


def test_a_phase_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError, match=r"card\.txt"):
        read(tmp_path / "card.txt")
    with pytest.raises(ConfigurationError, match="'InLl' is no known material; did you mean 'InLi'"):
        load("InLl")


def test_lines_that_are_left_out_of_a_phase_without_atoms_are_said() -> None:
    """Only the widest-spaced lines of a phase with unknown atoms are fitted; who reads its lattice must know."""
    for name, said_so in (("Li10SnP2S12", True), ("InLi", False)):
        free = replace(load(name), name="unknown", intensities="free", atoms=())
        shared = calibrate(draw([Phase("In", 4000.0)], 5), (load("In"), free), None)
        known = [note for note in shared.attrs["warnings"] if note.startswith("unknown: its atoms are not known")]
        assert bool(known) == said_so
