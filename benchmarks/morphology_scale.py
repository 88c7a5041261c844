"""How fast morphology is and how much memory it takes: a pair of uint16 volumes, from grey values to the difference.

    python benchmarks/morphology_scale.py [EDGE …] [--scratch FOLDER] [--compare-to EDGE]

For every edge length (voxels) a pair of scans of a made-up cell is written to disk and analysed block by block, labels
in compressed arrays, as a run does it. Told are seconds, CPU seconds (that other work on the machine does not change)
and Mvoxel/s of each step (both scans), the whole, and the peak of the memory that the process owns (file pages that
the system may drop are not counted). Up to 500 voxels, or as told, the same smoothing, thresholds and labelling are
done with scikit-image in memory: at 1000 voxels that takes 10 GB.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.model.products.tomography import VOLUME
from operando.morphology.bore import bore
from operando.morphology.classify import classify
from operando.morphology.difference import difference
from operando.morphology.histogram import histogram
from operando.morphology.interface import interface
from operando.morphology.levels import levels
from operando.morphology.motions import motions
from operando.morphology.phase_volumes import phase_volumes
from operando.morphology.register import register
from operando.morphology.segment import HALO, segment
from operando.morphology.surface import reach, surface
from operando.pipeline import arrays

VOXEL = 2.5
GREY = 1000.0
"""uint16 counts a 1/cm, above an offset of 2000."""


def write_scan(path: Path, edge: int, growth: float, shift: int, seed: int) -> np.ndarray:
    """A tube with an anode at low z, a rough surface and a cavity, row by row; returns a read-only map of the file.

    The whole cell is moved by ``shift`` voxels along y and against x.
    """
    from scipy.ndimage import gaussian_filter
    from scipy.special import erfc

    rng = np.random.default_rng(seed)
    y, x = np.indices((edge, edge), dtype=np.float32)
    y, x = y - shift, x + shift
    middle, radius = (edge - 1) / 2, 0.4 * edge
    distance = np.hypot(y - middle, x - middle)
    waves = np.sin(2 * np.pi * (3 * x + y) / edge) + np.cos(2 * np.pi * (2 * y - x) / edge)
    height = 0.4 * edge + growth + 2.0 * waves
    gap = np.clip(8.0 * (1 - (distance / (0.2 * edge)) ** 2), 0, None) * (growth > 0)
    specks = gaussian_filter(np.random.default_rng(5).standard_normal((edge, edge)), 3.0, mode="wrap")
    specks = np.roll((0.25 * specks / specks.std()).astype(np.float32), (shift, -shift), (0, 1))
    volume = np.lib.format.open_memmap(path, "w+", np.uint16, (edge, edge, edge))
    edges = 0.7 * np.sqrt(2)
    for z in range(edge):
        anode = 0.5 * erfc((z - height) / edges)
        filled = 0.5 * erfc((height + gap - z) / edges)
        content = 14.0 * anode + 1.7 * filled
        wall = np.clip(distance - radius + 0.5, 0, 1)
        tube = 0.5 + np.roll(specks, 2 * z, axis=1) * 0.5
        grey = content * (1 - wall) + tube * wall + 0.25 * rng.standard_normal((edge, edge), dtype=np.float32)
        volume[z] = np.clip(2000 + GREY * grey, 0, 65535)
    volume.flush()
    return np.load(path, mmap_mode="r")


class Rows(xr.backends.BackendArray):
    """uint16 counts on disk, read as mu in float32 only where they are asked for."""

    def __init__(self, counts: np.ndarray) -> None:
        self._counts, self.shape, self.dtype = counts, counts.shape, np.dtype(np.float32)

    def __getitem__(self, key: Any) -> Any:
        return xr.core.indexing.explicit_indexing_adapter(
            key, self.shape, xr.core.indexing.IndexingSupport.BASIC, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        return (np.asarray(self._counts[key], np.float32) - np.float32(2000)) / np.float32(GREY)


def as_volume(counts: np.ndarray, frame: int) -> xr.Dataset:
    """Counts on disk as a lazily read product."""
    axes = ("z", "y", "x")
    lazy = xr.Variable(axes, xr.core.indexing.LazilyIndexedArray(Rows(counts)), {"units": "1/cm"})
    coords = {name: (name, VOXEL * np.arange(n), {"units": "um"}) for name, n in zip(axes, counts.shape, strict=True)}
    return VOLUME.check(xr.Dataset({"mu": lazy}, coords=coords, attrs={"frame": frame, "file": f"scan_{frame}.npy"}))


class Memory:
    """Peak of the memory that the process owns, MB."""

    def __init__(self) -> None:
        self.peak, self._going = 0.0, True
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while self._going:
            status = Path("/proc/self/status").read_text(encoding="ascii")
            owned = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))
            self.peak = max(self.peak, owned / 1024)
            time.sleep(0.02)

    def stop(self) -> float:
        """The peak."""
        self._going = False
        self._thread.join()
        return self.peak


Times = dict[str, tuple[float, float]]
"""Seconds and CPU seconds by step."""


@contextmanager
def timed(times: Times, name: str) -> Iterator[None]:
    """Note the seconds and CPU seconds that the block takes."""
    start, busy = time.perf_counter(), time.process_time()
    yield
    times[name] = (time.perf_counter() - start, time.process_time() - busy)


SLAB_BYTES = 1e9


def segmented(volume: xr.Dataset, folder: Path, name: str, step: Callable[[xr.Dataset], xr.Dataset]) -> xr.Dataset:
    """Segment slab by slab into compressed arrays, as a run does."""
    total, *plane = volume["mu"].shape
    fitting = int(SLAB_BYTES / (segment.cut.working_bytes * np.prod(plane))) - 2 * HALO if segment.cut else 0
    rows = max(1, min(fitting, 128) // arrays.ALIGNMENT) * arrays.ALIGNMENT
    layout, path = arrays.Layout(total, rows, "z", None), folder / name
    for start in range(0, total, rows):
        low, stop = max(start - HALO, 0), min(start + rows, total)
        slab = step(volume.isel(z=slice(low, min(stop + HALO, total)))).isel(z=slice(start - low, stop - low))
        if start == 0:
            arrays.create(path, slab, layout, name)
        arrays.write_slab(path, start, slab, layout)
    return arrays.open_lazily(path)


def analyse(scans: list[xr.Dataset], folder: Path) -> tuple[Times, xr.Dataset]:
    """From two volumes to their difference; seconds of each step."""
    times: Times = {}
    with timed(times, "bore"):
        tube = bore(scans[0], 0.8 * VOXEL * scans[0].sizes["y"] / 1000)
    with timed(times, "register"):
        table = motions([register(scan, scans[0], tube) for scan in scans])
    rows = [table.isel(scan=i) for i in range(2)]
    with timed(times, "histogram"):
        counted = [histogram(scan, tube, row) for scan, row in zip(scans, rows, strict=True)]
    classes = classify(counted)
    own = [levels(one, classes) for one in counted]
    both = list(enumerate(zip(scans, own, rows, strict=True)))
    with timed(times, "segment"):
        labels = [
            segmented(scan, folder, f"labels{i}", lambda slab, one=one, row=row: segment(slab, tube, one, row))
            for i, (scan, one, row) in both
        ]
    with timed(times, "interface"):
        maps = [surface(one, labels[0]) for one in labels]
        reached = [None, reach(maps[0], None)]
        found = [interface(labels[i], maps[i], scan, tube, one, row, reached[i]) for i, (scan, one, row) in both]
    with timed(times, "phase_volumes"):
        volumes = [phase_volumes(labels[i], tube, one, row, interface=found[i]) for i, (_, one, row) in both]
    with timed(times, "difference"):
        result = difference(*labels, tube, *own, *volumes, *found)
    return times, result


def plain(counts: np.ndarray) -> None:
    """Smoothing, three classes and labelling of one volume with scikit-image, in memory, copying no more than needed.

    As its manual does it, a smoothed copy and classes in int64 would make it 16 bytes a voxel.
    """
    from skimage.filters import gaussian, threshold_multiotsu
    from skimage.measure import label, regionprops_table

    smooth = counts.astype(np.float32)
    gaussian(smooth, 0.7, preserve_range=True, out=smooth)
    thresholds, classes = threshold_multiotsu(smooth, classes=3), np.empty(counts.shape, np.uint8)
    for row, plane in zip(classes, smooth, strict=True):
        row[:] = np.digitize(plane, thresholds)
    del smooth
    for phase in (0, 2):
        regionprops_table(label(classes == phase, connectivity=1), properties=("area",))


def side_by_side(scans: list[np.ndarray], own: float) -> None:
    """Print what scikit-image takes for what took ``own`` seconds of CPU here."""
    memory, busy = Memory(), time.process_time()
    for counts in scans:
        plain(counts)
    seconds = time.process_time() - busy
    print(
        f"  scikit-image {seconds:.1f} s of CPU in {memory.stop():.0f} MB; histogram, segment and phase_volumes "
        f"{own:.1f} s; ratio {own / seconds:.2f}",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("edges", nargs="*", type=int, default=[256])
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--compare-to", type=int, default=500, help="largest edge that scikit-image does as well")
    arguments = parser.parse_args()
    for edge in arguments.edges:
        with tempfile.TemporaryDirectory(dir=arguments.scratch) as name:
            folder = Path(name)
            counts = [write_scan(folder / f"{i}.npy", edge, 4.0 * i, 2 * i, i) for i in range(2)]
            memory, start, busy = Memory(), time.perf_counter(), time.process_time()
            times, result = analyse([as_volume(one, i) for i, one in enumerate(counts)], folder)
            whole, cpu, peak = time.perf_counter() - start, time.process_time() - busy, memory.stop()
            mega = 2 * edge**3 / 1e6
            rate = f"{mega / whole:.1f} Mvoxel/s, {mega / cpu:.1f} Mvoxel per CPU second"
            print(f"{edge}³ pair: {whole:.0f} s, {cpu:.0f} s of CPU, {rate}, {peak:.0f} MB", flush=True)
            for step, (seconds, own) in times.items():
                print(f"  {step}: {seconds:.1f} s, {own:.1f} s of CPU, {mega / own:.1f} Mvoxel per CPU second")
            print(f"  mean advance {float(result['mean_advance']) / VOXEL:.3f} voxels (true 4)", flush=True)
            if edge <= arguments.compare_to:
                side_by_side(counts, sum(times[name][1] for name in ("histogram", "segment", "phase_volumes")))


if __name__ == "__main__":
    main()
