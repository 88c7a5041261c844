"""The cycler's record: voltage of the cell against time, on the cycler's own clock.

Half-cell potentials are smooth tables (approximate): lithium sulphide in solid-state cells near 2.1 to 2.4 V
against Li, In/InLi at 0.62 V. Everything else is the model the truth states: an ohmic and one
charge-transfer resistance with one time constant, both growing as contact is lost.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from operando.twin.protocol import Protocol
from operando.twin.settings import Cycler

ANODE_POTENTIAL_V = 0.62
"""In/InLi two-phase electrode against lithium."""

_CHARGED = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1.0])
_POTENTIAL = np.array([1.90, 2.05, 2.12, 2.15, 2.17, 2.19, 2.21, 2.24, 2.28, 2.34, 2.45])

FIRST_AFTER_STEP_S = 0.5
"""A sample follows every change of current after this time, so that its voltage jump can be read."""


@dataclass(frozen=True)
class Record:
    """Samples: ``seconds`` of beamline time since the start, ``clock`` seconds on the cycler's clock, V, mA."""

    seconds: np.ndarray
    clock: np.ndarray
    voltage: np.ndarray
    current: np.ndarray
    step: np.ndarray
    resistance: np.ndarray


def sample_times(protocol: Protocol, sample_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Times (s) and step of every sample: soon after each change of current, regularly, and at each step's end."""
    times, steps = [np.array([0.0])], [np.array([0])]
    for index, (start, end) in enumerate(zip(protocol.edges[:-1], protocol.edges[1:], strict=True)):
        regular = np.arange(start + sample_s, end - FIRST_AFTER_STEP_S, sample_s)
        inside = np.concatenate([[start + FIRST_AFTER_STEP_S], regular, [end]])
        times.append(inside)
        steps.append(np.full(len(inside), index))
    return np.concatenate(times), np.concatenate(steps)


def record(
    given: Cycler, protocol: Protocol, capacity_mah: float, contact: Callable[[np.ndarray], np.ndarray], seed: int
) -> Record:
    """Simulate the record; ``contact(seconds)`` is the share of the pristine contact that is left."""
    seconds, step = sample_times(protocol, given.sample_s)
    current = protocol.current[step]
    left = np.clip(contact(seconds), 0.02, None)
    open_circuit = cathode_potential(protocol.stored(seconds) / capacity_mah) - ANODE_POTENTIAL_V
    ohmic = given.resistance_ohm / left
    relaxing = _relaxing(seconds, current, given.transfer_ohm / left, given.relaxation_s)
    generator = np.random.default_rng([seed, 51])
    noise = generator.standard_normal(len(seconds)) * given.voltage_noise_mv * 1e-3
    voltage = open_circuit + 1e-3 * current * ohmic + relaxing + noise
    return Record(seconds, to_clock(given, seconds), voltage, current, step, ohmic)


def cathode_potential(charged: np.ndarray) -> np.ndarray:
    """Potential (V against Li) of the cathode with a share ``charged`` of its capacity gone, smooth throughout."""
    from scipy.interpolate import PchipInterpolator

    return np.asarray(PchipInterpolator(_CHARGED, _POTENTIAL)(np.clip(charged, 0, 1)))


def _relaxing(seconds: np.ndarray, current: np.ndarray, resistance: np.ndarray, constant_s: float) -> np.ndarray:
    """Voltage (V) over a resistance parallel to a capacitor; the current of a sample flowed since the one before."""
    voltage = np.zeros(len(seconds))
    fading = np.exp(-np.diff(seconds) / constant_s)
    driven = 1e-3 * current * resistance
    for n in range(1, len(seconds)):
        voltage[n] = voltage[n - 1] * fading[n - 1] + driven[n] * (1 - fading[n - 1])
    return voltage


def to_clock(given: Cycler, seconds: np.ndarray) -> np.ndarray:
    """What the cycler's clock shows, in s since the beamline's start of the experiment."""
    return seconds / (1 + given.clock_drift_ppm * 1e-6) - given.clock_offset_s
