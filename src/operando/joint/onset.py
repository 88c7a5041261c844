"""When a series began to rise, with everything that the data allow: a posterior over the instant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SHAPES = (0.0, 0.5, 1.0, 1.5)
"""Powers of the time since onset: a step, a decelerating, a steady and an accelerating rise, equally likely."""

UNLIKE = 0.02
"""How far a real rise stays from every such shape, of its height: without it, what has no scatter would be told to the
minute (in made-up losses of contact, where few scans lie on the rise, 42 of 60 intervals held the truth)."""

GRID = 2000
FEWEST = 6
FEWEST_BEFORE = 3
ENOUGH = 0.7
DECISIVE = 10.0
"""Least gain in BIC over "nothing happened" (very strong evidence; Kass and Raftery 1995,
https://doi.org/10.1080/01621459.1995.10476572)."""


@dataclass(frozen=True)
class Posterior:
    """Probability ``weight`` of each instant ``seconds`` (sorted; weights add up to one)."""

    seconds: np.ndarray
    weight: np.ndarray

    @property
    def likely(self) -> float:
        """The median: as likely earlier as later."""
        return self.quantile(0.5)

    def quantile(self, probability: float) -> float:
        """The first instant by which it had happened with this probability."""
        place = int(np.searchsorted(np.cumsum(self.weight), probability * (1 - 1e-12)))
        return float(self.seconds[min(place, self.seconds.size - 1)])


def uniform(low: float, high: float) -> Posterior:
    """Any instant from ``low`` to ``high`` is as likely."""
    places = low + (high - low) * (np.arange(GRID) + 0.5) / GRID
    return Posterior(places, np.full(GRID, 1.0 / GRID))


def before(a: Posterior, b: Posterior) -> float:
    """Probability that ``a`` happened before ``b``, the two being independent."""
    until = np.concatenate([[0.0], np.cumsum(b.weight)])
    not_yet = 1.0 - until[np.searchsorted(b.seconds, a.seconds, "right")]
    ties = np.where(np.isin(a.seconds, b.seconds), b.weight[np.clip(
        np.searchsorted(b.seconds, a.seconds), 0, b.seconds.size - 1)], 0.0)  # fmt: skip
    return float(np.clip((a.weight * (not_yet + ties / 2)).sum(), 0.0, 1.0))


def rise_onset(
    seconds: np.ndarray, values: np.ndarray, starts: Sequence[float] = (), stds: np.ndarray | None = None
) -> Posterior | None:
    """When ``values`` began to rise above a constant level, or ``None`` if they never clearly did.

    The scatter is estimated from the series itself, since intervals of one instrument share most of their error.
    Only the first excursion is looked at, up to its top, so that what comes after does not disturb. ``starts`` are
    the beginnings of the protocol's steps (s): half of the prior probability lies on them, for that is when things
    begin; the other half is spread evenly. Only the ratios of ``stds`` matter: how well one value is known against
    another; they are left aside where any of them is missing.
    """
    if stds is None or not (np.isfinite(stds) & (stds > 0)).all():
        stds = np.ones(values.size)
    known = np.isfinite(seconds) & np.isfinite(values)
    t, y, share = seconds[known], values[known], 1 / stds[known] ** 2
    end = excursion_end(y)
    if end is None:
        return None
    t, y, share = t[: end + 1], y[: end + 1], share[: end + 1] / share[: end + 1].mean()
    floor = UNLIKE * float(np.ptp(y))
    instants, prior = _prior(t, starts)
    squares = np.stack([_residual_squares(t, y, share, instants, shape) for shape in SHAPES]) + t.size * floor**2
    constant = float((share * (y - np.average(y, weights=share)) ** 2).sum()) + t.size * floor**2
    best = float(squares.min())
    # Amplitude, instant and shape are three parameters more than a constant has.
    if t.size * np.log(constant / best) - 3 * np.log(t.size) < DECISIVE:
        return None
    weight = prior * ((squares / best) ** (-(max(t.size - 3, 1)) / 2)).sum(axis=0)
    return Posterior(instants, weight / weight.sum())


def parted_onset(
    seconds: np.ndarray, lows: np.ndarray, highs: np.ndarray, starts: Sequence[float] = ()
) -> Posterior | None:
    """Where too few values came before to tell their scatter: an onset by the intervals alone, or ``None``.

    It lies between the first value whose interval is above those of all before, and the value before that.

    >>> when = parted_onset(np.array([0.0, 10.0, 20.0]), np.array([0.0, 0, 5]), np.array([1.0, 2, 7]))
    >>> round(when.quantile(0.025)), round(when.quantile(0.975))
    (10, 20)
    """
    known = np.isfinite(seconds) & np.isfinite(lows) & np.isfinite(highs)
    t, low, high = seconds[known], lows[known], highs[known]
    most = t.size if t.size < FEWEST else FEWEST_BEFORE + 1
    above = np.flatnonzero(low[1:most] > np.maximum.accumulate(high[: most - 1]))
    if not above.size:
        return None
    instants, prior = _prior(t[above[0] : above[0] + 2], starts)
    return Posterior(instants, prior)


def _prior(t: np.ndarray, starts: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Possible instants and their prior probabilities."""
    grid = np.linspace(t[0], t[-1], GRID, endpoint=False)
    likely = np.unique([start for start in starts if t[0] <= start < t[-1]])
    if not likely.size:
        return grid, np.full(GRID, 1.0 / GRID)
    instants = np.concatenate([grid, likely])
    prior = np.concatenate([np.full(GRID, 0.5 / GRID), np.full(likely.size, 0.5 / likely.size)])
    order = np.argsort(instants, kind="stable")
    return instants[order], prior[order]


def excursion_end(values: np.ndarray) -> int | None:
    """Place of the top of the first lasting excursion above the level before it; ``None`` if there is none."""
    if values.size < FEWEST:
        return None
    least = 1e-3 * float(np.ptp(values))
    for k in range(FEWEST_BEFORE, values.size - 1):
        level = float(np.median(values[:k]))
        if min(values[k], values[k + 1]) - level > 4 * _scatter(values[:k], level) + least:
            return _top(values, k, level)
    return None


def _top(values: np.ndarray, start: int, level: float) -> int:
    """Place up to which the rise tells its onset: most of the way to the top before it came halfway back."""
    top = start
    for k in range(start, values.size):
        if values[k] > values[top]:
            top = k
        elif values[k] - level < 0.5 * (values[top] - level):
            break
    # Far from the onset the rise may have changed its pace: the part up to ENOUGH of the height tells.
    enough = start + int(np.argmax(values[start : top + 1] - level >= ENOUGH * (values[top] - level)))
    return min(max(enough, start + 3), max(top, start + 1), values.size - 1)


def _scatter(before: np.ndarray, level: float) -> float:
    """Standard deviation of the values before, the larger of two robust estimates, widened where they are few."""
    about = 1.4826 * float(np.median(np.abs(before - level)))
    steps = 1.4826 * float(np.median(np.abs(np.diff(before)))) / np.sqrt(2)
    return float(max(about, steps) * (1 + 4 / before.size))


def _residual_squares(t: np.ndarray, y: np.ndarray, share: np.ndarray, onsets: np.ndarray, shape: float) -> np.ndarray:
    """Weighted sum of squares left by a constant plus a rise of this shape from each onset; falls don't count."""
    since = t[None, :] - onsets[:, None]
    scale = float(t[-1] - t[0])
    basis = np.where(since > 0, (np.maximum(since, 0.0) / scale) ** shape, 0.0)
    basis -= (basis @ share / share.sum())[:, None]
    centred = y - np.average(y, weights=share)
    norm = basis**2 @ share
    projection = np.maximum(basis @ (share * centred), 0.0)
    gain = np.divide(projection**2, norm, out=np.zeros_like(norm), where=norm > 1e-12)
    return np.asarray((share * centred**2).sum() - gain)
