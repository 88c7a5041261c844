"""Which cycle a step belongs to: a cycle is a charge and the discharge after it."""

from dataclasses import dataclass

import numpy as np


@dataclass
class HalfCycle:
    """Steps that move charge one way, with the rests between them."""

    direction: int
    steps: list[int]
    charge: float


def half_cycles(charges: np.ndarray, moves: np.ndarray, smallest: float) -> list[HalfCycle]:
    """Group steps (charges in mAh) into half cycles.

    ``moves`` says which steps move charge at all. A half cycle below ``smallest`` of the largest one is a pulse,
    not a turn, and stays with its surroundings.
    """
    halves = _grouped([HalfCycle(int(np.sign(charges[k])), [int(k)], charges[k]) for k in np.flatnonzero(moves)])
    largest = max((abs(half.charge) for half in halves), default=0.0)
    kept = [half for half in halves if abs(half.charge) >= smallest * largest]
    return _grouped(kept)


def _grouped(halves: list[HalfCycle]) -> list[HalfCycle]:
    grouped: list[HalfCycle] = []
    for half in halves:
        if grouped and grouped[-1].direction == half.direction:
            grouped[-1].steps += half.steps
            grouped[-1].charge += half.charge
        else:
            grouped.append(HalfCycle(half.direction, list(half.steps), half.charge))
    return grouped


def conditioning(first: HalfCycle, later: list[HalfCycle], currents: np.ndarray, holds: np.ndarray) -> int:
    """How many steps of the first charge come before cycle 1.

    Charges at another current than the last one are conditioning, unless later charges use that current too
    (then it is how this protocol charges).
    """

    def same(a: float, b: float) -> bool:
        return abs(a - b) <= 0.1 * max(abs(a), abs(b))

    levels = [k for k in first.steps if not holds[k]]
    if not levels:
        return 0
    usual = [currents[levels[-1]]]
    usual += [currents[k] for half in later if half.direction > 0 for k in half.steps if not holds[k]]
    before = 0
    for position, k in enumerate(first.steps):
        if not holds[k] and not any(same(currents[k], level) for level in usual):
            before = position + 1
    while 0 < before < len(first.steps) and holds[first.steps[before]]:
        before += 1
    return before


def cycle_numbers(
    charges: np.ndarray, currents: np.ndarray, moves: np.ndarray, holds: np.ndarray, smallest: float
) -> np.ndarray:
    """Cycle of every step: 0 before the first full cycle; a rest belongs to what precedes it.

    Charging is positive in ``charges`` (mAh) and ``currents`` (mA).
    """
    halves = half_cycles(charges, moves, smallest)
    begins: list[int] = []
    for position, half in enumerate(halves):
        if half.direction < 0:
            continue
        complete = position + 1 < len(halves)
        if begins:
            begins.append(half.steps[0])
        elif complete:
            begins.append(half.steps[conditioning(half, halves[position + 1 :], currents, holds)])
    numbers = np.zeros(charges.size, int)
    for begin in begins:
        numbers[begin:] += 1
    return numbers
