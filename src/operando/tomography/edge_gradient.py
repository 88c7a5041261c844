"""The exponential edge gradient: a blurred camera averages light, not line integrals.

Where thickness changes within the width of the blur, -ln of the mean light is less than the mean of -ln, whatever the
order in which they follow each other (Joseph and Spital 1981, doi:10.1088/0031-9155/26/3/010): surfaces that lie along
the beam come out too low, voids beside dense material too bright. What is lacking follows from the light itself, made
sharp again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from operando.tomography.hardening import LONGEST

WIDEST = 1.2
"""Standard deviation of the widest blur that is allowed for, pixels."""
REACH = 2.5
"""Standard deviations after which a blur ends."""
HALO = 9
"""Rows on either side that the widest blur takes: three times its reach, for it blurs what was blurred twice."""
NARROWEST = 0.1
"""A narrower blur reaches no neighbour, pixels."""
_POINTS = 4096


@dataclass(frozen=True)
class EdgeGradient:
    """What one camera's blur takes from straightened line integrals."""

    weights: np.ndarray
    """Of the blur from its middle on, float32; over both sides they add up to 1."""
    table: np.ndarray
    """Straightened line integrals at even steps from 0 to ``LONGEST``, float32."""

    @classmethod
    def of(cls, width: float, straighten: Callable[[np.ndarray], np.ndarray]) -> "EdgeGradient":
        """``width``: standard deviation of the blur, pixels; ``straighten``: what follows the logarithm."""
        return cls(weights_of(width), straighten(np.linspace(0, LONGEST, _POINTS)).astype(np.float32))

    def lacking(self, attenuation: np.ndarray, dark: np.ndarray) -> np.ndarray:
        """What straightened line integrals lack, (angle, row, column), float32; ``attenuation`` is -ln of the light.

        ``dark`` rows see nothing (the slits' shadow is no edge of the sample): the nearest other row stands for each.

        The light is sharpened by two steps of Richardson (1972, doi:10.1364/JOSA.62.000055) and Lucy. Blurred again,
        once as light and once as line integrals, it tells the difference. Where nothing changes this is 0, so that
        noise stays as it was to first order.
        """
        from operando.tomography._edge_kernels import lack

        result = np.zeros_like(attenuation)
        lit = np.flatnonzero(~dark)
        if lit.size:
            source = lit[np.abs(np.arange(len(dark))[:, None] - lit).argmin(axis=1)]
            lack(attenuation, source, self.weights, self.table, (_POINTS - 1) / LONGEST, result)
            result[:, dark] = 0
        return result


def weights_of(width: float) -> np.ndarray:
    """Weights of a Gaussian blur from its middle on, float32; over both sides they add up to 1.

    >>> weights_of(0.6).astype(float).round(3).tolist()
    [0.664, 0.166, 0.003]
    """
    bell = np.exp(-0.5 * (np.arange(int(np.ceil(REACH * width)) + 1) / width) ** 2)
    return np.asarray(bell / (2 * bell.sum() - bell[0]), np.float32)
