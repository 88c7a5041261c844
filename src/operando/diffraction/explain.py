"""Which single cause can have moved the lattices as they moved? Linear models on a handful of observables.

The observables are the relative changes of every phase's free edges, and of the fluorescence lines, between two
states of the cell, with their covariance. Each cause moves them in its own pattern: 2θ all lattices alike and not the
fluorescence, gain all lattices and the fluorescence against each other, temperature each lattice by its expansion,
strain and composition one lattice alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

EXCLUDED_BELOW = 3e-3
"""A cause is excluded if its best fit is this improbable."""

_LIKELIHOOD_RATIO = 200.0
"""A cause is excluded if the best one is this many times more likely, each freedom of a cause counted (BIC)."""


@dataclass(frozen=True)
class Shifts:
    """Observed changes: ``values`` (n,), ``covariance`` (n, n), ``owner`` (n,): the phase's name, or "fluorescence".

    ``by_offset`` (n,) is what an unknown offset of the energy scale by 1 keV would feign.
    """

    values: np.ndarray
    covariance: np.ndarray
    owner: tuple[str, ...]
    by_offset: np.ndarray

    def of(self, owner: str) -> tuple[np.ndarray, np.ndarray]:
        """Changes of one owner and their covariance; NaN where it is not measured."""
        rows = [row for row, one in enumerate(self.owner) if one == owner]
        if not rows:
            return np.full(1, np.nan), np.full((1, 1), np.nan)
        return self.values[rows], self.covariance[np.ix_(rows, rows)]


@dataclass(frozen=True)
class Explanation:
    """How well one cause does: chi-squared, degrees of freedom left, its size with standard deviation, and BIC."""

    cause: str
    phase: str
    chi_squared: float
    freedom: int
    size: np.ndarray
    size_std: np.ndarray
    criterion: float

    @property
    def probability(self) -> float:
        """Chance of a worse fit if this is the cause."""
        return float(chdtrc(self.freedom, self.chi_squared)) if self.freedom > 0 else 1.0


def patterns(
    shifts: Shifts, expansion: Mapping[str, tuple[float, float]], alloys: Sequence[str]
) -> list[tuple[str, str, np.ndarray]]:
    """(cause, phase, columns (n, parameters)) of every cause; ``alloys``: phases with a width of composition."""
    lattice = np.array([owner != "fluorescence" for owner in shifts.owner])
    ones = lattice.astype(float)
    found = [
        ("theta-drift", "", ones[:, None]),
        ("energy-drift", "", np.where(lattice, -1.0, 1.0)[:, None]),
        ("energy-drift", "", shifts.by_offset[:, None]),
        ("temperature", "", np.array([expansion.get(owner, (0.0, 0.0))[0] for owner in shifts.owner])[:, None]),
    ]
    for phase in dict.fromkeys(owner for owner in shifts.owner if owner != "fluorescence"):
        own = np.flatnonzero([owner == phase for owner in shifts.owner])
        columns = np.zeros((len(shifts.owner), len(own)))
        columns[own, np.arange(len(own))] = 1.0
        found.append(("strain", phase, columns))
        if phase in alloys:
            found.append(("composition", phase, columns))
    return found


def explain(shifts: Shifts, expansion: Mapping[str, tuple[float, float]], alloys: Sequence[str]) -> list[Explanation]:
    """Every single cause fitted to the observed changes; "none" stands for lattices at rest."""
    found = [_fit(shifts, "none", "", np.zeros((len(shifts.values), 0)), shifts.covariance)]
    for cause, phase, columns in patterns(shifts, expansion, alloys):
        one = _fit(shifts, cause, phase, columns, shifts.covariance)
        if cause == "temperature":
            spread = np.array([expansion.get(owner, (0.0, 0.0))[1] for owner in shifts.owner]) * one.size[0]
            same = np.array([[a == b for a in shifts.owner] for b in shifts.owner])
            one = _fit(shifts, cause, phase, columns, shifts.covariance + same * np.outer(spread, spread))
        found.append(one)
    return found


def _fit(shifts: Shifts, cause: str, phase: str, columns: np.ndarray, covariance: np.ndarray) -> Explanation:
    weight = np.linalg.inv(covariance)
    information = columns.T @ weight @ columns
    inverse = np.linalg.pinv(information, hermitian=True) if columns.shape[1] else information
    size = inverse @ (columns.T @ weight @ shifts.values)
    off = shifts.values - columns @ size
    used = int(np.linalg.matrix_rank(columns)) if columns.size else 0
    chi_squared = float(off @ weight @ off)
    wider = float(np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(shifts.covariance)[1])
    count = len(shifts.values)
    criterion = chi_squared + wider + used * np.log(max(count, 2))
    return Explanation(cause, phase, chi_squared, count - used, size, np.sqrt(np.diag(inverse)), criterion)


def surviving(explanations: Sequence[Explanation]) -> list[Explanation]:
    """Those that fit, and not much worse than the best; lattices at rest count as one of them."""
    fitting = [one for one in explanations if one.probability > EXCLUDED_BELOW]
    best = min((one.criterion for one in fitting), default=np.inf)
    return [one for one in fitting if one.criterion < best + 2.0 * np.log(_LIKELIHOOD_RATIO)]


def pairs(shifts: Shifts, expansion: Mapping[str, tuple[float, float]], alloys: Sequence[str]) -> list[tuple[str, ...]]:
    """Pairs of causes that explain together what none explains alone."""
    known = patterns(shifts, expansion, alloys)
    found: dict[tuple[str, ...], Explanation] = {}
    for i, (first, _, columns) in enumerate(known):
        for second, _, others in known[i + 1 :]:
            if first != second:
                one = _fit(shifts, first, "", np.hstack([columns, others]), shifts.covariance)
                key = tuple(sorted((first, second)))
                if key not in found or one.criterion < found[key].criterion:
                    found[key] = one
    left = {id(one) for one in surviving(list(found.values()))}
    return [key for key, one in found.items() if id(one) in left]
