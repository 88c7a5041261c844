"""Which heavy elements fluoresce beside the sample: shielding and slits, found once and then fitted in every spectrum.

Their lines have known energies and stand still whatever the cell does, so they pin the energy scale.
"""

from collections.abc import Sequence

import numpy as np

from operando.diffraction.element import ElementFit, fwhm
from operando.diffraction.fluorescence import in_range

CANDIDATES = ("Mo", "Ag", "Cd", "Sn", "Ba", "Gd", "Ta", "W", "Pt", "Au", "Pb", "Bi", "U")
"""Elements of slits, shielding, detectors' housings and targets whose K lines spectra of this kind hold."""

_CLEAR = 5.0
"""Standard deviations that each line of the Kα doublet must stand out by."""


def shielding(fits: Sequence[ElementFit]) -> tuple[str, ...]:
    """Elements whose Kα1 and Kα2 both stand among the lines that no phase explains, in most detector elements."""
    votes = [_seen(one) for one in fits]
    return tuple(name for name in CANDIDATES if 2 * sum(name in vote for vote in votes) > len(votes) > 0)


def _seen(one: ElementFit) -> set[str]:
    energy, area, std = one.unindexed()
    clear = area > _CLEAR * std
    return {name for name in CANDIDATES if _doublet(one, name, energy[clear], area[clear])}


def _doublet(one: ElementFit, name: str, energy: np.ndarray, area: np.ndarray) -> bool:
    """Whether both lines of the doublet are there, apart from each other, with areas that suit (within a factor 2)."""
    known, group, share, names = in_range((name,), float(one.problem.energy[0]), float(one.problem.energy[-1]))
    alpha = np.flatnonzero(group == names.index(f"{name} Ka")) if f"{name} Ka" in names else np.zeros(0, int)
    strongest = alpha[np.argsort(-share[alpha])][:2]
    if len(strongest) < 2 or not len(energy):
        return False
    nearest = [int(np.argmin(np.abs(energy - at))) for at in known[strongest]]
    near = np.abs(energy[nearest] - known[strongest]) < 0.25 * fwhm(one.resolution(), known[strongest])
    ratio = (area[nearest[1]] / area[nearest[0]]) / (share[strongest[1]] / share[strongest[0]])
    return bool(near.all() and nearest[0] != nearest[1] and 0.5 < ratio < 2.0)
