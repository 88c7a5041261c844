"""Resistance from voltage jump over current jump, at every change of the current."""

from dataclasses import dataclass

import numpy as np

TIME_TOLERANCE_S = 1e-3
"""Cyclers count time in fractions of a millisecond; a delay of 1.0000001 s is 1 s."""


@dataclass(frozen=True)
class Jump:
    """A change of current between sample ``before`` and sample ``after``, ``delay`` seconds later; ohms."""

    before: int
    after: int
    delay: float
    resistance: float
    std: float


def settled_sample(current: np.ndarray, first: int, last: int) -> int:
    """First sample of a step (``first`` to ``last``) at which the current has reached the step's level.

    Only the first two samples are looked at: an average over the jump can spoil one.
    """
    level = float(np.median(current[first : min(first + 5, last + 1)]))
    reach = 0.05 * max(abs(level), abs(current[first]))
    return first if first == last or abs(current[first] - level) <= reach else first + 1


def jump_at(
    seconds: np.ndarray,
    voltage: np.ndarray,
    current: np.ndarray,
    step: tuple[int, int, int],
    noise: tuple[float, float],
    gain_std: float,
) -> Jump | None:
    """Resistance at the change into a step.

    ``step``: last sample before, first and last sample of the step. ``noise``: standard deviations of voltage (V)
    and current (mA). ``None`` where the current doesn't jump by five times its noise.
    """
    before, first, last = step
    after = settled_sample(current, first, last)
    rise_ma = current[after] - current[before]
    rise_v = voltage[after] - voltage[before]
    if not np.isfinite(rise_v) or abs(rise_ma) <= 5 * noise[1] or rise_ma == 0:
        return None
    resistance = rise_v / rise_ma * 1e3
    relative_i = np.hypot(np.sqrt(2) * noise[1] / rise_ma, gain_std)
    std = np.hypot(np.sqrt(2) * noise[0] / rise_ma * 1e3, resistance * relative_i)
    return Jump(before, after, float(seconds[after] - seconds[before]), float(resistance), float(std))


def all_jumps(
    seconds: np.ndarray,
    voltage: np.ndarray,
    current: np.ndarray,
    number: np.ndarray,
    noise: tuple[float, float],
    gain_std: float,
) -> list[Jump]:
    """The jump into every step but the first; ``number`` is the step of every sample."""
    firsts = np.flatnonzero(np.diff(number) != 0) + 1
    lasts = np.append(firsts[1:], number.size)[: firsts.size] - 1
    found = (
        jump_at(seconds, voltage, current, (int(first) - 1, int(first), int(last)), noise, gain_std)
        for first, last in zip(firsts, lasts, strict=True)
    )
    return [jump for jump in found if jump is not None]
