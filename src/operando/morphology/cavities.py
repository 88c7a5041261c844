"""The cavities before the anode, each with one number over the whole series."""

from dataclasses import dataclass, field

import numpy as np
from pydantic import Field

from operando.model.parameters import Parameters
from operando.model.products.morphology import CAVITIES, Cavities, Interface
from operando.model.step import Series, step


class CavitiesParameters(Parameters):
    """Which cavities are followed."""

    smallest_columns: int = Field(20, ge=1, description="cavities over fewer columns are left out")


_DEFAULTS = CavitiesParameters()


@step(version=1)
def cavities(series: Series[Interface], params: CavitiesParameters = _DEFAULTS) -> Cavities:
    """Follow every cavity from scan to scan by where it lies on the anode's surface: birth, growth, split, merger.

    A cavity is the one of the scan before that it covers most columns of. Where several grow into one, the one that
    gives most keeps its number and the others are merged into it; where one falls apart, the part that shares most
    columns keeps the number and the others are split from it. Scans without a surface are passed over.
    """
    frames: list[int] = []
    book = _Book()
    previous: np.ndarray | None = None
    for place, item in enumerate(series):
        frames.append(int(item.attrs.get("frame", place)))
        own = _large(item["cavity"].values.astype(int), params.smallest_columns)
        if not np.isfinite(item["height"].values).any():
            continue
        named = followed(previous, own, book, frames[place])
        _measure(item, named, place, book)
        previous = named
    return _pack(book, np.array(frames))


@dataclass
class _Book:
    """What is known of each number (from 1)."""

    born: list[int] = field(default_factory=list)
    split_from: list[int] = field(default_factory=list)
    merged_into: list[int] = field(default_factory=list)
    seen: dict[tuple[int, int], tuple[float, ...]] = field(default_factory=dict)

    def new(self, frame: int, parent: int) -> int:
        """The next number."""
        self.born.append(frame)
        self.split_from.append(parent)
        self.merged_into.append(0)
        return len(self.born)


def _large(number: np.ndarray, least: int) -> np.ndarray:
    """The map without cavities over too few columns."""
    counts = np.bincount(number.ravel())
    small = np.flatnonzero(counts < least)
    return np.where(np.isin(number, small), 0, number)


def followed(previous: np.ndarray | None, own: np.ndarray, book: _Book, frame: int) -> np.ndarray:
    """The map of this scan (y, x) with the numbers of the series; ``book`` is brought up to date."""
    overlaps: list[tuple[int, int, int]] = []
    if previous is not None and previous.shape == own.shape:
        both = (previous > 0) & (own > 0)
        pairs, counts = np.unique(np.stack([previous[both], own[both]]), axis=1, return_counts=True)
        overlaps = sorted(
            ((int(n), int(old), int(new)) for (old, new), n in zip(pairs.T, counts, strict=True)), reverse=True
        )
    names: dict[int, int] = {}
    taken: set[int] = set()
    for _, old, new in overlaps:
        if new not in names and old not in taken:
            names[new] = old
            taken.add(old)
    for _, old, new in overlaps:
        if new not in names:
            names[new] = book.new(frame, old)
        elif old not in taken:
            book.merged_into[old - 1] = names[new]
            taken.add(old)
    result = np.zeros_like(own)
    for new in np.unique(own[own > 0]):
        result[own == new] = names[int(new)] if int(new) in names else book.new(frame, 0)
    return result


def _measure(item: Interface, named: np.ndarray, place: int, book: _Book) -> None:
    gap = np.nan_to_num(item["gap"].values.astype(float))
    y, x = item["y_map"].values, item["x_map"].values
    pixel = float((y[1] - y[0]) * (x[1] - x[0]))
    for number in np.unique(named[named > 0]):
        mask = named == number
        thickness = gap[mask]
        weight = np.maximum(thickness, 0)
        rows, columns = np.nonzero(mask)
        centre = [float(np.average(axis, weights=weight + 1e-9)) for axis in (y[rows], x[columns])]
        volume = float(thickness.sum() * pixel)
        book.seen[int(number), place] = (volume, float(mask.sum() * pixel), float(thickness.max()), *centre)


def _pack(book: _Book, frames: np.ndarray) -> Cavities:
    count = len(book.born)
    table = np.zeros((count, len(frames), 5))
    for (number, place), values in book.seen.items():
        table[number - 1, place] = values
    largest = table[:, :, 0].argmax(axis=1) if count else np.zeros(0, int)
    return CAVITIES.new(
        coords={"cavity": np.arange(1, count + 1), "scan": frames, "across": ["y", "x"]},
        volume=table[:, :, 0],
        area=table[:, :, 1],
        thickness=table[:, :, 2],
        position=table[np.arange(count), largest, 3:],
        born=np.array(book.born, int),
        split_from=np.array(book.split_from, int),
        merged_into=np.array(book.merged_into, int),
    )
