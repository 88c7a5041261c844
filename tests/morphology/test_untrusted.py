"""What can't be trusted has no say: whatever stands there, no number changes."""

import numpy as np
import pytest
import xarray as xr
from cells import VOXEL, Cell, as_volume, with_change
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from operando.model.constants import OUTSIDE_LABEL, UNKNOWN_LABEL
from operando.model.products.tomography import TRUST
from operando.morphology.bore import bore
from operando.morphology.classify import classify
from operando.morphology.difference import difference
from operando.morphology.histogram import histogram
from operando.morphology.interface import interface
from operando.morphology.levels import levels
from operando.morphology.phase_volumes import phase_volumes
from operando.morphology.segment import SegmentParameters, segment
from operando.morphology.surface import surface as surface_of

CELL = Cell(shape=(28, 44, 44), bore=17.0, level=11.0, gap=5.0, gap_at=(22.0, 22.0), gap_radius=8.0)
LATER = with_change(CELL, growth=1.5)
AT_THE_WALL = SegmentParameters(wall_voxels=0)
"""Every voxel by its own grey value, nothing interpolated."""


def _trust(untrusted: np.ndarray) -> xr.Dataset:
    axes = ("z_coarse", "y_coarse", "x_coarse")
    coords = {n: (n, VOXEL * (1.5 + 4 * np.arange(k)), "um") for n, k in zip(axes, untrusted.shape, strict=True)}
    share = np.where(untrusted, 0.9, 0.0).astype(np.float32)
    return TRUST.new(coords=coords, starved_share=share, noise=share * 0)


@pytest.fixture(scope="module")
def pair() -> dict[str, list[xr.Dataset]]:
    scans = [CELL.volume(noise=0.2, seed=0), LATER.volume(noise=0.2, seed=1)]
    tube = bore(scans[0], 2 * CELL.bore * VOXEL / 1000)
    counted = [histogram(scan, tube, None) for scan in scans]
    classes = classify(counted)
    return {"scans": scans, "bore": [tube], "levels": [levels(one, classes) for one in counted]}


def _measure(pair: dict[str, list[xr.Dataset]], scans: list[xr.Dataset], trust: xr.Dataset) -> list[xr.Dataset]:
    """Labels, surfaces and volumes of both scans, and the difference."""
    tube, own = pair["bore"][0], pair["levels"]
    labels = [segment(scan, tube, one, None, trust, params=AT_THE_WALL) for scan, one in zip(scans, own, strict=True)]
    parts = list(zip(labels, scans, own, strict=True))
    surfaces = [interface(label, surface_of(label, labels[0]), scan, tube, one, None) for label, scan, one in parts]
    volumes = [
        phase_volumes(label, tube, one, interface=surface)
        for (label, _, one), surface in zip(parts, surfaces, strict=True)
    ]
    return [*labels, *surfaces, *volumes, difference(*labels, tube, *own, *volumes, *surfaces)]


def _spoilt(pair: dict[str, list[xr.Dataset]], unknown: np.ndarray, nonsense: float) -> list[xr.Dataset]:
    """The scans with something else where it is unknown."""
    rng, spoilt = np.random.default_rng(5), []
    for scan in pair["scans"]:
        grey = scan["mu"].values.copy()
        grey[unknown] = nonsense + rng.standard_normal(int(unknown.sum()))
        spoilt.append(as_volume(grey, scan.attrs["frame"]))
    return spoilt


@pytest.mark.parametrize("nonsense", [0.0, 40.0, -7.0])
def test_nothing_changes_whatever_stands_in_untrusted_rows(pair: dict[str, list[xr.Dataset]], nonsense: float) -> None:
    untrusted = np.zeros((7, 11, 11), bool)
    untrusted[[0, 6]] = True
    untrusted[5, 4:7, 3:6] = True
    clean = _measure(pair, pair["scans"], _trust(untrusted))
    unknown = clean[0]["label"].values == UNKNOWN_LABEL
    assert float(clean[-1]["net"]) > 0
    assert float(clean[2]["cavity_volume"]) > 0
    for one, other in zip(clean, _measure(pair, _spoilt(pair, unknown, nonsense), _trust(untrusted)), strict=True):
        for name in one.data_vars:
            assert one[name].equals(other[name]), name


@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 1000), share=st.floats(0.02, 0.3), nonsense=st.sampled_from([0.0, 40.0, -7.0, 1.7]))
def test_no_label_changes_whatever_stands_in_untrusted_places(
    pair: dict[str, list[xr.Dataset]], seed: int, share: float, nonsense: float
) -> None:
    trust = _trust(np.random.default_rng(seed).random((7, 11, 11)) < share)
    own, scan = pair["levels"][0], pair["scans"][0]
    clean = segment(scan, pair["bore"][0], own, None, trust, params=AT_THE_WALL)
    unknown = clean["label"].values == UNKNOWN_LABEL
    other = segment(_spoilt(pair, unknown, nonsense)[0], pair["bore"][0], own, None, trust, params=AT_THE_WALL)
    for name in clean.data_vars:
        assert clean[name].equals(other[name]), name


@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 1000), share=st.floats(0.0, 0.9))
def test_known_and_unknown_add_up_to_the_bore(pair: dict[str, list[xr.Dataset]], seed: int, share: float) -> None:
    trust = _trust(np.random.default_rng(seed).random((7, 11, 11)) < share)
    labels = segment(pair["scans"][1], pair["bore"][0], pair["levels"][1], None, trust, params=AT_THE_WALL)
    volumes = phase_volumes(labels, pair["bore"][0], pair["levels"][1])
    inside = np.sum(labels["label"].values != OUTSIDE_LABEL) * VOXEL**3
    assert float(volumes["volume"].sum() + volumes["untrusted_volume"]) == pytest.approx(inside, rel=1e-5)


def test_nothing_is_said_of_gaps_where_all_before_the_anode_is_unknown(pair: dict[str, list[xr.Dataset]]) -> None:
    untrusted = np.zeros((7, 11, 11), bool)
    untrusted[3:] = True
    surface = _measure(pair, pair["scans"], _trust(untrusted))[2]
    assert np.isfinite(surface["height"].values).any()
    assert np.isnan(surface["contact_loss"])
    assert "too much is unknown" in surface.attrs["warnings"][0]
