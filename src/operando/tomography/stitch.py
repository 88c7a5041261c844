"""Half-acquisition: the axis near the detector's edge and a full turn make a field almost twice as wide."""

import numpy as np

from operando.model.errors import OperandoError
from operando.tomography.angles import check_angles, is_full_turn
from operando.tomography.trust import starved_share


def stitch_full_turn(sinograms: np.ndarray, angles: np.ndarray, centre: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Widen projections so that each and its mirror image half a turn later make one.

    ``sinograms`` (row, angle, column) over a full turn, ``centre`` in pixels. Returns wider sinograms at the same
    angles, 0 where nothing was measured, and the centre in them. Both are weighted where they overlap, to the
    sum 2, so that a reconstruction from all angles is that of the joined projections; nothing is interpolated.
    Raises ``OperandoError`` where the angles do not go once round.
    """
    checked = check_angles(angles, sinograms.shape[1])
    if not is_full_turn(checked):
        raise OperandoError("the angles do not go once round; a half-acquisition needs 360°.")
    columns = sinograms.shape[2]
    first, size = _place(columns, centre)
    wide = np.zeros((*sinograms.shape[:2], size), np.float32)
    np.multiply(sinograms, 2 * _share(columns, centre), out=wide[..., first : first + columns], casting="same_kind")
    return wide, checked, centre + first


def _place(columns: int, centre: float) -> tuple[int, int]:
    """Where the detector starts in the wide field, and the wide field's columns, an even number."""
    size = int(np.ceil(measured_radius(columns, centre) + 0.5)) * 2
    return (0 if centre >= (columns - 1) / 2 else size - columns), size


def measured_radius(columns: int, centre: float) -> float:
    """Radius (pixels) of the circle that a half-acquisition sees."""
    return max(centre, columns - 1 - centre)


def _share(columns: int, centre: float) -> np.ndarray:
    """What each column gives to the joined projection: 0 to 1 over the overlap, and with its mirror image 1."""
    place = np.arange(columns) - centre
    overlap = max(min(centre, columns - 1 - centre), 0.5)
    side = place if centre < (columns - 1) / 2 else -place
    return (np.sin(0.25 * np.pi * (1 + np.clip(side / overlap, -1, 1))) ** 2).astype(np.float32)


def joined_share(starved: np.ndarray, angles: np.ndarray, centre: float) -> np.ndarray:
    """Share of starved rays in the field of twice the columns; either of two rays that see the same will do it.

    ``starved`` (row, angle, column) over a full turn; returns (z_coarse, y_coarse, x_coarse).
    """
    columns = starved.shape[2]
    half = np.flatnonzero(angles - angles.min() < np.pi - 1e-9)
    partner = np.abs(angles[None, :] - angles.min() - np.mod(angles[half, None] - angles.min() + np.pi, 2 * np.pi))
    first = round((2 * columns - 1) / 2 - centre)
    own = np.arange(2 * columns) - first
    far = np.rint(2 * centre - own).astype(int)
    flags = np.ones((len(starved), len(half), 2 * columns), bool)
    mine, theirs = ((place >= 0) & (place < columns) for place in (own, far))
    flags[..., mine | theirs] = False
    flags[..., mine] |= starved[:, half]
    opposite = starved[:, partner.argmin(1)]
    flags[..., theirs] |= opposite[..., far[theirs]]
    return starved_share(flags, angles[half], centre + first)


def embedded(images: np.ndarray, size: int, radius: float) -> np.ndarray:
    """Images (slice, y, x) in the middle of a field of ``size`` pixels, 0 beyond ``radius``."""
    inner = images.shape[1]
    place = np.arange(inner) - (inner - 1) / 2
    images = np.where(np.hypot(place[:, None], place) <= radius + 1e-6, images, np.float32(0))
    before = (size - inner) // 2
    return np.pad(images, [(0, 0), *[(before, size - inner - before)] * 2])
