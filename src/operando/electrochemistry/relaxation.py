"""Split what follows a jump of the current: the part without delay and the part that takes its time."""

import numpy as np

OHMIC_WINDOW_S = 10.0
PROMPT_S = 0.05
FEWEST_SAMPLES = 4
MOST_SAMPLES = 6
"""Only the earliest samples: the line in √t bends as soon as charge transfer is over."""


def ohmic_part(since: np.ndarray, ratio: np.ndarray) -> tuple[float, float]:
    """Resistance at no delay and its standard deviation (ohm), by a line through ``ratio`` against √``since``.

    ``ratio``: change of voltage over the jump of the current, at ``since`` seconds after it. A straight line in √t is
    how diffusion begins (Weppner and Huggins 1977, https://doi.org/10.1149/1.2133112). NaN with too few samples.
    """
    early = np.flatnonzero((since >= 0) & (since <= OHMIC_WINDOW_S))[:MOST_SAMPLES]
    if early.size < FEWEST_SAMPLES or np.ptp(since[early]) == 0:
        return float("nan"), float("nan")
    design = np.stack([np.ones(early.size), np.sqrt(since[early])], axis=1)
    coefficients, *_ = np.linalg.lstsq(design, ratio[early], rcond=None)
    residual = ratio[early] - design @ coefficients
    variance = float(residual @ residual) / (design.shape[0] - 2)
    covariance = np.linalg.inv(design.T @ design) * variance
    return float(coefficients[0]), float(np.sqrt(covariance[0, 0]))


def ohmic_resistance(
    since: np.ndarray, ratio: np.ndarray, resistance: float, resistance_std: float
) -> tuple[float, float]:
    """Ohmic resistance and its standard deviation (ohm).

    A sample within ``PROMPT_S`` of the jump is taken as it is: charge transfer is slower. Else the extrapolation
    counts, if it lies between nothing and the first sample; otherwise it can't be known (NaN).
    """
    if since.size and since[0] <= PROMPT_S:
        return resistance, resistance_std
    ohmic, std = ohmic_part(since, ratio)
    return (ohmic, std) if 0 <= abs(ohmic) <= abs(resistance) and ohmic * resistance > 0 else (float("nan"),) * 2


def slow_part(since: np.ndarray, ratio: np.ndarray, window_s: float) -> float:
    """What the ratio adds from the first sample after the jump to the end of the window (ohm).

    NaN where the step ends before.
    """
    if not since.size or since[-1] < window_s:
        return float("nan")
    return float(np.interp(window_s, since, ratio) - ratio[0])
