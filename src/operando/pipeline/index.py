"""The index of the results folder: an append-only journal, of which the last line for a product counts.

A line is written only when everything it names is whole on disk; a torn last line is ignored. So a crash
at any instant leaves the old state or the new one.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from operando.pipeline import codec

LAYOUT = 1
"""Version of the results folder's layout; an older one is set aside and computed anew."""


@dataclass(frozen=True)
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
    """The journal in memory."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "index.jsonl"
        self.entries: dict[tuple[str, str], Entry] = {entry.key: entry for entry in _read(self.path)}

    def get(self, step: str, frame: str) -> Entry | None:
        """The last entry of a step for a frame."""
        return self.entries.get((step, frame))

    def append(self, entry: Entry) -> None:
        """Add an entry and make sure that it is on disk."""
        self.entries[entry.key] = entry
        line = json.dumps(asdict(entry), sort_keys=True) + "\n"
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def compact(self) -> None:
        """Rewrite the journal with only the lines that count (also removes a torn last line)."""
        lines = [json.dumps({"layout": LAYOUT})]
        lines += [json.dumps(asdict(entry), sort_keys=True) for entry in self.entries.values()]
        codec.write_bytes(("\n".join(lines) + "\n").encode(), self.path)


def _read(path: Path) -> Iterator[Entry]:
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.endswith("\n"):
                return
            try:
                content = json.loads(line)
            except ValueError:
                continue
            if "step" in content:
                yield Entry(**content)


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
