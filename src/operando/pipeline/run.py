"""The coordinator: brings every result up to date, never computes what is there, lets a failed scan fail alone."""

import heapq
import logging
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from operando.model.contract import Contract
from operando.model.errors import OperandoError
from operando.pipeline import arrays, codec, digest, settings
from operando.pipeline.executor import Executor, available_memory_bytes, open_executor
from operando.pipeline.graph import Plan, plan
from operando.pipeline.index import Entry, Index
from operando.pipeline.nodes import BlockedError, Node, Nodes, NotReadyError
from operando.pipeline.raw import Failure, RawFiles
from operando.pipeline.worker import Outcome, Target, Task, work

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """One thing that happened in a run, for progress and log."""

    kind: Literal["planned", "started", "finished", "failed", "reused"]
    step: str = ""
    frame: str = ""
    text: str = ""
    seconds: float = 0.0


Listener = Callable[[Event], None]


@dataclass
class Report:
    """What a run did."""

    computed: list[tuple[str, str]] = field(default_factory=list)
    reused: int = 0
    failures: list[Failure] = field(default_factory=list)
    stale: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        """0 done, 3 partly done."""
        return 3 if self.failures else 0


@dataclass(frozen=True)
class Options:
    """How to run."""

    workers: int | None = None
    scheduler: str | None = None
    memory_bytes: int | None = None
    force: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    dry_run: bool = False


class Coordinator:
    """Settles all nodes of a plan. It alone writes the index."""

    def __init__(
        self, project: settings.Project, raw: RawFiles, index: Index, options: Options, tell: Listener
    ) -> None:
        from operando.pipeline.steps import known_steps

        settings.check_step_names(project, known_steps())
        self.project, self.index, self.options, self.tell = project, index, options, tell
        self.results = index.path.parent.absolute()
        products = {frame.product for frame in raw.frames}
        self.plan: Plan = plan(known_steps(), products)
        self.nodes = Nodes(self.plan, raw, self.results)
        self.report = Report(failures=list(raw.failures))
        self._arguments = {name: settings.arguments(step, project) for name, step in self.plan.steps.items()}
        self._wanted = self._wanted_steps()
        self._waiters: dict[tuple[str, str], list[Node]] = defaultdict(list)
        self._ready: list[tuple[tuple[int, int], int, Node]] = []
        self._running: dict[Any, tuple[Node, Task]] = {}
        self._slabs: dict[tuple[str, str], _Slabs] = {}
        self._executor: Executor | None = None
        self._count = 0

    def settle(self, open_: Callable[[], Any]) -> Report:
        """Settle every node; ``open_`` gives the executor's context, entered only if there is work."""
        for node in list(self.nodes):
            self._consider(node)
        if not self._ready or self.options.dry_run:
            return self.report
        with open_() as executor:
            self._executor = executor
            while self._ready or self._running:
                self._fill(executor)
                done = executor.wait(list(self._running))
                for future in done:
                    self._collect(future)
        return self.report

    def _wanted_steps(self) -> frozenset[str]:
        if not self.options.only:
            return frozenset(self.plan.steps)
        return frozenset().union(*(self.plan.ancestors(name) for name in self.options.only))

    def _consider(self, node: Node) -> None:
        """Look whether a node's inputs are settled; reuse, submit, or wait for the first that is not."""
        if node.state != "waiting" or node.step.name not in self._wanted:
            return
        try:
            resolved = {needed.name: self.nodes.resolve(node, needed) for needed in node.step.inputs}
        except NotReadyError as reason:
            self._waiters[reason.node.key].append(node)
            return
        except BlockedError as reason:
            node.state = "blocked"
            log.debug("%s %s: %s", node.step.name, node.frame, reason)
            self._settled(node)
            return
        arguments = self._arguments[node.step.name]
        node.arguments = arguments | {name: one.source for name, one in resolved.items()}
        recipe = {
            "version": node.step.version,
            "arguments": digest.plain(arguments),
            "inputs": {name: one.digest for name, one in resolved.items()},
        }
        if any(output.name == "volume" for output in node.step.outputs):
            recipe["volume_type"] = self.project.configuration.results.volume_type
        self._decide(node, recipe)

    def _decide(self, node: Node, recipe: dict[str, Any]) -> None:
        wanted = digest.of_object([node.step.name, recipe])
        old = self.index.get(*node.key)
        forced = node.step.name in self.options.force
        if not node.step.stored:
            node.entry = Entry(node.step.name, node.frame, wanted, {})
            node.state = "done"
            self._settled(node)
        elif old is not None and old.digest == wanted and not old.error and not forced and self._there(old):
            node.entry, node.state = old, "done"
            self.report.reused += 1
            self._settled(node)
        else:
            self.report.stale.append((*node.key, explain(old, recipe)))
            node.entry = Entry(node.step.name, node.frame, wanted, _short(recipe))
            self._push(node)

    def _there(self, entry: Entry) -> bool:
        return all((self.results / about["path"]).exists() for about in entry.products.values())

    def _push(self, node: Node) -> None:
        self._count += 1
        heapq.heappush(self._ready, (node.order, self._count, node))

    def _fill(self, executor: Executor) -> None:
        """Keep the workers busy, not more: what is asked for first must not wait behind a queue."""
        while self._ready and len(self._running) < executor.slots + 1:
            node = heapq.heappop(self._ready)[2]
            slabs = self._slabs.get(node.key)
            task = slabs.next_task() if slabs else self._first_task(node)
            if slabs and slabs.more():
                self._push(node)
            if node.state == "waiting":
                node.state = "running"
                self.tell(Event("started", *node.key))
            self._running[executor.submit(work, task)] = (node, task)

    def _first_task(self, node: Node) -> Task:
        assert node.entry is not None
        memory = self.options.memory_bytes or available_memory_bytes() // 2
        slots = self._executor.slots if self._executor else 1
        return Task(
            step=node.step.name,
            digest=node.entry.digest,
            arguments=node.arguments or {},
            targets=tuple(self._target(output, node) for output in node.step.outputs),
            memory_bytes=memory // slots,
        )

    def _target(self, contract: Contract, node: Node) -> Target:
        assert node.entry is not None
        short = node.entry.digest[:16]
        if contract.slab is None:
            return Target(contract.name, self.results / "frames" / contract.name / f"{short}.npz", big=False)
        integers = contract.name == "volume" and self.project.configuration.results.volume_type == "uint16"
        path = self.results / "volumes" / ".partial" / f"{short}.{contract.name}"
        return Target(contract.name, path, big=True, integers=integers)

    def _collect(self, future: Any) -> None:
        node, task = self._running.pop(future)
        error = future.exception()
        if isinstance(error, arrays.RangeExceededError) and not isinstance(node.state, bool):
            self._widen(node, task, error)
        elif error is not None:
            self._fail(node, error)
        elif any(target.big for target in task.targets):
            self._slab_done(node, task, future.result())
        else:
            self._commit(node, task, future.result())

    def _widen(self, node: Node, task: Task, error: arrays.RangeExceededError) -> None:
        """Start the product again with a range that holds what was found."""
        self._discard(task)
        old = task.layout.value_range if task.layout and task.layout.value_range else (error.low, error.high)
        wider = arrays.widened(old, error.low, error.high)
        log.info("%s %s: the range of stored values is widened to %.4g … %.4g", *node.key, *wider)
        base = replace(task, layout=None, start=0, value_range=wider)
        self._slabs[node.key] = _Slabs(base, starts=[0])
        self._push(node)

    def _slab_done(self, node: Node, task: Task, outcome: Outcome) -> None:
        slabs = self._slabs.get(node.key)
        if task.layout is None and outcome.layout is not None:
            starts = list(range(outcome.layout.slab_rows, outcome.layout.rows, outcome.layout.slab_rows))
            slabs = self._slabs[node.key] = _Slabs(
                replace(task, layout=outcome.layout), starts, pending=len(starts) + 1
            )
            if starts:
                self._push(node)
        if slabs is None:
            return
        slabs.pending -= 1
        slabs.seconds += outcome.seconds
        slabs.warnings.update(dict.fromkeys(outcome.warnings))
        if slabs.pending == 0:
            self._commit(node, task, replace(outcome, seconds=slabs.seconds, warnings=tuple(slabs.warnings)))

    def _commit(self, node: Node, task: Task, outcome: Outcome) -> None:
        assert node.entry is not None
        products = {target.product: self._place(target, node, outcome) for target in task.targets}
        for path in (self.results / "volumes" / ".partial").glob(f"{task.digest[:16]}.*.done"):
            path.unlink()
        if outcome.warnings:
            products[task.targets[0].product]["warnings"] = list(outcome.warnings)
        old = self.index.get(*node.key)
        node.entry = replace(node.entry, products=products, seconds=outcome.seconds)
        self.index.append(node.entry)
        self._remove_old(old, node.entry)
        node.state = "done"
        self.report.computed.append(node.key)
        self._slabs.pop(node.key, None)
        self.tell(Event("finished", *node.key, seconds=outcome.seconds))
        self._settled(node)

    def _place(self, target: Target, node: Node, outcome: Outcome) -> dict[str, Any]:
        """Give a finished product its lasting name."""
        if not target.big:
            return {"path": str(target.path.relative_to(self.results)), "content": outcome.contents[target.product]}
        stem = Path(node.frame.replace("#", "_")).stem if node.frame else "experiment"
        assert node.entry is not None
        kind = "" if target.product == "volume" else f".{target.product}"
        final = self.results / "volumes" / f"{stem}{kind}.{node.entry.digest[:8]}.ome.zarr"
        if final.exists():
            shutil.rmtree(final)
        target.path.rename(final)
        return {"path": str(final.relative_to(self.results)), "content": None}

    def _remove_old(self, old: Entry | None, new: Entry) -> None:
        """Delete what the new entry replaced."""
        kept = {about["path"] for about in new.products.values()}
        others = (
            {a["path"] for e in self.index.entries.values() if e is not new for a in e.products.values()}
            if old
            else set()
        )
        for about in old.products.values() if old else ():
            path = self.results / about["path"]
            if about["path"] in kept | others:
                continue
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def _discard(self, task: Task) -> None:
        for target in task.targets:
            if target.big:
                shutil.rmtree(target.path, ignore_errors=True)
        for path in (self.results / "volumes" / ".partial").glob(f"{task.digest[:16]}.*.done"):
            path.unlink(missing_ok=True)

    def _fail(self, node: Node, error: BaseException) -> None:
        assert node.entry is not None
        if node.state == "failed":
            return
        sentence = str(error) if isinstance(error, OperandoError) else f"{type(error).__name__}: {error}"
        file = node.frame or "the experiment"
        if not sentence.startswith(file):
            sentence = f"{file}: step {node.step.name} failed: {sentence}"
        log.error(sentence, exc_info=error if not isinstance(error, OperandoError) else None)
        self.index.append(replace(node.entry, error=sentence))
        node.state = "failed"
        self.report.failures.append(Failure(node.step.name, node.frame, sentence))
        self.tell(Event("failed", *node.key, text=sentence))
        self._settled(node)

    def _settled(self, node: Node) -> None:
        """Wake what waited for a node; the pairs of scans make new nodes."""
        woken = self._waiters.pop(node.key, [])
        if node.step.name == "pairs":
            woken += self.nodes.set_pairs(self._pairs(node))
        for waiting in woken:
            self._consider(waiting)

    def _pairs(self, node: Node) -> list[tuple[int, int]]:
        if node.state != "done" or node.entry is None:
            return []
        table = codec.read(self.results / node.entry.products["pairs"]["path"])
        return list(zip(table["from_scan"].values.astype(int), table["to_scan"].values.astype(int), strict=True))


@dataclass
class _Slabs:
    """The slabs of one big product that are still to be made."""

    base: Task
    starts: list[int]
    pending: int = 1
    seconds: float = 0.0
    warnings: dict[str, None] = field(default_factory=dict)

    def next_task(self) -> Task:
        return replace(self.base, start=self.starts.pop(0))

    def more(self) -> bool:
        return bool(self.starts)


def _short(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe for the journal: long lists of inputs by their digest."""
    inputs = {
        name: value if isinstance(value, str | None) else digest.of_object(value)
        for name, value in recipe["inputs"].items()
    }
    return recipe | {"inputs": inputs}


def explain(old: Entry | None, recipe: dict[str, Any]) -> str:
    """Why a result is not up to date, in words.

    >>> old = Entry("segment", "a", "1", {"version": 1, "arguments": {"p": {"threshold": 0.41}}, "inputs": {}})
    >>> explain(old, {"version": 1, "arguments": {"p": {"threshold": 0.43}}, "inputs": {}})
    'threshold changed 0.41 → 0.43'
    """
    if old is None:
        return "never made"
    if old.error:
        return "failed before"
    reasons: list[str] = []
    if old.recipe.get("version") != recipe["version"]:
        reasons.append(f"version changed {old.recipe.get('version')} → {recipe['version']}")
    reasons += _differences(old.recipe.get("arguments", {}), recipe["arguments"], "")
    before, now = old.recipe.get("inputs", {}), _short(recipe)["inputs"]
    reasons += [f"{name} changed" for name in now if before.get(name) != now[name]]
    return ", ".join(reasons) or "its files are gone or it was asked for again"


def _differences(before: Any, now: Any, name: str) -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*before, *now])
        return [text for key in keys for text in _differences(before.get(key), now.get(key), str(key))]
    return [] if before == now else [f"{name} changed {before} → {now}"]


def settle(project: settings.Project, raw: RawFiles, index: Index, options: Options, tell: Listener) -> Coordinator:
    """Run everything of a project; the coordinator returned knows what was done and where it is."""
    coordinator = Coordinator(project, raw, index, options, tell)
    memory = options.memory_bytes or available_memory_bytes() // 2
    coordinator.settle(lambda: open_executor(options.workers, options.scheduler, memory))
    return coordinator
