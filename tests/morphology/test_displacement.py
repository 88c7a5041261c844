"""The electrolyte's movement comes back, and rest stays rest."""

import numpy as np
import pytest
import xarray as xr
from cells import PHASES, VOXEL, as_volume, smooth_field
from scipy import ndimage

from operando.model.products.morphology import BORE, LABELS, MOTION
from operando.morphology.displacement import DisplacementParameters, displacement, strains
from operando.morphology.shares import FULL

SHAPE = (40, 44, 44)


def _scene(stretch: float, shift: float, seed: int) -> xr.Dataset:
    texture = smooth_field(SHAPE, 1.6, np.random.default_rng(3))
    z, y, x = np.indices(SHAPE).astype(float)
    grey = ndimage.map_coordinates(texture, [z - shift - stretch * (z - 20), y, x], order=3, mode="nearest")
    noise = 0.1 * np.random.default_rng(seed).standard_normal(SHAPE)
    return as_volume((1.7 + 0.2 * grey + 0.2 * noise).astype(np.float32), seed)


def _still() -> xr.Dataset:
    zero = np.zeros(3)
    names = ("translation", "translation_std", "rotation", "rotation_std")
    scalars = {"correlation": 1.0, "correlation_before": 1.0, "grey_scale": 1.0, "grey_scale_std": 0.0}
    return MOTION.new(coords={"axis": ["z", "y", "x"]}, **dict.fromkeys(names, zero), **scalars)


def _follow(after: xr.Dataset) -> xr.Dataset:
    before = _scene(0, 0, 1)
    whole = np.full(SHAPE, 2, np.uint8)
    axes = {name: before[name].values for name in ("z", "y", "x")}
    labels = LABELS.new(coords=axes, label=whole, other=whole, share=np.full(SHAPE, FULL, np.uint8))
    infinite = {"radius": np.inf, "radius_std": 0.0, "field_radius": np.inf}
    middle = VOXEL * (np.array(SHAPE) - 1) / 2
    tube = BORE.new(
        centre=middle,
        slope=np.zeros(2),
        origin=np.zeros(3),
        extent=np.array(SHAPE),
        grey=np.array([0, 3.0]),
        **infinite,
    )
    params = DisplacementParameters(subset_voxels=5, search_voxels=4, nodes=60)
    return displacement(before, after, labels, labels, _still(), _still(), tube, PHASES, params)


def test_stretch_and_shift_come_back() -> None:
    found = _follow(_scene(0.03, 1.4, 2))
    expected = 1.4 + 0.03 * (found["position"].values[:, 0] / VOXEL - 20)
    assert found.sizes["node"] > 20
    assert np.median(np.abs(found["displacement"].values[:, 0] / VOXEL - expected)) < 0.1
    assert float(np.nanmedian(found["strain"].values[:, 0])) == pytest.approx(0.03, abs=0.006)


def test_rest_stays_below_the_noise_floor() -> None:
    found = _follow(_scene(0, 0, 2))
    assert np.median(np.abs(found["displacement"].values)) < 0.03 * VOXEL
    assert np.nanmedian(np.abs(found["strain"].values), axis=0) == pytest.approx(np.zeros(6), abs=0.01)
    assert np.all(found["strain_noise"].values < 0.01)


def test_few_places_give_no_strain() -> None:
    strain, noise = strains(np.zeros((3, 3)), np.zeros((3, 3)))
    assert np.isnan(strain).all()
    assert np.isnan(noise).all()
