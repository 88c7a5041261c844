"""Current against time: the protocol's steps as exact piecewise-constant currents and their integrals."""

from dataclasses import dataclass

import numpy as np

from operando.model.errors import ConfigurationError
from operando.twin.settings import Cathode, Cycler, Step

_SIGN = {"rest": 0.0, "charge": 1.0, "discharge": -1.0}


@dataclass(frozen=True)
class Protocol:
    """Steps with edges in seconds since the cycler's start (n + 1), signed currents in mA, cycles (n),
    and the share of each step's charge that side reactions take."""

    edges: np.ndarray
    current: np.ndarray
    kind: tuple[str, ...]
    cycle: tuple[int, ...]
    side_share: np.ndarray

    @property
    def length(self) -> float:
        """Duration in s."""
        return float(self.edges[-1])

    def step_at(self, time: float) -> int:
        """Index of the step that holds ``time`` (s); the last one at the very end."""
        return int(np.clip(np.searchsorted(self.edges, time, side="right") - 1, 0, len(self.kind) - 1))

    def charge(self, time: np.ndarray | float) -> np.ndarray:
        """Net charge in mAh since the start, at ``time`` in s."""
        knots = np.concatenate([[0.0], np.cumsum(self.current * np.diff(self.edges) / 3600.0)])
        return np.asarray(np.interp(time, self.edges, knots))

    def stored(self, time: np.ndarray | float) -> np.ndarray:
        """Charge in mAh that the anode's host has taken up: while charging, side reactions take their share."""
        useful = np.where(self.current > 0, 1.0 - self.side_share, 1.0) * self.current
        knots = np.concatenate([[0.0], np.cumsum(useful * np.diff(self.edges) / 3600.0)])
        return np.asarray(np.interp(time, self.edges, knots))

    def stored_maximum(self, time: float) -> float:
        """Largest uptake up to ``time``: how far the anode has pushed the electrolyte."""
        knots = self.edges[self.edges <= time]
        return float(max(np.max(self.stored(knots), initial=0.0), float(self.stored(time)), 0.0))

    def mean_charge(self, start: float, end: float) -> float:
        """Net charge averaged over an exposure, mAh (trapezoids between the knots inside: exact)."""
        inside = self.edges[(self.edges > start) & (self.edges < end)]
        knots = np.concatenate([[start], inside, [end]])
        return float(np.trapezoid(self.charge(knots), knots) / (end - start))


def protocol(cycler: Cycler, cathode: Cathode) -> Protocol:
    """Lay the steps out in time. Raises ``ConfigurationError`` for a step without a length or a current."""
    capacity = capacity_mah(cathode)
    shares = [cycler.side_share if step.side_share is None else step.side_share for step in cycler.step]
    durations, currents, available = [], [], 0.0
    for number, (step, side) in enumerate(zip(cycler.step, shares, strict=True), 1):
        current = _current(step, capacity, number)
        hours = _hours(step, current, capacity, available, number)
        available = current * hours * (1 - side) if step.kind == "charge" else available
        durations.append(hours * 3600.0)
        currents.append(_SIGN[step.kind] * current)
    kinds = tuple(step.kind for step in cycler.step)
    edges = np.concatenate([[0.0], np.cumsum(durations)])
    return Protocol(edges, np.array(currents), kinds, _cycles(kinds), np.array(shares))


def capacity_mah(cathode: Cathode) -> float:
    """Theoretical capacity of the active material, mAh."""
    return cathode.active_mg * 1e-3 * cathode.theoretical_capacity_mAh_per_g


def _current(step: Step, capacity: float, number: int) -> float:
    if step.kind == "rest":
        return 0.0
    if step.current_ma is not None:
        return step.current_ma
    if step.c_rate is None:
        raise ConfigurationError(f"cycler.step {number}: no current; give c_rate or current_ma.")
    return step.c_rate * capacity


def _hours(step: Step, current: float, capacity: float, available: float, number: int) -> float:
    if step.hours is not None:
        return step.hours
    if current > 0 and step.share is not None:
        return step.share * capacity / current
    if current > 0 and step.of_charge is not None:
        return step.of_charge * available / current
    raise ConfigurationError(f"cycler.step {number}: no length; give hours, share or of_charge.")


def _cycles(kinds: tuple[str, ...]) -> tuple[int, ...]:
    """A charge that a discharge follows (rests aside) opens a cycle; everything before is cycle 0."""
    cycle, found = 0, []
    for index, kind in enumerate(kinds):
        following = next((k for k in kinds[index + 1 :] if k != "rest"), None)
        if kind == "charge" and following == "discharge":
            cycle += 1
        found.append(cycle)
    return tuple(found)
