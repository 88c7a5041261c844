"""How fast the surface moves, and what strain stands out from the noise."""

import numpy as np
import pytest
import xarray as xr
from cells import VOXEL, Cell, motions_of, with_change
from realisations import fixed_bore

from operando.model.products.joint import PAIRS, SCAN_TIMELINE
from operando.model.products.morphology import DISPLACEMENT
from operando.morphology.advance import advance
from operando.morphology.classify import classify
from operando.morphology.displacement import COMPONENTS
from operando.morphology.histogram import histogram
from operando.morphology.interface import interface
from operando.morphology.levels import levels
from operando.morphology.rigid import Rigid
from operando.morphology.segment import segment
from operando.morphology.strain import strain
from operando.morphology.surface import surface as surface_of

CELL = Cell(shape=(28, 44, 44), bore=17.0, level=11.0, roughness=1.2)
HOURS = np.array([0.0, 0.5, 2.5])
GROWTH = (0.0, 0.8, 1.6)


def _timeline(hours: np.ndarray) -> xr.Dataset:
    start = np.datetime64("2026-01-01", "ns") + (hours * 3600e9).astype("timedelta64[ns]")
    numbers = dict.fromkeys(("charge", "voltage", "current"), np.zeros(len(hours)))
    texts = {"file": np.array(["a"] * len(hours), object), "step_kind": np.array([""] * len(hours), object)}
    zeros = np.zeros(len(hours), int)
    end = start + np.timedelta64(90, "s")
    return SCAN_TIMELINE.new(
        coords={"scan": np.arange(len(hours))}, start=start, end=end, cycle=zeros, step=zeros, **texts, **numbers
    )


@pytest.fixture(scope="module")
def series() -> dict[str, list[xr.Dataset]]:
    middle = VOXEL * (np.array(CELL.shape) - 1) / 2
    moved = [None, Rigid.of(np.array([2.0, 1.0, -1.0]), np.zeros(3), middle), None]
    table = motions_of(*moved, std=0.05)
    scans = [
        with_change(CELL, growth=g).volume(0.7, 0.2, seed=k, motion=moved[k]).assign_attrs(frame=k)
        for k, g in enumerate(GROWTH)
    ]
    tube = fixed_bore(scans[0], CELL)
    rows = [table.isel(scan=k) for k in range(3)]
    counted = [histogram(scan, tube, row) for scan, row in zip(scans, rows, strict=True)]
    classes = classify(counted)
    own = [levels(one, classes).assign_attrs(frame=k) for k, one in enumerate(counted)]
    parts = list(zip(scans, own, rows, strict=True))
    labels = [segment(scan, tube, one, row) for scan, one, row in parts]
    maps = [
        interface(labels[k], surface_of(labels[k], labels[0]), scan, tube, one, row).assign_attrs(frame=k)
        for k, (scan, one, row) in enumerate(parts)
    ]
    return {"maps": maps, "levels": own, "motions": [table]}


def test_velocity_of_a_growing_anode_comes_back(series: dict[str, list[xr.Dataset]]) -> None:
    found = advance(series["maps"], series["levels"], series["motions"][0], _timeline(HOURS))
    truth = np.diff(GROWTH) * VOXEL / np.diff(HOURS)
    assert np.all((found["velocity_low"].values[1:] < truth) & (truth < found["velocity_high"].values[1:]))
    half = (found["velocity_high"] - found["velocity_low"]).values[1:] / 2
    assert np.all(half < 0.25 * truth)
    assert float(found["advance"][2]) == pytest.approx(1.6 * VOXEL, abs=0.1 * VOXEL)
    assert np.isnan(found["velocity"][0])


def test_without_times_there_is_advance_but_no_velocity(series: dict[str, list[xr.Dataset]]) -> None:
    timeline = _timeline(HOURS)
    unknown = np.full(3, np.datetime64("NaT", "ns"))
    found = advance(series["maps"], series["levels"], series["motions"][0], timeline.assign(start=("scan", unknown)))
    assert np.isfinite(found["since_last"].values[1:]).all()
    assert np.isnan(found["velocity"]).all()


def test_scans_without_a_surface_are_passed_over(series: dict[str, list[xr.Dataset]]) -> None:
    blind = series["maps"][1].assign(height=series["maps"][1]["height"] * np.nan)
    maps = [series["maps"][0], blind, series["maps"][2]]
    found = advance(maps, series["levels"], series["motions"][0], _timeline(HOURS))
    assert found["scan"].values.tolist() == [0, 2]
    assert float(found["hours"][1]) == pytest.approx(2.5)


def test_a_rim_of_another_grey_widens_the_interval_of_a_surface_that_has_moved(
    series: dict[str, list[xr.Dataset]],
) -> None:
    half = []
    for spread in (0.05, 2.0):
        own = [one.assign(mean_std=0 * one["mean_std"] + spread, threshold_std=0 * one["threshold_std"] + spread)
               for one in series["levels"]]  # fmt: skip
        found = advance(series["maps"], own, series["motions"][0], _timeline(HOURS))
        half.append((found["since_last_high"] - found["since_last_low"]).values[1:])
    assert np.all(half[1] > 2 * half[0])


def test_without_an_electrolyte_there_is_nothing_to_tell(series: dict[str, list[xr.Dataset]]) -> None:
    maps = [one.assign(height=one["height"] * np.nan) for one in series["maps"]]
    own = [one.isel(phase=[0, 2], boundary=[0]) for one in series["levels"]]
    found = advance(maps, own, series["motions"][0], _timeline(HOURS))
    assert found.sizes["scan"] == 0


def _pair(frames: tuple[int, int], strain_zz: float, seed: int) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    strains = 0.002 * rng.standard_normal((40, 6))
    strains[:, 0] += strain_zz
    nodes = np.zeros((40, 3))
    return DISPLACEMENT.new(
        coords={"axis": ["z", "y", "x"], "component": COMPONENTS},
        attrs={"frame": frames},
        displacement=nodes,
        displacement_std=nodes,
        position=nodes,
        strain=strains,
        strain_noise=np.full(6, 0.002),
    )


def _pairs(*kinds: str) -> xr.Dataset:
    count = len(kinds)
    steps = {"from_scan": np.arange(count), "to_scan": np.arange(count) + 1, "cycle": np.ones(count, int)}
    return PAIRS.new(step=np.array(kinds, object), **steps)


def test_strain_is_set_beside_what_rest_shows() -> None:
    found = strain([_pair((0, 1), 0.02, 1), _pair((1, 2), 0.0, 2)], _pairs("charge", "null test"))
    assert found["floor"].values == pytest.approx(np.full(6, 0.004), abs=0.0015)
    assert float(found["seen_share"][0, 0]) > 0.95
    assert np.all(found["seen_share"].values[0, 1:] < 0.3)
    assert float(found["strain_low"][0, 0]) < 0.02 < float(found["strain_high"][0, 0])
    assert not found.attrs["warnings"]


def test_places_that_share_one_plane_are_no_better_known_than_it() -> None:
    one = _pair((0, 1), 0.02, 1).isel(node=slice(0, 8))
    one = one.assign(strain=one["strain"] * 0 + 0.02)
    found = strain([one], _pairs("charge"))
    assert float(found["strain_high"][0, 0] - found["strain_low"][0, 0]) > 3 * 0.002


def test_without_rest_the_scatter_stands_in_and_a_warning_says_so() -> None:
    found = strain([_pair((0, 1), 0.02, 1)], _pairs("charge"))
    assert np.isnan(found["floor"]).all()
    assert float(found["seen_share"][0, 0]) > 0.95
    assert "no two scans at rest" in found.attrs["warnings"][0]
    assert strain([], _pairs()).sizes["pair"] == 0
