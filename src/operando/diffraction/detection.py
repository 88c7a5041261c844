"""When a phase counts as there: the gain in likelihood that noise alone would reach at a stated rate."""

from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtrc, comb


def false_alarm(gain: float, lines: int, trials: float) -> float:
    """Upper bound of the chance that noise makes ``lines`` non-negative areas gain this log-likelihood.

    Twice the gain follows a mixture of chi-squared laws (chi-bar-squared: Self and Liang 1987,
    https://doi.org/10.1080/01621459.1987.10478472); ``trials`` independent places are searched.
    """
    counts = np.arange(1, lines + 1)
    tail = float((comb(lines, counts) * 0.5**lines * chdtrc(counts, 2.0 * gain)).sum())
    return min(1.0, trials * tail)


@lru_cache(maxsize=4096)
def needed_gain(rate: float, lines: int, trials: float) -> float:
    """Log-likelihood gain that noise exceeds with a probability of at most ``rate``.

    >>> needed_gain(0.01, 1, 1.0) < needed_gain(0.001, 1, 1.0) < needed_gain(0.001, 1, 10.0)
    True
    """
    return float(brentq(lambda gain: np.log(max(false_alarm(gain, lines, trials), 1e-300) / rate), 1e-9, 690.0))
