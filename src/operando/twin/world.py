"""Everything that happens in one simulated experiment, as functions of time: the cell, the beam, the gauge."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from operando.model.clock import parse_time
from operando.model.constants import FARADAY_MAH_PER_MOL
from operando.twin import impedance, scenarios
from operando.twin.beam import Spectrum, camera_spectrum
from operando.twin.cell import State, TwinCell
from operando.twin.detector import ring_current
from operando.twin.gauge import Contents, contents
from operando.twin.projector import Scene, scene
from operando.twin.protocol import Protocol, capacity_mah, protocol
from operando.twin.settings import Experiment
from operando.twin.spectrometer import Conditions, Instrument, Phase
from operando.twin.tomography import Pose, pose


@dataclass(frozen=True)
class Seen:
    """What one spectrum sees."""

    phases: tuple[Phase, ...]
    conditions: Conditions
    gauge_shares: dict[str, float]


@dataclass(frozen=True)
class World:
    """One experiment. All times are seconds of the beamline's clock since the cycler's start."""

    settings: Experiment

    @cached_property
    def epoch(self) -> np.datetime64:
        """UTC of the start."""
        return parse_time(self.settings.start_time, self.settings.time_zone, "start_time")

    @cached_property
    def protocol(self) -> Protocol:
        """What the cycler does."""
        return protocol(self.settings.cycler, self.settings.cell.cathode)

    @property
    def capacity_mah(self) -> float:
        """Theoretical capacity, mAh."""
        return capacity_mah(self.settings.cell.cathode)

    @cached_property
    def cell(self) -> TwinCell:
        """The cell's geometry."""
        detector = self.settings.detector
        first, last = detector.slits_um or (0.0, np.inf)
        lit = max(first, 0.0), min(last, (detector.rows - 1) * detector.pixel_um)
        return TwinCell(self.settings.cell, self.settings.seed, detector.pixel_um, lit)

    @cached_property
    def spectrum(self) -> Spectrum:
        """The beam as the camera weighs it."""
        return camera_spectrum(self.settings.beam, self.settings.detector.scintillator_um)

    def state(self, seconds: float) -> State:
        """The cell at a time."""
        return self.cell.state(float(self.protocol.stored(seconds)), self.protocol.stored_maximum(seconds))

    def scene(self, seconds: float) -> Scene:
        """The cell at a time, ready to be projected."""
        return scene(self.cell, self.state(seconds), self.spectrum)

    def contact(self, seconds: np.ndarray) -> np.ndarray:
        """Share of the anode's surface without void before it, on a grid of times fine enough for the voltage."""
        knots = np.unique(np.concatenate([np.linspace(0, self.protocol.length, 80), self.protocol.edges]))
        left = []
        coarse = self._coarse_cell
        for time in knots:
            stored = float(self.protocol.stored(time))
            surfaces = coarse.state(stored, self.protocol.stored_maximum(float(time))).surfaces
            left.append(np.sum(surfaces.weight[surfaces.gap <= 1e-9]) / np.sum(surfaces.weight))
        return np.asarray(np.interp(seconds, knots, left))

    @cached_property
    def _coarse_cell(self) -> TwinCell:
        """The same cell on height maps just fine enough for areas and for the gauge."""
        step = max(self.settings.detector.pixel_um, self.settings.cell.bore_um / 250)
        return TwinCell(self.settings.cell, self.settings.seed, step, self.cell.lit_um)

    @cached_property
    def spectrum_times(self) -> np.ndarray:
        """Start of every spectrum: with every scan."""
        given = self.settings.tomography
        return 60.0 * (given.first_min + np.arange(given.scans) * given.every_min)

    @cached_property
    def instrument(self) -> Instrument:
        """The spectrometer, its count rate set by the pristine cell."""
        bare = Instrument(self.settings.spectrometer, self.settings.beam, self.settings.seed)
        return bare.calibrated(self.pristine[0])

    @cached_property
    def energies(self) -> np.ndarray:
        """Energies on which the gauge's effective volumes are given, keV."""
        return Instrument(self.settings.spectrometer, self.settings.beam).energies()

    def inside(self, seconds: float, stands: Pose) -> tuple[list[Phase], Contents]:
        """Phases in the gauge at a time and place, and the gauge's contents."""
        given = self.settings
        state = self._coarse_cell.state(float(self.protocol.stored(seconds)), self.protocol.stored_maximum(seconds))
        subject = scene(
            self._coarse_cell, state, Spectrum(self.energies, np.full(len(self.energies), 1 / len(self.energies)))
        )
        found = contents(given.spectrometer, subject, stands)
        host, alloy = self.cell.anode.volume_shares(state.active_share)
        temperature = given.cell.temperature_c
        anode, electrolyte = given.cell.anode, given.cell.electrolyte
        phases = [
            Phase(anode.host, found.anode * host, temperature),
            Phase(anode.alloy, found.anode * alloy, temperature),
            Phase(electrolyte.material, found.electrolyte * electrolyte.relative_density, temperature),
        ]
        return phases, found

    @cached_property
    def pristine(self) -> tuple[list[Phase], Contents]:
        """Phases and contents of the gauge before anything happens."""
        return self.inside(0.0, pose(self.settings, 0))

    def seen(self, index: int) -> Seen:
        """What spectrum ``index`` sees: phases, conditions and the gauge's plain shares."""
        if index not in self._seen:
            self._seen[index] = self._look(index)
        return self._seen[index]

    @cached_property
    def _seen(self) -> dict[int, Seen]:
        return {}

    def _look(self, index: int) -> Seen:
        middle = float(self.spectrum_times[index]) + self.settings.spectrometer.duration_s / 2
        held = scenarios.holds_gauge(self.settings)
        phases, found = self.pristine if held else self.inside(middle, pose(self.settings, index))
        progress = index / max(len(self.spectrum_times) - 1, 1)
        changed, state = scenarios.seen(self.settings, phases, self._conditions(middle), progress)
        return Seen(tuple(changed), state, found.shares)

    def _conditions(self, seconds: float) -> Conditions:
        beam = self.settings.beam
        return Conditions(ring_current=float(ring_current(beam, seconds + 3600.0)) / beam.ring_current_ma)

    def pose(self, index: int) -> Pose:
        """Where the cell stands in a scan."""
        return pose(self.settings, index)

    def lithium_mol(self, seconds: float) -> float:
        """Moles of lithium taken up since the start."""
        return float(self.protocol.stored(seconds)) / FARADAY_MAH_PER_MOL

    def impedance(self) -> list[impedance.Spectrum]:
        """Impedance of the cell at the start of every rest, with the contact that is left."""
        cell = self.settings.cell
        electrolyte = impedance.electrolyte_resistance(
            cell.electrolyte.thickness_um, self.cell.area, cell.electrolyte.conductivity_S_per_cm
        )
        generator = np.random.default_rng([self.settings.seed, 71])
        found = []
        for n, kind in enumerate(self.protocol.kind):
            if kind != "rest":
                continue
            start = float(self.protocol.edges[n])
            left = max(float(self.contact(np.array([start]))[0]), 0.02)
            transfer = self.settings.cycler.transfer_ohm / left
            found.append(impedance.spectrum(electrolyte, transfer, start, 1.5, generator))
        return found
