"""The state of a run: one node a step and frame, what it depends on, and what it was made from."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from operando.model.contract import Contract, Frame
from operando.model.step import Input
from operando.pipeline import codec, digest
from operando.pipeline.expression import Fused, Many, Raw, Row, Source, Stored
from operando.pipeline.graph import AnyStep, Plan
from operando.pipeline.index import Entry
from operando.pipeline.raw import RawFiles
from operando.pipeline.unpack import UNPACKED

State = Literal["waiting", "running", "done", "failed", "blocked"]
WHOLE = ""
"""Frame key of a product of the whole experiment."""
ROW_DIMS = {"scan": "scan", "spectrum": "spectrum"}


@dataclass
class Node:
    """One step on one frame."""

    step: AnyStep
    frame: str
    order: tuple[int, int]
    state: State = "waiting"
    entry: Entry | None = None
    arguments: dict[str, Any] | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Step name and frame."""
        return self.step.name, self.frame


@dataclass(frozen=True)
class Resolved:
    """An input as the worker's source and as what enters the digest."""

    source: Source | None
    digest: Any


class NotReadyError(Exception):
    """An input is not settled yet; carries the node to wait for."""

    def __init__(self, node: Node) -> None:
        self.node = node
        super().__init__(f"{node.key} is not settled")


class BlockedError(Exception):
    """A required input failed."""


class Nodes:
    """All nodes of a run, and how an input is found among them."""

    def __init__(self, plan: Plan, raw: RawFiles, results: Path) -> None:
        self.plan, self.raw, self.results = plan, raw, results
        self.nodes: dict[tuple[str, str], Node] = {}
        self.frames: dict[Frame, list[str]] = {**raw.keys(), "pair": []}
        self._place = {kind: {key: n for n, key in enumerate(keys)} for kind, keys in self.frames.items()}
        self.pairs_known = "pairs" not in plan.makers
        copies = results / UNPACKED
        self._raw = {
            (frame.product, frame.key): replace(frame, unpacked=copies / f"{frame.identity}.frames")
            for frame in raw.frames
        }
        self.paths = {frame.key: str(frame.path) for frame in raw.frames}
        self.identities = {frame.key: frame.identity for frame in raw.frames}
        for step in plan.steps.values():
            for frame in self._frames_of(step.over):
                self._add(step, frame)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def set_pairs(self, pairs: list[tuple[int, int]]) -> list[Node]:
        """Make the nodes of the pairs of scans, once they are known."""
        scans = self.frames["scan"]
        self.frames["pair"] = list(dict.fromkeys(f"{scans[a]}|{scans[b]}" for a, b in pairs))
        self._place["pair"] = {key: n for n, key in enumerate(self.frames["pair"])}
        self.pairs_known = True
        return [
            self._add(step, frame)
            for step in self.plan.steps.values()
            if step.over == "pair"
            for frame in self.frames["pair"]
        ]

    def index_of(self, frame_kind: Frame | None, frame: str) -> Any:
        """Number of a frame; for a pair both scans' numbers."""
        if frame_kind is None:
            return None
        if frame_kind == "pair":
            return [self._place["scan"][part] for part in frame.split("|")]
        return self._place[frame_kind][frame]

    def resolve(self, node: Node, needed: Input) -> Resolved:
        """An input's source and digest.

        Raises ``NotReadyError`` while it is not settled and ``BlockedError`` if it is required and failed.
        """
        way = needed.way
        if not self.plan.provides(needed):
            return Resolved(None, None)
        if way == "series":
            return self._series(needed)
        if way == "first":
            return self._first(needed)
        if way in {"before", "after"}:
            return self._one(needed, node.frame.split("|")[0 if way == "before" else 1])
        if way == "own":
            return self._own(node, needed)
        maker = self.plan.maker(needed.contract)
        over = maker[0].over if maker else needed.contract.frame
        return self._one(needed, WHOLE if over is None else node.frame)

    def _add(self, step: AnyStep, frame: str) -> Node:
        number = self._place[step.over][frame] if step.over else 1 << 30
        node = Node(step, frame, (number, self.plan.rank[step.name]))
        self.nodes[node.key] = node
        return node

    def _frames_of(self, kind: Frame | None) -> list[str]:
        return [WHOLE] if kind is None else self.frames[kind]

    def _one(self, needed: Input, frame: str) -> Resolved:
        found = self._settled(needed.contract, frame)
        if found is None:
            if needed.optional:
                return Resolved(None, None)
            raise BlockedError(f"{needed.contract.name} of {frame or 'the experiment'} could not be made")
        return found

    def _first(self, needed: Input) -> Resolved:
        for frame in self._frames_of(needed.contract.frame):
            found = self._settled(needed.contract, frame)
            if found is not None:
                return found
        if needed.optional:
            return Resolved(None, None)
        raise BlockedError(f"no {needed.contract.name} could be made")

    def _own(self, node: Node, needed: Input) -> Resolved:
        table = self._one(needed, WHOLE)
        if not isinstance(table.source, Stored) or node.step.over is None:
            return table
        row = Row(table.source, ROW_DIMS[node.step.over], self.index_of(node.step.over, node.frame))
        content = _row_digest(table.source.path, row.dim, row.index)
        if content is None:
            if needed.optional:
                return Resolved(None, None)
            raise BlockedError(f"{needed.contract.name} has no row for {node.frame}")
        return Resolved(row, content)

    def _series(self, needed: Input) -> Resolved:
        contract = needed.contract
        if contract.frame == "pair" and not self.pairs_known:
            pairs = self.nodes["pairs", WHOLE]
            if pairs.state in {"waiting", "running"}:
                raise NotReadyError(pairs)
        frames = self._frames_of(contract.frame)
        for frame in reversed(frames):
            self._settled(contract, frame)
        found = [(frame, self._settled(contract, frame)) for frame in frames]
        there = [(frame, one) for frame, one in found if one is not None]
        if not there and needed.optional:
            return Resolved(None, None)
        if not there:
            raise BlockedError(f"no {contract.name} could be made")
        sources = tuple(one.source for _, one in there if one.source is not None)
        return Resolved(Many(sources), [[frame, one.digest] for frame, one in there])

    def _settled(self, contract: Contract, frame: str) -> Resolved | None:
        """Source and digest of one product, ``None`` if it failed."""
        maker = self.plan.maker(contract)
        if maker is None:
            raw = self._raw.get((contract.name, frame))
            return Resolved(Raw(raw), raw.digest()) if raw else None
        node = self.nodes.get((maker[0].name, frame))
        if node is None or node.state in {"failed", "blocked"}:
            return None
        if node.state != "done" or node.entry is None:
            raise NotReadyError(node)
        return self.product_of(node, contract)

    def product_of(self, node: Node, contract: Contract) -> Resolved:
        """Where the product of a finished node is."""
        assert node.entry is not None
        index, file = self.index_of(node.step.over, node.frame), node.frame or None
        if not node.step.stored:
            number = [output.name for output in node.step.outputs].index(contract.name)
            arguments = tuple(sorted((node.arguments or {}).items()))
            return Resolved(Fused(node.step.name, number, arguments, index, file), node.entry.digest)
        about = node.entry.products[contract.name]
        source = Stored(self.results / about["path"], about["content"] is None, index, file)
        return Resolved(source, about["content"] or f"{node.entry.digest} {contract.name}")


@lru_cache(maxsize=64)
def _table(path: Path) -> xr.Dataset:
    return codec.read(path)


def _row_digest(path: Path, dim: str, index: int) -> str | None:
    table = _table(path)
    if dim in table.coords:
        if index not in table[dim].values:
            return None
        return digest.of_content(table.sel({dim: index}))
    return digest.of_content(table.isel({dim: index})) if index < table.sizes[dim] else None
