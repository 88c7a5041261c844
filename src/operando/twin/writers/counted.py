"""What a spectrum writer gets."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np


@dataclass(frozen=True)
class Counted:
    """One spectrum of all elements: ``counts`` (element, channel), times in s, energies' coefficients in keV.

    ``start`` is the local time, without a zone, as such files have it; ``utc`` the same moment.
    """

    title: str
    counts: np.ndarray
    real_s: np.ndarray
    live_s: np.ndarray
    coefficients: np.ndarray
    two_theta_deg: np.ndarray
    start: datetime
    utc: np.datetime64
    ring_current_ma: float
