"""Which raw files of a running experiment are there, and which of them are whole.

Files are found by polling, which works on any file system, and no clock of the machine is trusted: a file is whole
when it did not change between two looks and, if it is HDF5, can be opened. That is tried in a process of its own, for
a damaged file may end the one that opens it, or keep it for ever.
"""

import glob
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from operando.formats import catalogue
from operando.model.configuration import Configuration
from operando.model.reading import ReadOptions
from operando.pipeline import raw, trial

PATIENCE_S = 15.0
"""Whole files wait this long for others that are still being written."""
CHANGING = "still changing"
Signature = tuple[int, int, int]


class Arrivals:
    """Which raw files are there, which are whole, and which no run has seen as they are now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.waiting: dict[Path, str] = {}
        self.missing: list[str] = []
        self.scans: frozenset[Path] = frozenset()
        self._seen: dict[Path, Signature] = {}
        self._fresh: dict[Path, float] = {}
        self._taken: dict[Path, Signature] = {}
        self._deadly: dict[Path, Signature] = {}
        self._lock = threading.Lock()

    def look(self, configuration: Configuration) -> list[Path]:
        """Look at all files once; returns the scans that have just become whole."""
        found, scans, missing = _candidates(self.folder, configuration)
        now = {path: signature for path in found if (signature := signature_of(path)) is not None}
        waiting = {path: reason for path in now if (reason := self._unfinished(path, now[path]))}
        with self._lock:
            whole = {path for path in now if path not in waiting and self._taken.get(path) != now[path]}
            sound = {path for path in whole if self._deadly.get(path) != now[path]}
            new = [path for path in sorted(sound) if path not in self._fresh and path in scans]
            arrived = time.monotonic()
            self._fresh = {path: self._fresh.get(path, arrived) for path in whole}
            self._seen, self.waiting, self.scans, self.missing = now, waiting, frozenset(scans), missing
        return new

    def _unfinished(self, path: Path, signature: Signature) -> str:
        """Why a file is not whole, or empty."""
        if self._taken.get(path) == signature:
            return ""
        if self._seen.get(path) != signature:
            return CHANGING
        opens, befell = tried(path)
        if befell:  # the run will name it; nobody else may touch it
            self._deadly[path] = signature
        return "" if opens or befell else "can't be opened yet"

    def take(self) -> dict[Path, float] | None:
        """Files for the next run with the time of their arrival; ``None`` while it is better to wait."""
        with self._lock:
            if not self._fresh:
                return None
            oldest = min(self._fresh.values())
            if self.waiting and time.monotonic() - oldest < PATIENCE_S:
                return None
            self._taken.update({path: self._seen[path] for path in self._fresh})
            taken, self._fresh = self._fresh, {}
            return taken

    def accepts(self, path: Path) -> bool:
        """Whether a run may read a file: a table that grows yes, a scan that does or can't be opened yet no."""
        with self._lock:
            reason = self.waiting.get(path)
            return reason is None or (reason == CHANGING and path not in self.scans)

    def put_back(self, taken: Iterable[Path]) -> None:
        """The run failed as a whole: its files are new again."""
        with self._lock:
            for path in taken:
                self._taken.pop(path, None)

    def queue(self) -> tuple[int, float]:
        """Number of scans that wait for a run, and for how long the oldest file has (s)."""
        with self._lock:
            waits = [time.monotonic() - arrived for arrived in self._fresh.values()]
            return sum(path in self.scans for path in self._fresh), max(waits, default=0.0)


def _candidates(folder: Path, configuration: Configuration) -> tuple[list[Path], set[Path], list[str]]:
    """All raw files, which of them are scans, and the patterns that match nothing."""
    tomography, diffraction = configuration.tomography, configuration.diffraction
    cycler = configuration.electrochemistry
    sections = [
        ((tomography.files or tomography.volumes) if tomography else (), bool(tomography and tomography.files)),
        (diffraction.files if diffraction else (), False),
        (cycler.files if cycler else (), False),
    ]
    found: dict[Path, bool] = {}
    missing = []
    for names, is_scan in sections:
        for name in names:
            matches = glob.glob(str(folder / name))
            missing += [] if matches else [name]
            found |= {Path(match): is_scan for match in matches}
    return list(found), {path for path, is_scan in found.items() if is_scan}, missing


def signature_of(path: Path) -> Signature | None:
    """Size, time of change and number of a file, of a folder those of its newest member; ``None`` if it is gone."""
    try:
        if path.is_dir():
            members = [member.stat() for member in path.iterdir()]
            return sum(m.st_size for m in members), max((m.st_mtime_ns for m in members), default=0), len(members)
        state = path.stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns, state.st_ino


def tried(path: Path) -> tuple[bool, str | None]:
    """Whether a file is closed (HDF5 can be opened, others are not empty), and what befalls a process that reads it."""
    try:
        if path.is_dir():
            return True, None
        if not catalogue.is_hdf5(path):
            return path.stat().st_size > 0, None
        return trial.outcome(partial(_open_and_read, path))
    except OSError:
        return False, None


def _open_and_read(path: Path) -> None:
    """Open an HDF5 file, or raise ``OSError``; then read what the run will. What that finds is for the run to tell."""
    import h5py

    with h5py.File(path, "r"):
        pass
    with suppress(Exception):
        raw.read_once(path, ReadOptions(require_time=False))
