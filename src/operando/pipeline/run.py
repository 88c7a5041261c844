"""The coordinator: brings every result up to date, never computes what is there, lets a failed scan fail alone."""

import heapq
import logging
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from operando.model.errors import OperandoError
from operando.model.step import Cut
from operando.pipeline import arrays, codec, digest, memory, settings, storage
from operando.pipeline.cluster import WorkerLostError
from operando.pipeline.events import Event, Listener, Options, Report
from operando.pipeline.executor import Executor, open_executor
from operando.pipeline.folder import ResultsFolder
from operando.pipeline.graph import plan
from operando.pipeline.index import Entry, Index
from operando.pipeline.nodes import BlockedError, Node, Nodes, NotReadyError
from operando.pipeline.raw import Failure, RawFiles, RawFrame
from operando.pipeline.slabs import Slabs
from operando.pipeline.stale import explain, shortened
from operando.pipeline.worker import Outcome, Task, work

log = logging.getLogger(__name__)

SMALLER_TRIES = 2
"""So often a product is tried again with half the memory after its worker was lost."""
_MORE_MEMORY = "start again with fewer --workers or more --memory"


class Coordinator:
    """Settles all nodes of a plan. It alone writes the index."""

    def __init__(
        self, project: settings.Project, raw: RawFiles, index: Index, options: Options, tell: Listener
    ) -> None:
        from operando.pipeline.steps import known_steps

        settings.check_step_names(project, known_steps())
        self.index, self.options, self.tell = index, options, tell
        self.granted = memory.granted(options.memory_bytes)
        self.volume_type = project.configuration.results.volume_type
        self.folder = ResultsFolder(index.path.parent.absolute(), integers=self.volume_type == "uint16")
        self.plan = plan(known_steps(), {frame.product for frame in raw.frames})
        arguments = {name: settings.arguments(step, project) for name, step in self.plan.steps.items()}
        self.nodes = Nodes(self.plan, raw, index, arguments)
        self.report = Report(failures=list(raw.failures))
        self._arguments = {name: digest.plain(values) for name, values in arguments.items()}
        self._files = {name: settings.files_of(step, project) for name, step in self.plan.steps.items()}
        self._wanted = self._wanted_steps()
        self._waiters: dict[Node, list[Node]] = defaultdict(list)
        self._woken: deque[Node] = deque()
        self._ready: list[tuple[tuple[int, int], int, Node]] = []
        self._running: dict[Any, tuple[Node, Task]] = {}
        self._slabs: dict[Node, Slabs] = {}
        self._pushed = 0

    def settle(self, open_: Callable[[int | None], AbstractContextManager[Executor]]) -> Report:
        """Settle every node; ``open_`` gives the executor of so many workers, entered only if there is work."""
        for node in list(self.nodes):
            self._consider(node)
            self._wake()
        self.tell(Event("planned", text=str(sum(node.step.stored for node in self.nodes) - self.report.reused)))
        if not self._ready or self.options.dry_run:
            return self.report
        least = memory.least_bytes(self.nodes.raw, self._cuts())
        with open_(self._workers(least)) as executor:
            self.report.incidents += memory.too_little(self.granted, executor.slots, least)
            while self._ready or self._running:
                self._fill(executor)
                for future in executor.wait(list(self._running)):
                    self._collect(future)
                    self._wake()
            self.report.incidents += executor.incidents()
        self.folder.remove_copies()
        return self.report

    def _cuts(self) -> list[Cut]:
        return [step.cut for name, step in self.plan.steps.items() if name in self._wanted and step.cut]

    def _workers(self, least: float) -> int | None:
        """Workers as asked for, else as many as the memory feeds."""
        return memory.workers_for(self.granted, least) if self.options.workers is None else self.options.workers

    def _wanted_steps(self) -> frozenset[str]:
        if not self.options.only:
            return frozenset(self.plan.steps)
        return frozenset().union(*(self.plan.ancestors(name) for name in self.options.only))

    def _consider(self, node: Node) -> None:
        """Look whether a node's inputs are settled; reuse, queue, or wait for the first that is not."""
        if node.state != "waiting" or node.step.name not in self._wanted:
            return
        try:
            inputs = {needed.name: self.nodes.digest_of(node, needed) for needed in node.step.inputs}
        except NotReadyError as reason:
            self._waiters[reason.node].append(node)
            return
        except BlockedError as reason:
            log.debug("%s %s: %s", *node.key, reason)
            self._settle_as(node, "blocked")
            return
        recipe = {
            "version": node.step.version,
            "arguments": self._arguments[node.step.name],
            "inputs": inputs | self._files[node.step.name],
        }
        if any(output.name == "volume" for output in node.step.outputs):
            recipe["volume_type"] = self.volume_type
        self._decide(node, recipe)

    def _decide(self, node: Node, recipe: dict[str, Any]) -> None:
        """Reuse what was made from the same recipe, else queue it. A fused step is done by being known."""
        node.digest = digest.of_plain([node.step.name, recipe])
        if not node.step.stored:
            self._settle_as(node, "done")
            return
        old = self.index.get(*node.key)
        if old is not None and self._is_fresh(old, node.digest):
            self.report.reused += 1
            self._settle_as(node, "done")
            return
        node.recipe = shortened(recipe)
        self.report.stale.append((*node.key, explain(old, node.recipe)))
        self._push(node)

    def _is_fresh(self, old: Entry, wanted: str) -> bool:
        same = old.digest == wanted and not old.error and old.step not in self.options.force
        return same and self.folder.holds(old)

    def _push(self, node: Node) -> None:
        self._pushed += 1
        heapq.heappush(self._ready, (self.nodes.order_of(node), self._pushed, node))

    def _fill(self, executor: Executor) -> None:
        """Keep the workers busy, not more: what is asked for first must not wait behind a queue."""
        while self._ready and len(self._running) < executor.slots + 1:
            node = heapq.heappop(self._ready)[2]
            if node.state == "failed":
                continue
            if node not in self._slabs:
                self._slabs[node] = Slabs(self._first_task(node, executor))
            slabs = self._slabs[node]
            if not slabs.starts:
                continue
            task = slabs.next_task()
            if slabs.starts:
                self._push(node)
            if node.state == "waiting":
                node.state = "running"
                self.tell(Event("started", *node.key))
            self._running[executor.submit(work, task)] = (node, task)

    def _first_task(self, node: Node, executor: Executor) -> Task:
        entry = node.entry
        return Task(
            step=node.step.name,
            digest=node.digest,
            arguments=self.nodes.arguments_of(node),
            targets=tuple(self.folder.target(output, entry) for output in node.step.outputs),
            memory_bytes=memory.share(self.granted, executor.slots),
        )

    def _collect(self, future: Any) -> None:
        node, task = self._running.pop(future)
        slabs = self._slabs.get(node)
        if slabs is None or not slabs.counts(task) or node.state != "running":
            return
        error = future.exception()
        storage.refuse(error, self.folder.path)
        if isinstance(error, arrays.RangeExceededError):
            log.info("%s %s: %s; it starts again with a wider one", *node.key, error)
            self._start_again(node, task, slabs.with_range(error))
        elif isinstance(error, WorkerLostError) and task.generation < SMALLER_TRIES:
            incident = f"{node.frame or 'the experiment'}: step {node.step.name}: {error}"
            log.warning("%s; it is tried again with half the memory", incident)
            self._start_again(node, task, slabs.with_less_memory(f"{incident}; done again with half the memory."))
        elif isinstance(error, WorkerLostError):
            self._fail(node, WorkerLostError(f"{error}, like in {task.generation} tries before; {_MORE_MEMORY}."))
        elif error is not None:
            self._fail(node, error)
        else:
            self._record(node, task, slabs, future.result())

    def _start_again(self, node: Node, task: Task, slabs: Slabs) -> None:
        self.folder.discard(task)
        self._slabs[node] = slabs
        self._push(node)

    def _record(self, node: Node, task: Task, slabs: Slabs, outcome: Outcome) -> None:
        big = any(target.big for target in task.targets)
        queued = bool(slabs.starts)
        if not big:
            self._commit(node, task, outcome)
        elif slabs.record(task, outcome):
            self._commit(node, task, slabs.outcome())
        elif slabs.starts and not queued:
            self._push(node)

    def _commit(self, node: Node, task: Task, outcome: Outcome) -> None:
        """Give the products their lasting names, then say so in the index: the order makes a crash harmless."""
        old = self.index.get(*node.key)
        incidents = self._slabs.pop(node).incidents
        products = self.folder.place(task, node.entry, replace(outcome, warnings=(*incidents, *outcome.warnings)))
        new = replace(node.entry, products=products, seconds=outcome.seconds)
        self.index.append(new)
        self.folder.remove_replaced(old, new)
        self.report.computed.append(node.key)
        self.tell(Event("finished", *node.key, seconds=outcome.seconds))
        self._settle_as(node, "done")

    def _fail(self, node: Node, error: BaseException) -> None:
        sentence = _sentence(node, error, self.nodes.raw_of(node.frame))
        self.index.append(replace(node.entry, error=sentence))
        if all(failure.text != sentence for failure in self.report.failures):
            log.error(sentence, exc_info=None if isinstance(error, OperandoError) else error)
            self.report.failures.append(Failure(node.step.name, node.frame, sentence))
            self.tell(Event("failed", *node.key, text=sentence))
        self._settle_as(node, "failed")

    def _settle_as(self, node: Node, state: Any) -> None:
        """Settle a node; what waited for it is woken next, and the pairs of scans make new nodes."""
        node.state, node.recipe = state, None
        if any(output.name == "volume" for output in node.step.outputs) and (raw := self.nodes.raw_of(node.frame)):
            self.folder.remove_copies(raw.identity)
        self._woken += self._waiters.pop(node, [])
        if node.step.name == "pairs":
            self._woken += self.nodes.set_pairs(self._pairs(node))

    def _wake(self) -> None:
        """Consider what waited, and what waited for that, in turn: a chain may be as long as a series."""
        while self._woken:
            self._consider(self._woken.popleft())

    def _pairs(self, node: Node) -> list[tuple[int, int]]:
        if node.state != "done":
            return []
        table = codec.read(self.folder.path / self.nodes.product_of(node, "pairs")["path"])
        return list(zip(table["from_scan"].values.astype(int), table["to_scan"].values.astype(int), strict=True))


def _sentence(node: Node, error: BaseException, raw: RawFrame | None) -> str:
    """One sentence that names file, step and what was found; the file relative to the experiment's folder."""
    text = str(error) if isinstance(error, OperandoError) else f"{type(error).__name__}: {error}"
    file = node.frame or "the experiment"
    text = text.replace(str(raw.path), file) if raw else text
    return text if text.startswith(file) else f"{file}: step {node.step.name} failed: {text}"


def settle(project: settings.Project, raw: RawFiles, index: Index, options: Options, tell: Listener) -> Coordinator:
    """Run everything of a project; the coordinator returned knows what was done and where it is."""
    coordinator = Coordinator(project, raw, index, options, tell)
    coordinator.settle(lambda workers: open_executor(workers, options.scheduler, options.patience_s))
    if not (options.dry_run or options.only or coordinator.report.failures):
        coordinator.folder.sweep(index)
    return coordinator
