"""Two or more threads over fixed pieces of work: results never depend on how many there are."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise


def thread_count() -> int:
    """Threads to use: ``OPERANDO_THREADS``, else the cores this process may run on."""
    asked = os.environ.get("OPERANDO_THREADS", "")
    if asked.isdigit():
        return max(1, int(asked))
    # Not every system can tell the cores that a process may run on.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def over_pieces(work: Callable[[int], object], pieces: int) -> None:
    """Call ``work(piece)`` for every piece; the kernels inside release Python's lock.

    Every piece writes to its own part of the output, so that the order does not matter.
    """
    threads = min(thread_count(), pieces)
    if threads <= 1:
        for piece in range(pieces):
            work(piece)
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in pool.map(work, range(pieces)):
            del done


def split(length: int, pieces: int) -> list[tuple[int, int]]:
    """Cut ``range(length)`` into at most ``pieces`` neighbouring ranges of nearly the same size.

    >>> split(7, 3)
    [(0, 2), (2, 4), (4, 7)]
    """
    edges = [length * piece // pieces for piece in range(pieces + 1)]
    return [(a, b) for a, b in pairwise(edges) if b > a]
