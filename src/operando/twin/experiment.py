"""Stage an experiment: raw files of three instruments, the configuration that analyses them, and the truth."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from operando.twin import faults as faulty
from operando.twin import truth
from operando.twin.binning import adapted
from operando.twin.configuration import configuration_text, write_times
from operando.twin.cycler import Record, record
from operando.twin.detector import Camera, ring_current
from operando.twin.presets import load
from operando.twin.scenarios import settled
from operando.twin.settings import Experiment
from operando.twin.spectrometer import Measured
from operando.twin.tomography import Scanner
from operando.twin.world import World
from operando.twin.writers import bdf, dataexchange, med, mpt, nexus, nxtomo, spec, tiff
from operando.twin.writers.counted import Counted

_TOMOGRAPHY = {"nxtomo": (nxtomo.write, ".nxs"), "dataexchange": (dataexchange.write, ".h5"), "tiff": (tiff.write, "")}
_DIFFRACTION = {"med": (med.write, ".med"), "spec": (spec.write, ".spec"), "nexus": (nexus.write, ".nxs")}

Progress = Callable[[str, int, int], None]
"""Called with what is being made, how many are done, and of how many."""


def simulate(
    preset_or_toml: str | Path,
    out: Path,
    *,
    binning: int | None = None,
    seed: int | None = None,
    faults: Sequence[str] = (),
    scans: int | Sequence[int] | None = None,
    scenario: str | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write a simulated experiment below ``out`` and return the files written.

    ``binning`` divides pixels, rows and angles; ``scans`` picks some of the scans, or the first few (all by
    default); ``scenario`` goes before the settings' own; ``faults`` names what shall be broken. Same settings
    and seed, same bytes in every array.
    Raises ``ConfigurationError`` for settings that make no sense.
    """
    settings = settled(adapted(load(preset_or_toml, scenario), binning, seed))
    world, told = World(settings), progress or (lambda what, done, total: None)
    faulty.check(faults)
    out = Path(out)
    chosen = _chosen(settings, scans)
    tomography = _write_scans(world, chosen, out, told)
    diffraction, measured = _write_spectra(world, out, told)
    electrochemistry, cycler = _write_record(world, out)
    files = {
        "tomography": [path.relative_to(out).as_posix() for path in tomography],
        "diffraction": [path.relative_to(out).as_posix() for path in diffraction],
    }
    found = truth.summary(world, chosen, files, measured, cycler)
    written = truth.write(out / "truth", world, chosen, found, cycler)
    configuration = out / "operando.toml"
    configuration.write_text(configuration_text(world), encoding="utf-8")
    if settings.tomography.layout == "tiff":
        write_times(world, chosen, files["tomography"], out / "scans.csv")
    if faults:
        faulty.apply(out, faults)
    return [*tomography, *diffraction, *electrochemistry, configuration, *written]


def _chosen(settings: Experiment, scans: int | Sequence[int] | None) -> list[int]:
    if not settings.tomography.enabled:
        return []
    every = range(settings.tomography.scans)
    if scans is None or isinstance(scans, int):
        return list(every[:scans])
    return [index for index in every if index in set(scans)]


def _write_scans(world: World, chosen: list[int], out: Path, told: Progress) -> list[Path]:
    folder = out / "raw" / "tomo"
    write, suffix = _TOMOGRAPHY[world.settings.tomography.layout]
    scanner = Scanner(
        world.settings, world.cell, Camera(world.settings.detector, world.settings.seed), world.spectrum,
        world.scene, world.epoch,
    )  # fmt: skip
    written = []
    for done, index in enumerate(chosen):
        told("scans", done, len(chosen))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"scan_{index:04d}{suffix}"
        written.append(write(path, scanner.frames(index)))
    told("scans", len(chosen), len(chosen))
    return written


def _write_spectra(world: World, out: Path, told: Progress) -> tuple[list[Path], list[Measured]]:
    given = world.settings.spectrometer
    if not given.enabled:
        return [], []
    write, suffix = _DIFFRACTION[given.layout]
    folder = out / "raw" / "edd"
    folder.mkdir(parents=True, exist_ok=True)
    written, found = [], []
    for index in range(len(world.spectrum_times)):
        told("spectra", index, len(world.spectrum_times))
        seen = world.seen(index)
        measured = world.instrument.measure(seen.phases, given.duration_s, seen.conditions, (index,))
        found.append(measured)
        path = folder / f"spectrum_{index:04d}{suffix}"
        written.append(write(path, _counted(world, index, measured)))
    told("spectra", len(written), len(written))
    return written, found


def _counted(world: World, index: int, measured: Measured) -> Counted:
    start = float(world.spectrum_times[index])
    utc = world.epoch + np.timedelta64(round(start * 1e9), "ns")
    return Counted(
        title=world.settings.title,
        counts=measured.counts,
        real_s=measured.real_s,
        live_s=measured.live_s,
        coefficients=world.instrument.coefficients(),
        two_theta_deg=world.instrument.two_theta(),
        start=_local(world, start),
        utc=utc,
        ring_current_ma=float(ring_current(world.settings.beam, start + 3600.0)),
    )


def _write_record(world: World, out: Path) -> tuple[list[Path], Record | None]:
    given = world.settings.cycler
    if not given.enabled:
        return [], None
    folder = out / "raw" / "echem"
    folder.mkdir(parents=True, exist_ok=True)
    cycler = record(given, world.protocol, world.capacity_mah, world.contact, world.settings.seed)
    if given.layout == "bdf":
        written = [bdf.write(folder / "cell.csv", cycler, world.epoch, world.settings.cell.temperature_c)]
    else:
        written = [mpt.write(folder / "cell.mpt", cycler, _local(world, float(cycler.clock[0])))]
    if given.impedance:
        written.append(mpt.write_impedance(folder / "impedance.mpt", world.impedance(), _local(world, 0.0)))
    return written, cycler


def _local(world: World, seconds: float) -> datetime:
    """Local time, without a zone, of a moment since the start."""
    utc = world.epoch + np.timedelta64(round(seconds * 1e9), "ns")
    moment = datetime.fromtimestamp(utc.astype("datetime64[us]").astype("int64") * 1e-6, UTC)
    return moment.astimezone(ZoneInfo(world.settings.time_zone)).replace(tzinfo=None)
