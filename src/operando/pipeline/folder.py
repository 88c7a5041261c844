"""Where products lie in the results folder, while they are made and after."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operando.model.contract import Contract
from operando.pipeline import digest
from operando.pipeline.index import Entry
from operando.pipeline.unpack import UNPACKED
from operando.pipeline.worker import Outcome, Target, Task, markers_of


@dataclass(frozen=True)
class ResultsFolder:
    """The results folder as the coordinator sees it."""

    path: Path
    integers: bool
    """Whether volumes are stored as integers with a stated range."""

    @property
    def partial(self) -> Path:
        """Where big products grow."""
        return self.path / "volumes" / ".partial"

    def target(self, contract: Contract, entry: Entry) -> Target:
        """Where a worker writes a product. The name holds the frame too, so that no two entries share a file."""
        if contract.slab is None:
            name = digest.of_object([entry.digest, entry.frame])[:16]
            return Target(contract.name, self.path / "frames" / contract.name / f"{name}.npz", big=False)
        path = self.partial / f"{entry.digest[:16]}.{contract.name}"
        return Target(contract.name, path, big=True, integers=self.integers and contract.name == "volume")

    def place(self, task: Task, entry: Entry, outcome: Outcome) -> dict[str, dict[str, Any]]:
        """Give finished products their lasting names; what the index says of them."""
        placed = {target.product: self._place(target, entry, outcome) for target in task.targets}
        for marker in markers_of(task):
            marker.unlink(missing_ok=True)
        if outcome.warnings:
            placed[task.targets[0].product]["warnings"] = list(outcome.warnings)
        return placed

    def _place(self, target: Target, entry: Entry, outcome: Outcome) -> dict[str, Any]:
        if not target.big:
            return {"path": str(target.path.relative_to(self.path)), "content": outcome.contents[target.product]}
        stem = Path(entry.frame.replace("#", "_")).stem if entry.frame else "experiment"
        kind = "" if target.product == "volume" else f".{target.product}"
        final = self.path / "volumes" / f"{stem}{kind}.{entry.digest[:8]}.ome.zarr"
        if final.exists():
            shutil.rmtree(final)
        target.path.rename(final)
        return {"path": str(final.relative_to(self.path)), "content": None}

    def remove_copies(self, identity: str = "*") -> None:
        """Delete the copies of packed scans, or that of one raw file."""
        for path in (self.path / UNPACKED).glob(f"{identity}.frames*"):
            _remove(path)

    def holds(self, entry: Entry) -> bool:
        """Whether all products of an entry are there."""
        return all((self.path / about["path"]).exists() for about in entry.products.values())

    def remove_replaced(self, old: Entry | None, new: Entry) -> None:
        """Delete what a new entry replaced."""
        kept = {about["path"] for about in new.products.values()}
        for about in old.products.values() if old else ():
            if about["path"] not in kept:
                _remove(self.path / about["path"])

    def discard(self, task: Task) -> None:
        """Delete a big product that is begun."""
        for path in (*(target.path for target in task.targets if target.big), *markers_of(task)):
            _remove(path)

    def sweep(self, entries: Iterable[Entry]) -> None:
        """Delete volumes that no entry names and begun ones that nobody will finish; after a whole run only."""
        named = {about["path"] for entry in entries for about in entry.products.values()}
        volumes = self.path / "volumes"
        for path in (*self.partial.glob("*"), *volumes.glob("*.ome.zarr")):
            if str(path.relative_to(self.path)) not in named:
                _remove(path)


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
