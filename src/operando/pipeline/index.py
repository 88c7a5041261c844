"""The index of the results folder: an append-only journal, of which the last line for a product counts.

A line is written only when everything it names is whole on disk; a torn last line is ignored. So a crash
at any instant leaves the old state or the new one. In memory is only where each line lies: of thousands of scans
there are tens of thousands.
"""

import json
import os
import weakref
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from sys import intern
from typing import Any

from operando.pipeline import codec

LAYOUT = 1
"""Version of the results folder's layout; an older one is set aside and computed anew."""

Place = tuple[int, int]
"""Where a line begins in the journal, and its length in bytes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one step made of one frame, or how it failed."""

    step: str
    frame: str
    digest: str
    recipe: dict[str, Any]
    products: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Step and frame."""
        return self.step, self.frame


class Index:
    """The journal. It goes on reading the file that it found, also where another run puts a new one in its place."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "index.jsonl"
        self._places: dict[tuple[str, str], Place] = {}
        self._file: int | None = None
        self._close: Callable[[], object] = int
        if self.path.exists():
            self._places.update(_places(self._open()))

    def __iter__(self) -> Iterator[Entry]:
        """The entries that count, one after the other."""
        return (Entry(**json.loads(self._line(place))) for place in list(self._places.values()))

    def get(self, step: str, frame: str) -> Entry | None:
        """The last entry of a step for a frame."""
        place = self._places.get((step, frame))
        return None if place is None else Entry(**json.loads(self._line(place)))

    def append(self, entry: Entry) -> None:
        """Add an entry and make sure that it is on disk."""
        line = (json.dumps(asdict(entry), sort_keys=True) + "\n").encode()
        with self.path.open("ab") as file:
            place = file.tell(), len(line)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        if self._file is None:
            self._open()
        self._places[intern(entry.step), intern(entry.frame)] = place

    def compact(self) -> None:
        """Rewrite the journal with only the lines that count (also removes a torn last line)."""
        head = (json.dumps({"layout": LAYOUT}) + "\n").encode()
        codec.write_pieces(chain((head,), map(self._line, self._places.values())), self.path)
        start = len(head)
        for key, (_, length) in self._places.items():
            self._places[key] = start, length
            start += length
        self._open()

    def _open(self) -> int:
        self._close()
        self._file = os.open(self.path, os.O_RDONLY)
        self._close = weakref.finalize(self, os.close, self._file)
        return self._file

    def _line(self, place: Place) -> bytes:
        assert self._file is not None
        start, length = place
        return os.pread(self._file, length, start)


def _places(descriptor: int) -> Iterator[tuple[tuple[str, str], Place]]:
    """Key and place of every line that can be read."""
    start = 0
    with os.fdopen(os.dup(descriptor), "rb") as lines:
        for line in lines:
            place, start = (start, len(line)), start + len(line)
            if not line.endswith(b"\n"):
                return
            try:
                content = json.loads(line)
            except ValueError:
                continue
            if "step" in content:
                yield (intern(content["step"]), intern(content["frame"])), place


def layout_of(folder: Path) -> int | None:
    """Layout version of an existing results folder, ``None`` where there is no index."""
    path = folder / "index.jsonl"
    if not path.exists():
        return None
    with path.open(encoding="utf-8", errors="replace") as file:
        try:
            return int(json.loads(file.readline()).get("layout", 0))
        except (ValueError, AttributeError):
            return 0
