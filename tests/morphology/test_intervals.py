"""Intervals of the net change hold the truth, and are no wider than they need to be."""

import numpy as np
from realisations import realise
from scipy.stats import binomtest


def test_net_change_is_unbiased_and_its_interval_honest() -> None:
    outcomes = [realise(seed) for seed in range(1000, 1016)]
    error = np.array([o.net - o.truth for o in outcomes])
    half = np.array([(o.high - o.low) / 2 for o in outcomes])
    area = outcomes[0].area
    standard_error = error.std(ddof=1) / np.sqrt(len(error))
    assert abs(error.mean()) < 0.02 * area + 2 * standard_error
    assert binomtest(sum(o.covered for o in outcomes), len(outcomes), 0.95).pvalue > 0.01
    assert np.median(half) < 1.8 * 1.96 * np.sqrt(np.mean(error**2))


def test_nothing_happens_between_scans_at_rest() -> None:
    for seed in (3, 4, 5):
        still = realise(seed, growth=0.0)
        assert still.covered
        assert abs(still.net) < 0.1 * still.area


def test_gain_minus_loss_is_the_net() -> None:
    one = realise(11)
    assert np.isclose(one.gain - one.loss, one.net)
    assert one.gain > 10 * abs(one.loss)
