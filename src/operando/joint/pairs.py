"""Which two scans are compared for which step of the protocol."""

from itertools import pairwise

import numpy as np
import xarray as xr

from operando.joint.timeline import as_seconds
from operando.model.products.electrochemistry import Protocol
from operando.model.products.joint import PAIRS, Pairs, ScanTimeline
from operando.model.step import step

Pair = tuple[int, int, int, str]
"""Earlier and later scan, cycle, kind of the step."""

NULL_TEST, ALL = "null test", "all"


@step(version=1)
def pairs(protocol: Protocol | None, timeline: ScanTimeline) -> Pairs:
    """Choose two different scans for every step, nearest its start and end, then a null test, then first to last.

    Steps outside the scanned time are left out, and rests that no two scans can tell apart. The null test is two
    neighbouring scans of one rest, between which nothing should change. A scan's time is the middle of its exposure.
    """
    scans = timeline["scan"].values.astype(int)
    found: list[Pair] = []
    if scans.size >= 2:
        if protocol is not None:
            found += of_steps(protocol, timeline)
        first, last = first_and_last(timeline)
        found.append((first, last, -1, ALL))
    return PAIRS.new(
        from_scan=np.array([pair[0] for pair in found], int),
        to_scan=np.array([pair[1] for pair in found], int),
        cycle=np.array([pair[2] for pair in found], int),
        step=np.array([pair[3] for pair in found], object),
    )


def first_and_last(timeline: xr.Dataset) -> tuple[int, int]:
    """First and last scan in time; by number where there are no times."""
    scans, start = timeline["scan"].values.astype(int), timeline["start"].values
    order = np.argsort(start, kind="stable") if not np.isnat(start).any() else np.arange(scans.size)
    return int(scans[order[0]]), int(scans[order[-1]])


def of_steps(protocol: xr.Dataset, timeline: xr.Dataset) -> list[Pair]:
    """A pair for every step that a scan saw, and the null test if there is one."""
    start, end = timeline["start"].values, timeline["end"].values
    known = np.flatnonzero(~(np.isnat(start) | np.isnat(end)))
    if known.size < 2:
        return []
    origin = protocol["start"].values[0]
    begins, ends = as_seconds(start[known], origin), as_seconds(end[known], origin)
    order = np.argsort(begins, kind="stable")
    middle = ((begins + ends) / 2)[order]
    scans = timeline["scan"].values.astype(int)[known][order]
    found: list[Pair] = []
    for k in range(protocol.sizes["step"]):
        first, last = (float(as_seconds(protocol[name].values[k : k + 1], origin)[0]) for name in ("start", "end"))
        if last < begins.min() or first > ends.max():
            continue
        kind = str(protocol["kind"].values[k])
        i, j = nearest_two(middle, first, last, exact=kind in {"rest", "impedance"})
        if i < j:
            found.append((int(scans[i]), int(scans[j]), int(protocol["cycle"].values[k]), kind))
    return found + null_test(timeline)


def nearest_two(middle: np.ndarray, start: float, end: float, exact: bool = False) -> tuple[int, int]:
    """Places i < j of the scans (sorted times ``middle``) nearest to ``start`` and ``end``.

    Where one scan is nearest to both, the second best is taken where it costs least, since a step that moves charge
    must have its balance; with ``exact`` the same scan is returned twice.
    """
    i, j = int(np.argmin(np.abs(middle - start))), int(np.argmin(np.abs(middle - end)))
    if i < j or exact:
        return i, j
    options = [(a, a + 1) for a in (i - 1, i) if a >= 0 and a + 1 < middle.size]
    return min(options, key=lambda pair: abs(middle[pair[0]] - start) + abs(middle[pair[1]] - end))


def null_test(timeline: xr.Dataset) -> list[Pair]:
    """Two neighbouring scans of one rest; of several, those whose charge differs least, then the earliest."""
    kinds, steps, charge = (timeline[name].values for name in ("step_kind", "step", "charge"))
    order = np.argsort(timeline["start"].values, kind="stable")
    resting = [
        (abs(float(charge[b] - charge[a])), int(a), int(b))
        for a, b in pairwise(order)
        if kinds[a] == kinds[b] == "rest" and steps[a] == steps[b] and np.isfinite(charge[a] + charge[b])
    ]
    if not resting:
        return []
    _, a, b = min(resting)
    scans = timeline["scan"].values
    return [(int(scans[a]), int(scans[b]), int(timeline["cycle"].values[a]), NULL_TEST)]
