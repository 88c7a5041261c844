"""What runs on a worker: one step on one frame, whole or one slab of it."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.model.contract import Contract
from operando.model.step import Cut, Step
from operando.pipeline import arrays, codec, digest, memory, raw
from operando.pipeline.expression import Fused, Many, Raw, Source, Stored, call, evaluate, rows_of, slab_dim
from operando.pipeline.steps import known_steps

RANGE_PROBES = 9
"""Rows from which the range of stored integers is first guessed; a slab outside it makes it wider."""


@dataclass(frozen=True)
class Target:
    """Where an output goes: a file for a small product, a group of arrays for a big one."""

    product: str
    path: Path
    big: bool
    integers: bool = False


@dataclass(frozen=True)
class Task:
    """One step on one frame. ``layout`` is absent in the first task of a big product, which decides it."""

    step: str
    digest: str
    arguments: dict[str, Source | Any]
    targets: tuple[Target, ...]
    memory_bytes: int
    layout: arrays.Layout | None = None
    start: int = 0
    value_range: tuple[float, float] | None = None
    generation: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came out: content digests of small products, layout of big ones, sentences that travel with them."""

    contents: dict[str, str] = field(default_factory=dict)
    layout: arrays.Layout | None = None
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()


def work(task: Task) -> Outcome:
    """Run a task. Errors are raised: the executor carries them to the coordinator."""
    started = time.perf_counter()
    step = known_steps()[task.step]
    outcome = _work_in_slabs(task, step) if any(target.big for target in task.targets) else _work_whole(task, step)
    return Outcome(outcome.contents, outcome.layout, time.perf_counter() - started, outcome.warnings)


@contextmanager
def _unchanged_files(task: Task) -> Iterator[None]:
    """What a step says of a file that changed under it, result or error, does not count."""
    try:
        yield
    finally:
        _refuse_changed_files(task.arguments.values())


def _refuse_changed_files(arguments: Iterable[Any]) -> None:
    """A scan that is not what the run found any more would give a volume of two scans under the name of one.

    Tables and spectra are read at once and may grow: the next run sees that they have.
    """
    for value in arguments:
        if isinstance(value, Raw) and value.frame.product in raw.READ_IN_PIECES:
            raw.refuse_changed(value.frame)
        elif isinstance(value, Fused):
            _refuse_changed_files(argument for _, argument in value.arguments)
        elif isinstance(value, Many):
            _refuse_changed_files(value.items)


def _work_whole(task: Task, step: Step[Any, Any]) -> Outcome:
    with _unchanged_files(task):
        outputs = call(step, task.arguments)
    contents = {}
    for target, output in zip(task.targets, outputs, strict=True):
        loaded = output.load()
        codec.write(loaded, target.path)
        contents[target.product] = digest.of_content(loaded)
    return Outcome(contents, warnings=_warnings((*outputs, *_raw_inputs(task))))


def _work_in_slabs(task: Task, step: Step[Any, Any]) -> Outcome:
    layout = task.layout or _decide_layout(task, step)
    marker = _marker(task, layout)
    if marker.exists() and all(target.path.exists() for target in task.targets):
        return Outcome(layout=layout)
    stop = min(task.start + layout.slab_rows, layout.rows)
    with _unchanged_files(task):
        outputs = call(step, task.arguments, slice(task.start, stop) if step.cut else None)
    for target, contract, output in zip(task.targets, step.outputs, outputs, strict=True):
        part = _layout_of(contract, layout, integers=target.integers)
        if task.layout is None:
            _forget_markers(task)
            arrays.create(target.path, output, part, task.digest)
        arrays.write_slab(target.path, task.start // contract.coarsening, output, part)
    marker.touch()
    return Outcome(layout=layout, warnings=_warnings(outputs))


def _marker(task: Task, layout: arrays.Layout) -> Path:
    """A file that says that a slab is whole; it holds only for a product in the same place and laid out alike."""
    place = f"{task.digest[:16]}.{task.generation}"
    name = f"{place}.{digest.of_object(layout)[:8]}.{task.start}.done"
    return task.targets[0].path.parent / name


def markers_of(task: Task) -> list[Path]:
    """The markers of all finished slabs of a task's product, of all generations."""
    return list(task.targets[0].path.parent.glob(f"{task.digest[:16]}.*.done"))


def _forget_markers(task: Task) -> None:
    for path in markers_of(task):
        path.unlink(missing_ok=True)


def _layout_of(contract: Contract, layout: arrays.Layout, *, integers: bool) -> arrays.Layout:
    """The layout of one output: a coarse one has fewer rows."""
    if contract.slab is None:
        raise TypeError(f"{contract.name} has no slab dimension")
    return arrays.Layout(
        rows=-(-layout.rows // contract.coarsening),
        slab_rows=max(1, layout.slab_rows // contract.coarsening),
        dim=contract.slab,
        value_range=layout.value_range if integers else None,
    )


def _decide_layout(task: Task, step: Step[Any, Any]) -> arrays.Layout:
    sources = [value for value in task.arguments.values() if isinstance(value, Raw | Stored | Fused)]
    rows = max(rows_of(source) for source in sources)
    if step.cut is None:
        return arrays.Layout(rows, -(-rows // arrays.ALIGNMENT) * arrays.ALIGNMENT, "z", None)
    elements = max(_elements_per_row(source) for source in sources)
    fitting = min(memory.rows_for(cut, elements, task.memory_bytes) for cut in _cuts(step, task.arguments))
    slab_rows = max(1, min(fitting, 128, rows) // arrays.ALIGNMENT) * arrays.ALIGNMENT
    value_range = task.value_range
    if value_range is None and any(target.integers for target in task.targets):
        value_range = _guess_range(task, step, rows)
    return arrays.Layout(rows, slab_rows, "z", value_range)


def _cuts(step: Step[Any, Any], arguments: Mapping[str, Any]) -> list[Cut]:
    """What a step needs with these arguments, and what the steps fused into it need."""
    fused = [source for source in arguments.values() if isinstance(source, Fused)]
    inner = [cut for source in fused for cut in _cuts(known_steps()[source.step], dict(source.arguments))]
    return [*inner, step.cut.given(arguments)] if step.cut else inner


def _parts(source: Fused) -> list[Source]:
    return [value for _, value in source.arguments if isinstance(value, Raw | Stored | Fused)]


def _elements_per_row(source: Source) -> float:
    if isinstance(source, Fused):
        return max(map(_elements_per_row, _parts(source)), default=0.0)
    product = evaluate(source)
    dim = slab_dim(product) if isinstance(product, xr.Dataset) else None
    return memory.row_elements(product, dim) if dim else 0.0


def _guess_range(task: Task, step: Step[Any, Any], rows: int) -> tuple[float, float]:
    """Range of a few rows spread over the volume, with margin; more where it changes, as at the edge of slits."""
    number = next(n for n, target in enumerate(task.targets) if target.integers)
    coarsening = step.outputs[number].coarsening

    def probe(row: int) -> tuple[float, float]:
        first = row // coarsening * coarsening
        output = call(step, task.arguments, slice(first, min(first + 1, rows)))[number]
        values = next(v.values for v in output.data_vars.values() if v.ndim == 3)
        return float(values.min()), float(values.max())

    found = {int(row): probe(int(row)) for row in np.unique(np.linspace(0, rows - 1, RANGE_PROBES).astype(int))}
    for _ in range(RANGE_PROBES):
        between = most_unlike(found)
        if between is None:
            break
        found[between] = probe(between)
    low, high = min(value[0] for value in found.values()), max(value[1] for value in found.values())
    return arrays.widened((low, high), low, high)


def most_unlike(found: dict[int, tuple[float, float]]) -> int | None:
    """The row between those two neighbours, not next to each other, whose ranges differ most.

    >>> most_unlike({0: (0.0, 1.0), 8: (0.0, 1.0), 16: (-5.0, 9.0)})
    12
    """
    rows = sorted(found)
    apart = [(a, b) for a, b in pairwise(rows) if b - a > 1]
    if not apart:
        return None
    first, last = max(apart, key=lambda ab: sum(abs(p - q) for p, q in zip(found[ab[0]], found[ab[1]], strict=True)))
    return (first + last) // 2


def _raw_inputs(task: Task) -> list[xr.Dataset]:
    """Raw products that the step took: what is odd about them is told once, by the step that reads their times."""
    return [evaluate(value) for value in task.arguments.values() if isinstance(value, Raw)]


def _warnings(outputs: tuple[xr.Dataset, ...]) -> tuple[str, ...]:
    found = [sentence for output in outputs for sentence in output.attrs.get("warnings", ())]
    return tuple(dict.fromkeys(found))
