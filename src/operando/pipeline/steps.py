"""Find the steps: every module of the rooms, and the entry points ``operando.steps``."""

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from operando.model.step import Step

ROOMS = ("tomography", "morphology", "diffraction", "electrochemistry", "joint")


@cache
def known_steps() -> dict[str, Step[Any, Any]]:
    """All steps by name, in a topological order (a step comes after those that make its inputs)."""
    found: dict[str, Step[Any, Any]] = {}
    for room in ROOMS:
        package = importlib.import_module(f"operando.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):
                _collect(importlib.import_module(f"operando.{room}.{module.name}"), found)
    for entry in entry_points(group="operando.steps"):
        declared = entry.load()
        found[declared.name] = declared
    return _ordered(found)


def _collect(module: Any, found: dict[str, Step[Any, Any]]) -> None:
    for item in vars(module).values():
        if isinstance(item, Step) and item.function.__module__ == module.__name__:
            found[item.name] = item


def _ordered(steps: dict[str, Step[Any, Any]]) -> dict[str, Step[Any, Any]]:
    from graphlib import TopologicalSorter

    makers = {output.name: step.name for step in steps.values() for output in step.outputs}
    needs = {
        step.name: sorted({makers[i.contract.name] for i in step.inputs if i.contract.name in makers} - {step.name})
        for step in sorted(steps.values(), key=lambda s: s.name)
    }
    order = TopologicalSorter(needs).static_order()
    return {name: steps[name] for name in order}
