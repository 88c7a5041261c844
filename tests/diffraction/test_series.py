"""Spectra in, lines and lattices out: on made-up spectra with truth, and on garbage."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made import Phase, draw, expected, spectrum, true_cell

from operando.diffraction.series import analyse, fit_series
from operando.materials.catalogue import load
from operando.materials.structure import lines as structure_lines
from operando.model.errors import ConfigurationError

IN_AND_INLI = [Phase("In", 3000.0), Phase("InLi", 4000.0)]
MATERIALS = (load("In"), load("InLi"))


def line(lines: xr.Dataset, phase: str, hkl: tuple[int, int, int], element: int = -1) -> xr.Dataset:
    """The row of one line."""
    found = (lines["phase"] == phase) & (lines["element"] == element)
    for name, index in zip("hkl", hkl, strict=True):
        found &= lines[name] == index
    return lines.isel(line=int(np.flatnonzero(found.values)[0]))


def test_both_lattices_come_back() -> None:
    phases = [Phase("In", 3000.0, (1e-3, 1e-3, -2e-3)), Phase("InLi", 4000.0, (-2e-3,) * 3)]
    _, (lattice,), _ = analyse([draw(phases, 1)], MATERIALS)
    for number, phase in enumerate(phases):
        off = (lattice["cell"][number].values - true_cell(phase)) / lattice["cell_std"][number].values
        assert np.abs(off).max() < 4.0
        assert (lattice["cell_std"][number].values / true_cell(phase)).max() < 2e-3
    assert lattice["there"].values.all()


def test_line_areas_come_back() -> None:
    mean, truth = expected(IN_AND_INLI)
    (lines,), _, _ = analyse([spectrum(np.random.default_rng(2).poisson(mean), live=80.0)], MATERIALS)
    for (phase, hkl), (d, area) in truth.items():
        if area > 500.0:
            found = line(lines, phase, hkl)
            assert float(found["area"]) == pytest.approx(area * 100.0 / 80.0, abs=4.5 * float(found["area_std"]))
            assert float(found["d"]) == pytest.approx(d, rel=1e-3)


def test_more_indium_is_no_strain_of_inli() -> None:
    """The neighbour line: In (211) grows beside InLi (422); the free single line moves, the lattice does not."""
    little, much = ([Phase("In", counts), Phase("InLi", 4000.0)] for counts in (100.0, 6000.0))
    lines, lattice, _ = analyse([draw(little, 3, 0), draw(much, 4, 1)], MATERIALS)
    shift = lattice[1]["cell"][1, 0] / lattice[0]["cell"][1, 0] - 1.0
    std = np.hypot(*(float(one["cell_std"][1, 0] / one["cell"][1, 0]) for one in lattice))
    assert abs(float(shift)) < 4.0 * std
    naive = [float(line(one, "InLi", (4, 2, 2))["d_free"]) for one in lines]
    assert (naive[1] - naive[0]) / naive[0] > 1e-3 > 4.0 * std


def test_an_absent_phase_is_reported_as_absent() -> None:
    _, (lattice,), _ = analyse([draw([Phase("InLi", 4000.0)], 5)], MATERIALS)
    assert not bool(lattice["there"][0])
    assert np.isnan(lattice["cell"][0]).all()
    assert bool(lattice["there"][1])


def test_foreign_lines_do_not_draw_the_lattice() -> None:
    mean, _ = expected([Phase("InLi", 4000.0)], fluorescence={49.5: 30_000.0, 63.0: 9000.0})
    _, (lattice,), notes = analyse([spectrum(np.random.default_rng(6).poisson(mean))], (load("InLi"),))
    true = load("InLi").cell[0]
    assert float(lattice["cell"][0, 0]) == pytest.approx(true, abs=4.5 * float(lattice["cell_std"][0, 0]))
    assert any("no phase explains" in note and "49.5" in note for note in notes)


def test_a_dead_element_is_named_and_the_others_agree() -> None:
    mean, _ = expected(IN_AND_INLI)
    counts = np.random.default_rng(7).poisson(np.stack([mean, 0 * mean, mean]))
    (lines,), (lattice,), notes = analyse([spectrum(counts)], MATERIALS)
    assert any("element 1 is not used: dead" in note for note in notes)
    assert set(lines["element"].values) == {-1, 0, 2}
    assert np.isnan(lattice["cell_element"][1]).all()
    assert float(line(lines, "InLi", (4, 2, 2))["area"]) == pytest.approx(
        sum(float(line(lines, "InLi", (4, 2, 2), element)["area"]) for element in (0, 2))
    )


def test_the_file_goes_before_the_configured_angle() -> None:
    unknown = draw(IN_AND_INLI, 8, two_theta=7.0)
    unknown["two_theta"][:] = np.nan
    _, (lattice,), _ = analyse([unknown], MATERIALS, 7.0)
    assert float(lattice["cell"][1, 0]) == pytest.approx(load("InLi").cell[0], rel=1e-3)
    with pytest.raises(ConfigurationError, match="no diffraction angle"):
        analyse([unknown], MATERIALS)
    with pytest.raises(ConfigurationError, match="no diffraction angle"):
        analyse([unknown], MATERIALS, 270.0)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (np.zeros(2048), "dead, it has no counts"),
        (np.full(2048, 65535), "saturated"),
        (np.r_[np.zeros(1000), 1e6, np.zeros(1047)], "counts are in one channel"),
        (np.r_[np.zeros(2000), np.ones(48)], "nearly empty"),
        (np.full(2048, -1.0), "negative"),
    ],
)
def test_garbage_is_named_and_gives_no_numbers(counts: np.ndarray, said: str) -> None:
    (_, second), (_, lattice), notes = analyse([draw(IN_AND_INLI, 9), spectrum(counts, 1)], MATERIALS)
    assert any(said in note and "made_0001" in note for note in notes)
    assert np.isnan(lattice["cell"]).all()
    assert second.sizes["line"] == 0


def test_a_wrong_angle_finds_no_phase() -> None:
    _, (lattice,), notes = analyse([draw(IN_AND_INLI, 10)], (load("InLi"),), None)
    wrong = draw(IN_AND_INLI, 10)
    wrong["two_theta"][:] = 5.0
    _, (lattice,), notes = analyse([wrong], (load("Si"),))
    assert not lattice["there"].values.any() or any("no phase explains" in note for note in notes)


def test_flat_noise_ends_quickly_with_nothing() -> None:
    noise = np.random.default_rng(11).poisson(np.full(2048, 5.0))
    _, (lattice,), _ = analyse([spectrum(noise)], MATERIALS)
    assert not lattice["there"].values.any()


def test_hundreds_of_weak_lines_of_a_large_cell_move_no_other_lattice() -> None:
    phases = [Phase("In", 2500.0), Phase("Li10SnP2S12", 9000.0)]
    materials = (load("In"), load("Li10SnP2S12"))
    lines, lattices, _ = analyse([draw(phases, 20 + seed, seed) for seed in range(3)], materials)
    off = np.array([one["cell"].values[0, [0, 2]] / np.array(true_cell(phases[0]))[[0, 2]] - 1.0 for one in lattices])
    std = np.array([one["cell_std"].values[0, [0, 2]] / one["cell"].values[0, [0, 2]] for one in lattices])
    assert np.abs(off / std).max() < 3.5
    assert np.abs(off.mean(axis=0) / std.mean(axis=0)).max() < 1.5
    rows = (lines[0]["phase"].values == "Li10SnP2S12").sum()
    assert rows == 100


def test_a_card_of_spacings_and_intensities_is_a_phase_as_good_as_a_structure(tmp_path: Path) -> None:
    alloy = load("InLi")
    rows = [f"{line.d:.5f} {line.intensity:.1f} {' '.join(map(str, line.hkl))}" for line in structure_lines(alloy, 0.8)]
    file = tmp_path / "card.txt"
    file.write_text("# formula: InLi\n" + "\n".join(rows) + "\n")
    spectrum_of_both = draw([Phase("In", 3000.0), Phase("InLi", 4000.0, (1e-3,) * 3)], 30)
    (lines,), (lattice,), _ = analyse([spectrum_of_both], (load("In"), load("card", [file])))
    assert lattice["there"].values.all()
    scale, std = float(lattice["cell"][1, 0]), float(lattice["cell_std"][1, 0])
    assert scale == pytest.approx(1.0 + 1e-3, abs=4.0 * std)
    assert std < 3e-4
    found = line(lines, "card", (4, 2, 2))
    assert float(found["d"]) == pytest.approx(1.001 * alloy.cell[0] / np.sqrt(24.0), rel=3e-4)
    assert float(found["area"]) > 20.0 * float(found["area_std"])


def test_several_spectra_are_refined_together_and_one_is_not() -> None:
    found = fit_series([draw(IN_AND_INLI, 40 + frame, frame) for frame in range(3)], MATERIALS)
    refined, notes = found.together()
    assert refined is not None
    assert refined["edge"].values.tolist() == ["In a", "In c", "InLi a"]
    alone = np.array([[float(one["cell"].values[1, 0]), float(one["cell_std"].values[1, 0])] for one in found.lattices])
    assert (np.abs(refined["cell"].values[:, 2] - alone[:, 0]) < 2.0 * alone[:, 1]).all()
    assert not notes
    assert fit_series([draw(IN_AND_INLI, 40)], MATERIALS).together() == (None, [])
