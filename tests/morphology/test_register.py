"""The cell's motion is found on what stays still."""

import numpy as np
import pytest
import xarray as xr
from cells import VOXEL, Cell, as_volume, starved_rows, with_change

from operando.model.errors import OperandoError
from operando.model.products.morphology import MOTION
from operando.morphology.blocks import grid_of
from operando.morphology.bore import bore
from operando.morphology.coarse_trust import seen_rows
from operando.morphology.motions import motions
from operando.morphology.register import register
from operando.morphology.rigid import Rigid

CELL = Cell(shape=(48, 72, 72), particle=(38, 30, 44))
TRUE = Rigid.of(np.array([3.1, -2.2, 1.7]), np.array([0.01, 0.004, -0.006]), VOXEL * (np.array(CELL.shape) - 1) / 2)


@pytest.fixture(scope="module")
def scans() -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    later = with_change(CELL, growth=2.0, bump=4.0)
    first = CELL.volume(seed=0)
    return first, later.volume(seed=1, motion=TRUE), bore(first, 2 * CELL.bore * VOXEL / 1000)


def test_bore_is_found_to_a_tenth_of_a_voxel(scans: tuple) -> None:
    tube = scans[2]
    assert abs(float(tube["radius"]) / VOXEL - CELL.bore) < 0.1
    assert np.allclose(tube["centre"].values[1:] / VOXEL, 35.5, atol=0.1)
    assert abs(float(bore(scans[0])["radius"]) / VOXEL - CELL.bore) < 0.1


def test_the_bore_is_found_beside_rows_of_amplified_nothing() -> None:
    """A hardening correction makes much of the little that rows in the slits' shadow hold."""
    volume, dark = CELL.volume(seed=0).copy(deep=True), 16
    volume["mu"].values[:dark] = np.random.default_rng(1).normal(0, 40, (dark, *CELL.shape[1:]))
    tube = bore(volume, 2 * CELL.bore * VOXEL / 1000, starved_rows(CELL.shape, dark))
    assert abs(float(tube["radius"]) / VOXEL - CELL.bore) < 0.2
    assert tube["grey"].values[1] < 40, "what the shadow holds does not stretch the scale of grey"
    assert bore(volume, 2 * CELL.bore * VOXEL / 1000).attrs["warnings"], "without a map of trust it is not found"


def test_motion_is_found_below_a_growing_anode(scans: tuple) -> None:
    first, later, tube = scans
    motion = register(later, first, tube)
    error = motion["translation"].values - TRUE.translation
    assert np.all(np.abs(error) < 0.1 * VOXEL)
    assert np.all(np.abs(error) < 4 * motion["translation_std"].values)
    assert np.all(np.abs(motion["rotation"].values - TRUE.rotation) < 4 * motion["rotation_std"].values)
    assert float(motion["correlation"]) > float(motion["correlation_before"])


def test_rows_in_the_shadow_of_the_slits_do_not_hold_the_cell_still(scans: tuple) -> None:
    """They read the same nothing in every scan; taken for the cell they would say that nothing moved."""
    first, later, tube = (scan.copy(deep=True) for scan in scans)
    for scan in (first, later):
        scan["mu"].values[:16] = np.where(CELL.inside(), 4.0, 0.1)
    dark = starved_rows(CELL.shape, 16)
    assert seen_rows(grid_of(first, "mu"), (dark, None)) == slice(16, 48)
    found = register(later, first, tube, dark, dark)
    motion = Rigid.of(found["translation"].values, found["rotation"].values, TRUE.centre)
    lit = TRUE.centre + np.array([8 * VOXEL, 0, 0])
    error = motion(lit[None])[0] - TRUE(lit[None])[0]
    assert np.all(np.abs(error) < 0.1 * VOXEL)
    assert np.all(np.abs(error) < 4 * found["translation_std"].values)


def test_a_noisy_part_does_not_drown_what_a_quiet_one_shows(scans: tuple) -> None:
    """As beside an opaque anode, where slopes are steep for nothing but noise."""
    first, later, tube = (scan.copy(deep=True) for scan in scans)
    for number, scan in enumerate((first, later)):
        noise = np.random.default_rng(number).normal(0, 8, (24, *CELL.shape[1:]))
        scan["mu"].values[:24] += noise.astype(np.float32)
    motion = register(later, first, tube)
    error = motion["translation"].values - TRUE.translation
    assert np.all(np.abs(error) < 0.2 * VOXEL)
    assert np.all(np.abs(error) < 4 * motion["translation_std"].values)


def test_first_scan_does_not_move(scans: tuple) -> None:
    motion = register(scans[0], scans[0], scans[2])
    assert not motion["translation"].any()
    assert not motion["translation_std"].any()
    assert float(motion["correlation"]) == pytest.approx(1)


def test_smooth_tube_leaves_the_height_open_and_says_so() -> None:
    plain = Cell(shape=(48, 72, 72), texture=0.0, tube_texture=0.0)
    first = plain.volume(seed=0)
    later = with_change(plain, growth=3.0).volume(seed=1)
    motion = register(later, first, bore(first, 2 * plain.bore * VOXEL / 1000))
    assert abs(float(motion["translation"][0])) < 0.1 * VOXEL
    assert float(motion["translation_std"][0]) > 0.3 * VOXEL
    assert np.all(motion["translation_std"].values[1:] < 0.1 * VOXEL)
    assert any("along z" in sentence for sentence in motion.attrs["warnings"])


def test_other_grid_is_refused(scans: tuple) -> None:
    with pytest.raises(OperandoError, match="one grid"):
        register(scans[0].isel(z=slice(0, 40)), scans[0], scans[2])


def _motion(frame: int, z: float, correlation: float = 0.9) -> xr.Dataset:
    return MOTION.new(
        coords={"axis": ["z", "y", "x"]},
        attrs={"frame": frame, "file": f"scan_{frame}.h5"},
        translation=np.array([z, 0, 0]),
        translation_std=np.full(3, 0.1),
        rotation=np.zeros(3),
        rotation_std=np.full(3, 1e-4),
        correlation=correlation,
        correlation_before=0.5,
        grey_scale=1.0,
        grey_scale_std=1e-3,
    )


def test_lone_jump_is_replaced_and_named() -> None:
    table = motions([_motion(0, 0), _motion(1, 1), _motion(2, 80), _motion(3, 3), _motion(4, 4)])
    assert table["outlier"].values.tolist() == [False, False, True, False, False]
    assert float(table["translation"][2, 0]) == pytest.approx(2)
    assert float(table["translation_std"][2, 0]) > 0.5
    assert table.attrs["warnings"] == [
        "scan_2.h5: its motion does not fit the series and was taken from its neighbours"
    ]


def test_one_more_scan_leaves_the_old_rows_as_they_are() -> None:
    some = [_motion(i, 0.3 * i) for i in range(4)]
    longer = motions([*some, _motion(4, 1.2)])
    assert motions(some).identical(longer.isel(scan=slice(0, 4)))


def test_unevenly_spaced_volume_is_refused() -> None:
    volume = as_volume(np.zeros((4, 5, 5), np.float32)).assign_coords(z=[0.0, 1.0, 5.0, 6.0])
    with pytest.raises(OperandoError, match="evenly spaced"):
        bore(volume)
