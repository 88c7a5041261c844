"""Lines move with dead time: the energy scale as the EDDI beamline describes it.

E = a1 + exp(a2 (a3 + t)) - a4 / (a5 + t) + (b1 + b2 t + b3 t²) ch + (c1 + c2 t) ch², dead time t in %. The form is
that of the EDDI beamline's calibration files (the beamline: Genzel et al., Nucl. Instrum. Methods A 578 (2007) 23),
where its coefficients come from too.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DeadTimeScale:
    """Coefficients of the formula; keV, channels and per cent."""

    a: tuple[float, float, float, float, float]
    b: tuple[float, float, float]
    c: tuple[float, float]

    @classmethod
    def of(cls, row: np.ndarray) -> "DeadTimeScale":
        """From a1 … a5, b1 … b3, c1, c2 in one row (10,)."""
        a1, a2, a3, a4, a5, b1, b2, b3, c1, c2 = (float(value) for value in row)
        return cls((a1, a2, a3, a4, a5), (b1, b2, b3), (c1, c2))

    def at(self, scale: np.ndarray) -> np.ndarray:
        """Coefficients (elements, 3) of elements whose real time is ``scale`` times their live time."""
        return np.array([self.coefficients(100.0 * (1.0 - 1.0 / float(one))) for one in scale])

    def energy(self, channel: np.ndarray, dead_percent: float) -> np.ndarray:
        """Energies in keV of channels (n,) at a dead time in %.

        >>> scale = DeadTimeScale((0.0, 0.0, 0.0, 0.0, 1.0), (0.05, 0.0, 0.0), (0.0, 0.0))
        >>> float(scale.energy(np.array([1000.0]), 5.0)[0])
        51.0
        """
        return np.polynomial.polynomial.polyval(np.asarray(channel, float), self.coefficients(dead_percent))

    def coefficients(self, dead_percent: float) -> np.ndarray:
        """Offset (keV), slope and curvature (3,) of the energy scale at a dead time in %."""
        t = dead_percent
        a1, a2, a3, a4, a5 = self.a
        return np.array([
            a1 + np.exp(a2 * (a3 + t)) - a4 / (a5 + t),
            self.b[0] + self.b[1] * t + self.b[2] * t**2,
            self.c[0] + self.c[1] * t,
        ])


def offset_per_dead_time(dead_share: np.ndarray, offset_kev: np.ndarray, offset_std: np.ndarray) -> tuple[float, float]:
    """Shift of the energy scale per unit of dead time (keV) and its standard deviation, from the offsets of a series.

    A line through the origin: no dead time, no shift. ``dead_share`` is 1 - live / real. NaN where nothing is known.
    """
    known = np.isfinite(offset_kev) & np.isfinite(offset_std) & (dead_share > 0.0)
    if not known.any():
        return float("nan"), float("nan")
    weight = offset_std[known] ** -2.0
    information = float((weight * dead_share[known] ** 2).sum())
    return float((weight * dead_share[known] * offset_kev[known]).sum() / information), information**-0.5
