"""Kill a run at named and at random points, resume it, and compare to the bit: ``make fire``.

Each kill works on a fresh copy of the same raw files. The process that runs wraps the functions through which a
run changes the disk, so that it dies just before or just after the n-th call of one of them; random kills come
from outside, after a random share of the processor time that an undisturbed run takes. Afterwards everything that the
index names must be readable, and the resumed run must give the undisturbed run's bits while it computes exactly the
results that the index does not name. Its processor time is compared with that of undisturbed runs right before and
after it. All runs are forked from one process that has imported everything, so that no time is start-up. Writes
docs/reliability.md.
"""

import argparse
import gc
import hashlib
import json
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
    """What became of it. ``whole_cpu_s``: mean of the undisturbed runs before and after."""

    kill: Kill
    truly: bool
    readable: bool
    same: bool
    kept: int
    exactly_the_rest: bool
    cpu_s: float
    whole_cpu_s: float


@dataclass(frozen=True)
class Ended:
    """How a forked process ended, what it returned, and the processor time that it took with all that it started."""

    status: int
    value: Any
    cpu_s: float


def in_child(work: Callable[[], Any], kill_after_cpu_s: float | None = None) -> Ended:
    """Do ``work`` in a forked process; kill it after so much of its processor time."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os.write(writer, json.dumps(work()).encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    while kill_after_cpu_s is not None and (taken := _cpu_s(child)) is not None:
        if taken >= kill_after_cpu_s:
            os.killpg(child, signal.SIGKILL)
            break
        time.sleep(0.005)
    with open(reader, "rb") as told:
        said = told.read()
    _, status, used = os.wait4(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), json.loads(said) if said else None, used.ru_utime + used.ru_stime)


def _cpu_s(process: int) -> float | None:
    """Processor time that a process has taken; ``None`` when it has ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return None if fields[0] == "Z" else (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(folder: Path, kill: Kill | None = None) -> dict[str, Any]:
    """Run ``folder`` in this process and die at the point; says what was computed, and how often each point came."""
    import importlib

    calls: dict[str, int] = {}
    for name, (module_name, path) in POINTS.items():
        module: Any = importlib.import_module(module_name)
        owner, _, attribute = path.rpartition(".")
        holder = getattr(module, owner) if owner else module
        setattr(holder, attribute, _wrapped(getattr(holder, attribute), name, kill, calls))
    from operando.pipeline import experiment
    from operando.pipeline.events import Options

    done = experiment.bring_up_to_date(folder, Options(workers=0), lambda event: None, "0.1.0")
    return {"calls": calls, "computed": sorted(done.report.computed), "failed": len(done.report.failures)}


def import_everything() -> None:
    """What a run imports, in the process from which all are forked; nothing that starts a thread is called."""
    import importlib

    from operando.pipeline.steps import known_steps

    known_steps()
    rooms = ("dask.base", "h5py", "sqlalchemy", "xraydb", "zarr", "operando.pipeline.experiment")
    kernels = [f"operando.tomography._{name}_kernels" for name in ("normalise", "rings", "fft", "gridding", "trust")]
    for name in (*rooms, *kernels, "operando.pipeline._array_kernels"):
        importlib.import_module(name)
    gc.freeze()


def _wrapped(function: Callable[..., Any], name: str, kill: Kill | None, calls: dict[str, int]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        calls[name] = calls.get(name, 0) + 1
        die = kill is not None and name == kill.point and calls[name] == kill.number
        if die and kill is not None and kill.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if die:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapper


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


def found(folder: Path) -> dict[str, Any]:
    """Whether everything that the index names can be read (or there is no index yet), its bits and its keys."""
    from operando.model.errors import OperandoError
    from operando.pipeline.index import Index

    if not (folder / "results" / "frames.json").exists():
        return {"readable": True, "digests": {}, "keys": []}
    try:
        bits = digests(folder)
    except (OperandoError, OSError, KeyError, ValueError):
        return {"readable": False, "digests": {}, "keys": []}
    return {"readable": True, "digests": bits, "keys": sorted(entry.key for entry in Index(folder / "results"))}


class Range:
    """The raw files, a scratch folder, and what an undisturbed run gives and takes."""

    def __init__(self, place: Path) -> None:
        self.raw, self.folder = place / "raw", place / "experiment"
        subprocess.run([sys.executable, __file__, "--simulate", str(self.raw)], check=True)
        self.whole()  # fills the caches of compiled kernels
        about = self.whole()
        self.calls, self.results = about.value["calls"], about.value["computed"]
        self.bits = in_child(lambda: found(self.folder)).value["digests"]
        self.whole_cpu_s = about.cpu_s

    def fresh(self) -> None:
        """A copy of the raw files alone."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.raw, self.folder)

    def whole(self) -> Ended:
        """An undisturbed run."""
        self.fresh()
        ended = in_child(lambda: run(self.folder))
        assert ended.status == 0, ended
        self.whole_cpu_s = ended.cpu_s
        return ended

    def one(self, kill: Kill) -> Result:
        """Kill one run, look, resume, compare."""
        self.fresh()
        if kill.point == "random":
            died = in_child(lambda: run(self.folder), kill.number * self.whole_cpu_s)
        else:
            died = in_child(lambda: run(self.folder, kill))
        before = in_child(lambda: found(self.folder)).value
        resumed = in_child(lambda: run(self.folder))
        after = in_child(lambda: found(self.folder)).value
        whole_before = self.whole_cpu_s
        rest = [key for key in self.results if key not in before["keys"]]
        return Result(
            kill=kill,
            truly=died.status == -signal.SIGKILL,
            readable=before["readable"],
            same=resumed.status == 0 and after["digests"] == self.bits,
            kept=len(before["keys"]),
            exactly_the_rest=resumed.status == 0 and resumed.value["computed"] == rest,
            cpu_s=resumed.cpu_s,
            whole_cpu_s=(whole_before + self.whole().cpu_s) / 2,
        )


def planned(count: int, calls: dict[str, int], seed: int) -> list[Kill]:
    """Half the kills at named points, before and after, half at random instants; early ones and late ones mixed."""
    draw = random.Random(seed)
    named = [
        Kill(point, when, draw.randint(1, calls[point]))
        for _ in range(count)
        for point in POINTS
        if calls.get(point)
        for when in ("before", "after")
    ][: count // 2]
    kills = named + [Kill("random", "at", draw.uniform(0.05, 0.95)) for _ in range(count - len(named))]
    draw.shuffle(kills)
    return kills


def measure(count: int, seed: int) -> tuple[list[Result], int]:
    """All kills, and how many results there are."""
    import_everything()
    with tempfile.TemporaryDirectory() as place:
        range_ = Range(Path(place))
        results = []
        for number, kill in enumerate(planned(count, range_.calls, seed), start=1):
            results.append(range_.one(kill))
            print(number, results[-1], flush=True)
        return results, len(range_.results)


def _cores() -> str:
    count = len(os.sched_getaffinity(0))
    return f"{count} cores" if count > 1 else "one core"


def table(results: list[Result], whole: int) -> str:
    """The section of docs/reliability.md."""
    cpu = sorted(r.whole_cpu_s for r in results)
    lines = [
        "## Killed runs",
        "",
        f"{len(results)} runs of two small scans with spectra and cycler record ({whole} results) were killed with "
        f"SIGKILL and resumed, by `make fire` on {platform.machine()}, {_cores()}, Python "
        f"{platform.python_version()}. The rest: resumed runs that computed exactly the results that were not "
        "finished. Shorter: of the runs that had finished a result, those that took less processor time, resumed, than "
        "the mean of the undisturbed runs right before and after; no time is start-up. An undisturbed run takes "
        f"{cpu[len(cpu) // 2]:.1f} s of the processors ({cpu[0]:.1f} to {cpu[-1]:.1f}).",
        "",
        "| killed | runs | truly mid-run | readable after | same bits resumed | exactly the rest | had a result "
        "| shorter | median share of the time |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[str, list[Result]] = {}
    order = [*POINTS, "random"]
    for result in sorted(results, key=lambda r: (order.index(r.kill.point), r.kill.when == "after")):
        name = f"{result.kill.when} {result.kill.point}".replace("at random", "at a random instant")
        groups.setdefault(name, []).append(result)
    for name, group in [*groups.items(), ("**all**", results)]:
        counts = (
            len(group),
            sum(r.truly for r in group),
            sum(r.readable for r in group),
            sum(r.same for r in group),
            sum(r.exactly_the_rest for r in group),
            sum(r.kept > 0 for r in group),
            sum(r.kept > 0 and r.cpu_s < r.whole_cpu_s for r in group),
        )
        share = sorted(r.cpu_s / r.whole_cpu_s for r in group)[len(group) // 2]
        lines.append(f"| {name} | {' | '.join(map(str, counts))} | {100 * share:.0f} % |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Kill, resume, write the page; exit 1 if any run lost or changed a bit, or computed what was there."""
    if sys.argv[1:2] == ["--simulate"]:
        from scaling import two_scans

        two_scans(Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/reliability.md"))
    given = parser.parse_args()
    results, whole = measure(given.kills, given.seed)
    text = table(results, whole)
    put_section(given.output, MARK, text)
    print(text)
    sys.exit(0 if all(r.same and r.readable and r.exactly_the_rest for r in results) else 1)


if __name__ == "__main__":
    main()
