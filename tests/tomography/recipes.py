"""Small scans written as raw files, and run through the pipeline."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from phantoms import disc, sinogram

from operando.pipeline import experiment
from operando.pipeline.events import Options, Report
from operando.pipeline.store import Results
from operando.twin.writers.frames import DARK, FLAT, PROJECTION, Frames
from operando.twin.writers.nxtomo import write

PIXEL, COLUMNS, ROWS = 5.0, 64, 24
SHAPES = [disc(20, 0.02, 2, 1), disc(4, 0.04, 8, -6), disc(3, -0.02, -6, 5)]
FLATS = 8


@dataclass
class Recipe:
    """One scan: transmission (angle, row, column), angles, and how the beam behaves from frame to frame."""

    transmission: np.ndarray
    angles: np.ndarray
    beam: np.ndarray | float = 20000.0
    """Open beam of every frame, flats before projections: (frame, row, column)."""
    current: np.ndarray | float = 100.0
    recorded: np.ndarray | float | None = None
    noise: bool = False

    def write(self, path: Path) -> None:
        rng = np.random.default_rng(5)
        key = np.repeat([DARK, FLAT, PROJECTION], [4, FLATS, len(self.angles)])
        size = self.transmission.shape[1:]
        light = np.concatenate([np.ones((FLATS, *size)), self.transmission])
        expected = light * self.beam * np.broadcast_to(self.current, len(light))[:, None, None] / 100
        counts = rng.poisson(expected) if self.noise else expected
        dark = rng.integers(98, 103, (4, *size))
        images = np.concatenate([dark, np.rint(counts + 100)]).astype(np.uint16)
        recorded = self.current if self.recorded is None else self.recorded
        angle = np.concatenate([np.zeros(4 + FLATS), np.degrees(self.angles)])
        start = np.datetime64("2018-05-04T08:00:00", "ns") + np.arange(len(key)) * np.timedelta64(10**9, "ns")
        every = np.concatenate([np.full(4, 100.0), np.broadcast_to(recorded, len(light))])
        path.parent.mkdir(parents=True)
        write(path, Frames("choice", size, key, angle, start, every, 1.0, PIXEL, iter(images)))


def half_turn(count: int = 90) -> np.ndarray:
    return np.arange(count) * np.pi / count


def plain(centre: float = 31.0) -> np.ndarray:
    return np.exp(-sinogram(SHAPES, half_turn(), COLUMNS, centre))[:, None].repeat(ROWS, 1)


def run(folder: Path, recipe: Recipe, choices: str, memory: int | None = None) -> tuple[xr.Dataset, xr.Dataset]:
    """Volume and trust of the scan, through the pipeline."""
    if not folder.exists():
        recipe.write(folder / "raw" / "scan.nxs")
    report = reconstructed(folder, choices, memory)
    assert not report.failures, report.failures
    results = Results(folder)
    volume, trust = results.product("volume", 0), results.product("trust", 0)
    assert volume is not None
    assert trust is not None
    return volume.load(), trust.load()


def reconstructed(folder: Path, choices: str, memory: int | None = None) -> Report:
    """What a run up to the volumes did with the files in ``folder/raw``."""
    (folder / "operando.toml").write_text('[tomography]\nfiles = "raw/*.nxs"\n' + choices)
    options = Options(workers=0, only=("reconstruct",), memory_bytes=memory)
    return experiment.bring_up_to_date(folder, options, lambda event: None, "0.1.0").report
