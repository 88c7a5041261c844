"""Rotation angles: what they cover, how much each projection weighs, and whether they can be radians at all."""

import numpy as np

from operando.model.errors import OperandoError

MOST_TURNS = 4.0
"""More turns than this are taken for degrees by mistake: a scan of 0…180 read as radians is 28 turns."""

GAP_FACTOR = 3.0
"""A gap this many times the usual one is a missing wedge, not a coarse step."""


def check_angles(angles: np.ndarray, projections: int, file: str = "the sinograms") -> np.ndarray:
    """Return the angles (rad) as float64, or raise one sentence: wrong number, not finite, or degrees.

    >>> check_angles(np.array([0.0, 90.0, 179.0]), 3)
    Traceback (most recent call last):
    operando.model.errors.OperandoError: the sinograms: the angles span 28.5 turns, so they are degrees taken for \
radians; give np.deg2rad(angles).
    """
    values = np.asarray(angles, dtype=np.float64).ravel()
    if values.size != projections:
        raise OperandoError(f"{file}: {projections} projections but {values.size} angles; give one angle a projection.")
    if not np.isfinite(values).all():
        missing = int(np.count_nonzero(~np.isfinite(values)))
        raise OperandoError(
            f"{file}: {missing} of {projections} rotation angles are missing; write them into the file."
        )
    turns = float(np.ptp(values)) / (2 * np.pi)
    if turns > MOST_TURNS:
        raise OperandoError(
            f"{file}: the angles span {turns:.1f} turns, so they are degrees taken for radians; "
            "give np.deg2rad(angles)."
        )
    return values


def angle_weights(angles: np.ndarray) -> np.ndarray:
    """Return what each projection contributes to the integral over half a turn (rad).

    Half the gap to either neighbour on the circle of directions (θ and θ + π are one direction), so that
    non-uniform, repeated and 360° angles are right; a missing wedge is not filled in.

    >>> angle_weights(np.linspace(0, np.pi, 4, endpoint=False)).round(4)
    array([0.7854, 0.7854, 0.7854, 0.7854])
    """
    count = angles.size
    if count == 1:
        return np.array([np.pi])
    directions = np.mod(angles, np.pi)
    directions[directions > np.pi - 1e-9] = 0.0
    order = np.argsort(directions, kind="stable")
    gaps = np.diff(directions[order], append=directions[order[0]] + np.pi)
    usual = np.median(gaps[gaps > 1e-9])
    gaps = np.where(gaps > GAP_FACTOR * usual, usual, gaps)
    weights = np.empty(count)
    weights[order] = 0.5 * (gaps + np.roll(gaps, 1))
    return weights


def coverage(angles: np.ndarray) -> float:
    """Angle (rad) covered by the projections, each standing for one step: 0…179° in steps of 1° covers π."""
    if angles.size < 2:
        return 0.0
    step = float(np.median(np.abs(np.diff(angles))))
    return float(np.ptp(angles)) + step


def is_full_turn(angles: np.ndarray) -> bool:
    """Whether the projections go once round (360°) or more."""
    return coverage(angles) > 1.9 * np.pi
