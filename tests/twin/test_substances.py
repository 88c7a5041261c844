"""The cell's materials and its charge balance."""

import numpy as np
import pytest

from operando.model.constants import CM3_TO_UM3, FARADAY_MAH_PER_MOL
from operando.model.errors import ConfigurationError
from operando.twin.beam import camera_spectrum, flux, through_filters
from operando.twin.presets import load
from operando.twin.settings import Beam
from operando.twin.substances import anode_attenuation, attenuation
from operando.twin.world import World


@pytest.mark.parametrize(
    ("name", "expected", "tolerance"),
    [
        ("In", [1e-6, 0.002, 0.03, 0.11], 0.5),
        ("InLi", [1e-4, 0.014, 0.09, 0.23], 0.15),
        ("Li10SnP2S12", [0.36, 0.60, 0.73, 0.80], 0.04),
    ],
)
def test_three_millimetres_let_through_what_xraydb_says(name: str, expected: list[float], tolerance: float):
    """60, 80, 100 and 120 keV; the numbers are rounded to one or two digits."""
    through = np.exp(-3000 * attenuation(name, np.array([60.0, 80.0, 100.0, 120.0])))
    np.testing.assert_allclose(through, expected, rtol=tolerance)


def test_wiggler_peaks_where_synchrotron_radiation_does():
    """Photons per relative bandwidth in the orbit's plane peak at 0.83 critical energies."""
    energies = np.linspace(1, 60, 6000)
    per_bandwidth = flux(energies, 13.45) * energies
    assert energies[np.argmax(per_bandwidth)] == pytest.approx(0.83 * 13.45, rel=0.02)


def test_copper_hardens_the_beam_and_weights_sum_to_one():
    soft = camera_spectrum(Beam(filters_mm={"Al": 1.0}), 200.0)
    hard = camera_spectrum(Beam(filters_mm={"Al": 1.0, "Cu": 2.0}), 200.0)
    assert soft.weights.sum() == pytest.approx(1) == hard.weights.sum()
    assert hard.energies @ hard.weights > soft.energies @ soft.weights + 15
    assert np.all(through_filters(Beam(), np.array([20.0, 60.0])) > 0)


@pytest.fixture(scope="module")
def world() -> World:
    return World(load("tiny"))


def test_anode_s_volume_is_charge_times_the_reaction_s(world: World):
    cell, protocol = world.cell, world.protocol
    pristine = world.state(0.0).surfaces.anode
    for time in np.linspace(0, protocol.length, 23):
        state = world.state(float(time))
        seen = np.sum((state.surfaces.anode - pristine) * cell.weight)
        expected = state.stored_mah / FARADAY_MAH_PER_MOL * cell.anode.reaction_cm3_per_mol * CM3_TO_UM3
        assert abs(seen - expected) <= 1e-9 * cell.anode.volume_um3


def test_hidden_voids_take_their_share_of_the_shrinkage():
    settings = load("tiny")
    anode = settings.cell.anode.model_copy(update={"hidden_share": 0.4})
    world = World(settings.model_copy(update={"cell": settings.cell.model_copy(update={"anode": anode})}))
    full, half = world.cell.state(1e-3, 1e-3), world.cell.state(4e-4, 1e-3)
    seen = np.sum((full.surfaces.anode - half.surfaces.anode) * world.cell.weight)
    assert seen == pytest.approx(0.6 * world.cell.volume_change(6e-4), rel=1e-12)


def test_side_reactions_take_charge_but_no_volume(world: World):
    """What is charged and what the anode has stored differ by the stated share."""
    protocol = world.protocol
    end = protocol.edges[4]  # end of the last charge, before any discharge
    assert float(protocol.stored(end)) == pytest.approx(0.97 * float(protocol.charge(end)), rel=1e-12)


def test_exposure_s_charge_is_the_exact_mean(world: World):
    protocol = world.protocol
    times = np.linspace(3200, 3300, 200_001)
    assert protocol.mean_charge(3200, 3300) == pytest.approx(np.mean(protocol.charge(times)), rel=1e-7)


def test_electrolyte_never_comes_back_and_the_gap_is_never_negative(world: World):
    earlier = np.full_like(world.cell.weight, -np.inf)
    for time in np.linspace(0, world.protocol.length, 12):
        surfaces = world.state(float(time)).surfaces
        assert np.all(surfaces.gap >= 0)
        assert np.all(surfaces.electrolyte >= earlier - 1e-9)
        earlier = surfaces.electrolyte


def test_mass_is_conserved_when_the_anode_swells(world: World):
    """Indium's attenuation times volume stays; 30 keV is just above indium's edge, where lithium is nothing."""
    energy = np.array([30.0])
    cell = world.cell
    before = anode_attenuation(cell.anode, 0.0, cell.anode.volume_um3, energy) * cell.anode.volume_um3
    swollen = cell.anode.volume_um3 * 1.1
    assert anode_attenuation(cell.anode, 0.0, swollen, energy) * swollen == pytest.approx(before)


def test_too_much_charge_for_the_anode_is_refused():
    settings = load("tiny")
    anode = settings.cell.anode.model_copy(update={"alloyed_share": 0.9})
    world = World(settings.model_copy(update={"cell": settings.cell.model_copy(update={"anode": anode})}))
    with pytest.raises(ConfigurationError, match="make the anode thicker"):
        world.state(world.protocol.length / 2)


def test_binning_changes_pixels_but_not_the_cell():
    from operando.twin.binning import adapted
    from operando.twin.measures import morphology

    coarse = World(adapted(load("paper"), 8, None))
    fine = World(adapted(load("paper"), 4, None))
    found = [morphology(w.cell, w.state(80_000.0), w.pose(0), w.settings.detector) for w in (fine, coarse)]
    assert found[0].cavity == pytest.approx(found[1].cavity, rel=0.02)
    assert found[0].anode == pytest.approx(found[1].anode, rel=0.01)
    assert found[0].tracks["particle"] == pytest.approx(found[1].tracks["particle"], abs=1.5)
