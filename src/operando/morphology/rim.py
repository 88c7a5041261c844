"""Where a gap is open, and its rim that is too thin to be seen; on bare arrays in voxels."""

from dataclasses import dataclass

import numpy as np

from operando.morphology.triangles import smooth_height

SURE, SEEN = 2.5, 1.8
"""A gap is believed from the first on, and followed down to the second, voxels."""

BY_RETREAT = 0.4, 0.7
"""The same of a gap that the retreat of the surface tells: seen, sure."""

_AVERAGED, _AVERAGED_BY_RETREAT = 1.0, 0.7
"""Over so many columns gaps are averaged before they are looked at; retreats are calm, and averages carry rims
outwards."""

_NEARBY, _TOO_OPEN = 10.0, 0.45
"""Fits bear a rim out where it is open by no more than their mean over so many columns, and so many voxels."""
_LEAST_SHARE = 0.1
"""A rim is never cut to less than this share of where its slope would end it."""
_FARTHEST = 14.0
_FLATTENED = 1.2
"""By how much smoothing flattens the slope of a gap at its border."""


@dataclass(frozen=True)
class Opened:
    """Maps (y, x): ``seen`` where the gap is wide enough, ``rim`` where it tapers out, ``gap`` in both, else zero."""

    seen: np.ndarray
    rim: np.ndarray
    gap: np.ndarray

    @property
    def everywhere(self) -> np.ndarray:
        """Where there is no contact."""
        return np.asarray(self.seen | self.rim)


def opened(fitted: np.ndarray, retreat: np.ndarray | None = None) -> Opened:
    """Open gaps are the connected places above ``SEEN`` that reach ``SURE``; beyond, they taper out.

    ``fitted``: the gap (y, x) by each column's profile, ``retreat``: that by how far the surface has drawn back, NaN
    where it tells nothing; there the limits are those of ``BY_RETREAT``.

    In the rim the gap goes on straight, with the slope that it has at the border of what is seen, or as much steeper as
    the profiles there don't bear it out: single ones don't tell a thin gap from none, but their mean does.
    """
    from scipy import ndimage

    told = np.zeros(fitted.shape, bool) if retreat is None else np.isfinite(retreat + fitted)
    gap = best_of(fitted, retreat)
    steady, calm = smooth_height(fitted, _AVERAGED), smooth_height(gap, _AVERAGED)
    calm = np.where(told, smooth_height(gap, _AVERAGED_BY_RETREAT), calm)
    seen = _reaching(steady, SEEN, SURE) | _reaching(np.where(told, calm, np.nan), *BY_RETREAT)
    if not seen.any():
        return Opened(seen, seen.copy(), np.zeros_like(gap))
    slope = _slope(gap, seen)
    distance, (row, column) = ndimage.distance_transform_edt(~seen, return_indices=True)
    border, steep = calm[row, column], slope[row, column] * distance
    near = ~seen & np.isfinite(gap) & (border > steep) & (distance < _FARTHEST)
    borne_out = np.where(told, 1.0, _borne_out(fitted, np.where(near, border - steep, np.nan)))
    taper = border - steep / borne_out
    rim = near & (taper > 0)
    return Opened(seen, rim, np.where(seen, gap, np.where(rim, taper, 0.0)))


def best_of(fitted: np.ndarray, retreat: np.ndarray | None) -> np.ndarray:
    """The gap by its profile where that is thick, by the ``retreat`` (NaN: tells nothing) where it is thin."""
    if retreat is None:
        return fitted
    thick = np.clip(smooth_height(fitted, _AVERAGED) - SURE, 0.0, 1.0)
    return np.where(np.isfinite(retreat), thick * fitted + (1 - thick) * retreat, fitted)


def _reaching(gap: np.ndarray, least: float, sure: float) -> np.ndarray:
    """Connected places where the gap is above ``least`` that are above ``sure`` somewhere."""
    from scipy import ndimage

    high = np.nan_to_num(gap, nan=-1.0)
    parts, _ = ndimage.label(high > least)
    found = np.unique(parts[high > sure])
    return np.asarray(np.isin(parts, found[found > 0]))


def _borne_out(gap: np.ndarray, taper: np.ndarray) -> np.ndarray:
    """Share of the rim about each column (y, x) of which the fits are as wide as it; ``taper`` is NaN elsewhere."""
    around = smooth_height(np.clip(gap, -1.0, SURE), _NEARBY)
    with np.errstate(invalid="ignore"):
        borne = np.where(np.isfinite(taper), taper <= around + _TOO_OPEN, np.nan)
    return np.clip(np.nan_to_num(smooth_height(borne, _NEARBY)), _LEAST_SHARE, 1.0)


def _slope(gap: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """How fast the gap changes from column to column near each column that is seen."""
    from scipy import ndimage

    along_y, along_x = np.gradient(smooth_height(np.where(seen, gap, np.nan), 1.0))
    steep = np.hypot(along_y, along_x)
    known = np.isfinite(steep)
    weight = ndimage.gaussian_filter(known.astype(float), 2.0)
    total = ndimage.gaussian_filter(np.where(known, steep, 0.0), 2.0)
    return np.asarray(_FLATTENED * total / np.maximum(weight, 1e-6))
