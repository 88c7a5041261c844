"""Thin gaps, from how far the anode's surface has drawn back from where it had been.

A gap below the point spread leaves hardly a mark in a column's profile, but where the anode's surface lies is known to
a tenth of a voxel. Where the electrolyte stayed as the anode had pushed it, the retreat is the gap. Whether it stayed
is measured: in columns with a gap wide enough to be seen the retreat has to agree with it, and the retreats of columns
in contact pile up at one value, which is zero's (registration, and an electrolyte that moved as a whole, shift both).
Where the electrolyte followed in some places only, profiles contradict the retreat on the mean over a few columns.
"""

from dataclasses import dataclass

import numpy as np

from operando.morphology.rim import SEEN, SURE
from operando.morphology.triangles import smooth_height

LEAST_COLUMNS = 30
"""So many columns with a visible gap have to say where the electrolyte is."""

_NEARBY = 4.0
"""Over so many columns profiles are averaged: one tells no thin gap from none, but on the mean contact reads 0.4."""

_ZERO_STD = 0.05
"""How well zero is told by the retreats that pile up, voxels."""

_LOOSEST = 0.25
"""With a larger standard deviation, voxels, the electrolyte has not stayed, and retreats tell nothing."""

_AGREES = 0.8
"""Where retreats are larger than what profiles say, on the mean over such columns, by more, there is no gap, voxels."""

_PILE, _BIN, _WITHIN = 0.04, 0.01, 0.4
"""Width of what piles up, bins in which it is counted, and how far it may be from where seen gaps put it, voxels."""

_FARTHEST = 3.0
_FOLLOWED, _CONTRADICTING = 3.0, 0.1
"""The electrolyte has followed the anode where so many times more retreats pile up beyond zero (to ``_FARTHEST``)
than there, or where profiles contradict them in more than such a share of the columns without a visible gap."""

_MOST_DRAG = 0.7
"""Beyond, what a thin gap takes from the anode's edge is no small correction."""


@dataclass(frozen=True)
class Retreat:
    """``gap`` (y, x) as the retreat tells it, voxels, NaN where it doesn't; ``std`` is common to all of it."""

    gap: np.ndarray
    std: float

    def shifted(self, by: float) -> "Retreat":
        """With gaps wider by so many standard deviations."""
        return Retreat(self.gap + by * self.std, self.std)


def thin_gaps(retreat: np.ndarray, fitted: np.ndarray, drag: float, width: float) -> Retreat | None:
    """The gaps (y, x) that the surface's ``retreat`` tells, voxels; ``None`` where the electrolyte has not stayed.

    ``fitted``: the gap by each column's profile. ``drag``: by how much the surface seems to lie deeper for each voxel
    of a gap much thinner than the point spread ``width`` (standard deviation, voxels).

    A surface beyond its reach is in contact. Where the electrolyte stayed is not known better than to half of what seen
    gaps deviate by: thin ones lie between them and the contact, where the deviation is zero.
    """
    calm, back, shown = smooth_height(fitted, 1.0), smooth_height(retreat, 1.0), shown_gaps(fitted, retreat)
    with np.errstate(invalid="ignore"):
        unseen = (calm < SEEN) & np.isfinite(back)
    if shown.sum() < LEAST_COLUMNS or not 0 <= drag < _MOST_DRAG:
        return None
    zero = _zero(back[unseen], float(np.median((back - calm)[shown])))
    if zero is None:
        return None
    deviating = smooth_height(np.where(shown, fitted - retreat + zero, np.nan), _NEARBY)[shown]
    moved = 0.5 * 1.4826 * float(np.median(np.abs(deviating)))
    if moved > _LOOSEST:
        return None
    gap = np.maximum(_undragged(retreat - zero, drag, width), -2 * _ZERO_STD)
    with np.errstate(invalid="ignore"):
        told = smooth_height(gap - fitted, _NEARBY) < _AGREES
    if np.sum(unseen & ~told) > _CONTRADICTING * np.sum(unseen):
        return None
    return Retreat(np.where(told, gap, np.nan), float(np.hypot(moved, _ZERO_STD)))


def shown_gaps(fitted: np.ndarray, retreat: np.ndarray) -> np.ndarray:
    """Columns (y, x) of which the profile shows a gap and the retreat is known."""
    with np.errstate(invalid="ignore"):
        return np.asarray((smooth_height(fitted, 1.0) > SURE) & np.isfinite(retreat))


def _zero(retreats: np.ndarray, about: float) -> float | None:
    """Where retreats without a visible gap pile up, not far from ``about``; that itself where there are hardly any.

    ``None`` if far more of them lie beyond: thin gaps, or contact with an electrolyte that followed, and many alike are
    rather that.
    """
    from scipy import ndimage

    edges = np.arange(-_WITHIN, _FARTHEST, _BIN)
    counts = ndimage.gaussian_filter1d(np.histogram(retreats - about, edges)[0].astype(float), _PILE / _BIN)
    near = counts[: round(2 * _WITHIN / _BIN)]
    if counts.sum() < LEAST_COLUMNS:
        return about
    if counts.max() > _FOLLOWED * near.max():
        return None
    return about + float(edges[np.argmax(near)]) + _BIN / 2


def _undragged(seen: np.ndarray, drag: float, width: float) -> np.ndarray:
    """The gap behind a retreat: what a thin gap lacks in grey value is missed at the anode's edge.

    With F the normal distribution, half of the anode's step is met drag w sqrt(2 pi) (F(gap / w) - 1/2) too deep: as
    long as labels take the step against the electrolyte; before thick gaps they take it against the void.
    """
    from scipy.special import ndtr

    gap = seen
    for _ in range(4):
        gap = seen - drag * width * np.sqrt(2 * np.pi) * (ndtr(np.maximum(gap, 0.0) / width) - 0.5)
    return np.asarray(gap)
