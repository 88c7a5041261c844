"""The results folder as readers see it: figures, viewer, export and ``operando.load`` all go through here."""

import json
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from sys import intern
from typing import Any

import xarray as xr

from operando.model.contract import Frame
from operando.model.errors import OperandoError
from operando.model.products.catalogue import contracts
from operando.pipeline import arrays, codec, stacking
from operando.pipeline.index import Entry, Index

RESULTS = "results"
FRAMES_FILE = "frames.json"


class Results:
    """Read-only access to the products of an experiment. Nothing here computes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / RESULTS
        if not (self.path / "index.jsonl").exists():
            raise OperandoError(f"{folder}: there are no results yet; start `operando run {folder}`.")
        self.reload()

    def reload(self) -> None:
        """Read the index again: a run may have added to it."""
        self.index = Index(self.path)
        content = (self.path / FRAMES_FILE).read_text(encoding="utf-8")
        self._frame_keys: dict[Frame, list[str]] = json.loads(content)
        self._makers: dict[str, dict[str, str]] = {}
        self._big: set[str] = set()
        for entry in self.index:
            if not entry.error:
                self._take_note(entry)

    def _take_note(self, entry: Entry) -> None:
        for name, about in entry.products.items():
            self._makers.setdefault(name, {})[intern(entry.frame)] = intern(entry.step)
            if about["content"] is None:
                self._big.add(name)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The object of summary.json."""
        path = self.path / "summary.json"
        if not path.exists():
            raise OperandoError(f"{path}: there is no summary yet; start `operando run {self.folder}`.")
        return json.loads(path.read_text(encoding="utf-8"))

    @property
    def title(self) -> str:
        """Title of the experiment."""
        return str(self.summary["title"])

    def names(self) -> list[str]:
        """Products that are there."""
        return sorted(self._makers)

    def keys(self, kind: Frame) -> list[str]:
        """Frame keys of a kind (raw files with their item), in order of their index."""
        return self._frame_keys.get(kind, [])

    def frames(self, product: str) -> list[int]:
        """Indices of the frames of a product that are there."""
        kind = self._kind(product)
        keys = self._frame_keys.get(kind, []) if kind else []
        found = self._makers.get(product, {})
        return [number for number, key in enumerate(keys) if key in found]

    def product(self, name: str, frame: int | None = None) -> xr.Dataset | None:
        """One product (big ones lazily), ``None`` if it is not there."""
        return self._product(name, frame, _read_small)

    def _product(self, name: str, frame: int | None, read: Callable[[Path], xr.Dataset]) -> xr.Dataset | None:
        about = self._about(name, frame)
        if about is None:
            return None
        path = self.path / about["path"]
        dataset = arrays.open_lazily(path) if about["content"] is None else read(path)
        kind = self._kind(name)
        if kind and frame is not None:
            dataset = dataset.assign_attrs(frame=frame, file=self._frame_keys[kind][frame])
        return dataset

    def digest(self, name: str, frame: int | None = None) -> str | None:
        """Digest under which a product was made; a cache key for readers."""
        entry = self._entry(name, frame)
        return entry.digest if entry else None

    def location(self, name: str, frame: int | None = None) -> Path | None:
        """Where a product lies."""
        about = self._about(name, frame)
        return self.path / about["path"] if about else None

    def table(self, name: str) -> xr.Dataset | None:
        """A small product over all its frames along ``scan``, ``spectrum`` or ``pair``; or the whole one."""
        kind = self._kind(name)
        if kind is None:
            return self.product(name)
        numbers = self.frames(name)
        products = (self._product(name, number, codec.open_lazily) for number in numbers)
        return stacking.stack((one for one in products if one is not None), kind, numbers) if numbers else None

    def volume(self, scan: int) -> xr.Dataset | None:
        """The reconstructed volume of a scan, lazily."""
        return self.product("volume", scan)

    def labels(self, scan: int) -> xr.Dataset | None:
        """The labels of a scan, lazily."""
        return self.product("labels", scan)

    def corrected(self, spectrum: int) -> xr.Dataset | None:
        """One corrected spectrum."""
        return self.product("corrected", spectrum)

    def warnings(self) -> list[dict[str, str | None]]:
        """Sentences that travelled with products, and the failures, by file."""
        found: list[dict[str, str | None]] = []
        for entry in self.index:
            if entry.error:
                found.append({"file": entry.frame or None, "text": entry.error})
            for about in entry.products.values():
                found += [{"file": entry.frame or None, "text": text} for text in about.get("warnings", [])]
        return found

    def is_big(self, name: str) -> bool:
        """Whether a product is kept as arrays of its own."""
        return name in self._big

    def _kind(self, product: str) -> Frame | None:
        contract = contracts().get(product)
        return contract.frame if contract else None

    def _key(self, name: str, frame: int | None) -> str | None:
        kind = self._kind(name)
        if kind is None:
            return ""
        keys = self._frame_keys.get(kind, [])
        return keys[frame] if frame is not None and 0 <= frame < len(keys) else None

    def _entry(self, name: str, frame: int | None) -> Entry | None:
        key = self._key(name, frame)
        step = self._makers.get(name, {}).get(key) if key is not None else None
        return None if key is None or step is None else self.index.get(step, key)

    def _about(self, name: str, frame: int | None) -> dict[str, Any] | None:
        entry = self._entry(name, frame)
        return entry.products[name] if entry else None


@lru_cache(maxsize=256)
def _read_small(path: Path) -> xr.Dataset:
    return codec.open_lazily(path)


def load(folder: Path) -> xr.DataTree:
    """Everything as one tree: a node a product; volumes and labels are lazy, stacked along ``scan``.

    Raises ``OperandoError`` where there are no results.
    """
    results = Results(folder)
    nodes: dict[str, xr.Dataset] = {}
    for name in results.names():
        if results.is_big(name):
            for number in results.frames(name):
                product = results.product(name, number)
                if product is not None:
                    nodes[f"{name}/{number:04d}"] = product
        else:
            table = results.table(name)
            if table is not None and name != "summary":
                nodes[name] = table
    tree = xr.DataTree.from_dict(nodes)
    tree.attrs.update(title=results.title)
    return tree
