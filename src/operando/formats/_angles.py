"""Degrees or radians: what the unit says, and what is possible."""

from pathlib import Path

import numpy as np

from operando.model.errors import BrokenFileError

_TURN = 2 * np.pi
_FEWEST = 10
"""So many angles are needed before their span tells anything about the unit."""


def to_radians(angles: np.ndarray, named: str | None, where: str, path: Path) -> tuple[np.ndarray, list[str]]:
    """Rotation angles in radians, and a sentence where the unit is missing or can't be right.

    More than two turns can't be radians; a span of π or 2π to 6 % is no scan in degrees. Elsewhere the stated unit
    holds, and degrees where none is stated. Raises ``BrokenFileError`` for a unit that is no angle.
    """
    named = (named or "").lower()
    finite = angles[np.isfinite(angles)]
    span = float(np.ptp(finite)) if finite.size else 0.0
    said = f"{where}: angles from {finite.min():.6g} to {finite.max():.6g}" if finite.size else where
    if named.startswith("rad"):
        if span > 2.01 * _TURN:
            return np.deg2rad(angles), [f"{said} are called {named!r} but can only be degrees; read as degrees."]
        return angles, []
    if named and not named.startswith(("deg", "°")):
        raise BrokenFileError(path, f"{where} is in {named!r}", "use degrees or radians")
    if finite.size > _FEWEST and any(abs(span / turn - 1) < 0.06 for turn in (np.pi, _TURN)):
        return angles, [f"{said} are called {named or 'nothing'!r} but span π or 2π; read as radians."]
    if not named:
        return np.deg2rad(angles), [f"{said} have no unit; read as degrees."]
    if finite.size > _FEWEST and 0 < span < 7:
        return np.deg2rad(angles), [f"{said} are called degrees but span only {span:.3g}; check the unit."]
    return np.deg2rad(angles), []
