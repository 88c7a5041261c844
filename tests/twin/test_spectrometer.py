"""The spectrometer: positions, intensities, resolution, dead time, scenarios."""

import time

import numpy as np
import pytest

from operando.model.constants import HC_KEV_ANGSTROM
from operando.twin.presets import load
from operando.twin.scenarios import SCENARIOS, settled
from operando.twin.settings import Beam, Spectrometer
from operando.twin.spectrometer import FWHM, Conditions, Instrument, Phase, spectra
from operando.twin.world import World

PLAIN = {
    "channels": 8192, "slope_kev": 0.0125, "offset_kev": 0.0, "two_theta_deg": 8.0, "gauge_centre_um": (0.0, 0.0, 0.0),
    "microstrain": 0.0, "divergence_mrad": 0.0, "scatter_share": 0.0, "fluorescence": {}, "dead_time_us": 0.0,
}  # fmt: skip
BEAM = Beam(filters_mm={"Al": 2.0})


def instrument(**changes: object) -> Instrument:
    return Instrument(Spectrometer.model_validate({**PLAIN, **changes}), BEAM)


def peak(rates: np.ndarray, energy: float, half: float = 1.0, slope: float = 0.0125) -> tuple[float, float, float]:
    """Area, centroid (keV) and standard deviation (keV) of a lonely line."""
    axis = np.arange(len(rates)) * slope
    near = np.abs(axis - energy) < half
    area = rates[near].sum()
    centre = (rates[near] * axis[near]).sum() / area
    return area, centre, np.sqrt((rates[near] * (axis[near] - centre) ** 2).sum() / area)


def test_lines_stand_where_bragg_says():
    """In at 26 °C: (202) of a = 3.2517, c = 4.9459 Å, independent of the catalogue's code."""
    d = 1 / np.sqrt((4 / 3.2517**2) + (4 / 4.9459**2))
    assert d == pytest.approx(1.3585, abs=1e-4)
    energy = HC_KEV_ANGSTROM / (2 * d * np.sin(np.radians(4.0)))
    rates = instrument().rates([Phase("In", 1.0, 26.0)])
    # (211) lies 1.7 keV below; within 0.8 keV there is (202) alone.
    _, centre, _ = peak(rates, energy, 0.8)
    assert HC_KEV_ANGSTROM / (2 * centre * np.sin(np.radians(4.0))) == pytest.approx(d, rel=2e-5)


def test_intensities_follow_structure_factors_of_pymatgen():
    """m|F|² ratios of InLi, from what the spectrum shows divided by flux, E⁻² and efficiency."""
    pytest.importorskip("pymatgen")
    from pymatgen.analysis.diffraction.xrd import XRDCalculator
    from pymatgen.core import Lattice, Structure

    from operando.twin.beam import through_filters
    from operando.twin.spectrometer import efficiency

    structure = Structure.from_spacegroup("Fd-3m", Lattice.cubic(6.795), ["In", "Li"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    calculator = XRDCalculator(wavelength=0.2, debye_waller_factors={"In": 1.5, "Li": 3.0})
    pattern = calculator.get_pattern(structure, scaled=False, two_theta_range=(0, 20))
    rates = instrument(noise_kev=0.0, fano=0.02).rates([Phase("InLi", 1.0, 25.0)])
    found, expected = [], []
    for d, intensity, angle in zip(pattern.d_hkls, pattern.y, pattern.x, strict=True):
        energy = HC_KEV_ANGSTROM / (2 * d * np.sin(np.radians(4.0)))
        gaps = np.abs(1 / np.array(pattern.d_hkls) - 1 / d)
        if not 25 < energy < 95 or np.sort(gaps)[1] * HC_KEV_ANGSTROM / 2 / np.sin(np.radians(4.0)) < 0.6:
            continue
        area, _, _ = peak(rates, energy, 0.3)
        theta = np.radians(angle / 2)
        lorentz = (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
        found.append(area / (through_filters(BEAM, np.array([energy]))[0] / energy**2 * efficiency(energy)))
        expected.append(intensity / lorentz)
    strong = np.array(expected) > 0.05 * max(expected)
    assert strong.sum() >= 4
    ratio = (np.array(found) / np.array(expected))[strong]
    # pymatgen's form factors (Peng's table) and gemmi's differ by up to 1 %.
    np.testing.assert_allclose(ratio / ratio.mean(), 1, atol=0.02)


def test_resolution_is_as_configured():
    given = instrument(noise_kev=0.3, fano=0.1, divergence_mrad=0.2)
    energy = HC_KEV_ANGSTROM / (2 * 6.795 / np.sqrt(24) * np.sin(np.radians(4.0)))
    _, centre, sigma = peak(given.rates([Phase("InLi", 1.0, 25.0)]), energy, 1.2)
    electronic, statistics = (0.3 / FWHM) ** 2, 0.1 * 2.96e-3 * centre
    geometric = (centre * 0.2e-3 / 2 / np.tan(np.radians(4.0))) ** 2
    assert sigma == pytest.approx(np.sqrt(electronic + statistics + geometric), rel=0.03)


def test_dead_time_takes_its_share_and_moves_the_lines():
    slow = instrument(dead_time_us=40.0, shift_ev_per_dead=400.0, counts_per_s=5000.0, scatter_share=0.0)
    phases = [Phase("InLi", 1.0, 25.0)]
    given = slow.calibrated(phases)
    rate = given.rates(phases).sum()
    measured = given.measure(phases, 3000.0)
    dead = rate * 40e-6 / (1 + rate * 40e-6)
    assert measured.dead_share[0] == pytest.approx(dead)
    assert measured.live_s[0] == pytest.approx(3000 * (1 - dead))
    energy = HC_KEV_ANGSTROM / (2 * 6.795 / np.sqrt(24) * np.sin(np.radians(4.0)))
    plain = peak(given.rates(phases), energy, 1.0)[1]
    moved = peak(measured.counts[0].astype(float), energy, 1.0)[1]
    assert moved - plain == pytest.approx(0.4 * dead, abs=0.004)


def test_counts_are_poisson():
    given = instrument(counts_per_s=3000.0).calibrated([Phase("In", 1.0, 25.0)])
    many = np.array([m.counts[0] for m in spectra(given, [[Phase("In", 1.0, 25.0)]] * 60, 10.0)], float)
    busy = many.mean(axis=0) > 5
    assert np.mean(many.var(axis=0, ddof=1)[busy] / many.mean(axis=0)[busy]) == pytest.approx(1, abs=0.03)


def test_escape_lines_stand_below_their_parents():
    energy = HC_KEV_ANGSTROM / (2 * 6.795 / np.sqrt(8) * np.sin(np.radians(4.0)))
    rates = instrument().rates([Phase("InLi", 1.0, 25.0)])
    axis = np.arange(len(rates)) * 0.0125
    near = np.abs(axis - (energy - 9.886)) < 0.3
    away = np.abs(axis - (energy - 9.0)) < 0.1
    assert rates[near].max() > 5 * max(rates[away].max(), 1e-12)


def test_pile_up_counts_two_quanta_as_one():
    phases = [Phase("InLi", 1.0, 25.0)]
    busy = instrument(dead_time_us=30.0, counts_per_s=30_000.0).calibrated(phases)
    rate = busy.rates(phases)
    piled = busy._piled_up(rate)
    assert piled.sum() < rate.sum()
    quiet = rate < 1e-9 * rate.max()
    assert piled[quiet].sum() > 0


def test_fluorescence_of_indium_stands_at_its_energies():
    rates = instrument(fluorescence={"In": 1.0}, noise_kev=0.0, fano=0.02).rates([])
    axis = np.arange(len(rates)) * 0.0125
    assert axis[np.argmax(rates)] == pytest.approx(24.210, abs=0.02)


def test_elements_differ_and_dead_ones_count_nothing():
    given = instrument(elements=3).calibrated([Phase("In", 1.0, 25.0)])
    measured = given.measure([Phase("In", 1.0, 25.0)], 10.0, Conditions(dead_elements=(1,)))
    assert measured.counts.shape == (3, 8192)
    assert measured.counts[1].sum() == 0 < measured.counts[0].sum()
    assert np.ptp(given.two_theta()) > 0


@pytest.mark.parametrize("name", [n for n, s in SCENARIOS.items() if s.change])
def test_scenario_changes_what_it_names_and_nothing_else(name: str):
    world = World(settled(load("tiny", name)))
    first, last = world.seen(0), world.seen(3)
    strains = {(p.name, p.strain, p.spread, p.temperature_c) for p in first.phases}
    changed = {(p.name, p.strain, p.spread, p.temperature_c) for p in last.phases}
    volumes = {p.name: float(np.sum(p.volume)) for p in first.phases}
    grown = {p.name: float(np.sum(p.volume)) for p in last.phases}
    lattice = name in {"strain", "composition", "temperature"}
    amount = name in {"overlap", "new-phase"}
    assert (strains != changed) == lattice
    assert (volumes != grown) == amount
    assert (last.conditions.gain != 0) == (name == "energy-drift")
    assert (last.conditions.two_theta_deg != 0) == (name == "theta-drift")


def test_gauge_is_the_slits_parallelogram():
    """Points of the two strips' overlap, and its volume h² w / sin 2θ."""
    from operando.twin.gauge import lozenge

    given = Spectrometer.model_validate({**PLAIN, "slits_um": (50.0, 80.0), "gauge_centre_um": (200.0, 0.0, 0.0)})
    z, y, x, volume = lozenge(given, 5000.0)
    assert volume.sum() == pytest.approx(50**2 * 80 / np.sin(np.radians(8.0)), rel=1e-3)
    assert np.average(z, weights=volume) == pytest.approx(200.0, abs=0.3)
    # In the beam's strip |z| < h / 2 everywhere, whatever the stage's angle.
    assert np.abs(z - 200.0).max() <= 25.0 + 0.3
    assert np.hypot(x, y).max() <= 50 / np.sin(np.radians(8.0)) + 40


def test_static_is_static():
    world = World(settled(load("tiny", "static")))
    assert not world.protocol.current.any()
    first, last = world.seen(0), world.seen(3)
    for one, other in zip(first.phases, last.phases, strict=True):
        assert np.array_equal(one.volume, other.volume)
    assert np.array_equal(world.state(0.0).surfaces.anode, world.state(9000.0).surfaces.anode)
    assert world.pose(0) == world.pose(3)


def test_moving_gauge_sees_another_mixture_without_any_charge():
    world = World(settled(load("tiny", "gauge-motion")))
    assert world.protocol.stored(world.protocol.length) == 0
    shares = [world.seen(index).gauge_shares["anode"] for index in range(4)]
    assert max(shares) - min(shares) > 0.02
    assert len({phase.strain for index in range(4) for phase in world.seen(index).phases}) == 1


def test_glare_starvation_and_contact_loss_do_what_they_say():
    plain, glare, starved, loss = (
        World(settled(load("tiny", name))) for name in ("paper", "glare", "starved", "contact-loss")
    )
    assert glare.settings.detector.glare == 0.03
    mean = [w.spectrum.energies @ w.spectrum.weights for w in (plain, starved)]
    assert mean[1] < mean[0] - 5
    end = plain.protocol.length
    left = [float(w.contact(np.array([end]))[0]) for w in (plain, loss)]
    assert left[1] < 0.5 * left[0]


def test_new_phase_has_its_onset_in_the_truth():
    from operando.twin.truth import _phase_events

    events = _phase_events(World(settled(load("tiny", "new-phase"))))
    assert [event["kind"] for event in events] == ["phase_onset"]
    assert "InLi2" in events[0]["text"]


def test_a_hundred_spectra_take_seconds():
    from operando.twin.series import series

    begun = time.process_time()
    found = series("tiny", "strain", count=100, seed=3)
    assert time.process_time() - begun < 20
    assert found.counts.shape == (100, 1, 2048)
    strains = [next(p.strain for p in one.phases if p.name == "InLi") for one in found.seen]
    np.testing.assert_allclose(np.diff(strains), 5e-3 / 99)
