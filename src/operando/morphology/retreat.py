"""Thin gaps, from how far the anode's surface has drawn back from where it had been.

A gap below the point spread leaves hardly a mark in a column's profile, but where the anode's surface lies is known to
a tenth of a voxel. Where the electrolyte stayed as the anode had pushed it, the retreat is the gap. Whether it stayed
is measured: in columns with a gap wide enough to be seen the retreat has to agree with it, and the retreats of columns
in contact pile up at one value, which is zero's (registration, and an electrolyte that moved as a whole, shift both).
"""

from dataclasses import dataclass

import numpy as np

from operando.morphology.rim import SEEN, SURE
from operando.morphology.triangles import smooth_height

_LEAST_COLUMNS = 30
_NEARBY = 4.0
"""Over so many columns the noise of profiles is averaged."""

_ZERO_STD = 0.05
"""How well zero is told by the retreats that pile up, voxels."""

_LOOSEST = 0.25
"""With a larger standard deviation, voxels, the electrolyte has not stayed, and retreats tell nothing."""

_AGREES = 1.5
"""A retreat that is larger than the gap of the profile by more is none of a gap, voxels."""

_PILE, _BIN, _WITHIN = 0.04, 0.01, 0.4
"""Width of what piles up, bins in which it is counted, and how far it may be from where seen gaps put it, voxels."""

_FOLLOWED = 3.0
"""Where so many times more retreats pile up beyond, the electrolyte has followed the anode."""


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

    Where the electrolyte stayed is not known better than to half of what seen gaps deviate by: thin ones lie between
    them and the contact, where the deviation is zero.
    """
    calm, back = smooth_height(fitted, 1.0), smooth_height(retreat, 1.0)
    with np.errstate(invalid="ignore"):
        shown, unseen = (calm > SURE) & np.isfinite(back), (calm < SEEN) & np.isfinite(back)
    if shown.sum() < _LEAST_COLUMNS:
        return None
    zero = _zero(back[unseen], float(np.median((back - calm)[shown])))
    if zero is None:
        return None
    deviating = smooth_height(np.where(shown, fitted - retreat + zero, np.nan), _NEARBY)[shown]
    moved = 0.5 * 1.4826 * float(np.median(np.abs(deviating)))
    if moved > _LOOSEST:
        return None
    gap = _undragged(retreat - zero, drag, width)
    with np.errstate(invalid="ignore"):
        told = gap - np.maximum(calm, 1.0) < _AGREES
    return Retreat(np.where(told, gap, np.nan), float(np.hypot(moved, _ZERO_STD)))


def _zero(retreats: np.ndarray, about: float) -> float | None:
    """Where retreats without a visible gap pile up, not far from ``about``; that itself where there are hardly any.

    ``None`` if far more of them lie beyond: thin gaps, or contact with an electrolyte that followed, and many alike are
    rather that.
    """
    from scipy import ndimage

    edges = np.arange(-_WITHIN, SEEN, _BIN)
    counts = ndimage.gaussian_filter1d(np.histogram(retreats - about, edges)[0].astype(float), _PILE / _BIN)
    near = counts[: round(2 * _WITHIN / _BIN)]
    if counts.max() > _FOLLOWED * near.max():
        return None
    if near.sum() < _LEAST_COLUMNS:
        return about
    return about + float(edges[np.argmax(near)]) + _BIN / 2


def _undragged(seen: np.ndarray, drag: float, width: float) -> np.ndarray:
    """The gap behind a retreat: what a thin gap lacks in grey value is missed at the anode's edge.

    With F the normal distribution, half of the anode's step is met drag w sqrt(2 pi) (F(gap / w) - 1/2) too deep.
    """
    from scipy.special import ndtr

    gap = seen
    for _ in range(4):
        gap = seen - drag * width * np.sqrt(2 * np.pi) * (ndtr(np.maximum(gap, 0.0) / width) - 0.5)
    return np.asarray(gap)
