"""Reconstruction beside its peers: seconds, accuracy and memory on the same sinograms, in one run.

    python benchmarks/reconstruct.py [--columns 2016 --angles 1500 --slices 16] [--peers PYTHON] > table.md

Peers (algotom, ASTRA, scikit-image, nabu) run in a Python of their own, given with ``--peers`` (for instance a
throw-away environment with ``pip install algotom astra-toolbox scikit-image nabu``); what it lacks is left out
by name. Every contender runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Maker = Callable[[np.ndarray, np.ndarray, float], Callable[[], np.ndarray]]


def _operando(data: np.ndarray, angles: np.ndarray, centre: float) -> Callable[[], np.ndarray]:
    from operando.tomography import reconstruct_sinograms

    return lambda: reconstruct_sinograms(data, angles, centre)


def _operando_direct(data: np.ndarray, angles: np.ndarray, centre: float) -> Callable[[], np.ndarray]:
    from operando.tomography.backproject import backproject

    return lambda: backproject(data[:1], angles, centre)


def _algotom_fourier(data: np.ndarray, angles: np.ndarray, centre: float) -> Callable[[], np.ndarray]:
    from algotom.rec.reconstruction import dfi_reconstruction

    return lambda: dfi_reconstruction(data[0], centre, angles=angles, apply_log=False, filter_name=None)[None]


def _algotom_fbp(data: np.ndarray, angles: np.ndarray, centre: float) -> Callable[[], np.ndarray]:
    from algotom.rec.reconstruction import fbp_reconstruction

    return lambda: fbp_reconstruction(
        data[0], centre, angles=angles, apply_log=False, gpu=False, filter_name=None, ratio=None
    )[None]


def _astra(data: np.ndarray, angles: np.ndarray, centre: float) -> Callable[[], np.ndarray]:
    import astra

    columns = data.shape[2]

    def work() -> np.ndarray:
        geometry = astra.create_proj_geom("parallel", 1.0, columns, angles)
        if centre != (columns - 1) / 2:
            raise RuntimeError("ASTRA's FBP on the processor takes centred projections only")
        volume = astra.create_vol_geom(columns, columns)
        projector = astra.create_projector("linear", geometry, volume)
        sinogram = astra.data2d.create("-sino", geometry, data[0])
        target = astra.data2d.create("-vol", volume)
        settings = astra.astra_dict("FBP")
        settings.update(ProjectorId=projector, ProjectionDataId=sinogram, ReconstructionDataId=target)
        algorithm = astra.algorithm.create(settings)
        astra.algorithm.run(algorithm)
        found = astra.data2d.get(target)
        astra.algorithm.delete(algorithm)
        astra.data2d.delete([sinogram, target])
        astra.projector.delete(projector)
        return found[None]

    return work


def _scikit_image(data: np.ndarray, angles: np.ndarray, centre: float) -> Callable[[], np.ndarray]:
    from skimage.transform import iradon

    shifted = np.roll(data[0], round((data.shape[2] / 2) - centre), axis=1)
    return lambda: iradon(shifted.T, theta=np.degrees(angles), filter_name="ramp", circle=True)[None].astype(np.float32)


def _nabu(data: np.ndarray, angles: np.ndarray, centre: float) -> Callable[[], np.ndarray]:
    from nabu.reconstruction.fbp_opencl import OpenCLBackprojector

    maker = OpenCLBackprojector(data.shape[1:], angles=angles, rot_center=centre)
    return lambda: maker.fbp(np.ascontiguousarray(data[0]))[None]


CONTENDERS: dict[str, tuple[str, Maker]] = {
    "operando, gridding": ("operando", _operando),
    "operando, direct back projection": ("operando", _operando_direct),
    "algotom, direct Fourier": ("algotom", _algotom_fourier),
    "algotom, filtered back projection (CPU)": ("algotom", _algotom_fbp),
    "ASTRA, FBP (CPU, linear)": ("astra", _astra),
    "scikit-image, iradon": ("skimage", _scikit_image),
    "nabu, OpenCL": ("nabu", _nabu),
}


def phantom(columns: int, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Modified Shepp-Logan head with six dense particles: sinogram (angle, column) and image, in closed form."""
    half, centre = columns / 2, (columns - 1) / 2
    rows = [
        (1.0, 0.69, 0.92, 0, 0, 0), (-0.8, 0.6624, 0.874, 0, -0.0184, 0), (-0.2, 0.11, 0.31, 0.22, 0, -18),
        (-0.2, 0.16, 0.41, -0.22, 0, 18), (0.1, 0.21, 0.25, 0, 0.35, 0), (0.1, 0.046, 0.046, 0, 0.1, 0),
        (0.1, 0.046, 0.046, 0, -0.1, 0), (0.1, 0.046, 0.023, -0.08, -0.605, 0),
        (0.1, 0.023, 0.023, 0, -0.606, 0), (0.1, 0.023, 0.046, 0.06, -0.605, 0),
    ]  # fmt: skip
    rows += [(1.0, 0.012, 0.012, 0.5 * np.cos(t), 0.6 * np.sin(t), 0) for t in np.arange(6) * 1.1 + 0.3]
    sinogram, fine = np.zeros((len(angles), columns)), 4
    place = (np.arange(columns * fine) + 0.5) / fine - 0.5 - centre
    image = np.zeros((columns * fine, columns * fine), np.float32)
    for mu, a, b, x, y, tilt in rows:
        a, b, x, y, tilt = a * half, b * half, x * half, y * half, np.radians(tilt)
        at = np.arange(columns)[None] - centre - (x * np.cos(angles) + y * np.sin(angles))[:, None]
        width = np.hypot(a * np.cos(angles - tilt), b * np.sin(angles - tilt))[:, None]
        edges = [np.clip(at + side, -width, width) for side in (0.5, -0.5)]
        areas = [0.5 * (s * np.sqrt(width**2 - s**2) + width**2 * np.arcsin(s / width)) for s in edges]
        sinogram += 2 * a * b * mu / width**2 * (areas[0] - areas[1])
        u = (place[None] - x) * np.cos(tilt) + (place[:, None] - y) * np.sin(tilt)
        v = -(place[None] - x) * np.sin(tilt) + (place[:, None] - y) * np.cos(tilt)
        image += np.float32(mu) * ((u / a) ** 2 + (v / b) ** 2 <= 1)
    return sinogram.astype(np.float32), image.reshape(columns, fine, columns, fine).mean((1, 3))


def worker(name: str, folder: Path) -> None:
    """Run one contender and print what was measured as JSON."""
    with np.load(folder / "data.npz") as stored:
        data, angles, centre, truth = stored["data"], stored["angles"], float(stored["centre"]), stored["truth"]
    slices = int(os.environ["BENCH_SLICES"])
    try:
        work = CONTENDERS[name][1](np.repeat(data[None], slices, axis=0), angles, centre)
        started = time.perf_counter()
        found = work()
    except (ImportError, RuntimeError, OSError) as error:
        print(json.dumps({"absent": f"{type(error).__name__}: {error}"[:120]}))
        return
    first = time.perf_counter() - started
    times = [first]
    while len(times) < 6 and sum(times) < 60:
        started = time.perf_counter()
        found = work()
        times.append(time.perf_counter() - started)
    place = np.arange(len(truth)) - (len(truth) - 1) / 2
    inside = np.hypot(place[:, None], place) < 0.9 * len(truth) / 2
    image = oriented(np.asarray(found[0]), truth)
    gain = float(np.polyfit(truth[inside], image[inside], 1)[0])
    error = float(np.sqrt(np.mean((image - truth)[inside] ** 2)))
    seconds = float(np.median(times[1:] or times)) / len(found)
    print(json.dumps({"seconds": seconds, "first": first, "rmse": error, "gain": gain, "peak": peak_memory()}))


def oriented(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The slice turned and mirrored as fits the phantom best: packages differ in where y points."""
    turns = [np.rot90(image, k) for image in (found, found[::-1]) for k in range(4)]
    return min(turns, key=lambda image: float(np.mean((image - truth) ** 2)))


def peak_memory() -> float:
    """Highest resident memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(options: argparse.Namespace) -> list[tuple[str, dict[str, float | str]]]:
    """Measure every contender in a process of its own, one after the other."""
    angles = np.arange(options.angles) * np.pi / options.angles
    data, truth = phantom(options.columns, angles)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "data.npz", data=data, angles=angles, centre=(options.columns - 1) / 2, truth=truth)
        environment = {**os.environ, "BENCH_SLICES": str(options.slices)}
        for name, (package, _) in CONTENDERS.items():
            if options.only and not any(word in name for word in options.only):
                continue
            python = sys.executable if package == "operando" or options.peers is None else options.peers
            command = [python, __file__, "--worker", name, folder]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            lines = done.stdout.strip().splitlines()
            results.append((name, json.loads(lines[-1]) if lines else {"absent": done.stderr.strip()[-120:]}))
            print(f"{name}: {results[-1][1]}", file=sys.stderr)
    return results


def table(results: list[tuple[str, dict[str, float | str]]], options: argparse.Namespace) -> str:
    """Markdown for docs/benchmarks/reconstruct.md."""
    from operando.tomography.benchmark import measure

    lines = [
        f"{options.columns} columns, {options.angles} projections, {options.slices} slices at once where a package "
        f"can; {os.cpu_count()} cores. Error and gain inside 0.9 of the field, against the phantom itself.",
        "",
        "| method | s a slice | times ours | RMSE | gain | peak memory / MB |",
        "|---|---|---|---|---|---|",
    ]
    ours = next((float(r["seconds"]) for n, r in results if n == "operando, gridding" and "seconds" in r), float("nan"))
    for name, r in results:
        if "absent" in r:
            lines.append(f"| {name} | not run: {' '.join(str(r['absent']).split())} | | | | |")
        else:
            lines.append(
                f"| {name} | {r['seconds']:.3f} | {float(r['seconds']) / ours:.1f} | {r['rmse']:.5f} | "
                f"{r['gain']:.4f} | {r['peak']:.0f} |"
            )
    floor = measure(options.columns, options.angles, options.slices)
    lines += ["", "| figure | value |", "|---|---|"]
    lines += [
        f"| {key} | {value:.4g} |" if isinstance(value, float) else f"| {key} | {value} |"
        for key, value in floor.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=2016)
    parser.add_argument("--angles", type=int, default=1500)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--peers", help="Python that has the peers")
    parser.add_argument("--only", nargs="*", help="words of the contenders' names")
    parser.add_argument("--worker", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker[0], Path(options.worker[1]))
    else:
        print(table(run(options), options))


if __name__ == "__main__":
    main()
