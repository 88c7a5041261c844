"""Many spectra of one scenario, without tomography and without files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from operando.twin.presets import load
from operando.twin.scenarios import settled
from operando.twin.spectrometer import Instrument
from operando.twin.world import Seen, World


@dataclass(frozen=True)
class Series:
    """Counts (spectrum, element, channel), live and real time (spectrum, element; s), and what was true of each."""

    counts: np.ndarray
    live_s: np.ndarray
    real_s: np.ndarray
    shift_kev: np.ndarray
    """True shift of the energy scale by dead time (spectrum, element)."""
    seen: tuple[Seen, ...]
    instrument: Instrument


def series(
    preset_or_toml: str | Path = "tiny", scenario: str | None = None, *, count: int = 100, seed: int | None = None
) -> Series:
    """Simulate ``count`` spectra spread evenly over the experiment's spectra, from its first to its last.

    Raises ``ConfigurationError`` for an unknown preset or scenario.
    """
    given = load(preset_or_toml, scenario)
    last = given.tomography.every_min * (given.tomography.scans - 1)
    spread = {"scans": count, "every_min": max(last / max(count - 1, 1), 1e-6)}
    changes = {"tomography": given.tomography.model_copy(update=spread), "seed": given.seed if seed is None else seed}
    world = World(settled(given.model_copy(update=changes)))
    seen = tuple(world.seen(index) for index in range(count))
    real = world.settings.spectrometer.duration_s
    measured = [world.instrument.measure(one.phases, real, one.conditions, (n,)) for n, one in enumerate(seen)]
    return Series(
        counts=np.stack([one.counts for one in measured]),
        live_s=np.stack([one.live_s for one in measured]),
        real_s=np.stack([one.real_s for one in measured]),
        shift_kev=np.stack([one.shift_kev for one in measured]),
        seen=seen,
        instrument=world.instrument,
    )
