"""The slabs of one big product: which are still to be made, and what came of those that are."""

from dataclasses import dataclass, field, replace

from operando.pipeline import arrays
from operando.pipeline.worker import Outcome, Target, Task


@dataclass
class Slabs:
    """Bookkeeping of one product. Its first task decides the layout, then the others are known.

    Starting again (a wider range, less memory) raises ``generation``; outcomes of an earlier one do not count,
    and it grows in a place of its own, for slabs of the earlier one may still be written.
    """

    base: Task
    starts: list[int] = field(default_factory=lambda: [0])
    pending: int = 1
    seconds: float = 0.0
    warnings: dict[str, None] = field(default_factory=dict)
    incidents: tuple[str, ...] = ()

    def next_task(self) -> Task:
        """The next slab's task."""
        return replace(self.base, start=self.starts.pop(0))

    def counts(self, task: Task) -> bool:
        """Whether a task belongs to the present generation."""
        return task.generation == self.base.generation

    def record(self, task: Task, outcome: Outcome) -> bool:
        """Take a slab's outcome; true when the product is whole."""
        if task.layout is None and outcome.layout is not None:
            rows, height = outcome.layout.rows, outcome.layout.slab_rows
            self.base = replace(task, layout=outcome.layout)
            self.starts = list(range(height, rows, height))
            self.pending = len(self.starts) + 1
        self.pending -= 1
        self.seconds += outcome.seconds
        self.warnings.update(dict.fromkeys(outcome.warnings))
        return self.pending == 0

    def outcome(self) -> Outcome:
        """What is said of the whole product."""
        return Outcome(layout=self.base.layout, seconds=self.seconds, warnings=tuple(self.warnings))

    def with_range(self, error: arrays.RangeExceededError) -> "Slabs":
        """Start again with a range of stored integers that holds what was found."""
        old = self.base.layout.value_range if self.base.layout else self.base.value_range
        wider = arrays.widened(old or (error.low, error.high), error.low, error.high)
        return self._again(replace(self.base, value_range=wider))

    def with_less_memory(self, incident: str) -> "Slabs":
        """Start again with half the memory, so with lower slabs; ``incident`` says why and travels along."""
        return self._again(replace(self.base, memory_bytes=self.base.memory_bytes // 2), incident)

    def _again(self, base: Task, *incidents: str) -> "Slabs":
        generation = base.generation + 1
        again = replace(base, layout=None, start=0, generation=generation, targets=_moved(base, generation))
        return Slabs(again, incidents=(*self.incidents, *incidents))


def _moved(base: Task, generation: int) -> tuple[Target, ...]:
    """The targets of another generation."""
    names = [f"{base.digest[:16]}.{target.product}.{generation}" for target in base.targets]
    return tuple(
        replace(target, path=target.path.with_name(name)) if target.big else target
        for target, name in zip(base.targets, names, strict=True)
    )
