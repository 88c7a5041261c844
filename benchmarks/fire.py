"""Kill a run at named and at random points, resume it, and compare to the bit: ``make fire``.

Each kill works on a fresh copy of the same raw files. The child process wraps the functions through which a
run changes the disk, so that it dies just before or just after the n-th call of one of them; random kills come
from outside. Afterwards everything that the index names must be readable, and the resumed run must give the
undisturbed run's bits in less time than a whole one. Writes docs/reliability.md.
"""

import argparse
import hashlib
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sections import put_section

MARK = "<!-- fire -->"
POINTS = {
    "shard": ("operando.pipeline.arrays", "write_slab"),
    "arrays created": ("operando.pipeline.arrays", "create"),
    "small product": ("operando.pipeline.codec", "write"),
    "rename": ("operando.pipeline.folder", "ResultsFolder.place"),
    "index line": ("operando.pipeline.index", "Index.append"),
    "index swap": ("operando.pipeline.index", "Index.compact"),
    "old product removed": ("operando.pipeline.folder", "ResultsFolder.remove_replaced"),
    "lock": ("operando.pipeline.lock", "_acquire"),
    "store swap": ("operando.pipeline.publish", "write_store"),
    "summary": ("operando.pipeline.publish", "write_summary"),
}
"""Where a run changes the disk: module and function."""


@dataclass(frozen=True)
class Kill:
    """One way to die."""

    point: str
    when: str
    number: float


@dataclass(frozen=True)
class Result:
    """What became of it."""

    kill: Kill
    truly: bool
    readable: bool
    same: bool
    kept: int
    clock_s: float
    cpu_s: float


def child(folder: str, point: str, when: str, number: int, counts: str) -> None:
    """Run ``folder`` in this process and die at the point; with ``counts``, only count the calls."""
    import importlib

    calls: dict[str, int] = {}
    for name, (module_name, path) in POINTS.items():
        module: Any = importlib.import_module(module_name)
        owner, _, attribute = path.rpartition(".")
        holder = getattr(module, owner) if owner else module
        setattr(holder, attribute, _wrapped(getattr(holder, attribute), name, point, when, number, calls))
    from operando.pipeline import experiment
    from operando.pipeline.events import Options

    experiment.bring_up_to_date(Path(folder), Options(workers=0), lambda event: None, "0.1.0")
    if counts:
        Path(counts).write_text("\n".join(f"{name}\t{count}" for name, count in calls.items()))


def _wrapped(
    function: Callable[..., Any], name: str, point: str, when: str, number: int, calls: dict[str, int]
) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        calls[name] = calls.get(name, 0) + 1
        die = name == point and calls[name] == number
        if die and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if die:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapper


def start(folder: Path, kill: Kill | None, counts: str = "") -> subprocess.Popen[bytes]:
    """Start a child that will kill itself at the point, or just run."""
    point, when, number = (kill.point, kill.when, int(kill.number)) if kill else ("none", "after", 0)
    words = [sys.executable, __file__, "--child", str(folder), point, when, str(number), counts]
    return subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True)


def digests(folder: Path) -> dict[str, str]:
    """Content of every product that the index names, to the bit; raises if one can't be read."""
    from operando.pipeline import arrays, codec
    from operando.pipeline.store import Results

    results = Results(folder)
    found = {}
    for entry in results.index:
        for name, about in entry.products.items():
            path = results.path / about["path"]
            if about["content"] is None:
                arrays.open_lazily(path).load()
                found[f"{name} {entry.frame}"] = _tree_digest(path)
            else:
                codec.read(path)
                found[f"{name} {entry.frame}"] = about["content"]
    return found


def _tree_digest(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(file.relative_to(path).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def is_readable(folder: Path) -> bool:
    """Whether everything that the index names can be read, or there is no index yet."""
    from operando.model.errors import OperandoError

    if not (folder / "results" / "frames.json").exists():
        return True
    try:
        digests(folder)
    except (OperandoError, OSError, KeyError, ValueError):
        return False
    return True


def one(kill: Kill, raw: Path, reference: dict[str, str], scratch: Path) -> Result:
    """Kill one run, look, resume, compare."""
    folder = scratch / "experiment"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(raw, folder)
    process = start(folder, None if kill.point == "random" else kill)
    if kill.point == "random":
        try:
            process.wait(kill.number)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    truly = process.wait() == -signal.SIGKILL
    readable = is_readable(folder)
    kept = kept_results(folder)
    clock_s, cpu_s = finished(start(folder, None))
    return Result(kill, truly, readable, digests(folder) == reference, kept, clock_s, cpu_s)


def finished(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Seconds by the clock, and of the processors (its workers too) that other work on the machine does not change."""
    begun = time.perf_counter()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - begun, used.ru_utime + used.ru_stime


def kept_results(folder: Path) -> int:
    """Results that the index of a killed run names."""
    path = folder / "results" / "index.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def planned(count: int, calls: dict[str, int], whole_s: float, seed: int) -> list[Kill]:
    """Half the kills at named points, before and after, half at random instants."""
    draw = random.Random(seed)
    named = [
        Kill(point, when, draw.randint(1, calls[point]))
        for _ in range(count)
        for point in POINTS
        if calls.get(point)
        for when in ("before", "after")
    ][: count // 2]
    timed = [Kill("random", "at", draw.uniform(0.15, 0.95) * whole_s) for _ in range(count - len(named))]
    return named + timed


def measure(count: int, seed: int) -> tuple[list[Result], tuple[float, float]]:
    """All kills; the results and the time of a whole run by the clock and of the processors, medians of three."""
    from operando.twin.experiment import simulate

    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        raw, whole = scratch / "raw", scratch / "whole"
        simulate("tiny", raw, scans=range(2))
        shutil.copytree(raw, scratch / "warm")
        start(scratch / "warm", None).wait()
        times = []
        for _ in range(3):
            shutil.rmtree(whole, ignore_errors=True)
            shutil.copytree(raw, whole)
            times.append(finished(start(whole, None, str(scratch / "counts"))))
        whole_s = sorted(clock for clock, _ in times)[1], sorted(cpu for _, cpu in times)[1]
        rows = (line.split("\t") for line in (scratch / "counts").read_text().splitlines())
        calls = {name: int(number) for name, number in rows}
        reference = digests(whole)
        results = []
        for number, kill in enumerate(planned(count, calls, whole_s[0], seed), start=1):
            results.append(one(kill, raw, reference, scratch))
            print(
                number,
                kill,
                results[-1].truly,
                results[-1].same,
                f"{results[-1].clock_s:.1f} s {results[-1].cpu_s:.1f} s",
                flush=True,
            )
        return results, whole_s


def table(results: list[Result], whole_s: tuple[float, float]) -> str:
    """The section of docs/reliability.md."""
    lines = [
        "## Killed runs",
        "",
        f"{len(results)} runs of the preset `tiny` (two scans) were killed with SIGKILL and resumed, by `make fire` on "
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}. "
        f"An undisturbed run takes {whole_s[0]:.1f} s by the clock and {whole_s[1]:.1f} s of the processors. Shorter: "
        "by the processors' time, of the runs that had finished a result when they were killed.",
        "",
        "| killed | runs | truly mid-run | readable after | same bits resumed | had a result | shorter than whole "
        "| median / s | median of the processors / s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(
            f"{result.kill.when} {result.kill.point}".replace("at random", "at a random instant"), []
        ).append(result)
    for name, group in [*groups.items(), ("**all**", results)]:
        clock, cpu = (
            sorted(seconds)[len(group) // 2] for seconds in zip(*((r.clock_s, r.cpu_s) for r in group), strict=True)
        )
        counts = (
            len(group),
            sum(r.truly for r in group),
            sum(r.readable for r in group),
            sum(r.same for r in group),
            sum(r.kept > 0 for r in group),
            sum(r.kept > 0 and r.cpu_s < whole_s[1] for r in group),
        )
        lines.append(f"| {name} | {' | '.join(map(str, counts))} | {clock:.1f} | {cpu:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Kill, resume, write the page; exit 1 if any run lost or changed a bit."""
    if sys.argv[1:2] == ["--child"]:
        folder, point, when, number, counts = sys.argv[2:7]
        child(folder, point, when, int(number), counts)
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/reliability.md"))
    given = parser.parse_args()
    results, whole_s = measure(given.kills, given.seed)
    text = table(results, whole_s)
    put_section(given.output, MARK, text)
    print(text)
    sys.exit(0 if all(r.same and r.readable for r in results) else 1)


if __name__ == "__main__":
    main()
