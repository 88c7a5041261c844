"""Charge from current, over the real sampling."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Rule = Literal["trapezoid", "mean since the previous sample", "held until the next sample"]

RULES: tuple[Rule, ...] = ("trapezoid", "mean since the previous sample", "held until the next sample")
"""What a current column can mean; instruments differ and few files say."""

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Intervals:
    """Charge (mAh) in each interval between samples, split into what belongs to its earlier and later sample."""

    early: np.ndarray
    late: np.ndarray
    rule: Rule

    @property
    def total(self) -> np.ndarray:
        """Charge of each interval."""
        return np.asarray(self.early + self.late)


def intervals(seconds: np.ndarray, current: np.ndarray, rule: Rule) -> Intervals:
    """Charge of the n − 1 intervals between n samples at ``seconds``, from ``current`` in mA."""
    hours = np.diff(seconds) / SECONDS_PER_HOUR
    if rule == "trapezoid":
        late = np.where(prompt_jumps(seconds, current), 1.0, 0.5)
        return Intervals(current[:-1] * hours * (1 - late), current[1:] * hours * late, rule)
    if rule == "mean since the previous sample":
        return Intervals(np.zeros_like(hours), current[1:] * hours, rule)
    return Intervals(current[:-1] * hours, np.zeros_like(hours), rule)


def prompt_jumps(seconds: np.ndarray, current: np.ndarray) -> np.ndarray:
    """True for intervals in which the current jumped right after their first sample.

    Cyclers write a sample at the end of a step and another soon after: an interval of less than half the usual
    length across which the current changes by more than a fifth begins with the end of a step.
    """
    length = np.diff(seconds)
    if not length.size:
        return np.zeros(0, bool)
    largest = np.maximum(np.abs(current[1:]), np.abs(current[:-1]))
    return np.asarray((np.abs(np.diff(current)) > 0.2 * largest) & (length < 0.5 * np.median(length)))


def best_rule(seconds: np.ndarray, current: np.ndarray, own_charge: np.ndarray, mean_current: bool) -> Rule:
    """The rule whose increments come nearest to the instrument's own charge; where it gives none, what the file says.

    Increments are compared, not totals, and a large disagreement counts as the most that the interval could hold:
    so counters that start again do no harm.
    """
    increments = np.diff(own_charge)
    known = np.isfinite(increments)
    if known.sum() < 2:
        return "mean since the previous sample" if mean_current else "trapezoid"
    most = 2 * np.abs(current).max() * np.diff(seconds) / SECONDS_PER_HOUR + 1e-12
    misfit = {
        rule: float(np.minimum(np.abs(intervals(seconds, current, rule).total - increments), most)[known].sum())
        for rule in RULES
    }
    # An equal misfit (a record of rest) leaves the first rule.
    return min(RULES, key=lambda rule: (round(misfit[rule], 12), RULES.index(rule)))


def jump_variance(seconds: np.ndarray, current: np.ndarray, rule: Rule, threshold: float) -> np.ndarray:
    """Variance (mAh²) of each interval's charge from not knowing when within it the current jumped.

    A jump is uniformly likely at any instant of the interval, which gives (ΔI Δt)² / 12. Means over the interval
    hold no such doubt.
    """
    if rule == "mean since the previous sample":
        return np.zeros(max(seconds.size - 1, 0))
    jump = np.diff(current)
    doubt = (jump * np.diff(seconds) / SECONDS_PER_HOUR) ** 2 / 12
    return np.where(np.abs(jump) > threshold, doubt, 0.0)
