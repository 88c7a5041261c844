"""One scan of full size from raw HDF5 to OME-Zarr, every row lit: time, processor time, memory and bytes.

    python benchmarks/whole_scan.py [--rows 2016] [--memory 3GB] [--folder DIR]

The raw file is written first: the head of the other benchmark at a transmission of 5 % and more, counts with Poisson
noise, uneven columns and zingers. 32 rows are drawn and stand again and again, in another order in each frame.
"""

import argparse
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from reconstruct import phantom
from scaling import measured

COLUMNS, ANGLES, FLATS, DARKS, DRAWN = 2016, 1500, 40, 10, 32
OPEN, DARK_LEVEL, DARKEST = 30000.0, 100.0, 3.0


def raw_scan(path: Path, rows: int) -> None:
    """Write the scan in NXtomo."""
    from operando.twin.writers import nxtomo
    from operando.twin.writers.frames import DARK, FLAT, PROJECTION, Frames

    key = np.concatenate([np.full(DARKS, DARK), np.full(FLATS, FLAT), np.full(ANGLES, PROJECTION)])
    angle = np.concatenate([np.zeros(DARKS + FLATS), np.arange(ANGLES) * 180 / ANGLES])
    time = np.datetime64("2018-05-04T06:00:00", "ns") + np.arange(len(key)) * np.timedelta64(60_000_000, "ns")
    current, images = np.full(len(key), 100.0), _images(np.radians(angle[DARKS + FLATS :]), rows)
    path.parent.mkdir(parents=True)
    nxtomo.write(path, Frames("head", (rows, COLUMNS), key, angle, time, current, 0.05, 2.5, images))


def _images(angles: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(1)
    sinogram, _ = phantom(COLUMNS, angles, drawn=False)
    sinogram *= DARKEST / sinogram.max()
    gain = OPEN * (1 + 0.02 * rng.standard_normal((DRAWN, COLUMNS)))
    order = [rng.permutation(DRAWN) for _ in range(-(-rows // DRAWN))]
    whole = np.concatenate(order)[:rows]
    for number in range(DARKS + FLATS + ANGLES):
        if number < DARKS:
            drawn = DARK_LEVEL + 3 * rng.standard_normal((DRAWN, COLUMNS))
        else:
            line = 0.0 if number < DARKS + FLATS else sinogram[number - DARKS - FLATS]
            drawn = DARK_LEVEL + rng.poisson(gain * np.exp(-line))
        image = np.clip(drawn, 0, 65535).astype(np.uint16)[whole]
        image[rng.integers(0, rows, 3), rng.integers(0, COLUMNS, 3)] = 65535
        yield image


def main() -> None:
    """Write, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2016)
    parser.add_argument("--memory", default="3GB")
    parser.add_argument("--folder", type=Path, help="where to write (13 GB and more); a temporary folder by default")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        raw_scan(folder / "raw" / "scan_0000.nxs", given.rows)
        (folder / "operando.toml").write_text('[tomography]\nfiles = "raw/*.nxs"\n', encoding="utf-8")
        words = ["-m", "operando", "run", name, "--only", "reconstruct", "--memory", given.memory, "-v"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds, peak, _ = measured(words, every_s=1.0)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        read, written = (_bytes_in(folder / part) / 1e9 for part in ("raw", "results"))
    print(
        f"{given.rows} rows, --memory {given.memory}: {seconds:.1f} s ({worked:.1f} s of CPU), "
        f"peak {peak / 1000:.2f} GB, {read:.2f} GB in, {written:.2f} GB out, {given.rows / seconds:.2f} rows/s"
    )


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    main()
