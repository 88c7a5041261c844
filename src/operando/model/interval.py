"""A measured number with its 95 % interval: what every table, figure and summary shows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from operando.model.constants import NORMAL_95


@dataclass(frozen=True)
class Quantity:
    """``value`` with the 95 % interval ``low`` … ``high`` in ``unit``."""

    value: float
    low: float
    high: float
    unit: str

    def as_json(self) -> dict[str, float | str] | None:
        """The object of summary.json; ``None`` if any part is not finite, for a guess is no number."""
        if not all(math.isfinite(x) for x in (self.value, self.low, self.high)):
            return None
        return {"value": self.value, "low": self.low, "high": self.high, "unit": self.unit}


def from_std(value: float, std: float, unit: str) -> Quantity:
    """A normally distributed result.

    >>> round(from_std(10.0, 1.0, "um").high, 6)
    11.959964
    """
    half = NORMAL_95 * float(std)
    return Quantity(float(value), float(value) - half, float(value) + half, unit)


def from_samples(value: float, samples: Sequence[float] | np.ndarray, unit: str) -> Quantity:
    """A result with its interval taken from the 2.5 and 97.5 percentiles of ``samples``."""
    low, high = np.percentile(np.asarray(samples, float), [2.5, 97.5])
    return Quantity(float(value), float(low), float(high), unit)
