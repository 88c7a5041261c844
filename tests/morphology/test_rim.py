"""How a gap ends where it is too thin to be seen, and how large the bore is."""

import numpy as np
import pytest

from operando.morphology.circle import Circle, fit_circle
from operando.morphology.rim import opened
from operando.morphology.triangles import smooth_height

SIZE = 90


def distance(size: int, y: float, x: float) -> np.ndarray:
    return np.asarray(np.hypot(np.arange(size)[:, None] - y, np.arange(size) - x))


def fitted(gap: np.ndarray, seed: int) -> np.ndarray:
    """What the fits say of a gap: thin ones are told from contact on the mean, not one by one."""
    noise = smooth_height(np.random.default_rng(seed).normal(0, 1.0, gap.shape), 0.7)
    return np.asarray(gap + 0.3 * noise / noise.std())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cone_goes_on_to_its_foot(seed: int) -> None:
    true = np.maximum(6 - 0.25 * distance(SIZE, 45, 45), 0.0)
    found = opened(fitted(true, seed))
    assert found.everywhere.sum() == pytest.approx((true > 0).sum(), rel=0.1)
    assert found.gap.sum() == pytest.approx(true.sum(), rel=0.05)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_flat_blister_does_not_spread_over_surface_in_contact(seed: int) -> None:
    """Its border is nearly level: going on with its slope it would cover three times its area."""
    r = distance(SIZE, 45, 45)
    true = np.where(r < 8, 2.9 - 0.0135 * r**2, np.maximum(2.04 - 0.8 * (r - 8), 0.0))
    found = opened(fitted(true, seed))
    assert found.seen.any()
    assert found.gap.sum() < 1.25 * true.sum()
    assert found.everywhere.sum() < 1.6 * (true > 0).sum()


def test_the_bore_holds_as_much_as_a_sharp_disc() -> None:
    """A reconstructed rim overshoots on its inside: the radius is that of the disc that holds as much."""
    r = distance(160, 79.3, 79.8)
    edge = 1 / (1 + np.exp((r - 60) / 0.4))
    bump = 0.06 * np.exp(-0.5 * ((r - 58.2) / 0.6) ** 2)
    holds = np.sqrt(60**2 + 2 * 0.06 * 58.2 * 0.6 * np.sqrt(2 * np.pi))
    found = fit_circle(edge + bump, Circle(79, 80, 61))
    assert found is not None
    assert found.radius == pytest.approx(holds, abs=0.06)
    assert found.share > 0.95
