"""Real volumes made by others."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import xarray as xr
from cells import as_volume

from operando.morphology.bore import bore
from operando.morphology.classify import classify
from operando.morphology.difference import difference
from operando.morphology.histogram import histogram
from operando.morphology.levels import levels
from operando.morphology.motions import motions
from operando.morphology.phase_volumes import phase_volumes
from operando.morphology.register import register
from operando.morphology.rigid import Rigid
from operando.morphology.segment import segment

pytestmark = pytest.mark.data


def _bubble(folder: Path, index: int) -> xr.Dataset:
    return as_volume(tifffile.imread(folder / "volumes" / f"bubble_{index}.tif").astype(np.float32), index, 1.0)


def test_label_image_comes_back_voxel_by_voxel(shared_data: Path) -> None:
    image = tifffile.imread(shared_data / "volumes" / "electrode.tiff")
    volume = as_volume(image.astype(np.float32), 0, 1.0)
    tube = bore(volume)
    counted = histogram(volume, tube, None)
    own = levels(counted, classify([counted]))
    labels = segment(volume, tube, own)
    assert np.array_equal(labels["label"].values, image // 85 + 1)
    volumes = phase_volumes(labels, tube, own)
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
    _net_holds_the_threshold(first, last, tube, table)


def test_readme_numbers_come_back_under_their_definition(shared_data: Path) -> None:
    """Plain voxel counts at one Otsu threshold, ten voxels inside the border, as the data's README counted."""
    from scipy import ndimage
    from skimage.filters import threshold_otsu

    first, last = _bubble(shared_data, 0), _bubble(shared_data, 3)
    motion = register(last, first, bore(first))
    before, after = first["mu"].values, last["mu"].values
    rigid = Rigid.of(motion["translation"].values, motion["rotation"].values, (np.array(before.shape) - 1) / 2)
    points = rigid(np.stack(np.indices(before.shape), axis=-1).astype(float))
    placed = ndimage.map_coordinates(after, np.moveaxis(points, -1, 0), order=1, mode="nearest")
    inner = (slice(10, -10),) * 3
    solid = [image[inner] >= threshold_otsu(before) for image in (before, after, placed)]
    assert np.corrcoef(before[inner].ravel(), after[inner].ravel())[0, 1] == pytest.approx(0.945, abs=0.001)
    assert np.corrcoef(before[inner].ravel(), placed[inner].ravel())[0, 1] >= 0.975
    assert np.sum(solid[0] != solid[1]) == pytest.approx(65_500, rel=0.03)
    assert np.sum(solid[0] != solid[2]) == pytest.approx(22_300, rel=0.04)
    assert abs(int(solid[0].sum()) - int(solid[2].sum())) == pytest.approx(6_400, rel=0.08)


def _net_holds_the_threshold(first: xr.Dataset, last: xr.Dataset, tube: xr.Dataset, table: xr.Dataset) -> None:
    """Gross change falls to a third of what unplaced scans show; +-2 grey levels keep the net within its bounds."""
    phases = ("void", "concrete")
    rows = [table.isel(scan=i) for i in range(2)]
    counted = [histogram(scan, tube, row) for scan, row in zip((first, last), rows, strict=True)]
    own = [levels(one, classify(counted, phases)) for one in counted]
    nets, gross = [], []
    for shift in (0.0, -2.0, 2.0):
        moved = [one.assign(mean=one["mean"] + shift) for one in own]
        both = list(zip((first, last), moved, rows, strict=True))
        labels = [segment(scan, tube, one, row, None, phases) for scan, one, row in both]
        volumes = [
            phase_volumes(label, tube, one, row, phases) for label, one, row in zip(labels, moved, rows, strict=True)
        ]
        found = difference(*labels, tube, *moved, *volumes, phases=phases)
        nets.append(found)
        gross.append(float(found["gain"] + found["loss"]))
    still = [segment(scan, tube, one, None, None, phases) for scan, one in zip((first, last), own, strict=True)]
    raw = np.sum(still[0]["label"].values != still[1]["label"].values)
    assert gross[0] < 0.45 * raw
    assert all(float(nets[0]["net_low"]) <= float(other["net"]) <= float(nets[0]["net_high"]) for other in nets[1:])
