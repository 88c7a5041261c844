"""Thin gaps from how far the anode's surface has drawn back, if the electrolyte stayed where it was."""

import math

import numpy as np
import pytest
import xarray as xr
from cells import VOXEL, Cell, with_change
from hypothesis import given
from hypothesis import strategies as st
from realisations import fixed_bore

from operando.model.products.morphology import SURFACE
from operando.morphology.classify import classify
from operando.morphology.histogram import histogram
from operando.morphology.interface import interface
from operando.morphology.levels import levels
from operando.morphology.retreat import Retreat, thin_gaps
from operando.morphology.rim import opened
from operando.morphology.segment import segment
from operando.morphology.surface import reach, surface
from operando.morphology.triangles import smooth_height

SIZE, WIDTH = 90, 0.8
RADIUS = np.hypot(np.arange(SIZE)[:, None] - 45, np.arange(SIZE) - 45)
BELL = 6.0 * np.exp(-0.5 * (RADIUS / 12) ** 2)
"""A gap of which no profile shows where it ends: 0.5 voxel at twice the distance at which 2 are seen."""
CUT = np.maximum(BELL - 0.5, 0.0)


def noise(seed: int, std: float, wide: float = 0.7) -> np.ndarray:
    field = smooth_height(np.random.default_rng(seed).normal(0, 1.0, (SIZE, SIZE)), wide)
    return np.asarray(std * field / field.std())


def profiles(gap: np.ndarray, seed: int = 1) -> np.ndarray:
    """What profiles say: thick gaps to 0.2 voxel, thin ones not."""
    return np.asarray(np.where(gap > 1.8, gap, 0.4 + 0.3 * gap) + noise(seed, 0.2))


def read(retreat: np.ndarray, gap: np.ndarray, drag: float = 0.0) -> Retreat | None:
    return thin_gaps(retreat + noise(9, 0.06), profiles(gap), drag, WIDTH)


def test_a_gap_far_thinner_than_the_point_spread_is_told_from_contact() -> None:
    told = read(CUT, CUT)
    assert told is not None
    assert told.std < 0.1
    thin = (CUT > 0) & (CUT < 1.8)
    assert np.mean(told.gap[thin]) == pytest.approx(np.mean(CUT[thin]), abs=0.05)
    found = opened(profiles(CUT), told.gap)
    blind = opened(profiles(CUT))
    area = np.sum(CUT > 0)
    assert found.everywhere.sum() == pytest.approx(area, rel=0.12)
    assert abs(blind.everywhere.sum() - area) > 2 * abs(found.everywhere.sum() - area)
    assert found.gap.sum() == pytest.approx(CUT.sum(), rel=0.02)


@given(st.floats(-2.0, 2.0), st.integers(0, 50))
def test_an_electrolyte_that_moved_as_a_whole_changes_nothing(by: float, seed: int) -> None:
    """Nor does a scan that is registered off by as much."""
    still, moved = (thin_gaps(CUT + noise(seed, 0.06) + shift, profiles(CUT, seed), 0.0, WIDTH) for shift in (0.0, by))
    assert still is not None
    assert moved is not None
    assert np.nanmax(np.abs(moved.gap - still.gap)) < 0.03


def test_an_electrolyte_that_moved_unevenly_leaves_thin_gaps_untold() -> None:
    assert read(CUT + noise(3, 1.2, wide=8.0), CUT) is None


@pytest.mark.parametrize("by", [1.2, 1.9, 2.6, 2.8, 5.0])
def test_an_electrolyte_that_followed_wherever_it_touched_is_no_gap(by: float) -> None:
    """The anode drew back everywhere; a gap opened in the middle only."""
    assert read(CUT + np.where(CUT > 0, 0.0, by), CUT) is None


@pytest.mark.parametrize("most", [2.0, 3.0, 4.0])
def test_nor_is_one_that_followed_the_more_the_farther_from_the_gap(most: float) -> None:
    ramp = most * np.clip((RADIUS - 27) / 30, 0.0, 1.0)
    assert read(CUT + ramp, CUT) is None


def test_where_it_followed_in_one_place_profiles_contradict_the_retreat_there() -> None:
    place = np.hypot(np.arange(SIZE)[:, None] - 10, np.arange(SIZE) - 10) < 12
    told = read(CUT + 3.0 * place, CUT)
    assert told is not None
    assert not opened(profiles(CUT), told.gap).everywhere[place].any()


@pytest.mark.parametrize("growth", [0.3, 2.0, 6.0])
def test_an_anode_that_grew_elsewhere_is_in_contact_there(growth: float) -> None:
    grown = np.where(RADIUS > 45, growth, 0.0)
    told = read(CUT - grown, CUT)
    assert told is not None
    assert not opened(profiles(CUT), told.gap).everywhere[RADIUS > 45].any()
    assert np.sqrt(np.nanmean(told.gap[RADIUS > 45] ** 2)) < 0.15


@pytest.mark.parametrize("drag", [-0.1, 0.9, np.inf, np.nan])
def test_without_an_anode_far_denser_than_the_electrolyte_retreats_tell_nothing(drag: float) -> None:
    assert read(CUT, CUT, drag) is None


def test_without_a_gap_that_profiles_show_retreats_tell_nothing() -> None:
    assert read(np.minimum(CUT, 1.0), np.minimum(CUT, 1.0)) is None


def test_where_nothing_is_left_in_contact_seen_gaps_alone_say_where_zero_is() -> None:
    gap = CUT + 4.0
    told = read(gap + 0.7, gap)
    assert told is not None
    assert np.median(told.gap - gap) == pytest.approx(0.0, abs=0.05)


def test_where_the_retreat_contradicts_the_profile_the_profile_counts() -> None:
    """A particle that was taken for the anode before is no gap of ten voxels."""
    particle = RADIUS > 60
    told = read(CUT + 10.0 * particle, CUT)
    assert told is not None
    assert np.isnan(told.gap[particle]).all()
    assert not opened(profiles(CUT), told.gap).everywhere[particle].any()


def test_what_a_thin_gap_takes_from_the_anodes_edge_is_given_back() -> None:
    """Grey values that a gap lacks are missed at the anode's edge: it is met too deep, by a tenth of the gap here."""
    drag, steps = 0.1, np.linspace(-8, 8, 4001)
    normal = np.vectorize(math.erf)

    def edge(gap: float) -> float:
        """Where half of the step from electrolyte (0.1) to anode (1.1) is met, in the blurred profile of both."""
        anode = 1.1 * (1 - normal(steps / WIDTH / np.sqrt(2))) / 2
        behind = 0.1 * (1 + normal((steps - gap) / WIDTH / np.sqrt(2))) / 2
        return float(np.interp(-0.6, -(anode + behind), steps))

    for gap in (0.3, 0.8, 1.5):
        seen = np.where(CUT > 0, CUT, 0.0)
        spot = RADIUS > 50
        told = read(np.where(spot, gap - edge(gap), seen), np.where(spot, gap, CUT), drag)
        assert told is not None
        assert np.nanmean(told.gap[spot & np.isfinite(told.gap)]) == pytest.approx(gap, abs=0.03)


BEFORE = Cell(roughness=1.0)
AFTER = with_change(BEFORE, gap=6.0, gap_radius=24.0, gap_power=1.5, gap_at=(32.0, 36.0), drawn_back=True)


@pytest.fixture(scope="module")
def with_and_without() -> list[xr.Dataset]:
    """The later scan's interface, told what the earlier one shows, and not."""
    scans = [cell.volume(noise=0.2, seed=seed) for seed, cell in enumerate((BEFORE, AFTER))]
    tube = fixed_bore(scans[0], BEFORE)
    counted = [histogram(scan, tube, None) for scan in scans]
    own = [levels(one, classify(counted)) for one in counted]
    labels = [segment(scan, tube, one) for scan, one in zip(scans, own, strict=True)]
    maps = [surface(one, labels[0]) for one in labels]
    before = reach(maps[0], None)
    return [interface(labels[1], maps[1], scans[1], tube, own[1], None, told) for told in (before, None)]


def test_a_gap_is_known_better_once_the_anode_was_seen_before_it_drew_back(with_and_without: list[xr.Dataset]) -> None:
    gap = AFTER.gap_map()[AFTER.inside()]
    loss, volume = np.mean(gap > 0), gap.sum() * VOXEL**3
    told, _ = with_and_without
    assert float(told["contact_loss"]) == pytest.approx(loss, abs=0.05)
    assert float(told["cavity_volume"]) == pytest.approx(volume, rel=0.05)
    for name, truth in (("contact_loss", loss), ("cavity_volume", volume)):
        widths = [float(found[f"{name}_high"] - found[f"{name}_low"]) for found in with_and_without]
        assert widths[0] < 0.5 * widths[1]
        for found in with_and_without:
            assert float(found[f"{name}_low"]) <= truth <= float(found[f"{name}_high"])


def surface_at(height: float, columns: int = 6, facing: int = 1) -> xr.Dataset:
    axes = {name: (name, 2.5 * np.arange(columns), "um") for name in ("y_map", "x_map")}
    level = np.full((columns, columns), height, np.float32)
    return SURFACE.new(coords=axes, height=level, void=np.zeros_like(level), facing=facing)


@pytest.mark.parametrize("facing", [1, -1])
def test_the_reach_never_draws_back_and_knows_which_way_is_forward(facing: int) -> None:
    reached = None
    for height in (10.0, 14.0, 11.0):
        reached = reach(surface_at(facing * height, facing=facing), reached)
    assert reached is not None
    assert np.all(reached["height"] == facing * 14.0)


def test_a_scan_on_another_grid_passes_the_reach_on() -> None:
    before = reach(surface_at(14.0), None)
    assert reach(surface_at(90.0, columns=4), before).identical(before)
