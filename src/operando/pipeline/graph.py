"""Which steps an experiment needs: those whose inputs its raw files can provide."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from operando.model.contract import Contract
from operando.model.step import Input, Step

AnyStep = Step[Any, Any]


@dataclass(frozen=True)
class Plan:
    """The steps that can run, in topological order, and who makes which product."""

    steps: dict[str, AnyStep]
    raw_products: frozenset[str]
    makers: dict[str, tuple[AnyStep, int]]

    def maker(self, contract: Contract) -> tuple[AnyStep, int] | None:
        """The step (and number of its output) that makes a product; ``None`` for raw ones."""
        return self.makers.get(contract.name)

    def provides(self, needed: Input) -> bool:
        """Whether a product can be had."""
        return needed.contract.name in self.makers or needed.contract.name in self.raw_products

    @cached_property
    def rank(self) -> dict[str, int]:
        """Place of each step in the topological order."""
        return {name: number for number, name in enumerate(self.steps)}

    def ancestors(self, name: str) -> frozenset[str]:
        """A step and all that it needs."""
        found, queue = set(), [name]
        while queue:
            current = queue.pop()
            if current in found or current not in self.steps:
                continue
            found.add(current)
            made_by = (self.maker(needed.contract) for needed in self.steps[current].inputs)
            queue += [maker[0].name for maker in made_by if maker]
        return frozenset(found)


def plan(steps: dict[str, AnyStep], raw_products: Iterable[str]) -> Plan:
    """Keep the steps whose required inputs can be had. ``steps`` must be in topological order."""
    raw = frozenset(raw_products)
    kept: dict[str, AnyStep] = {}
    makers: dict[str, tuple[AnyStep, int]] = {}
    for step in steps.values():
        needed = [i.contract.name for i in step.inputs if not i.optional]
        optional = [i.contract.name for i in step.inputs if i.optional]
        some = not needed and optional and not any(name in makers or name in raw for name in optional)
        if some or not all(name in makers or name in raw for name in needed):
            continue
        if any(output.name in makers for output in step.outputs):
            continue
        kept[step.name] = step
        makers.update({output.name: (step, number) for number, output in enumerate(step.outputs)})
    return Plan(kept, raw, makers)
