"""Energy-dispersive diffraction: spectra of a germanium detector at a fixed angle, from structure factors.

Integrated intensity of a line of spacing d at energy E = hc / (2 d sin θ): Φ(E) E⁻² m|F|² V / v², with Φ the
photons per keV, V the phase's volume and v its unit cell's (Buras and Gerward, Progress in Crystal Growth and
Characterization 18 (1989) 93; i₀(λ) λ⁴ there equals Φ(E) E⁻² but for constants).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from operando.materials.attenuation import mu
from operando.materials.structure import Line, cell_volume, lines
from operando.model.constants import GERMANIUM_ESCAPE_KEV, HC_KEV_ANGSTROM
from operando.model.material import Material
from operando.twin.beam import through_filters
from operando.twin.settings import Beam, Spectrometer
from operando.twin.substances import material

FWHM = 2.3548200450309493
PAIR_KEV = 2.96e-3
"""Energy of an electron-hole pair in germanium."""
GERMANIUM_G_PER_CM3 = 5.323
_CRYSTAL_CM = 1.0
_FINE_KEV = 0.25
_WEAKEST = 1e-6
"""Lines weaker than this share of the strongest are left out."""

Peaks = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Energies (keV), standard deviations (keV) and areas."""


@dataclass(frozen=True)
class Phase:
    """A phase in the gauge: effective volume (µm³) against the spectrum's energies, and its lattice.

    ``strain`` multiplies the cell of the named material at ``temperature_c`` by 1 + strain; ``spread`` is the
    relative standard deviation of d (microstrain, composition gradients).
    """

    name: str
    volume: np.ndarray | float
    temperature_c: float = 25.0
    strain: float = 0.0
    spread: float = 0.0

    @property
    def cell(self) -> tuple[float, float, float]:
        """a, b, c in Å."""
        known = material(self.name, self.temperature_c).cell
        assert known is not None
        return tuple(edge * (1 + self.strain) for edge in known[:3])  # type: ignore[return-value]


@dataclass(frozen=True)
class Conditions:
    """What may drift from spectrum to spectrum. ``gain`` and ``two_theta_deg`` are relative to the nominal."""

    gain: float = 0.0
    two_theta_deg: float = 0.0
    ring_current: float = 1.0
    dead_elements: tuple[int, ...] = ()


@dataclass(frozen=True)
class Measured:
    """Counts (element, channel), times (s, element) and the true dead time and energy shift of each element."""

    counts: np.ndarray
    real_s: np.ndarray
    live_s: np.ndarray
    dead_share: np.ndarray
    shift_kev: np.ndarray


@dataclass(frozen=True)
class Instrument:
    """The spectrometer in its beam. ``scale`` turns relative intensities into counts/s (see ``calibrated``)."""

    settings: Spectrometer
    beam: Beam
    seed: int = 1
    scale: float = 1.0
    background: np.ndarray | None = field(default=None, repr=False)

    @property
    def channels(self) -> np.ndarray:
        """Channel numbers; a channel's number is its middle."""
        return np.arange(self.settings.channels, dtype=float)

    def coefficients(self) -> np.ndarray:
        """Energy scale (element, 3) in keV: offset, slope, quadratic; elements differ by parts in a thousand."""
        given, generator = self.settings, np.random.default_rng([self.seed, 61])
        spread = generator.standard_normal((given.elements, 2)) * (given.elements > 1)
        offset = given.offset_kev + 0.02 * spread[:, 0]
        slope = given.slope_kev * (1 + 1e-3 * spread[:, 1])
        return np.stack([offset, slope, np.full(given.elements, given.quadratic_kev)], axis=1)

    def two_theta(self) -> np.ndarray:
        """Diffraction angle of each element, degrees."""
        given, generator = self.settings, np.random.default_rng([self.seed, 62])
        return given.two_theta_deg + 0.005 * generator.standard_normal(given.elements) * (given.elements > 1)

    def energies(self) -> np.ndarray:
        """Energies on which effective volumes may be given, keV."""
        return np.arange(self.beam.lowest_kev, self.beam.highest_kev, _FINE_KEV)

    def rates(self, phases: Sequence[Phase], element: int = 0, conditions: Conditions | None = None) -> np.ndarray:
        """Expected counts per second per channel that reach the crystal, before dead time."""
        state = conditions or Conditions()
        peaks = self._peaks(phases, element, state)
        energy, width, area = (np.concatenate(parts) for parts in zip(*peaks, strict=True))
        spectrum = self._on_channels(energy, width, area * self.scale, element, state.gain, 0.0)
        spectrum = spectrum + self._smooth(element) * self.settings.counts_per_s
        return spectrum * state.ring_current

    def _peaks(self, phases: Sequence[Phase], element: int, state: Conditions) -> list[Peaks]:
        two_theta = float(self.two_theta()[element]) + state.two_theta_deg
        found: list[Peaks] = [self._diffracted(phase, two_theta) for phase in phases]
        found += [self._escape(*peaks) for peaks in found]
        return [*found, self._fluorescence(phases)]

    def _diffracted(self, phase: Phase, two_theta_deg: float) -> Peaks:
        """Energies (keV), widths (standard deviation, keV) and areas of a phase's lines."""
        theta = np.radians(two_theta_deg) / 2
        per_d = HC_KEV_ANGSTROM / (2 * np.sin(theta))
        known = material(phase.name, phase.temperature_c)
        table = _lines(known, per_d / (self.beam.highest_kev * 0.99))
        d = np.array([line.d for line in table]) * (1 + phase.strain)
        energy = per_d / d
        used = energy > self.beam.lowest_kev
        strength = _strengths(known, table) * self._texture(phase.name, len(d))
        assert known.cell is not None
        volume = phase.volume
        if np.ndim(volume):
            volume = np.interp(energy, self.energies(), np.asarray(volume))
        area = _flux(self.beam, energy) * strength * volume / cell_volume(known.cell) ** 2 * efficiency(energy)
        spread = np.hypot(phase.spread, self.settings.microstrain)
        divergence = self.settings.divergence_mrad * 1e-3 / 2 / np.tan(theta)
        return energy[used], self._width(energy, np.hypot(spread, divergence))[used], area[used]

    def _width(self, energy: np.ndarray, relative: float | np.ndarray) -> np.ndarray:
        """Standard deviation in keV: electronics, charge statistics, and relative spread of E."""
        electronic = (self.settings.noise_kev / FWHM) ** 2
        return np.sqrt(electronic + self.settings.fano * PAIR_KEV * energy + (relative * energy) ** 2)

    def _texture(self, name: str, count: int) -> np.ndarray:
        generator = np.random.default_rng([self.seed, 63, *name.encode()])
        return np.exp(self.settings.texture * generator.standard_normal(count))

    def _escape(self, energy: np.ndarray, width: np.ndarray, area: np.ndarray) -> Peaks:
        """Germanium escape lines (approximate: 2 % at 20 keV, falling as E⁻²; Kβ is an eighth)."""
        chance = 0.02 * np.minimum((20 / energy) ** 2, 1.0) * (energy > 11.103)
        both = list(zip(GERMANIUM_ESCAPE_KEV, (0.89, 0.11), strict=True))
        energies = np.concatenate([energy - below for below, _ in both])
        return energies, np.tile(width, 2), np.concatenate([area * chance * share for _, share in both])

    def _fluorescence(self, phases: Sequence[Phase]) -> Peaks:
        """K lines of the sample's and the shielding's elements, a per cent of the counts times their strength."""
        lines_of = [(energy, strength * share) for element, strength in self.settings.fluorescence.items()
                    for energy, share in _k_lines(element) if energy < self.beam.highest_kev]  # fmt: skip
        energy = np.array([line[0] for line in lines_of])
        area = np.array([line[1] for line in lines_of]) * 0.02 * self.settings.counts_per_s / self.scale
        return energy, self._width(energy, 0.0), area

    def _smooth(self, element: int) -> np.ndarray:
        """Compton and diffuse scattering, per channel; sums to ``scatter_share``."""
        offset, slope, quadratic = self.coefficients()[element]
        energy = offset + slope * self.channels + quadratic * self.channels**2
        seen = (energy > self.beam.lowest_kev) & (energy < self.beam.highest_kev)
        safe = np.clip(energy, self.beam.lowest_kev, self.beam.highest_kev)
        lost = safe / (1 + safe / 511.0 * (1 - np.cos(np.radians(self.settings.two_theta_deg))))
        shape = np.where(seen, _flux(self.beam, lost) * efficiency(safe), 0.0)
        return np.asarray(self.settings.scatter_share * shape / max(shape.sum(), 1e-300))

    def _on_channels(
        self, energy: np.ndarray, width: np.ndarray, area: np.ndarray, element: int, gain: float, shift: float
    ) -> np.ndarray:
        """Gaussians integrated over channels."""
        offset, slope, quadratic = self.coefficients()[element]
        seen = energy * (1 + gain) + shift - offset
        place = seen / slope if quadratic == 0 else (np.sqrt(slope**2 + 4 * quadratic * seen) - slope) / (2 * quadratic)
        sigma = width / (slope + 2 * quadratic * place)
        strong = (area > _WEAKEST * area.max(initial=0.0)) & np.isfinite(place)
        return _summed(place[strong], sigma[strong], area[strong], self.settings.channels)

    def calibrated(self, pristine: Sequence[Phase]) -> "Instrument":
        """The instrument whose diffraction lines of the pristine cell share what scatter leaves of the counts."""
        peaks = self._peaks(pristine, 0, Conditions())[: len(pristine)]
        total = sum(float(area.sum()) for _, _, area in peaks)
        return replace(self, scale=(1 - self.settings.scatter_share) * self.settings.counts_per_s / total)

    def measure(
        self, phases: Sequence[Phase], real_s: float, conditions: Conditions | None = None, stream: Sequence[int] = (0,)
    ) -> Measured:
        """Count for ``real_s``: dead time with its energy shift, pile-up and Poisson statistics."""
        state = conditions or Conditions()
        given, generator = self.settings, np.random.default_rng([self.seed, 64, *stream])
        counts, live, dead_share, shifts = [], [], [], []
        for element in range(given.elements):
            rate = self.rates(phases, element, state)
            dead, shift = self._electronics(float(rate.sum()))
            arriving = self._piled_up(_moved(rate, shift / given.slope_kev))
            if element in state.dead_elements:
                arriving = np.zeros_like(arriving)
            counts.append(generator.poisson(arriving * real_s * (1 - dead)))
            live.append(real_s * (1 - dead))
            dead_share.append(dead)
            shifts.append(shift)
        return Measured(
            np.array(counts), np.full(given.elements, real_s), np.array(live), np.array(dead_share), np.array(shifts)
        )

    def _electronics(self, rate: float) -> tuple[float, float]:
        """Dead share of a non-paralysable counter at ``rate`` (1/s), and the energy shift (keV) it brings."""
        busy = rate * self.settings.dead_time_us * 1e-6
        dead = busy / (1 + busy)
        return dead, dead * self.settings.shift_ev_per_dead * 1e-3

    def _piled_up(self, rate: np.ndarray) -> np.ndarray:
        """A pair of pulses within a tenth of the dead time is counted once, at the sum of their energies."""
        resolving = 0.1 * self.settings.dead_time_us * 1e-6
        if resolving == 0:
            return rate
        pairs = np.fft.irfft(np.fft.rfft(rate, 2 * len(rate)) ** 2)[: len(rate)].clip(0) * resolving
        lost = rate * min(2 * resolving * rate.sum(), 1.0)
        return np.asarray(np.clip(rate - lost + pairs, 0, None))


def _summed(place: np.ndarray, sigma: np.ndarray, area: np.ndarray, channels: int) -> np.ndarray:
    """Gaussians (places and widths in channels) integrated over each channel, within six standard deviations."""
    from scipy.special import ndtr

    if not len(place):
        return np.zeros(channels)
    reach = int(np.ceil(6 * sigma.max())) + 1
    first = np.floor(place).astype(int) - reach
    edges = first[:, None] + np.arange(2 * reach + 2)[None, :] - 0.5
    parts = area[:, None] * np.diff(ndtr((edges - place[:, None]) / sigma[:, None]), axis=1)
    where = first[:, None] + np.arange(2 * reach + 1)[None, :]
    inside = (where >= 0) & (where < channels)
    return np.bincount(where[inside], parts[inside], channels)


def efficiency(energies: np.ndarray) -> np.ndarray:
    """Chance that a centimetre of germanium absorbs a photon."""
    knots, absorbed = _crystal()
    return np.asarray(np.interp(energies, knots, absorbed))


@cache
def _crystal() -> tuple[np.ndarray, np.ndarray]:
    knots = np.arange(2.0, 200.0, 0.1)
    return knots, 1 - np.exp(-mu("Ge", knots, GERMANIUM_G_PER_CM3) * _CRYSTAL_CM)


def _flux(beam: Beam, energies: np.ndarray) -> np.ndarray:
    """Φ(E) E⁻², from a table fine enough for any filter but at its edges."""
    knots, flux = _beam_table(beam.model_dump_json())
    return np.asarray(np.interp(energies, knots, flux) / np.asarray(energies) ** 2)


@cache
def _beam_table(beam_json: str) -> tuple[np.ndarray, np.ndarray]:
    knots = np.arange(4.0, 200.0, 0.05)
    return knots, through_filters(Beam.model_validate_json(beam_json), knots)


def _moved(rate: np.ndarray, channels: float) -> np.ndarray:
    """The spectrum shifted by a fraction of a channel, its sum kept but at the edges."""
    if channels == 0:
        return rate
    edges = np.concatenate([[0.0], np.cumsum(rate)])
    place = np.arange(len(edges), dtype=float)
    return np.diff(np.interp(place - channels, place, edges))


@cache
def _lines(known: Material, d_min: float) -> tuple[Line, ...]:
    return lines(known, d_min * 0.98)


def _strengths(known: Material, table: Sequence[Line]) -> np.ndarray:
    """Multiplicity × |F|²; where atoms are unknown, made up once and for all from the material's name."""
    strength = np.array([line.intensity for line in table])
    if np.all(np.isfinite(strength)):
        return strength
    generator = np.random.default_rng([65, *known.name.encode()])
    multiplicity = np.array([line.multiplicity for line in table])
    mean = _mean_squared_structure_factor(known, np.array([line.d for line in table]))
    return np.asarray(multiplicity * mean * generator.exponential(1.0, len(table)))


def _mean_squared_structure_factor(known: Material, d: np.ndarray) -> np.ndarray:
    """Sum of the atoms' squared form factors, electrons²: what |F|² is on average (Wilson, doi:10.1038/150152a0)."""
    import gemmi
    from xraydb import chemparse

    squared = 1 / (4 * d**2)
    total = np.zeros(len(d))
    for element, count in chemparse(known.formula).items():
        table = gemmi.Element(element).it92
        form = np.array([table.calculate_sf(s) for s in squared]) * np.exp(-1.5 * squared)
        total += count * (known.formula_units or 1) * form**2
    return total


@cache
def _k_lines(element: str) -> tuple[tuple[float, float], ...]:
    """Energies (keV) and relative intensities of an element's K lines."""
    from xraydb import xray_lines

    found = xray_lines(element, initial_level="K")
    return tuple((line.energy / 1000.0, line.intensity) for line in found.values() if line.intensity > 0.005)


def spectra(
    instrument: Instrument,
    series: Sequence[Sequence[Phase]],
    real_s: float = 90.0,
    conditions: Sequence[Conditions] | None = None,
) -> list[Measured]:
    """Simulate many spectra without tomography: one list of phases each, in order."""
    states = conditions or [Conditions()] * len(series)
    return [
        instrument.measure(phases, real_s, state, (index,))
        for index, (phases, state) in enumerate(zip(series, states, strict=True))
    ]


def true_lattice(phases: Sequence[Phase]) -> Mapping[str, dict[str, float]]:
    """Cell edges by phase, in the layout of summary.json."""
    found: dict[str, dict[str, float]] = {}
    for phase in phases:
        a, b, c = phase.cell
        edges = {"a_angstrom": a}
        edges |= {"b_angstrom": b} if abs(b - a) > 1e-9 else {}
        found[phase.name] = edges | ({"c_angstrom": c} if abs(c - a) > 1e-9 else {})
    return found
