"""Every net volume has a second witness, and what the opaque part hides is told from what is seen."""

import numpy as np
import pytest
import xarray as xr
from cells import VOXEL, Cell, as_volume, starved_rows, with_change
from realisations import fixed_bore

from operando.joint.expected import difference_of
from operando.model.interval import Quantity
from operando.morphology.classify import classify
from operando.morphology.cross_check import advance_of, disagreement
from operando.morphology.difference import difference
from operando.morphology.histogram import histogram
from operando.morphology.interface import interface
from operando.morphology.levels import levels
from operando.morphology.phase_volumes import phase_volumes
from operando.morphology.segment import segment
from operando.morphology.surface import surface as surface_of

CELL = Cell(shape=(32, 44, 44), bore=17.0, level=14.0, roughness=1.2)


def _difference(scans: list[xr.Dataset], trust: xr.Dataset | None = None) -> xr.Dataset:
    tube = fixed_bore(scans[0], CELL)
    counted = [histogram(scan, tube, None, trust) for scan in scans]
    classes = classify(counted)
    own = [levels(one, classes) for one in counted]
    labels = [segment(scan, tube, one, None, trust) for scan, one in zip(scans, own, strict=True)]
    parts = list(zip(labels, scans, own, strict=True))
    maps = [interface(label, surface_of(label, labels[0]), scan, tube, one, None) for label, scan, one in parts]
    volumes = [phase_volumes(label, tube, one) for label, _, one in parts]
    return difference(*labels, tube, *own, *volumes, *maps)


@pytest.mark.parametrize("growth", [0.0, 0.7, 2.4])
def test_net_is_mean_advance_times_the_bores_area(growth: float) -> None:
    later = with_change(CELL, growth=growth)
    found = _difference([CELL.volume(seed=2), later.volume(seed=3)])
    area = float(CELL.inside().sum()) * VOXEL**2
    assert float(found["surface_area"]) == pytest.approx(area, rel=0.01)
    assert float(found["net"]) == pytest.approx(float(found["surface_change"]), abs=0.05 * VOXEL * area)
    truth = (later.truth()["anode"] - CELL.truth()["anode"]) * VOXEL**3
    assert float(found["surface_change_low"]) < truth < float(found["surface_change_high"])
    assert not found.attrs["warnings"]


def test_a_change_off_the_surface_is_named() -> None:
    later = CELL.volume(seed=3)
    grey = later["mu"].values.copy()
    grey[24:28, 15:29, 15:29] = 14.0
    found = _difference([CELL.volume(seed=2), as_volume(grey, 3)])
    assert "something changed off the surface" in found.attrs["warnings"][0]


def test_where_little_of_the_surface_is_seen_nothing_is_compared() -> None:
    height = np.full((8, 8), np.nan)
    height[:2] = 3.0
    axes = {"y_map": VOXEL * np.arange(8), "x_map": VOXEL * np.arange(8)}
    maps = [xr.Dataset({"height": (("y_map", "x_map"), height + k), "facing": ((), 1)}, coords=axes) for k in (0, 2)]
    found = advance_of(maps[0], maps[1], np.full(3, VOXEL))
    assert found.mean == 2.0
    assert not disagreement(found, 1e9, 1.0, 0.0, 64 * VOXEL**2)
    assert disagreement(found, 1e9, 1.0, 0.0, 16 * VOXEL**2)


def test_a_cavity_hidden_in_the_opaque_part_is_what_is_unaccounted() -> None:
    """The anode gives up lithium: a part of the loss draws its surface back, the rest opens a void nobody can see."""
    opaque = 8
    before, after = CELL.volume(seed=4), with_change(CELL, growth=-0.8).volume(seed=5)
    grey = after["mu"].values.copy()
    z, y, x = np.indices(CELL.shape)
    hidden = (z < opaque - 1) & (np.hypot(y - 21, x - 24) < 6)
    grey[hidden] = 0.1
    found = _difference([before, as_volume(grey, 5)], starved_rows(CELL.shape, opaque))
    seen = Quantity(*(float(found[f"net{side}"]) for side in ("", "_low", "_high")), "um3")
    lost = (with_change(CELL, growth=-0.8).truth()["anode"] - CELL.truth()["anode"] - hidden.sum()) * VOXEL**3
    expected = Quantity(lost, 1.02 * lost, 0.98 * lost, "um3")
    unaccounted = difference_of(expected, seen)
    truth = -float(hidden.sum()) * VOXEL**3
    assert unaccounted.low < truth < unaccounted.high < 0
    assert unaccounted.high - unaccounted.low < 0.4 * abs(truth)
    assert float(found["untrusted_volume"]) == pytest.approx(opaque * CELL.inside().sum() * VOXEL**3, rel=0.02)


def test_a_pattern_of_grey_values_does_not_cancel_once_the_surface_has_moved() -> None:
    """A hardened rim moves both surfaces, but alike only where they cross their voxels alike."""
    half = {}
    for growth in (0.0, 0.4):
        scans = [CELL.volume(seed=2), with_change(CELL, growth=growth).volume(seed=3)]
        tube = fixed_bore(scans[0], CELL)
        counted = [histogram(scan, tube, None) for scan in scans]
        classes = classify(counted)
        own = [levels(one, classes) for one in counted]
        labels = [segment(scan, tube, one) for scan, one in zip(scans, own, strict=True)]
        volumes = [phase_volumes(label, tube, one) for label, one in zip(labels, own, strict=True)]
        rim = [one.assign(mean_std=0 * one["mean_std"] + 2.0) for one in own]
        found = difference(*labels, tube, *rim, *volumes)
        half[growth] = float(found["net_high"] - found["net_low"]) / 2
    assert half[0.4] > 3 * half[0.0]
