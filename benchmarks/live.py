"""A beamline in fast motion: the `demo` twin's files arrive at ×60 speed while `operando watch` follows.

    python benchmarks/live.py                 # eight hours of beamtime in as many minutes
    python benchmarks/live.py --speed 240

One scan is truncated first and completed later, one comes late, one is copied a second time, the cycler's file grows;
half way the watch is killed without warning and started again. At the end the summary must be that of one plain run
over all files. Prints the time from closing a scan to its quick
look, and what was different, if anything.
"""

import argparse
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

OPERANDO = [sys.executable, "-m", "operando"]
TRUNCATED, LATE, TWICE = 2, 4, 6


@dataclass(frozen=True)
class Drop:
    """One file at one second of the fast clock; ``share`` of it (1: all)."""

    at: float
    source: Path
    share: float = 1.0


def drops(source: Path, speed: float) -> list[Drop]:
    """When every file appears, in order."""
    from operando.formats import catalogue
    from operando.model.reading import ReadOptions

    scans = sorted((source / "raw" / "tomo").iterdir())
    spectra = sorted((source / "raw" / "edd").iterdir())
    ends = [catalogue.open_raw(path, ReadOptions())["end"].values for path in scans]
    seconds = [float((end - ends[0]) / np.timedelta64(1, "s")) / speed for end in ends]
    found = [Drop(at, path) for at, path in zip(seconds, spectra, strict=True)]
    for number, (at, path) in enumerate(zip(seconds, scans, strict=True)):
        if number == TRUNCATED:
            found += [Drop(at, path, 0.4), Drop(seconds[number + 1] + 1, path)]
        elif number == LATE:
            found.append(Drop(seconds[number + 2] + 1, path))
        else:
            found.append(Drop(at, path))
        if number == TWICE:
            found.append(Drop(at + 2, path))
    cycler = next((source / "raw" / "echem").iterdir())
    found += [Drop(at, cycler, (n + 1) / len(seconds)) for n, at in enumerate(seconds)]
    return sorted(found, key=lambda drop: drop.at)


def feed(plan: list[Drop], source: Path, target: Path) -> Iterator[tuple[float, Drop]]:
    """Drop every file at its time; yields the moment each was closed."""
    began = time.monotonic()
    for drop in plan:
        time.sleep(max(0.0, began + drop.at - time.monotonic()))
        content = drop.source.read_bytes()
        if drop.share < 1 and drop.source.suffix == ".csv":
            content = content[: content.rfind(b"\n", 0, int(len(content) * drop.share)) + 1]
        path = target / drop.source.relative_to(source)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if drop.source.suffix == ".csv" else content[: int(len(content) * drop.share)])
        yield time.monotonic(), drop


def start_watch(folder: Path) -> subprocess.Popen[bytes]:
    """`operando watch`, looking every second."""
    return subprocess.Popen([*OPERANDO, "watch", str(folder), "--every", "1", "-q"], stderr=subprocess.DEVNULL)


class Witness:
    """Notes when each quick look was there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.closed, self.delays = folder, {}, {}

    def look(self) -> None:
        from operando.pipeline.watch import read_state

        name = (read_state(self.folder) or {}).get("quick_look")
        if name in self.closed and name not in self.delays:
            self.delays[name] = time.monotonic() - self.closed[name]


def follow(plan: list[Drop], source: Path, target: Path) -> Witness:
    """Feed, watch, kill, restart, until everything is there."""
    witness, watching = Witness(target), start_watch(target)
    kill_at = plan[-1].at / 2
    feeding = feed(plan, source, target)
    try:
        for closed, drop in feeding:
            if drop.share == 1 and drop.source.suffix == ".nxs":
                witness.closed.setdefault(drop.source.name, closed)
            if drop.at > kill_at:
                watching.send_signal(signal.SIGKILL)
                watching.wait()
                watching, kill_at = start_watch(target), float("inf")
            wait_until = closed + 3
            while time.monotonic() < wait_until and drop is not plan[-1]:
                witness.look()
                time.sleep(0.1)
                if next((d for d in plan if d.at > drop.at), drop).at - drop.at < 0.2:
                    break
        settle(target, witness)
    finally:
        watching.send_signal(signal.SIGINT)
        watching.wait(120)
    return witness


def settle(folder: Path, witness: Witness, patience_s: float = 1200.0) -> None:
    """Wait until the watch that runs now has been idle for fifteen seconds."""
    from operando.pipeline.watch import read_state

    idle, until = 0.0, time.monotonic() + patience_s
    while idle < 15 and time.monotonic() < until:
        witness.look()
        time.sleep(0.5)
        state = read_state(folder) or {}
        idle = idle + 0.5 if state.get("state") == "following" and not state.get("queue") else 0.0


def differences(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Where two summaries differ; warnings may."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other} - {"warnings"}):
            yield from differences(one.get(key), other.get(key), f"{where}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from differences(a, b, f"{where}[{number}]")
    elif one != other:
        yield f"{where}: {one} / {other}"


def main() -> None:
    """Simulate, follow, run plainly, compare."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so would ours
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--preset", default="demo")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "source", Path(name) / "live"
        subprocess.run([*OPERANDO, "simulate", chosen.preset, "-o", str(source), "-q"], check=True)
        target.mkdir()
        shutil.copy(source / "operando.toml", target)
        witness = follow(drops(source, chosen.speed), source, target)
        subprocess.run([*OPERANDO, "run", str(source), "-q"], check=False)
        summaries = [json.loads((one / "results" / "summary.json").read_text()) for one in (target, source)]
    found = list(differences(*summaries))
    delays = list(witness.delays.values())
    print(f"scans {len(summaries[0]['scans'])}, spectra {len(summaries[0]['spectra'])}")
    if delays:
        print(f"quick look after {statistics.median(delays):.1f} s (median), {max(delays):.1f} s (slowest)")
    print(f"quick looks seen {len(delays)} of {len(witness.closed)}; differences to a plain run: {len(found)}")
    for text in found[:20]:
        print(f"  {text[:200]}")


if __name__ == "__main__":
    main()
