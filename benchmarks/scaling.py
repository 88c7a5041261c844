"""Time and memory of a series of many tiny scans, and of one growing volume: ``python benchmarks/scaling.py``.

The scans are copies of two simulated ones of 16 rows x 32 columns, spread evenly over the cycler's record. Peak
memory is that of the whole process tree, sampled from outside four times a second (proportional set size, so that
shared pages count once).
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from sections import put_section

MARK = "<!-- scaling -->"
SMALLER = {
    "columns = 96": "columns = 32",
    "rows = 64": "rows = 16",
    "pixel_um = 2.5": "pixel_um = 7.5",
    "angles = 120": "angles = 36",
    "flats = 6": "flats = 3",
    "darks = 4": "darks = 2",
    "scans = 4": "scans = 2",
}
FIRST, LAST = np.datetime64("2018-05-04T06:10:00", "ms"), np.datetime64("2018-05-04T10:00:00", "ms")
SAMPLE_S = 0.25


def two_scans(folder: Path) -> None:
    """Simulate the pattern of the series."""
    from operando.twin.experiment import simulate

    text = (files("operando.twin") / "presets" / "tiny.toml").read_text(encoding="utf-8")
    for old, new in SMALLER.items():
        text = text.replace(old, new)
    settings = folder.with_suffix(".toml")
    settings.write_text(text)
    simulate(settings, folder)


def series(pattern: Path, folder: Path, count: int) -> None:
    """Write ``count`` scans: the pattern's two in turn, each at its own time."""
    shutil.copytree(pattern, folder, ignore=shutil.ignore_patterns("truth", "*.nxs", "edd"))
    text = (folder / "operando.toml").read_text(encoding="utf-8")
    head, _, rest = text.partition("[diffraction]")
    (folder / "operando.toml").write_text(head + rest[rest.index("[electrochemistry]") :], encoding="utf-8")
    originals = sorted((pattern / "raw" / "tomo").glob("*.nxs"))
    moments = FIRST + np.arange(count) * ((LAST - FIRST) // max(count, 2))
    for number, moment in enumerate(moments):
        path = folder / "raw" / "tomo" / f"scan_{number:04d}.nxs"
        shutil.copy(originals[number * len(originals) // count], path)
        with h5py.File(path, "r+") as file:
            detector = file["entry/instrument/detector"]
            for name in ("start_time", "stop_time"):
                detector[name].attrs["start"] = f"{moment}Z"


def measured(words: Sequence[str], every_s: float = SAMPLE_S, **environment: str) -> tuple[float, float, str]:
    """Seconds, peak memory of the process tree in MB and standard output of what Python is told to run.

    A look at gigabytes takes 30 ms of processor time: ``every_s`` is how often.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _tree_mb(process.pid))
        time.sleep(every_s)
    assert process.stdout is not None
    return time.perf_counter() - started, peak, process.stdout.read()


def _tree_mb(root: int) -> float:
    """Proportional set size of a process and all that it started."""
    total, waiting = 0, [root]
    while waiting:
        process = waiting.pop()
        try:  # each thread has children of its own: the one that starts the workers is not the first
            children = [file.read_text() for file in Path(f"/proc/{process}/task").glob("*/children")]
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        waiting += map(int, " ".join(children).split())
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1024


def pretend(folder: Path) -> None:
    """Run ``folder``, but compute what depends on the frames alone only once for each of the two patterns.

    What is left is what the pipeline itself does for each scan and each product, and the steps over the whole series.
    """
    from operando.pipeline import experiment, run
    from operando.pipeline.events import Options

    run.open_executor = Copying
    done = experiment.bring_up_to_date(folder, Options(workers=0), lambda event: None, "0.1.0")
    print(json.dumps({"computed": len(done.report.computed), "failed": len(done.report.failures)}))


class Copying:
    """An executor that copies what it has made of the same frames before."""

    slots = 1

    def __init__(self, *unused: Any) -> None:
        self.made: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def __enter__(self) -> "Copying":
        return self

    def __exit__(self, *unused: Any) -> None:
        self.made.clear()

    def submit(self, work: Any, task: Any) -> Any:
        """Compute or copy."""
        from operando.pipeline.executor import InProcess

        return InProcess().submit(lambda task: self._done(work, task), task)

    def wait(self, futures: list[Any]) -> list[Any]:
        """All are done."""
        return futures

    def incidents(self) -> list[str]:
        """None."""
        return []

    def _done(self, work: Any, task: Any) -> Any:
        frames = sorted({scan for value in task.arguments.values() for scan in _scans_of(value)})
        if task.step == "scan_exposure" or not 0 < len(frames) < 3:
            return work(task)
        half = int(os.environ["OPERANDO_SCANS"]) // 2
        key = (task.step, task.start, *(frame >= half for frame in frames))
        if key not in self.made:
            self.made[key] = (task, work(task))
            return self.made[key][1]
        before, outcome = self.made[key]
        for old, new in zip(before.targets, task.targets, strict=True):
            _copy(self._placed(old, before), new.path)
        return outcome

    def _placed(self, target: Any, task: Any) -> Path:
        """Where a product lies: where it was made or, once that is settled, under its lasting name."""
        if target.path.exists():
            return target.path
        kind = "" if target.product == "volume" else f".{target.product}"
        ending = f"{kind}.{task.digest[:8]}.ome.zarr"
        (path,) = (p for p in target.path.parent.parent.glob(f"*{ending}") if "." not in p.name.removesuffix(ending))
        return path


def _copy(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(old, new) if old.is_dir() else shutil.copy(old, new)


def _scans_of(source: Any) -> list[int]:
    """Numbers of the scans that a task takes, found in the tree of its sources."""
    from operando.pipeline.expression import Fused, Many, Raw, Row, Stored

    if isinstance(source, Many):
        return list(range(len(source.items)))
    if isinstance(source, Row):
        return [source.index]
    if isinstance(source, Raw):
        return [source.frame.index]
    if isinstance(source, Stored):
        return [source.index] if isinstance(source.index, int) else list(source.index or [])
    if isinstance(source, Fused):
        return [source.index] if isinstance(source.index, int) else []
    return []


def of_scans(pattern: Path, place: Path, counts: Sequence[int], workers: str) -> list[dict[str, Any]]:
    """Run, run again, status and the first answers of the viewer, for each number of scans."""
    found = []
    for count in counts:
        folder = place / f"series{count}"
        series(pattern, folder, count)
        run_s, run_mb, said = measured(["-m", "operando", "run", str(folder), "--workers", workers, "--json"])
        again_s, again_mb, _ = measured(["-m", "operando", "run", str(folder), "--workers", workers, "--json"])
        status_s, _, _ = measured(["-m", "operando", "status", str(folder), "--json"])
        told = json.loads(said)
        found.append({
            "scans": count,
            "results": told["computed"],
            "failed": len(told["failed"]),
            "run_s": run_s,
            "run_mb": run_mb,
            "again_s": again_s,
            "again_mb": again_mb,
            "status_s": status_s,
            "view_s": _view_s(folder),
        })
        print(json.dumps(found[-1]), flush=True)
        shutil.rmtree(folder)
    return found


def _view_s(folder: Path) -> float:
    """Seconds until the viewer is ready to answer."""
    from operando.viewer.reader import Reader
    from operando.viewer.server import warm_up

    started = time.perf_counter()
    warm_up(Reader(folder))
    return time.perf_counter() - started


def of_pipeline(pattern: Path, place: Path, counts: Sequence[int]) -> list[dict[str, Any]]:
    """What the pipeline alone needs a scan: each of the two patterns is computed once, and copied for all others."""
    found = []
    for count in counts:
        folder = place / f"copied{count}"
        series(pattern, folder, count)
        words = [__file__, "--child", str(folder)]
        run_s, run_mb, said = measured(words, OPERANDO_SCANS=str(count))
        again_s, again_mb, _ = measured(["-m", "operando", "run", str(folder), "--workers", "0", "--json"])
        status_s, _, _ = measured(["-m", "operando", "status", str(folder), "--json"])
        figures = {"run_s": run_s, "run_mb": run_mb, "again_s": again_s, "again_mb": again_mb, "status_s": status_s}
        found.append({"scans": count, **json.loads(said), **figures, "view_s": _view_s(folder)})
        print(json.dumps(found[-1]), flush=True)
        shutil.rmtree(folder)
    return found


def of_memory(place: Path, sizes: Sequence[int], memory_mb: int) -> list[dict[str, Any]]:
    """Peak memory of ``reconstruct`` alone against the size of the volume, with a bound."""
    found = []
    for binning in sizes:
        from operando.twin.experiment import simulate

        folder = place / f"binned{binning}"
        simulate("demo", folder, binning=binning, scans=1)
        words = ["-m", "operando", "run", str(folder), "--only", "reconstruct", "--memory", f"{memory_mb}MB", "--json"]
        seconds, peak, _ = measured([*words, "--workers", "1"])
        found.append({"binning": binning, "memory_mb": memory_mb, "peak_mb": peak, "run_s": seconds})
        print(json.dumps(found[-1]), flush=True)
        shutil.rmtree(folder)
    return found


def table(found: list[dict[str, Any]]) -> list[str]:
    """Rows of one of the tables."""
    lines = ["| " + " | ".join(name.replace("_", " / ") for name in found[0]) + " |", "|---" * len(found[0]) + "|"]
    for one in found:
        lines.append("| " + " | ".join(f"{v:.1f}" if isinstance(v, float) else str(v) for v in one.values()) + " |")
    return lines


def page(whole: list[dict[str, Any]], copied: list[dict[str, Any]], sizes: list[dict[str, Any]]) -> str:
    """The section of docs/reliability.md."""
    lines = [
        "## Many scans",
        "",
        f"`python benchmarks/scaling.py` on {platform.machine()}, {len(os.sched_getaffinity(0))} cores: copies of two "
        "scans of 16 rows x 32 columns, each at its own time. Memory: peak of the whole process tree (proportional set "
        "size). Again: the same command when all is done. View: until the viewer can answer.",
    ]
    texts = (
        (whole, "Everything computed:"),
        (copied, "The pipeline's own part (what depends on frames alone is computed once and copied):"),
        (sizes, "Peak memory of reconstruction against the size of the volume (the demonstration, binned):"),
    )
    for found, text in texts:
        lines += ["", text, "", *table(found)] if found else []
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, write the tables."""
    if sys.argv[1:2] == ["--child"]:
        pretend(Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, nargs="*", default=[8, 80, 800])
    parser.add_argument("--copied", type=int, nargs="*", default=[80, 800, 2000])
    parser.add_argument("--binnings", type=int, nargs="*", default=[4, 2, 1])
    parser.add_argument("--memory", type=int, default=1000, help="MB for reconstruction")
    parser.add_argument("--workers", default="2")
    parser.add_argument("-o", "--output", type=Path, default=None, help="page whose section is replaced")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        two_scans(place / "pattern")
        whole = of_scans(place / "pattern", place, given.scans, given.workers)
        copied = of_pipeline(place / "pattern", place, given.copied)
        text = page(whole, copied, of_memory(place, given.binnings, given.memory))
    print(text)
    if given.output:
        put_section(given.output, MARK, text)


if __name__ == "__main__":
    main()
