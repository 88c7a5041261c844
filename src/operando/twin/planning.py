"""Before beamtime: what is the thinnest cavity, the smallest protrusion, the least host fraction that would be found?

Every limit is the size whose signal is found with 95 % power at 5 % false alarms: its expected value is
1.645 + 1.645 standard deviations above nothing (Currie, https://doi.org/10.1021/ac60259a007). The noise of a
voxel after filtered back projection with an unsmoothed ramp is σ_p π / (√(12 N) p), with σ_p that of a line
integral, N projections and p the pixel (Kak and Slaney, https://doi.org/10.1137/1.9780898719277, section 3).
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from operando.twin.binning import adapted
from operando.twin.presets import load
from operando.twin.scenarios import settled
from operando.twin.settings import Detector, Experiment
from operando.twin.spectrometer import Conditions
from operando.twin.substances import anode_attenuation, attenuation
from operando.twin.world import World

POWER_AND_ALARM = 2 * 1.6448536269514722
"""One-sided 95 % power and 5 % false alarms, in standard deviations."""

PATCH_UM = 50.0
"""A cavity is looked for over a square patch of the interface of this side."""

EXPOSURES = (0.25, 1.0, 4.0)
"""Of the settings' own."""

STARVED = 3.0
"""A ray below this many times noise plus glare can't be trusted, and nothing behind it is found."""


@dataclass(frozen=True)
class Limits:
    """What is just found; NaN where the rays are starved. Lengths in µm, attenuation in 1/cm."""

    chord_um: float
    exposure: float
    transmission: float
    noise_per_cm: float
    cavity_um: float
    protrusion_um: float
    protrusion_noise_um: float
    """What noise alone would allow, on a mirror of a surface."""


def plan(preset_or_toml: str | Path, *, binning: int | None = None) -> dict[str, Any]:
    """Answer for a preset or a user's TOML.

    Returns ``columns`` and ``rows`` of a table (one row an anode chord and exposure), ``curves`` for a figure
    against chord and exposure, ``least_host_fraction`` against exposure, and the ``assumptions`` in words.
    """
    settings = settled(load(preset_or_toml))
    settings = adapted(settings, binning, None)
    world = World(settings)
    chords = _chords(settings)
    table = [[limits(world, chord, exposure) for chord in chords] for exposure in EXPOSURES]
    own = [limits(world, chord, 1.0) for chord in (0.0, settings.cell.bore_um / 4, settings.cell.bore_um)]
    fractions = [_least_host_fraction(world, exposure) for exposure in EXPOSURES]
    return {
        "title": settings.title,
        "columns": ["anode in the ray / um", "transmission", "noise / (1/cm)", "thinnest cavity / um",
                    "smallest protrusion / um", f"least {settings.cell.anode.host} fraction"],
        "rows": [[_rounded(value) for value in (*_row(found), fractions[1])] for found in own],
        "least_host_fraction": {"exposure": list(EXPOSURES), "fraction": [_rounded(value) for value in fractions]},
        "curves": {
            "chord_um": [float(chord) for chord in chords],
            "exposure": list(EXPOSURES),
            "cavity_um": [[_rounded(found.cavity_um) for found in row] for row in table],
            "protrusion_um": [[_rounded(found.protrusion_um) for found in row] for row in table],
            "protrusion_noise_um": [[_rounded(found.protrusion_noise_um) for found in row] for row in table],
            "transmission": [[_rounded(found.transmission) for found in row] for row in table],
        },
        "assumptions": [
            "95 % power at 5 % false alarms",
            f"a cavity is averaged over {PATCH_UM:g} x {PATCH_UM:g} um of the interface",
            "every ray through the spot passes the stated length of anode; the rest of the bore is electrolyte",
            "the interface's position and both grey levels are fitted along with the cavity",
            "a protrusion must stand out of the surface's roughness",
            "no ray below 3 x (noise + glare) is trusted",
            f"exposure 1 is {settings.tomography.duration_s:g} s a scan and "
            f"{settings.spectrometer.duration_s:g} s a spectrum",
        ],
    }  # fmt: skip


def _chords(settings: Experiment) -> np.ndarray:
    return np.linspace(0.0, settings.cell.bore_um, 25)


def _row(found: Limits) -> list[float]:
    return [found.chord_um, found.transmission, found.noise_per_cm, found.cavity_um, found.protrusion_um]


def _rounded(value: float) -> float | None:
    return float(f"{value:.3g}") if np.isfinite(value) else None


def limits(world: World, chord_um: float, exposure: float) -> Limits:
    """Limits where every ray passes ``chord_um`` of anode, at ``exposure`` times the settings' own."""
    settings, detector = world.settings, world.settings.detector
    energies, weights = world.spectrum.energies, world.spectrum.weights
    anode = anode_attenuation(world.cell.anode, 0.0, world.cell.anode.volume_um3, energies)
    cell = settings.cell
    electrolyte = attenuation(cell.electrolyte.material, energies, cell.electrolyte.relative_density)
    walls = sum(2 * wall.thickness_um * attenuation(wall.material, energies) for wall in cell.walls)
    exponent = chord_um * anode + max(cell.bore_um - chord_um, 0.0) * electrolyte + walls
    primary = weights * np.exp(-exponent)
    transmission = float(primary.sum())
    noise, level = _noise(detector.open_counts * exposure, detector, transmission)
    starved = transmission < STARVED * (noise * transmission + level)
    voxel = noise * np.pi / np.sqrt(12 * settings.tomography.angles) / detector.pixel_um
    if starved:
        return Limits(chord_um, exposure, transmission, voxel * 1e4, *[float("nan")] * 3)
    # Attenuation that the detector sees behind this chord: the spectrum has hardened on its way.
    seen = primary / transmission
    levels = float(seen @ anode), float(seen @ electrolyte)
    blur = float(np.hypot(detector.blur_um, detector.pixel_um / 2))
    patch = max(PATCH_UM / detector.pixel_um, 1.0)
    return Limits(
        chord_um,
        exposure,
        transmission,
        voxel * 1e4,
        thinnest_cavity(levels, voxel / patch, blur, detector.pixel_um),
        *(
            smallest_protrusion(levels[0] - levels[1], voxel, roughness, detector.pixel_um)
            for roughness in (cell.anode.roughness_um, 0.0)
        ),
    )


def _noise(counts: float, detector: Detector, transmission: float) -> tuple[float, float]:
    """Standard deviation of a line integral, and the glare's level relative to the open beam."""
    level = detector.glare
    quanta = counts / detector.counts_per_quantum
    arriving = (transmission + level) * quanta
    read = detector.read_noise_counts / detector.counts_per_quantum
    return float(np.sqrt(arriving + read**2) / (max(transmission, 1e-300) * quanta)), level


def thinnest_cavity(levels: tuple[float, float], noise: float, blur_um: float, pixel_um: float) -> float:
    """Thickness (µm) of a void between anode and electrolyte (``levels``, their attenuation) that is just found.

    A thin void and an anode that ends a little earlier look the same to a blurred eye. So what counts is what
    remains of the void's profile after the best fit without a void, its position and both levels free.
    ``noise`` is that of a profile's voxel, averaged over the patch. Infinite beyond 100 µm.
    """
    z = np.arange(-60.0, 160.0, pixel_um)
    low, high = np.log(0.02), np.log(100.0)
    if _remaining(z, np.exp(high), levels, blur_um) < POWER_AND_ALARM * noise:
        return float("inf")
    for _ in range(40):
        middle = (low + high) / 2
        if _remaining(z, np.exp(middle), levels, blur_um) < POWER_AND_ALARM * noise:
            low = middle
        else:
            high = middle
    return float(np.exp(high))


def _remaining(z: np.ndarray, thickness: float, levels: tuple[float, float], blur: float) -> float:
    """Norm of the void's profile minus the best profile without a void (Gauss-Newton on the position)."""
    from scipy.special import ndtr

    anode, electrolyte = levels
    profile = anode * ndtr(-z / blur) + electrolyte * ndtr((z - thickness) / blur)
    place = 0.0
    for _ in range(30):
        below, above = ndtr(-(z - place) / blur), ndtr((z - place) / blur)
        slope = np.exp(-0.5 * ((z - place) / blur) ** 2) / (blur * np.sqrt(2 * np.pi))
        design = np.stack([below, above, slope * (anode - electrolyte)], axis=1)
        fitted, *_ = np.linalg.lstsq(design, profile, rcond=None)
        place += float(np.clip(fitted[2], -blur, blur))
    design = design[:, :2]
    fitted, *_ = np.linalg.lstsq(design, profile, rcond=None)
    return float(np.linalg.norm(profile - design @ fitted))


def smallest_protrusion(contrast: float, noise: float, roughness_um: float, pixel_um: float) -> float:
    """Height (µm) of a half-ball on the surface that is just found among noise and the surface's own roughness."""
    signal = POWER_AND_ALARM * noise / max(contrast, 1e-300)
    # A half-ball of height h fills 2π h³/3; a matched sum over its voxels sees √volume of signal, below one
    # voxel the volume itself.
    volume = signal**2 if signal >= 1 else signal
    return max(float((volume * pixel_um**3 * 3 / (2 * np.pi)) ** (1 / 3)), POWER_AND_ALARM * roughness_um)


def _least_host_fraction(world: World, exposure: float) -> float:
    """Share of the anode's volume in the gauge that the host must have for its strongest free line to be found.

    Counts under the line within ± 2 standard deviations are background; the alloy's lines that overlap it are
    part of it.
    """
    from operando.twin.spectrometer import Phase

    host, alloy, *others = world.pristine[0]
    instrument = world.instrument
    whole = np.asarray(host.volume) + np.asarray(alloy.volume)
    real = world.settings.spectrometer.duration_s * exposure
    only = instrument.rates([replace(host, volume=whole)], 0, Conditions())
    bare: list[Phase] = [replace(alloy, volume=whole), *others]
    background = instrument.rates(bare, 0, Conditions()) * real
    signal = np.clip(only - instrument.rates([], 0, Conditions()), 0, None) * real
    # The best linear estimate of the host's amount weighs every channel by signal over background.
    information = float(np.sum(signal**2 / np.maximum(background, 1.0)))
    return POWER_AND_ALARM / np.sqrt(information) if information > 0 else float("nan")
