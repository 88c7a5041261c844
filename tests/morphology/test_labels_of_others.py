"""Real volumes made by others."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import xarray as xr
from cells import as_volume

from operando.morphology.bore import bore
from operando.morphology.classify import classify
from operando.morphology.histogram import histogram
from operando.morphology.motions import motions
from operando.morphology.phase_volumes import phase_volumes
from operando.morphology.register import register
from operando.morphology.segment import segment

pytestmark = pytest.mark.data


def _bubble(folder: Path, index: int) -> xr.Dataset:
    return as_volume(tifffile.imread(folder / "volumes" / f"bubble_{index}.tif").astype(np.float32), index, 1.0)


def test_label_image_comes_back_voxel_by_voxel(shared_data: Path) -> None:
    image = tifffile.imread(shared_data / "volumes" / "electrode.tiff")
    volume = as_volume(image.astype(np.float32), 0, 1.0)
    tube = bore(volume)
    classes = classify([histogram(volume, tube, None)])
    labels = segment(volume, tube, classes)
    assert np.array_equal(labels["label"].values, image // 85 + 1)
    volumes = phase_volumes(labels, tube, classes)
    assert volumes["volume"].values.tolist() == np.unique(image, return_counts=True)[1].tolist()


def test_concrete_is_registered_without_a_tube(shared_data: Path) -> None:
    first, last = _bubble(shared_data, 0), _bubble(shared_data, 3)
    tube = bore(first)
    assert np.isinf(tube["radius"])
    motion = register(last, first, tube)
    assert float(motion["correlation_before"]) < 0.946
    assert float(motion["correlation"]) >= 0.975
    table = motions([register(first, first, tube), motion])
    assert not table["outlier"].any()
