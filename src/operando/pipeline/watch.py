"""Follow a running experiment: take files as they become whole, bring the results up to date, say how it goes.

A thread looks for files, and makes a quick look (the middle slice) of every new scan, while the full chain runs. The
state is written to ``results/live.json``.
"""

import json
import logging
import os
import shlex
import shutil
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from operando.model.configuration import Configuration
from operando.model.errors import OperandoError
from operando.pipeline import codec, experiment, quality, settings
from operando.pipeline.arrivals import Arrivals
from operando.pipeline.events import Event, Options
from operando.pipeline.store import RESULTS, Results

log = logging.getLogger(__name__)

STATE_FILE = "live.json"
LOOK_EVERY_S = 1.0
"""Looking costs little: it is done at least this often, whatever the time between runs."""
MOST_QUICK_LOOKS = 3
"""Scans that may wait for a quick look; of more only the newest are looked at."""
NEEDED = ("dask.base", *quality.NEEDED)  # imported before there are two threads: imports that cross break
LONGEST_PAUSE_S = 60.0
GIGABYTE = 1e9


def watch(
    folder: Path,
    options: Options,
    tell: Callable[[Event], None],
    version: str,
    *,
    every: float = 5.0,
    duration: float | None = None,
    notify: str | None = None,
) -> None:
    """Keep the results of ``folder`` up to date as files arrive, until interrupted or for ``duration`` seconds.

    ``every``: seconds between looks. ``notify``: a command that gets one sentence as its last argument for every new
    alarm. Raises ``ConfigurationError`` at once where the configuration is wrong.
    """
    settings.open_project(folder)
    _Follower(folder, options, tell, version, every, notify).follow(duration)


def read_state(folder: Path) -> dict[str, Any] | None:
    """What the watch on ``folder`` last said of itself; ``None`` where none has run.

    A watch that was killed without a word is said to be gone (on another machine nobody can tell).
    """
    try:
        content: dict[str, Any] = json.loads((folder / RESULTS / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if content.get("state") != "stopped" and content.get("host") == socket.gethostname() and not _runs(content):
        return content | {"state": "stopped", "text": "the watch is gone; start it again"}
    return content


def _runs(content: dict[str, Any]) -> bool:
    try:
        os.kill(int(content["process"]), 0)
    except (ProcessLookupError, KeyError, ValueError):
        return False
    except PermissionError:
        return True
    return True


@dataclass
class _State:
    """What is told to the viewer."""

    state: str = "starting"
    text: str = "looking for files"
    alarms: list[str] = field(default_factory=list)
    skipped: int = 0
    quick_look: str | None = None
    last_run_s: float | None = None
    scan_s: float | None = None
    interval_s: float | None = None


class _Follower:
    """The loop: a thread that looks, and this one that runs."""

    def __init__(
        self,
        folder: Path,
        options: Options,
        tell: Callable[[Event], None],
        version: str,
        every: float,
        notify: str | None,
    ) -> None:
        self.folder, self.options, self.tell, self.version = folder, options, tell, version
        self.every, self.notify, self.arrivals, self.state = every, notify, Arrivals(folder), _State()
        self._stop = threading.Event()
        self._written, self._telling, self._looking = "", threading.Lock(), threading.Lock()
        self._times: deque[float] = deque(maxlen=12)
        self._pause = every

    def follow(self, duration: float | None) -> None:
        """Run until interrupted or for ``duration`` seconds."""
        for name in NEEDED:
            import_module(name)
        until = time.monotonic() + duration if duration is not None else float("inf")
        looking = threading.Thread(target=self._look_for_ever, name="looking", daemon=True)
        looking.start()
        try:
            while time.monotonic() < until:
                with self._looking:
                    taken = self.arrivals.take()
                if taken is None:
                    self._say_waiting()
                    self._stop.wait(min(self.every, 1.0, max(until - time.monotonic(), 0.01)))
                else:
                    self._run(taken)
        finally:
            self._stop.set()
            looking.join(timeout=30)
            self._say("stopped", "nobody is watching now")

    def _look_for_ever(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            try:
                configuration = settings.open_project(self.folder).configuration
                with self._looking:  # a quick look is worth more than the chain, which waits for it
                    new = self.arrivals.look(configuration)
                    self._times.extend([time.monotonic()] * len(new))
                    self._quick_looks(self._without_volume(new), configuration)
            except (OperandoError, OSError) as error:
                log.warning("%s", error)
            pause = min(self.every, 1.0 if self.arrivals.waiting else LOOK_EVERY_S)

    def _without_volume(self, new: list[Path]) -> list[Path]:
        """Scans that have no volume yet: after a restart most have."""
        try:
            results = Results(self.folder)
        except (OperandoError, OSError, ValueError):
            return new
        keys = results.keys("scan")
        done = {(self.folder / keys[number]).resolve() for number in results.frames("volume")}
        return [path for path in new if path.resolve() not in done]

    def _quick_looks(self, new: list[Path], configuration: Configuration) -> None:
        """The newest first; of a crowd only the newest."""
        self.state.skipped = max(len(new) - MOST_QUICK_LOOKS, 0)
        for path in list(reversed(new))[:MOST_QUICK_LOOKS]:
            name = path.name
            try:
                found = quality.quick_look(path, name, configuration)
            except (OperandoError, OSError) as error:
                log.warning("%s: no quick look (%s)", name, error)
                continue
            if self.state.quick_look is None or path == new[-1]:
                quality.write_quick_look(self.folder, found)
                self.state.quick_look = name
                self._say(self.state.state, self.state.text)
            self.tell(Event("finished", "quick look", name))

    def _run(self, taken: dict[Path, float]) -> None:
        began = time.monotonic()
        self._say("working", f"working on {_count(len(taken), 'new file')}{self._behind()}")
        try:
            seen = self.arrivals.accepts
            done = experiment.bring_up_to_date(self.folder, self.options, self._tell, self.version, seen)
        except (OperandoError, OSError) as error:
            self.arrivals.put_back(taken)
            log.warning("%s", error)
            self._say("waiting", str(error))
            self._stop.wait(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE_S)
            return
        self._pause = self.every
        self._account(taken, began, len(done.report.computed))
        self._raise_alarms()

    def _tell(self, event: Event) -> None:
        self.tell(event)
        if event.kind == "started" and event.step in {"reconstruct", "fit"}:
            self._say("working", f"{event.step} {Path(event.frame).name}{self._behind()}")

    def _account(self, taken: dict[Path, float], began: float, computed: int) -> None:
        seconds, scans = time.monotonic() - began, sum(path in self.arrivals.scans for path in taken)
        self.state.last_run_s = round(seconds, 2)
        if scans and computed:
            self.state.scan_s = round(seconds / scans, 2)
        if len(self._times) > 2:
            self.state.interval_s = round((self._times[-1] - self._times[0]) / (len(self._times) - 1), 2)

    def _behind(self) -> str:
        """By how much the results lag behind the files, and what is skipped for it."""
        count, waits = self.arrivals.queue()
        if count < 2:
            return ""
        text = f"; behind: {_count(count, 'scan')} wait, the oldest for {waits:.0f} s"
        if self.state.scan_s and self.state.interval_s and self.state.scan_s > self.state.interval_s:
            text += f", one takes {self.state.scan_s:.0f} s and comes every {self.state.interval_s:.0f} s"
        skipped = self.state.skipped
        return text + (f"; {_count(skipped, 'quick look')} left out for now" if skipped else "")

    def _say_waiting(self) -> None:
        arrivals = self.arrivals
        if arrivals.missing:
            self._say("following", f"up to date; waiting for the first file of {', '.join(arrivals.missing)}")
        elif arrivals.waiting:
            path, reason = next(iter(arrivals.waiting.items()))
            more = f" and {len(arrivals.waiting) - 1} more" if len(arrivals.waiting) > 1 else ""
            self._say("following", f"up to date; {path.name}{more} {reason}")
        else:
            self._say("following", "following, up to date")

    def _raise_alarms(self) -> None:
        """Look at the figures of quality; every sentence that is new goes to the command."""
        found = list(self._alarms())
        for sentence in found:
            if sentence not in self.state.alarms:
                log.warning("%s", sentence)
                _call(self.notify, sentence)
        self.state.alarms = found

    def _alarms(self) -> Iterable[str]:
        results, limits = Results(self.folder), quality.limits_of(self.folder)
        yield from (strip.alarm for strip in quality.assess(results, limits) if strip.alarm)
        yield from quality.notices(results, limits)
        left = shutil.disk_usage(self.folder).free / GIGABYTE
        if left < limits.disk_left_gb:
            yield f"Disk: {left:.1f} GB left, limit {limits.disk_left_gb:g} GB"
        waits = self.arrivals.queue()[1]
        if waits > limits.lag_s:
            yield f"The results lag {waits / 60:.0f} min behind the files"

    def _say(self, state: str, text: str) -> None:
        """Write the state where it changed."""
        self.state.state, self.state.text = state, text
        count, waits = self.arrivals.queue()
        left = shutil.disk_usage(self.folder).free / GIGABYTE
        content = vars(self.state) | {"queue": count, "lag_s": round(waits), "disk_left_gb": round(left)}
        content |= {"host": socket.gethostname(), "process": os.getpid()}
        content["waiting_files"] = [path.name for path in list(self.arrivals.waiting)[:20]]
        text = json.dumps(content)
        with self._telling:
            if text != self._written and (self.folder / RESULTS).is_dir():
                codec.write_bytes(text.encode(), self.folder / RESULTS / STATE_FILE)
                self._written = text


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _call(command: str | None, sentence: str) -> None:
    """Start the user's alarm command; it must not stop the watch."""
    if not command:
        return
    try:
        subprocess.run([*shlex.split(command), sentence], timeout=30, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        log.warning("the command of --notify failed: %s", error)
