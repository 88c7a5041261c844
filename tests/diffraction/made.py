"""Made-up spectra with known truth: Gaussian lines on a smooth background. Shares no code with the fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr

from operando.materials.catalogue import load
from operando.materials.structure import d_spacing, lines
from operando.model.products.raw import SPECTRUM
from operando.model.reading import ReadOptions

HC = 12.398419843320026
CHANNELS = 2048
OFFSET, GAIN = 0.05, 0.06
NOISE, FANO = 0.28, 1.9e-3


@dataclass(frozen=True)
class Phase:
    """A phase in the gauge: counts of its strongest line, and relative changes of its edges."""

    name: str
    counts: float
    stretch: tuple[float, float, float] = (0.0, 0.0, 0.0)
    texture: Mapping[tuple[int, int, int], float] = field(default_factory=dict)


def true_cell(phase: Phase) -> tuple[float, float, float]:
    """Edges in Å."""
    cell = load(phase.name).cell
    assert cell is not None
    return tuple(edge * (1.0 + stretch) for edge, stretch in zip(cell[:3], phase.stretch, strict=True))  # type: ignore[return-value]


def expected(
    phases: Sequence[Phase],
    two_theta: float = 8.0,
    level: float = 40.0,
    gain_error: float = 0.0,
    fluorescence: Mapping[float, float] | None = None,
) -> tuple[np.ndarray, dict[tuple[str, tuple[int, int, int]], tuple[float, float]]]:
    """Mean counts (2048,) and the truth: (phase, hkl) -> (d in Å, area in counts)."""
    energy = OFFSET + GAIN * np.arange(CHANNELS)
    mean = level * (0.4 + np.exp(-0.5 * ((energy - 55.0) / 28.0) ** 2) + 0.6 * np.exp(-energy / 25.0))
    truth = {}
    for phase in phases:
        for hkl, d, area in _true_lines(phase, two_theta):
            at = HC / (2 * d * np.sin(np.radians(two_theta / 2)))
            truth[phase.name, hkl] = (d, area)
            mean = mean + area * _peak(energy, at * (1.0 + gain_error))
    for at, area in (fluorescence or {}).items():
        mean = mean + area * _peak(energy, at * (1.0 + gain_error))
    return mean, truth


def _true_lines(phase: Phase, two_theta: float) -> list[tuple[tuple[int, int, int], float, float]]:
    material = load(phase.name)
    found = lines(material, HC / (2 * 118.0 * np.sin(np.radians(two_theta / 2))))
    strongest = max(line.intensity for line in found)
    cell = (*true_cell(phase), *material.cell[3:])  # type: ignore[index]
    rows = []
    for line in found:
        d = float(d_spacing(np.array(line.hkl), cell))
        at = HC / (2 * d * np.sin(np.radians(two_theta / 2)))
        beam = np.exp(-0.5 * ((at - 60.0) / 30.0) ** 2)
        area = phase.counts * line.intensity / strongest * beam * phase.texture.get(line.hkl, 1.0)
        rows.append((line.hkl, d, area))
    return rows


def _peak(energy: np.ndarray, at: float) -> np.ndarray:
    variance = (NOISE**2 + FANO * at) / (8 * np.log(2))
    return GAIN * np.exp(-0.5 * (energy - at) ** 2 / variance) / np.sqrt(2 * np.pi * variance)


def spectrum(
    counts: np.ndarray,
    frame: int = 0,
    two_theta: float | Sequence[float] = 8.0,
    live: float = 90.0,
    real: float = 100.0,
) -> xr.Dataset:
    """Wrap counts (channels,) or (elements, channels) as the product of a reader."""
    counts = np.atleast_2d(counts)
    n = len(counts)
    start = np.datetime64("2026-01-01T00:00:00", "ns") + np.timedelta64(15 * frame, "m")
    return SPECTRUM.new(
        attrs={"frame": frame, "file": f"made_{frame:04d}.med"},
        counts=counts,
        energy_coefficients=np.tile([OFFSET, GAIN], (n, 1)),
        two_theta=np.broadcast_to(np.asarray(two_theta, float), (n,)).copy(),
        live_time=np.full(n, live),
        real_time=np.full(n, real),
        start=start,
        end=start + np.timedelta64(100, "s"),
    )


def draw(phases: Sequence[Phase], seed: int, frame: int = 0, **how: float) -> xr.Dataset:
    """One Poisson realisation."""
    mean, _ = expected(phases, **how)  # type: ignore[arg-type]
    return spectrum(np.random.default_rng(seed).poisson(mean), frame, how.get("two_theta", 8.0))


def read(file: Path, frame: int) -> xr.Dataset:
    """A real spectrum as the pipeline hands it on."""
    from operando.formats.catalogue import open_raw

    one = open_raw(file, ReadOptions(require_time=False)).isel(spectrum=0)
    return one.assign_attrs(frame=frame, file=file.name)
