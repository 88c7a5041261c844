"""How long the simulation takes: presets, one full-size scan from a few of its frames, and peak memory.

python benchmarks/simulate.py                    # tiny, demo, spectra, a full-size frame
python benchmarks/simulate.py --paper 8          # the whole paper experiment, binned
python benchmarks/simulate.py --full-scan        # one 2016 x 2016 x 1500 scan to disk (12.2 GB)
"""

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np


def peak_gb() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def size_gb(files: list[Path]) -> float:
    """Bytes of the files, in GB."""
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e9


def timed(label: str, folder: Path, **given: object) -> None:
    """Write an experiment and report seconds, size and rate."""
    from operando.twin.experiment import simulate

    begun, worked = time.perf_counter(), time.process_time()
    files = simulate(**given, out=folder)  # type: ignore[arg-type]
    seconds, worked = time.perf_counter() - begun, time.process_time() - worked
    size = size_gb(files)
    rate, memory = 1e3 * size / seconds, peak_gb()
    print(f"{label}: {seconds:.1f} s ({worked:.1f} s of CPU), {len(files)} files, {size:.3f} GB, {rate:.0f} MB/s")
    print(f"    peak memory {memory:.2f} GB")


def frame(full_field: bool) -> None:
    """Median CPU time of one full-size frame; ``full_field`` without the slits."""
    from operando.twin.detector import Camera
    from operando.twin.presets import load
    from operando.twin.tomography import Scanner, plan
    from operando.twin.world import World

    settings = load("paper")
    if full_field:
        settings = settings.model_copy(update={"detector": settings.detector.model_copy(update={"slits_um": None})})
    world = World(settings)
    scanner = Scanner(settings, world.cell, Camera(settings.detector, 1), world.spectrum, world.scene, world.epoch)
    schedule, scene = plan(settings, 75), world.scene(24.5 * 3600)
    current = np.full(len(schedule.key), 250.0)
    seconds = []
    for number in range(100, 106):
        begun = time.process_time()
        scanner.frame(75, number, schedule, scene, current)
        seconds.append(time.process_time() - begun)
    one = float(np.median(seconds[1:]))
    frames = len(schedule.key)
    print(f"full-size frame{' without slits' if full_field else ''}: {one:.2f} s of CPU, so a scan of {frames} "
          f"frames in about {one * frames / 2 / 60:.1f} min in two; peak memory {peak_gb():.2f} GB")  # fmt: skip


def many_spectra(count: int) -> None:
    """Spectra without tomography."""
    from operando.twin.presets import load
    from operando.twin.spectrometer import spectra
    from operando.twin.world import World

    world = World(load("demo"))
    phases, instrument = world.seen(1).phases, world.instrument
    begun, worked = time.perf_counter(), time.process_time()
    spectra(instrument, [phases] * count)
    print(f"{count} spectra: {time.perf_counter() - begun:.1f} s ({time.process_time() - worked:.1f} s of CPU)")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paper", type=int, metavar="BINNING")
    parser.add_argument("--scans", type=int)
    parser.add_argument("--full-scan", action="store_true")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp())
    try:
        if chosen.full_scan:
            timed("one full-size scan", folder / "full", preset_or_toml="paper", scans=[75])
        elif chosen.paper:
            label = f"paper --binning {chosen.paper}"
            timed(label, folder / "paper", preset_or_toml="paper", binning=chosen.paper, scans=chosen.scans)
        else:
            for preset in ("tiny", "tiny", "demo"):
                timed(preset, folder / preset, preset_or_toml=preset)
            many_spectra(1000)
            frame(full_field=False)
            frame(full_field=True)
    finally:
        if chosen.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
