"""What the server knows of an experiment: the results as they are now, and what was worked out from them."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from operando.model.errors import OperandoError
from operando.pipeline import display, quality, watch
from operando.pipeline.store import Results
from operando.viewer.packing import pack, plain

T = TypeVar("T")

MOST_REMEMBERED = 5000

WATCHED = ("index.jsonl", "frames.json", "summary.json", "display/catalogue.json")


class Reader:
    """Reads the results; after :meth:`refresh` found something new, everything is read anew.

    ``revision`` counts the changes seen. A reader may be used by several threads: one state is swapped for the
    next as a whole.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.limits = quality.limits_of(folder)
        self.revision = 0
        self._lock = threading.Lock()
        self._remembered: dict[Any, Any] = {}
        self._load(_signature(folder))

    def _load(self, signature: tuple[Any, ...]) -> None:
        results = Results(self.folder)
        images = display.catalogue(results)
        self.results, self.images, self._signature = results, images, signature
        self._of_revision: dict[Any, Any] = {}
        self.revision += 1

    def refresh(self) -> bool:
        """Look whether a run has changed the results; ``True`` if so."""
        with self._lock:
            signature = _signature(self.folder)
            if signature == self._signature:
                return False
            try:
                self._load(signature)
            except (OperandoError, ValueError, OSError):  # caught in the middle of a swap: the next look will do
                return False
            return True

    def live(self) -> dict[str, Any] | None:
        """State of the `operando watch` on this folder, ``None`` where there is none."""
        return watch.read_state(self.folder)

    def quick_look(self) -> bytes | None:
        """The last quick look of that watch, packed."""
        found = quality.read_quick_look(self.folder)
        if found is None:
            return None
        numbers = {key: value for key, value in vars(found).items() if key != "plane"}
        header = {key: plain(np.array([value]))[0] for key, value in numbers.items()}
        rows, columns = found.plane.shape
        return pack(header | {"rows": rows, "columns": columns}, {"plane": found.plane})

    def of_revision(self, key: Any, make: Callable[[], T]) -> T:
        """Something worked out once for each revision."""
        kept = self._of_revision
        if key not in kept:
            kept[key] = make()
        value: T = kept[key]
        return value

    def remembered(self, key: Any, make: Callable[[], T]) -> T:
        """Something worked out once, since ``key`` holds the digests of all it depends on."""
        if len(self._remembered) > MOST_REMEMBERED:
            self._remembered = {}
        kept = self._remembered
        if key not in kept:
            kept[key] = make()
        value: T = kept[key]
        return value


def _signature(folder: Path) -> tuple[Any, ...]:
    """Size and time of change of the files that say what there is."""
    found: list[Any] = []
    for name in WATCHED:
        try:
            state = (folder / "results" / name).stat()
        except OSError:
            found.append(None)
        else:
            found.append((state.st_size, state.st_mtime_ns, state.st_ino))
    return tuple(found)
