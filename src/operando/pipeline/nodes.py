"""The state of a run: one node a step and frame, what it depends on, and what it is made from.

Of tens of thousands of nodes each keeps little: its state and its digest. Where its inputs lie is worked out when a
worker is to make it, from the index.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from operando.model.contract import Contract, Frame
from operando.model.step import Input
from operando.pipeline import codec, digest
from operando.pipeline.expression import Fused, Many, Raw, Row, Source, Stored
from operando.pipeline.graph import AnyStep, Plan
from operando.pipeline.index import Entry, Index
from operando.pipeline.raw import RawFiles, RawFrame
from operando.pipeline.unpack import UNPACKED

State = Literal["waiting", "running", "done", "failed", "blocked"]
WHOLE = ""
"""Frame key of a product of the whole experiment."""
ROW_DIMS = {"scan": "scan", "spectrum": "spectrum"}


@dataclass(eq=False, slots=True)
class Node:
    """One step on one frame. The recipe behind its digest is kept from when it is found stale until it is settled."""

    step: AnyStep
    frame: str
    state: State = "waiting"
    digest: str = ""
    recipe: dict[str, Any] | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Step name and frame."""
        return self.step.name, self.frame

    @property
    def entry(self) -> Entry:
        """What the index is to say of it."""
        return Entry(self.step.name, self.frame, self.digest, self.recipe or {})


Origin = Node | RawFrame
"""What a product comes from."""


class NotReadyError(Exception):
    """An input is not settled yet; carries the node to wait for."""

    def __init__(self, node: Node) -> None:
        self.node = node
        super().__init__(f"{node.key} is not settled")


class BlockedError(Exception):
    """A required input failed."""


class Nodes:
    """All nodes of a run, and how an input is found among them.

    ``settings``: what each step takes that is no product.
    """

    def __init__(self, plan: Plan, raw: RawFiles, index: Index, settings: Mapping[str, Mapping[str, Any]]) -> None:
        self.plan, self.raw, self.index, self.settings = plan, raw, index, settings
        self.results = index.path.parent.absolute()
        self.nodes: dict[str, dict[str, Node]] = {}
        self.frames: dict[Frame, list[str]] = {**raw.keys(), "pair": []}
        self._place = {kind: {key: n for n, key in enumerate(keys)} for kind, keys in self.frames.items()}
        self.pairs_known = "pairs" not in plan.makers
        self._raw = {(frame.product, frame.key): frame for frame in raw.frames}
        for step in plan.steps.values():
            self._add(step)

    def __iter__(self) -> Iterator[Node]:
        return (node for nodes in self.nodes.values() for node in nodes.values())

    def set_pairs(self, pairs: list[tuple[int, int]]) -> list[Node]:
        """Make the nodes of the pairs of scans, once they are known."""
        scans = self.frames["scan"]
        self.frames["pair"] = list(dict.fromkeys(f"{scans[a]}|{scans[b]}" for a, b in pairs))
        self._place["pair"] = {key: n for n, key in enumerate(self.frames["pair"])}
        self.pairs_known = True
        return [node for step in self.plan.steps.values() if step.over == "pair" for node in self._add(step)]

    def order_of(self, node: Node) -> tuple[int, int]:
        """What is done first: frame by frame, and a frame's steps one after the other."""
        number = self._place[node.step.over][node.frame] if node.step.over else 1 << 30
        return number, self.plan.rank[node.step.name]

    def raw_of(self, frame: str) -> RawFrame | None:
        """A frame's raw file."""
        keys = ((product, frame) for product in self.plan.raw_products)
        return next((self._raw[key] for key in keys if key in self._raw), None)

    def index_of(self, frame_kind: Frame | None, frame: str) -> Any:
        """Number of a frame; for a pair both scans' numbers."""
        if frame_kind is None:
            return None
        if frame_kind == "pair":
            return [self._place["scan"][part] for part in frame.split("|")]
        return self._place[frame_kind][frame]

    def digest_of(self, node: Node, needed: Input) -> Any:
        """What an input adds to the digest of a node, ``None`` where an optional one is not there.

        Raises ``NotReadyError`` while it is not settled and ``BlockedError`` if it is required and failed.
        """
        contract, found = needed.contract, self._origin(node, needed)
        if found is None:
            return None
        if isinstance(found, dict):
            return [[frame, self._content(origin, contract)] for frame, origin in found.items()]
        if not self._is_row(node, needed, found):
            return self._content(found, contract)
        row = self._row(node, needed, found)
        content = _rows(row.table.path, row.dim).digest(row.index)
        if content is None and not needed.optional:
            raise BlockedError(f"{contract.name} has no row for {node.frame}")
        return content

    def arguments_of(self, node: Node) -> dict[str, Source | Any]:
        """All that a worker needs to make the products of a node whose inputs are settled."""
        sources = {needed.name: self._source_of(node, needed) for needed in node.step.inputs}
        return {**self.settings[node.step.name], **sources}

    def _source_of(self, node: Node, needed: Input) -> Source | None:
        contract, found = needed.contract, self._origin(node, needed)
        if found is None:
            return None
        if isinstance(found, dict):
            return Many(tuple(self._source(origin, contract) for origin in found.values()))
        if not self._is_row(node, needed, found):
            return self._source(found, contract)
        row = self._row(node, needed, found)
        return None if _rows(row.table.path, row.dim).digest(row.index) is None else row

    def _add(self, step: AnyStep) -> list[Node]:
        """The nodes of a step, one a frame."""
        made = self.nodes[step.name] = {frame: Node(step, frame) for frame in self._frames_of(step.over)}
        return list(made.values())

    def _frames_of(self, kind: Frame | None) -> list[str]:
        return [WHOLE] if kind is None else self.frames[kind]

    def _origin(self, node: Node, needed: Input) -> Origin | dict[str, Origin] | None:
        """What an input comes from; of a series by frame."""
        contract, way = needed.contract, needed.way
        if not self.plan.provides(needed):
            return None
        if way in {"series", "first"}:
            return self._of_frames(needed)
        if way == "previous":
            return self._previous(node, contract)
        if way in {"before", "after"}:
            frame = node.frame.split("|")[0 if way == "before" else 1]
        elif way == "own":
            frame = WHOLE
        else:
            maker = self.plan.maker(contract)
            frame = WHOLE if (maker[0].over if maker else contract.frame) is None else node.frame
        found = self._settled(contract, frame)
        if found is None and not needed.optional:
            raise BlockedError(f"{contract.name} of {frame or 'the experiment'} could not be made")
        return found

    def _previous(self, node: Node, contract: Contract) -> Origin | None:
        """What makes a product of the nearest earlier frame that has one."""
        assert node.step.over is not None
        frames = self.frames[node.step.over]
        numbers = range(self.index_of(node.step.over, node.frame) - 1, -1, -1)
        earlier = (self._settled(contract, frames[number]) for number in numbers)
        return next((origin for origin in earlier if origin is not None), None)

    def _of_frames(self, needed: Input) -> Origin | dict[str, Origin] | None:
        """Everything that could be made of a product, or the first of it."""
        contract = needed.contract
        if contract.frame == "pair" and not self.pairs_known:
            pairs = self.nodes["pairs"][WHOLE]
            if pairs.state in {"waiting", "running"}:
                raise NotReadyError(pairs)
        frames = self._frames_of(contract.frame)
        if needed.way == "first":
            settled = ((frame, self._settled(contract, frame)) for frame in frames)
            first = next((origin for _, origin in settled if origin is not None), None)
            found: Origin | dict[str, Origin] | None = first
        else:  # the last ones first: they are settled last
            origins = [(frame, self._settled(contract, frame)) for frame in reversed(frames)]
            found = {frame: origin for frame, origin in reversed(origins) if origin is not None} or None
        if found is None and not needed.optional:
            raise BlockedError(f"no {contract.name} could be made")
        return found

    def _settled(self, contract: Contract, frame: str) -> Origin | None:
        """What makes a product, ``None`` if that failed."""
        maker = self.plan.maker(contract)
        if maker is None:
            return self._raw.get((contract.name, frame))
        node = self.nodes.get(maker[0].name, {}).get(frame)
        if node is None or node.state in {"failed", "blocked"}:
            return None
        if node.state != "done":
            raise NotReadyError(node)
        return node

    def _content(self, origin: Origin, contract: Contract) -> str:
        """Digest of a product: of its content where that is known, else of what it is made from."""
        if isinstance(origin, RawFrame):
            return origin.digest()
        if not origin.step.stored:
            return origin.digest
        content: str | None = self.product_of(origin, contract.name)["content"]
        return content or f"{origin.digest} {contract.name}"

    def product_of(self, node: Node, name: str) -> dict[str, Any]:
        """What the index says of a product that is there."""
        entry = self.index.get(*node.key)
        assert entry is not None
        return entry.products[name]

    def _source(self, origin: Origin, contract: Contract) -> Raw | Stored | Fused:
        if isinstance(origin, RawFrame):
            return Raw(replace(origin, unpacked=self.results / UNPACKED / f"{origin.identity}.frames"))
        step, file = origin.step, origin.frame or None
        number = self.index_of(step.over, origin.frame)
        if not step.stored:
            output = [made.name for made in step.outputs].index(contract.name)
            return Fused(step.name, output, tuple(sorted(self.arguments_of(origin).items())), number, file)
        about = self.product_of(origin, contract.name)
        return Stored(self.results / about["path"], about["content"] is None, number, file)

    def _is_row(self, node: Node, needed: Input, found: Origin) -> bool:
        """Whether an input is one row of a table for all frames."""
        stored = isinstance(found, Node) and found.step.stored
        return needed.way == "own" and stored and node.step.over is not None

    def _row(self, node: Node, needed: Input, found: Origin) -> Row:
        table, over = self._source(found, needed.contract), node.step.over
        assert isinstance(table, Stored)
        assert over is not None
        return Row(table, ROW_DIMS[over], self.index_of(over, node.frame))


@lru_cache(maxsize=16)
def _rows(path: Path, dim: str) -> digest.Rows:
    return digest.Rows(codec.read(path), dim)
