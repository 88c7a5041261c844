"""Lines of known energy that an energy scale is tied to: radioactive sources, fluorescence, or plain numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from operando.diffraction.fluorescence import lines_of
from operando.model.errors import ConfigurationError

_SOURCES: dict[str, tuple[tuple[tuple[float, float], ...], str]] = {
    "Am241": (((26.345, 2.3), (59.541, 35.9)), ""),
    "Co57": (((14.413, 9.2), (122.061, 85.5), (136.474, 10.7)), ""),
    "Cd109": (((88.034, 3.7),), "Ag"),
    "Ba133": (((53.162, 2.1), (79.614, 2.6), (80.998, 33.3), (276.399, 7.2), (302.851, 18.3), (356.013, 62.1)), "Cs"),
    "Eu152": (((121.782, 28.4), (244.697, 7.6), (344.279, 26.6)), "Sm"),
    "Cs137": (((661.657, 85.0),), "Ba"),
    "Co60": (((1173.228, 99.9), (1332.492, 100.0)), ""),
}
"""Gamma lines (keV, photons per 100 decays) and the element whose K lines follow the decay: Decay Data Evaluation
Project, http://www.lnhb.fr/nuclear-data/nuclear-data-table/."""


@dataclass(frozen=True)
class Known:
    """One peak: lines that a detector can't resolve. ``energies`` (n,) keV, ``shares`` (n,) of its area."""

    name: str
    energies: np.ndarray
    shares: np.ndarray

    @property
    def middle(self) -> float:
        """Centre of mass, keV."""
        return float(self.energies @ self.shares)


def known_lines(names: Sequence[str], closeness_kev: float) -> tuple[Known, ...]:
    """Peaks of sources (Co57), fluorescing elements (Pb) or energies (59.541), lowest first.

    Lines of one name closer than ``closeness_kev`` are one peak. Raises ``ConfigurationError`` for an unknown name.
    """
    found = [peak for name in names for peak in _peaks(name, closeness_kev)]
    return tuple(sorted(found, key=lambda one: one.middle))


def _peaks(name: str, closeness_kev: float) -> list[Known]:
    peaks: list[Known] = []
    for _, lines in sorted(_series(name).items()):
        lines = sorted(lines)
        starts = [0, *(n for n in range(1, len(lines)) if lines[n][0] - lines[n - 1][0] > closeness_kev), len(lines)]
        for first, last in pairwise(starts):
            energies, intensities = np.array(lines[first:last]).T
            peaks.append(Known(name, energies, intensities / intensities.sum()))
    return peaks


def _series(name: str) -> dict[str, list[tuple[float, float]]]:
    """Lines (keV, intensity) whose ratios are known among each other."""
    plain = name.replace("-", "")
    if plain in _SOURCES:
        gammas, daughter = _SOURCES[plain]
        return {"gamma": list(gammas), **(_fluorescence(daughter) if daughter else {})}
    try:
        return {name: [(float(name), 1.0)]}
    except ValueError:
        pass
    try:
        return _fluorescence(name)
    except (ValueError, KeyError, AttributeError):
        raise ConfigurationError(
            f"{name!r} is no source, element or energy in keV; known sources are {', '.join(_SOURCES)}."
        ) from None


def _fluorescence(element: str) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for group, energy, intensity in lines_of(element):
        found.setdefault(f"{element} {group[0]}", []).append((energy, intensity))
    return found
