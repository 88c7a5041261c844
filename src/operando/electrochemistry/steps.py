"""Find the steps of a protocol from the current alone: rest, charge, discharge, hold, impedance."""

from typing import Literal

import numpy as np

Kind = Literal["rest", "charge", "discharge", "hold", "impedance"]


def typical_current(seconds: np.ndarray, current: np.ndarray) -> float:
    """Charge-weighted median of |current|: the level at which half of the charge was moved (mA)."""
    weights = np.abs(current) * np.gradient(seconds) if seconds.size > 1 else np.abs(current)
    if not weights.sum() > 0:
        return float(np.abs(current).max(initial=0.0))
    order = np.argsort(np.abs(current), kind="stable")
    share = np.cumsum(weights[order])
    return float(np.abs(current)[order][np.searchsorted(share, share[-1] / 2)])


def noise_of(seconds: np.ndarray, values: np.ndarray) -> float:
    """Standard deviation of the noise: how far samples lie from the line between their neighbours.

    Levels, slopes and the even voltage steps at which many cyclers sample don't count as noise.
    """
    if values.size < 3:
        return 0.0
    span = seconds[2:] - seconds[:-2]
    weight = np.divide(seconds[1:-1] - seconds[:-2], span, out=np.full(span.size, 0.5), where=span > 0)
    off = values[1:-1] - (values[:-2] * (1 - weight) + values[2:] * weight)
    scaled = np.abs(off) / np.sqrt(1 + weight**2 + (1 - weight) ** 2)
    known = scaled[np.isfinite(scaled)]
    return float(1.4826 * np.median(known)) if known.size else 0.0


ALTERNATING = 2
"""Direction of samples that belong to an impedance measurement."""


def directions(current: np.ndarray, threshold: float) -> np.ndarray:
    """−1 discharging, 0 at rest, 1 charging, ``ALTERNATING`` during impedance, for every sample."""
    direction = np.asarray(np.where(np.abs(current) <= threshold, 0, np.sign(current)), int)
    direction[alternating(direction)] = ALTERNATING
    return direction


def alternating(direction: np.ndarray) -> np.ndarray:
    """True where the current changes its sign at least six times with at most three samples between the changes."""
    flips = np.flatnonzero(direction[1:] * direction[:-1] < 0) + 1
    found = np.zeros(direction.size, bool)
    if flips.size:
        for group in np.split(flips, np.flatnonzero(np.diff(flips) > 3) + 1):
            if group.size >= 6:
                found[group[0] - 1 : group[-1] + 1] = True
    return found


def level_jumps(current: np.ndarray, relative: float, noise: float) -> np.ndarray:
    """True at sample i where the current goes to another level of the same sign between i − 1 and i.

    A jump stands out of its neighbourhood (four times the changes before and after), a decay does not.
    """
    change = np.abs(np.diff(current))
    before = np.concatenate([[0.0], change[:-1]])
    after = np.concatenate([change[1:], [0.0]])
    size = np.maximum(np.abs(current[1:]), np.abs(current[:-1]))
    stands_out = (change > relative * size + 5 * noise) & (change > 4 * np.maximum(before, after))
    return np.asarray(np.concatenate([[False], stands_out]))


def run_starts(
    current: np.ndarray,
    direction: np.ndarray,
    threshold: float,
    relative: float,
    noise: float,
    stretch: np.ndarray,
) -> np.ndarray:
    """Index of the first sample of every run of one direction and one level.

    A run of a single sample (caught during a jump, or an average over one) goes to the run that follows; where
    that only goes on as before, the lone sample was a glitch and divides nothing.
    """
    broken = np.concatenate([[True], np.diff(stretch) != 0])
    turns = np.concatenate([[True], np.diff(direction) != 0])
    jumps = level_jumps(current, relative, noise) & (direction != ALTERNATING)
    starts = np.flatnonzero(turns | jumps | broken)
    ends = np.append(starts[1:], current.size)
    kept: list[int] = [0]
    lone = int(ends[0]) == 1
    for start, end in zip(starts[1:], ends[1:], strict=True):
        if lone and not broken[start]:
            lone = False
            before = current[kept[-2] : kept[-1]] if len(kept) > 1 else current[:0]
            if before.size and not broken[kept[-1]] and _alike(before, current[start:end], threshold, relative):
                kept.pop()
            continue
        lone = end - start == 1
        if lone and end == current.size and not broken[start]:
            break
        kept.append(int(start))
    return np.array(kept)


def _alike(a: np.ndarray, b: np.ndarray, threshold: float, relative: float) -> bool:
    """Whether two runs have one level."""
    first, second = float(np.median(a)), float(np.median(b))
    return abs(first - second) <= max(threshold, relative * max(abs(first), abs(second)))


def hold_start(voltage: np.ndarray, current: np.ndarray, noise: float, tolerance_v: float) -> int | None:
    """Index at which a run turns into a voltage hold: the current leaves its level for good while the voltage stays.

    ``None`` if it never does. Arrays hold one run.
    """
    size = np.abs(current)
    level = float(np.median(size[:3]))
    at_level = np.abs(size - level) <= 0.02 * level + 5 * noise
    first = int(np.flatnonzero(at_level)[-1]) + 1 if at_level.any() else 0
    first = 0 if first <= 2 and _flat(voltage[1:], tolerance_v) else first
    falling = size.size - first >= 4 and size[-1] < 0.95 * size[first]
    return first if falling and _flat(voltage[max(first, 1) :], tolerance_v) else None


def _flat(voltage: np.ndarray, tolerance_v: float) -> bool:
    known = voltage[np.isfinite(voltage)]
    return known.size >= 3 and float(np.ptp(np.percentile(known, [2.5, 97.5]))) <= tolerance_v


def kind_of(current: np.ndarray, direction: np.ndarray, threshold: float) -> Kind:
    """What one run is."""
    if (direction == ALTERNATING).mean() > 0.5:
        return "impedance"
    mean = float(np.median(current))
    if abs(mean) <= threshold:
        return "rest"
    return "charge" if mean > 0 else "discharge"


def find_steps(
    seconds: np.ndarray,
    voltage: np.ndarray,
    current: np.ndarray,
    stretch: np.ndarray,
    rest_fraction: float,
    level_change: float,
    hold_tolerance_v: float,
) -> tuple[np.ndarray, list[Kind]]:
    """Number of the step of every sample, and the kind of every step."""
    noise = noise_of(seconds, current)
    threshold = max(rest_fraction * typical_current(seconds, current), 5 * noise)
    direction = directions(current, threshold)
    starts = run_starts(current, direction, threshold, level_change, noise, stretch)
    found: list[tuple[int, Kind]] = []
    for start, end in zip(starts, np.append(starts[1:], current.size), strict=True):
        kind = kind_of(current[start:end], direction[start:end], threshold)
        found.append((int(start), kind))
        if kind in {"charge", "discharge"}:
            hold = hold_start(voltage[start:end], current[start:end], noise, hold_tolerance_v)
            if hold == 0:
                found[-1] = (int(start), "hold")
            elif hold is not None:
                found.append((int(start) + hold, "hold"))
    number = np.zeros(current.size, int)
    number[[start for start, _ in found[1:]]] = 1
    return np.cumsum(number), [kind for _, kind in found]
