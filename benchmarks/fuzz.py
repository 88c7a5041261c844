"""Feed every reader spoilt files and count what is no sentence: ``make fuzz``.

The small files of the tests are the seeds. Text is changed by atheris, which steers towards new branches of the
readers, where it is installed, else by seeded mutations (``--engine``); of HDF5 files the bytes and the tree are
changed by seeded mutations, half and half. Each reader has processes of its own whose address space may grow by one
gigabyte. A crash is any exception that is no ``OperandoError``, or the end of the process. Where a file takes the
HDF5 library down, so that the process dies or never answers, the first look of a run is asked whether it names this
file; then another process goes on with other inputs.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sections import put_section

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "formats"))

GIGABYTE = 2**30
HANG_S = 10
MARK = "<!-- fuzz -->"
HDF5_READERS = ("nxtomo", "data_exchange", "nexus_spectra", "hdf5_volume")
MOST_RESTARTS = 500


class Hang(BaseException):
    """A reader took too long."""


class Findings:
    """What the inputs of one reader came to."""

    def __init__(self) -> None:
        self.count, self.sentences, self.slowest_s = 0, 0, 0.0
        self.crashes: dict[str, int] = {}
        self.examples: dict[str, str] = {}
        self.before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def try_reading(self, read: Callable[[], None], example: Callable[[], bytes]) -> None:
        """Read once; keep the first input of every kind of crash."""
        from operando.model.errors import OperandoError

        self.count += 1
        started = time.process_time()
        signal.setitimer(signal.ITIMER_REAL, HANG_S)
        try:
            read()
        except OperandoError:
            self.sentences += 1
        except (Exception, Hang) as error:  # noqa: BLE001
            kind = _kind(error)
            self.crashes[kind] = self.crashes.get(kind, 0) + 1
            if kind not in self.examples:
                self.examples[kind] = example().hex()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        taken = time.process_time() - started
        if taken > self.slowest_s:
            self.slowest_s, self.examples["slowest"] = taken, example().hex()

    def as_json(self) -> dict[str, Any]:
        """What the table is made of."""
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self.before) / 1024
        shown = {key: value for key, value in vars(self).items() if key != "before"}
        return shown | {"peak_mb": peak}


def _kind(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "operando" in f.filename]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {place}: {str(error)[:80]}"


def _hang(*unused: Any) -> None:
    raise Hang(f"no answer within {HANG_S} s")


def _limit() -> None:
    """Let the address space grow by a gigabyte and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    ceiling = pages * resource.getpagesize() + GIGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))


def _reading(name: str, path: Path) -> Callable[[], None]:
    """Read the file at ``path`` with every reader of a format, and of big arrays a corner."""
    from operando.formats.catalogue import formats
    from operando.model.reading import ReadOptions

    known = {form.name: form for form in formats()}[name]
    columns = {"time_s": "t", "voltage_V": "Ewe", "current_mA": "I"}
    options = ReadOptions(require_time=False, time_zone="UTC", columns=columns)

    def read() -> None:
        known.sniff(path, path.read_bytes()[:4096])
        if known.read_impedance is not None:
            from operando.model.errors import OperandoError

            with contextlib.suppress(OperandoError):
                known.read_impedance(path, options)
        found = known.read(path, options)
        for variable in found.data_vars.values():
            if variable.ndim == 3:
                _ = variable[:2, :2, :2].values

    return read


def fuzz_text(name: str, count: int, seed: str, engine: str, output: Path) -> None:
    """All inputs of one text reader."""
    import format_files
    import mutations

    sample = format_files.text_samples()[name]
    path = output.with_suffix(".raw")
    read = _reading(name, path)
    path.write_bytes(sample)
    read()
    _limit()
    signal.signal(signal.SIGALRM, _hang)
    findings = Findings()

    def one(content: bytes) -> None:
        path.write_bytes(content)
        findings.try_reading(read, lambda: content)
        if findings.count == count:
            output.write_text(json.dumps(findings.as_json()))

    if engine == "atheris":
        _steer(one, sample, count, int(float(seed)), output.with_suffix(".corpus"))
    draw = random.Random(f"{seed} {name}")
    while findings.count < count:
        one(mutations.spoil_text(sample, draw))


def _steer(one: Callable[[bytes], None], sample: bytes, count: int, seed: int, corpus: Path) -> None:
    """Let atheris choose the inputs, half of them from our own mutations; ends the process."""
    import atheris
    import mutations

    corpus.mkdir()
    (corpus / "sample").write_bytes(sample)

    def mutate(data: bytes, longest: int, number: int) -> bytes:
        if number % 2:
            return mutations.spoil_text(data or sample, random.Random(number))[:longest]
        return atheris.Mutate(data, len(data))

    words = [sys.argv[0], f"-runs={count + 2}", f"-seed={seed}", "-max_len=20000", "-rss_limit_mb=0", "-verbosity=0"]
    atheris.Setup([*words, str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()


def fuzz_hdf5(name: str, count: int, seed: str, output: Path) -> None:
    """All inputs of one HDF5 reader. The alarm ends the process: inside the library nobody hears an exception."""
    import mutations

    samples = mutations.hdf5_samples(output.with_suffix(".samples"))
    path = output.with_suffix(".raw.h5")
    read = _reading(name, path)
    shutil.copy(samples[name], path)
    read()
    _limit()
    findings = Findings()
    draw = random.Random(f"{seed} {name}")
    while findings.count < count:
        shutil.copy(samples[name], path)
        spoil = mutations.spoil_tree if findings.count % 2 else mutations.spoil_bytes
        with contextlib.suppress(RuntimeError, KeyError, ValueError, OSError, MemoryError, TypeError):
            spoil(path, draw)
        findings.try_reading(read, path.read_bytes)
        if findings.count % 100 == 0 or findings.count == count:
            output.write_text(json.dumps(findings.as_json()))


def child(name: str, count: int, seed: str, engine: str, output: Path) -> None:
    """One reader in this process."""
    import format_files

    if engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=["operando.formats"]):
            from operando.formats import catalogue

            catalogue.formats()
    if name in format_files.text_samples():
        fuzz_text(name, count, seed, engine, output)
    else:
        fuzz_hdf5(name, count, seed, output)


def readers() -> list[str]:
    """All readers that are fed."""
    import format_files

    return [*format_files.text_samples(), *HDF5_READERS]


def feed(
    names: list[str], count: int, seed: int, engine: str, processes: int, folder: Path
) -> Iterator[dict[str, Any]]:
    """Run a process a reader, ``processes`` at a time; yields what each came to.

    Where the HDF5 library ended the process another one goes on, with other inputs.
    """
    waiting = [(name, 0, _nothing(name)) for name in names]
    running: dict[str, tuple[subprocess.Popen[bytes], int, dict[str, Any]]] = {}
    while waiting or running:
        while waiting and len(running) < processes:
            name, part, so_far = waiting.pop(0)
            rest, place = count - so_far["count"], folder / f"{name}-{part}"
            words = [sys.executable, __file__, "--child", name, str(rest), f"{seed}.{part}", engine, str(place)]
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=place.with_suffix(".err").open("wb"))
            running[name] = process, part, so_far
        time.sleep(0.2)
        for name in [name for name, (process, _, _) in running.items() if process.poll() is not None]:
            process, part, so_far = running.pop(name)
            found = _joined(so_far, _outcome(folder / f"{name}-{part}", count - so_far["count"], process.returncode))
            if found["count"] < count and name in HDF5_READERS and part < MOST_RESTARTS:
                waiting.insert(0, (name, part + 1, found))
            else:
                yield found


def _nothing(name: str) -> dict[str, Any]:
    return {"name": name, "count": 0, "sentences": 0, "named": 0, "crashes": {}, "slowest_s": 0.0, "peak_mb": 0.0}


def _joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What two processes of one reader came to together."""
    summed = {key: one[key] + other.get(key, 0) for key in ("count", "sentences", "named")}
    largest = {key: max(one[key], other[key]) for key in ("slowest_s", "peak_mb")}
    crashes = {kind: one["crashes"].get(kind, 0) + other["crashes"].get(kind, 0)
               for kind in {**one["crashes"], **other["crashes"]}}  # fmt: skip
    return one | other | summed | largest | {"name": one["name"], "crashes": crashes}


def _outcome(place: Path, count: int, status: int) -> dict[str, Any]:
    name = place.name.rsplit("-", 1)[0]
    found = json.loads(place.read_text()) if place.exists() else _nothing(name)
    if found["count"] < count:
        last = next((one for one in (place.with_suffix(".raw"), place.with_suffix(".raw.h5")) if one.exists()), None)
        if name in HDF5_READERS and last is not None and _is_named(name, last):
            found["named"] = 1
            return found
        said = place.with_suffix(".err").read_text(errors="replace").strip().splitlines()
        ended = f"the process ended with {status}: {said[-1] if said else ''}"
        found["crashes"][ended] = found["crashes"].get(ended, 0) + 1
        found.setdefault("examples", {})["the last input"] = last.read_bytes().hex() if last else ""
    return found


def _is_named(name: str, path: Path) -> bool:
    """Whether the first look, in a process of its own, finds that a file takes the HDF5 library down."""
    from operando.pipeline import trial

    trial.PATIENCE_S = HANG_S
    return bool(trial.fates([_reading(name, path)]))


def table(found: list[dict[str, Any]], engine: str) -> str:
    """The section of docs/reliability.md."""
    lines = [
        "## Spoilt files",
        "",
        f"`make fuzz` (text by {engine}, HDF5 by seeded changes of bytes and tree; {platform.machine()}, "
        f"Python {platform.python_version()}). Crash: anything but a sentence for people, or no "
        f"answer within {HANG_S} s. Named: files that take the HDF5 library itself down, and that the first look, in a "
        "process of its own, names. Slowest: processor time of one input. Memory: by what the process grew over all "
        "its inputs; it may grow by 1 GiB at most.",
        "",
        "| reader | inputs | crashes | named | slowest / s | memory / MB |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        crashes = sum(one["crashes"].values())
        figures = f"{one['named']} | {one['slowest_s']:.3f} | {one['peak_mb']:.0f}"
        lines.append(f"| {one['name']} | {one['count']} | {crashes} | {figures} |")
    return "\n".join(lines) + "\n"


def _keep_examples(found: dict[str, Any], folder: Path | None) -> None:
    """Write the inputs that are worth a test into files, named by reader and number; tell them by kind no more."""
    for number, content in enumerate(found.pop("examples", {}).values()):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{found['name']}.{number}").write_bytes(bytes.fromhex(content))


def main() -> None:
    """Feed all readers, write the table; exit 1 if one crashed."""
    if sys.argv[1:2] == ["--child"]:
        name, count, seed, engine, output = sys.argv[2:7]
        child(name, int(count), seed, engine, Path(output))
        return
    best = "atheris" if importlib.util.find_spec("atheris") else "mutations"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*", default=readers())
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=["atheris", "mutations"], default=best)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("-o", "--output", type=Path, default=None, help="page whose section is replaced")
    parser.add_argument("--examples", type=Path, default=None, help="folder for the first input of each kind of crash")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        found = []
        for one in feed(given.readers, given.inputs, given.seed, given.engine, given.processes, Path(place)):
            _keep_examples(one, given.examples)
            print(json.dumps(one), flush=True)
            found.append(one)
    found.sort(key=lambda one: given.readers.index(one["name"]))
    text = table(found, given.engine)
    print(text)
    if given.output:
        put_section(given.output, MARK, text)
    sys.exit(1 if any(one["crashes"] for one in found) else 0)


if __name__ == "__main__":
    main()
