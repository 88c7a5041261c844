"""Reconstruction beside its peers: seconds, accuracy and memory on the same sinograms, in one run.

    python benchmarks/reconstruct.py [--peers PYTHON] [--write docs/benchmarks/reconstruction.md]
    python benchmarks/reconstruct.py --columns 1008 --angles 750 --sizes 512 1024 --only gridding rings

Peers (algotom, ASTRA, scikit-image, nabu) run in a Python of their own, given with ``--peers`` (for instance a
throw-away environment with ``pip install algotom astra-toolbox scikit-image nabu``); what it lacks is left out
by name. Every contender runs in a process of its own, so that its peak memory is its own. ``--write`` puts the
tables between the marks of a page.
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


MARKS = ("<!-- tables -->", "<!-- end of tables -->")


def phantom(columns: int, angles: np.ndarray, drawn: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Modified Shepp-Logan head with six dense particles: sinogram (angle, column) and image, in closed form.

    Without ``drawn`` the image stays empty.
    """
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
    image = np.zeros((columns * fine, columns * fine) if drawn else (0, 0), np.float32)
    for mu, a, b, x, y, tilt in rows:
        a, b, x, y, tilt = a * half, b * half, x * half, y * half, np.radians(tilt)
        at = np.arange(columns)[None] - centre - (x * np.cos(angles) + y * np.sin(angles))[:, None]
        width = np.hypot(a * np.cos(angles - tilt), b * np.sin(angles - tilt))[:, None]
        edges = [np.clip(at + side, -width, width) for side in (0.5, -0.5)]
        areas = [0.5 * (s * np.sqrt(width**2 - s**2) + width**2 * np.arcsin(s / width)) for s in edges]
        sinogram += 2 * a * b * mu / width**2 * (areas[0] - areas[1])
        if not drawn:
            continue
        u = (place[None] - x) * np.cos(tilt) + (place[:, None] - y) * np.sin(tilt)
        v = -(place[None] - x) * np.sin(tilt) + (place[:, None] - y) * np.cos(tilt)
        image += np.float32(mu) * ((u / a) ** 2 + (v / b) ** 2 <= 1)
    if not drawn:
        return sinogram.astype(np.float32), image
    return sinogram.astype(np.float32), image.reshape(columns, fine, columns, fine).mean((1, 3))


def work_on(name: str, folder: Path) -> dict[str, float | str]:
    """Run one contender and measure it; the second gain leaves out whatever lies within two pixels of an edge."""
    from scipy.ndimage import maximum_filter, minimum_filter

    with np.load(folder / "data.npz") as stored:
        data, angles, centre, truth = stored["data"], stored["angles"], float(stored["centre"]), stored["truth"]
    slices = int(os.environ["BENCH_SLICES"])
    try:
        work = CONTENDERS[name][1](np.repeat(data[None], slices, axis=0), angles, centre)
        times, found = timed(work)
    except (ImportError, RuntimeError, OSError) as error:
        return {"absent": f"{type(error).__name__}: {error}"[:120]}
    inside = radius_map(len(truth)) < 0.9 * len(truth) / 2
    uniform = inside & (maximum_filter(truth, 5) - minimum_filter(truth, 5) < 1e-6)
    image = oriented(np.asarray(found[0]), truth)
    return {
        "seconds": float(np.median(times[1:] or times)) / len(found),
        "first": times[0],
        "rmse": float(np.sqrt(np.mean((image - truth)[inside] ** 2))),
        "gain": float(np.polyfit(truth[inside], image[inside], 1)[0]),
        "gain_uniform": float(np.polyfit(truth[uniform], image[uniform], 1)[0]),
        "peak": peak_memory(),
    }


def timed(work: Callable[[], np.ndarray], most: int = 6, limit: float = 60.0) -> tuple[list[float], np.ndarray]:
    """Seconds of each run, the first with compilation or its cache, and what came out."""
    times: list[float] = []
    while len(times) < most and sum(times) < limit:
        found = None  # the last result must not stay in memory beside the next
        started = time.perf_counter()
        found = work()
        times.append(time.perf_counter() - started)
    assert found is not None
    return times, found


def rings(columns: int, angles: int) -> dict[str, float | str]:
    """Seconds a sinogram of each ring removal, and how far all-stripe lies off algotom's."""
    from operando.tomography.benchmark import rings_time
    from operando.tomography.rings import remove_stripes

    turn = np.arange(angles) * np.pi / angles
    clean, _ = phantom(columns, turn, drawn=False)
    rng = np.random.default_rng(0)
    gain = 0.04 * rng.normal(size=columns) * (rng.random(columns) < 0.1)
    count = 2 * (os.cpu_count() or 1)
    data = np.stack([clean + gain + rng.normal(0, 0.02 * columns / 64, clean.shape) for _ in range(count)])
    data = data.astype(np.float32)
    methods = ("offsets", "all-stripe", "sorting", "wavelet-fft")
    results: dict[str, float | str] = {f"operando, {method}": rings_time(data, method) for method in methods}
    try:
        from algotom.prep.removal import remove_all_stripe
    except ImportError as error:
        return {**results, "algotom, all-stripe": f"not run: {error}"}
    times, expected = timed(lambda: remove_all_stripe(data[0], 3.0, 51, 21), 2)
    results["algotom, all-stripe"] = min(times)
    off = np.abs(remove_stripes(data[0], "all-stripe") - expected)
    results["mean difference of the two all-stripe results"] = float(off.mean())
    results["share that differs by more than 1e-5 of the largest value"] = float(
        np.mean(off > 1e-5 * np.abs(expected).max())
    )
    return results


def flatness(columns: int, angles: int) -> dict[str, float | str]:
    """Lowest and highest mean of ten rings of a disc of attenuation 1, for discs of 0.1 to 1.0 of the field."""
    from operando.tomography import reconstruct_sinograms

    turn, middle = np.arange(angles) * np.pi / angles, (columns - 1) / 2
    place, distance = np.arange(columns) - middle, radius_map(columns)
    found: dict[str, float | str] = {}
    for share in (0.1, 0.25, 0.5, 0.75, 0.9, 1.0):
        radius = share * (columns / 2 - 2)
        edges = [np.clip(place + side, -radius, radius) for side in (0.5, -0.5)]
        area = [s * np.sqrt(radius**2 - s**2) + radius**2 * np.arcsin(s / radius) for s in edges]
        data = np.broadcast_to((area[0] - area[1]).astype(np.float32), (1, angles, columns))
        image = reconstruct_sinograms(data, turn, middle)[0]
        ring = (distance / (0.095 * radius)).astype(int)
        means = [float(image[ring == number].mean()) for number in range(10)]
        found[f"{share}"] = f"{min(means):.4f} to {max(means):.4f}"
    return found


def radius_map(size: int) -> np.ndarray:
    """Distance of every pixel from the middle."""
    place = np.arange(size) - (size - 1) / 2
    return np.hypot(place[:, None], place)


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


def worker(task: str, folder: Path) -> None:
    """Do one task and print what was measured as JSON."""
    columns, angles = int(os.environ["BENCH_COLUMNS"]), int(os.environ["BENCH_ANGLES"])
    alone = {"rings": rings, "flatness": flatness}
    print(json.dumps(alone[task](columns, angles) if task in alone else work_on(task, folder)))


def measured(python: str, task: str, folder: str, columns: int, angles: int, slices: int) -> dict[str, float | str]:
    """What a task measures in a process of its own."""
    sizes = {"BENCH_SLICES": str(slices), "BENCH_COLUMNS": str(columns), "BENCH_ANGLES": str(angles)}
    command = [python, __file__, "--worker", task, folder]
    done = subprocess.run(command, env={**os.environ, **sizes}, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    found = json.loads(lines[-1]) if lines else {"absent": done.stderr.strip()[-120:]}
    print(f"{task}, {columns} × {angles}: {found}", file=sys.stderr)
    return found


def contest(
    options: argparse.Namespace, columns: int, angles: int, names: list[str]
) -> list[tuple[str, dict[str, float | str]]]:
    """Measure contenders on one phantom, one after the other."""
    turn = np.arange(angles) * np.pi / angles
    data, truth = phantom(columns, turn)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "data.npz", data=data, angles=turn, centre=(columns - 1) / 2, truth=truth)
        for name in names:
            own = CONTENDERS[name][0] == "operando" or options.peers is None
            python = sys.executable if own else options.peers
            results.append((name, measured(python, name, folder, columns, angles, options.slices)))
    return results


def chosen(options: argparse.Namespace, name: str) -> bool:
    """Whether ``--only`` asks for it."""
    return not options.only or any(word in name for word in options.only)


def peers_table(options: argparse.Namespace) -> list[str]:
    """Markdown: all contenders on one size."""
    results = contest(options, options.columns, options.angles, [n for n in CONTENDERS if chosen(options, n)])
    ours = next((float(r["seconds"]) for n, r in results if n == "operando, gridding" and "seconds" in r), float("nan"))
    lines = [
        f"{options.columns} columns, {options.angles} projections, {options.slices} slices at once where a package "
        f"can; {os.cpu_count()} cores.",
        "",
        "| method | s a slice | times ours | RMSE | gain | gain off edges | first call / s | peak memory / MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, r in results:
        if "absent" in r:
            lines.append(f"| {name} | not run: {' '.join(str(r['absent']).split())} | | | | | | |")
        else:
            lines.append(
                f"| {name} | {r['seconds']:.3f} | {float(r['seconds']) / ours:.1f} | {r['rmse']:.5f} | "
                f"{r['gain']:.4f} | {r['gain_uniform']:.4f} | {r['first']:.1f} | {r['peak']:.0f} |"
            )
    return lines


def scaling_table(options: argparse.Namespace) -> list[str]:
    """Markdown: our time and error against size and projections, the exact method's error beside it."""
    exact = chosen(options, "direct") and not options.inexact
    lines = [
        "| columns | projections | s a slice | ns a voxel | RMSE | RMSE of exact back projection | gain "
        "| gain off edges | peak / MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for columns in options.sizes:
        for angles in (columns // 2, 3 * columns // 4, 3 * columns // 2):
            names = ["operando, gridding"]
            if exact and angles == 3 * columns // 4:
                names.append("operando, direct back projection")
            found = dict(contest(options, columns, angles, names))
            r, other = found["operando, gridding"], found.get("operando, direct back projection")
            exactly = f"{other['rmse']:.5f}" if other else ""
            lines.append(
                f"| {columns} | {angles} | {r['seconds']:.4f} | {1e9 * float(r['seconds']) / columns**2:.1f} | "
                f"{r['rmse']:.5f} | {exactly} | {r['gain']:.4f} | {r['gain_uniform']:.4f} | {r['peak']:.0f} |"
            )
    return lines


def pairs_table(title: str, task: str, options: argparse.Namespace) -> list[str]:
    """Markdown: what a task of its own process measures."""
    found = measured(sys.executable, task, ".", options.columns, options.angles, options.slices)
    return [f"| {title} | |", "|---|---|", *_rows(found)]


def _rows(found: dict[str, float | str]) -> list[str]:
    return [
        f"| {key} | {value:.4g} |" if isinstance(value, float) else f"| {key} | {value} |"
        for key, value in found.items()
    ]


def page(options: argparse.Namespace) -> str:
    """All tables that ``--only`` asks for."""
    from operando.tomography.benchmark import measure

    parts = [peers_table(options)]
    if options.sizes:
        parts.append([
            "Scaling, and the error inside 0.9 of the field beside the exact method's:",
            "",
            *scaling_table(options),
        ])
    if chosen(options, "flatness"):
        parts.append(
            pairs_table("disc's radius over the field's; lowest and highest mean of ten rings", "flatness", options)
        )
    if chosen(options, "rings"):
        parts.append(
            pairs_table(f"ring removal, {options.angles} × {options.columns} / s a sinogram", "rings", options)
        )
    if chosen(options, "floor"):
        floor = measure(options.columns, options.angles, options.slices)
        parts.append(["| this machine | |", "|---|---|", *_rows(floor)])
    return "\n\n".join("\n".join(part) for part in parts)


def put_into(path: Path, tables: str) -> None:
    """Replace what stands between the marks of a page."""
    before, _, rest = path.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    path.write_text(f"{before}{MARKS[0]}\n\n{tables}\n\n{MARKS[1]}{after}", encoding="utf-8")


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=2016)
    parser.add_argument("--angles", type=int, default=1500)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--sizes", type=int, nargs="*", default=[512, 1024, 2016], help="columns of the scaling table")
    parser.add_argument("--inexact", action="store_true", help="leave exact back projection out of the scaling table")
    parser.add_argument("--peers", help="Python that has the peers")
    parser.add_argument("--only", nargs="*", help="words of the contenders' names, flatness, rings, floor")
    parser.add_argument("--write", type=Path, help="page between whose marks the tables go")
    parser.add_argument("--worker", nargs=2, metavar=("TASK", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker[0], Path(options.worker[1]))
        return
    tables = page(options)
    if options.write:
        put_into(options.write, tables)
    print(tables)


if __name__ == "__main__":
    main()
