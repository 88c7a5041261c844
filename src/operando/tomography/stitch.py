"""Half-acquisition: the axis near the detector's edge and a full turn make a field almost twice as wide."""

import numpy as np

from operando.model.errors import OperandoError
from operando.tomography.angles import check_angles, is_full_turn


def stitch_full_turn(sinograms: np.ndarray, angles: np.ndarray, centre: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Join projections with their mirror images half a turn later.

    ``sinograms`` (row, angle, column) over a full turn, ``centre`` in pixels. Returns sinograms over half a
    turn in a wider field, their angles (rad) and the centre in it. In the overlap the two are blended.
    Raises ``OperandoError`` where the angles do not go once round.
    """
    checked = check_angles(angles, sinograms.shape[1])
    if not is_full_turn(checked):
        raise OperandoError("the angles do not go once round; a half-acquisition needs 360°.")
    order = np.argsort(checked, kind="stable")
    checked, sinograms = checked[order], sinograms[:, order]
    columns = sinograms.shape[2]
    mirrored = centre < (columns - 1) / 2
    if mirrored:
        sinograms, centre = sinograms[..., ::-1], columns - 1 - centre
    half = checked[0] + np.arange(len(checked) // 2) * np.pi / (len(checked) // 2)
    near, far = _at(sinograms, checked, half), _at(sinograms, checked, half + np.pi)
    wide = int(np.ceil(2 * centre)) + 1
    place = np.arange(wide)
    left, left_weight = _sampled(near, place, centre)
    right, right_weight = _sampled(far, 2 * centre - place, centre)
    joined = (left * left_weight + right * right_weight) / np.maximum(left_weight + right_weight, 1e-9)
    if mirrored:
        joined, centre = joined[..., ::-1], wide - 1 - centre
    return np.ascontiguousarray(joined, np.float32), half, float(centre)


def _at(sinograms: np.ndarray, angles: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Interpolate projections linearly to other angles of the same turn."""
    turn = 2 * np.pi
    circle = np.append(angles, angles[0] + turn)
    where = angles[0] + np.mod(wanted - angles[0], turn)
    right = np.clip(np.searchsorted(circle, where, side="right"), 1, len(angles))
    share = ((where - circle[right - 1]) / (circle[right] - circle[right - 1]))[:, None]
    return sinograms[:, right - 1] * (1 - share) + sinograms[:, right % len(angles)] * share


def _sampled(sinograms: np.ndarray, place: np.ndarray, centre: float) -> tuple[np.ndarray, np.ndarray]:
    """Values at fractional columns, and weights that fall to 0 towards the detector's edge beyond the axis."""
    columns = sinograms.shape[2]
    left = np.clip(np.floor(place).astype(int), 0, columns - 2)
    share = np.clip(place - left, 0, 1)
    values = sinograms[..., left] * (1 - share) + sinograms[..., left + 1] * share
    overlap = max(columns - 1 - centre, 1e-9)
    weight = np.clip((centre + overlap - place) / (2 * overlap), 0, 1)
    return values, np.where((place >= 0) & (place <= columns - 1), np.maximum(weight, 1e-6), 0)
