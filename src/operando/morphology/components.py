"""Connected parts of a phase in a volume that is read block by block.

Each block is labelled by itself; parts that touch across a block's face are joined afterwards (union-find), and
the blocks are labelled again when their numbers are needed. Memory is that of one block.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from operando.morphology.blocks import ranges

Mask = Callable[[int, int], np.ndarray]
"""Gives the rows start…stop of the phase, bool (z, y, x)."""


@dataclass(frozen=True)
class Components:
    """All parts: ``size`` in voxels (index 0 is the background), and how to get a block's numbers again."""

    mask: Mask
    total: int
    length: int
    offsets: np.ndarray
    number: np.ndarray
    size: np.ndarray

    def blocks(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Every block with the numbers of its parts, int32 (z, y, x); 0 is background."""
        for i, (start, stop) in enumerate(ranges(self.total, self.length)):
            yield start, stop, self.block(i, start, stop)

    def block(self, index: int, start: int, stop: int) -> np.ndarray:
        """The numbers in one block."""
        local = _label(self.mask(start, stop))
        lookup = np.concatenate([[0], self.number[self.offsets[index] : self.offsets[index + 1]]]).astype(np.int32)
        return lookup[local]

    def rows(self, start: int, stop: int) -> np.ndarray:
        """The numbers in any range of rows."""
        first, last = start // self.length, (stop - 1) // self.length
        parts = []
        for i in range(first, last + 1):
            low, high = i * self.length, min((i + 1) * self.length, self.total)
            parts.append(self.block(i, low, high)[max(start - low, 0) : stop - low])
        return np.concatenate(parts)


def connected(mask: Mask, total: int, length: int) -> Components:
    """Find the parts (joined through faces) of a phase with ``total`` rows, ``length`` rows at a time."""
    offsets, sizes, joins = [0], [], []
    previous: np.ndarray | None = None
    for start, stop in ranges(total, length):
        local = _label(mask(start, stop))
        counts = np.bincount(local.ravel())[1:]
        if previous is not None:
            joins.append(_touching(previous, local[0], offsets[-2], offsets[-1]))
        sizes.append(counts)
        offsets.append(offsets[-1] + len(counts))
        previous = local[-1].copy()
    roots = _roots(offsets[-1], np.concatenate(joins) if joins else np.zeros((0, 2), np.int64))
    names, number = np.unique(roots, return_inverse=True)
    size = np.bincount(number, np.concatenate(sizes) if sizes else None, minlength=len(names))
    return Components(mask, total, length, np.array(offsets), number + 1, np.concatenate([[0], size]).astype(np.int64))


def _label(mask: np.ndarray) -> np.ndarray:
    import cc3d

    return np.asarray(cc3d.connected_components(np.ascontiguousarray(mask), connectivity=6))


def _touching(above: np.ndarray, below: np.ndarray, offset_above: int, offset_below: int) -> np.ndarray:
    both = (above > 0) & (below > 0)
    pairs = np.stack([above[both].astype(np.int64) - 1 + offset_above, below[both].astype(np.int64) - 1 + offset_below])
    return np.unique(pairs.T, axis=0)


def _roots(count: int, joins: np.ndarray) -> np.ndarray:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if count == 0:
        return np.zeros(0, np.int64)
    graph = coo_array((np.ones(len(joins), bool), (joins[:, 0], joins[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]
