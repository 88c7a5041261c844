"""The surface, what opened before it, and the lengths that people follow."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import xarray as xr
from cells import PHASES, VOXEL, Cell, as_volume, starved_rows, with_change

from operando.model.configuration import Track
from operando.model.products.morphology import LABELS
from operando.morphology import gap_fit
from operando.morphology.blocks import grid_of
from operando.morphology.bore import bore
from operando.morphology.classify import classify
from operando.morphology.components import connected
from operando.morphology.doubtful import void_on_anode
from operando.morphology.height_map import height_map, main_body
from operando.morphology.histogram import histogram
from operando.morphology.interface import InterfaceParameters, interface
from operando.morphology.levels import levels
from operando.morphology.phase_volumes import phase_volumes
from operando.morphology.placement import Placement
from operando.morphology.roles import Roles
from operando.morphology.segment import segment
from operando.morphology.shadow import crossing
from operando.morphology.shares import FULL
from operando.morphology.surface import surface as surface_of
from operando.morphology.track import track
from operando.morphology.triangles import contact, triangle_areas

CELL = Cell(gap=7.0, gap_power=1.0, gap_radius=14.0, bump=6.0, gap_at=(36.0, 36.0))


def _measure(cell: Cell, noise: float = 0.15, opaque_rows: int = 0) -> dict[str, xr.Dataset]:
    volume = cell.volume(noise=noise, seed=4)
    tube = bore(volume, 2 * cell.bore * VOXEL / 1000)
    counted = histogram(volume, tube, None)
    own = levels(counted, classify([counted]))
    trust = starved_rows(cell.shape, opaque_rows, cell.flipped) if opaque_rows else None
    labels = segment(volume, tube, own, None, trust)
    surface = interface(labels, surface_of(labels, labels), volume, tube, own, None)
    return {
        "volume": volume,
        "bore": tube,
        "levels": own,
        "labels": labels,
        "surface": surface,
        "volumes": phase_volumes(labels, tube, own, interface=surface),
    }


def _given(parts: dict[str, xr.Dataset]) -> tuple[Any, ...]:
    """What the interface is measured from."""
    labels = parts["labels"]
    return labels, surface_of(labels, parts["labels"]), parts["volume"], parts["bore"], parts["levels"], None


@pytest.fixture(scope="module")
def seen() -> dict[str, xr.Dataset]:
    return _measure(CELL)


def test_height_is_that_of_the_surface(seen: dict[str, xr.Dataset]) -> None:
    inside = CELL.inside() & (np.hypot(*(np.indices(CELL.shape[1:]) - 35.5)) < CELL.bore - 3)
    error = (seen["surface"]["height"].values / VOXEL - CELL.height())[inside]
    assert abs(np.nanmedian(error)) < 0.1
    assert np.nanstd(error) < 0.4
    assert int(seen["surface"]["facing"]) == 1


def test_cavity_and_its_share_of_the_surface(seen: dict[str, xr.Dataset]) -> None:
    surface = seen["surface"]
    truth = CELL.gap_map()[CELL.inside()]
    assert float(surface["cavity_volume"]) / VOXEL**3 == pytest.approx(truth.sum(), rel=0.07)
    assert float(surface["contact_loss_low"]) <= np.mean(truth > 0) <= float(surface["contact_loss_high"])
    void = seen["volumes"].sel(phase="void")
    assert float(void["volume"]) / VOXEL**3 == pytest.approx(CELL.truth()["void"], rel=0.07)


def test_every_second_column_gives_the_same_cavity(
    seen: dict[str, xr.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gap_fit, "_MOST_COLUMNS", CELL.inside().size / 3)
    coarse = interface(*_given(seen))
    assert float(coarse["cavity_volume"]) == pytest.approx(float(seen["surface"]["cavity_volume"]), rel=0.1)


def test_a_thin_gap_with_a_lifted_void_is_not_fitted_too_thin(
    seen: dict[str, xr.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = with_change(CELL, gap=3.5, gap_power=0.5, mu=CELL.mu | {"void": 0.6})
    volume = cell.volume(noise=0.15, seed=4)
    thick = cell.inside() & (cell.gap_map() > 2)
    place = Placement.of(seen["bore"], None, grid_of(volume, "mu"))

    def mean_gap() -> float:
        fit = gap_fit.fit_gap(volume, cell.height(), 1, seen["levels"], Roles.of(PHASES), place, 4.0)
        assert fit is not None
        return float(np.nanmean(fit.gap[thick]))

    truth = cell.gap_map()[thick].mean()
    assert mean_gap() == pytest.approx(truth, abs=0.2)
    monkeypatch.setattr(gap_fit, "fitted_void", lambda found, gap, levels, width: float(levels[0, 0, 0]))
    assert mean_gap() < truth - 0.4


@pytest.mark.parametrize(("gap", "times", "told"), [(0.0, 1.15, True), (0.0, 1.5, False), (7.0, 1.15, False)])
def test_where_grey_values_stray_an_unseen_gap_is_bounded_and_a_seen_one_is_not_believed(
    gap: float, times: float, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = _measure(with_change(CELL, gap=gap))
    misfit = gap_fit.fit_gap
    found: list[float] = []

    def noted(*arguments: Any) -> gap_fit.GapFit | None:
        fit = misfit(*arguments)
        assert fit is not None
        found.append(fit.misfit)
        return fit

    monkeypatch.setattr("operando.morphology.interface.fit_gap", noted)
    interface(*_given(parts))
    surface = interface(*_given(parts), params=InterfaceParameters(largest_misfit=found[0] / times))
    sentence, *doubts = surface.attrs["warnings"]
    assert bool(doubts) == (gap > 0)
    assert np.isfinite(float(surface["contact_loss"])) == told
    assert ("only bounded" in sentence) == told
    if told:
        assert float(surface["contact_loss_low"]) == 0
        assert float(surface["cavity_volume_high"]) > 0


def test_a_void_on_the_anode_that_may_be_a_streak_is_no_lower_bound(seen: dict[str, xr.Dataset]) -> None:
    surface = interface(*_given(seen), params=InterfaceParameters(largest_misfit=1e-3))
    counted = phase_volumes(seen["labels"], seen["bore"], seen["levels"], interface=None)
    doubting = phase_volumes(seen["labels"], seen["bore"], seen["levels"], interface=surface)
    void, before = doubting.sel(phase="void"), counted.sel(phase="void")
    assert float(void["volume"]) == float(before["volume"])
    assert float(before["volume_low"]) > 0.5 * float(before["volume"])
    assert float(void["volume_low"]) < 0.02 * float(void["volume"])
    electrolyte = doubting.sel(phase="electrolyte")
    assert float(electrolyte["volume_high"] - electrolyte["volume"]) > 0.95 * float(void["volume"])


def test_a_void_that_only_the_labels_show_on_the_anode_is_doubted_though_the_fit_is_good() -> None:
    parts = _measure(with_change(CELL, gap=0.0))
    label, share = (parts["labels"][name].values.copy() for name in ("label", "share"))
    z, y, x = np.indices(label.shape)
    middle = label.shape[1] // 2
    top = int(np.flatnonzero(label[:, middle, middle] == 3).max())
    streak = (abs(y - middle) < 4) & (abs(x - middle) < 4) & (z > top) & (z <= top + 3)
    label[streak], share[streak] = 1, FULL
    labels = parts["labels"].copy(data={**{n: v.values for n, v in parts["labels"].data_vars.items()},
                                        "label": label, "share": share})  # fmt: skip
    surface = interface(*_given(parts | {"labels": labels}))
    assert float(surface["contact_loss"]) == 0.0
    assert float(surface["void_doubted"]) > 0.5 * streak.sum() * VOXEL**3
    void = phase_volumes(labels, parts["bore"], parts["levels"], interface=surface).sel(phase="void")
    assert float(void["volume_low"]) < 0.02 * float(void["volume"])


def test_a_bubble_does_not_touch_the_anode_and_a_cavity_does(monkeypatch: pytest.MonkeyPatch) -> None:
    label = np.full((30, 12, 12), 2, np.uint8)
    label[:10] = 3
    label[11:14, 2:5, 2:5] = 1  # over a thin layer that the anode's blurred edge makes
    label[14:19, 3, 3] = 1
    label[22:26, 6:9, 6:9] = 1
    volume = as_volume(label.astype(np.float32))
    labels = LABELS.new(coords=volume.coords, label=label, other=label, share=np.full_like(label, FULL))
    for size in (1e9, 16 * 144 * 5, 1.0):
        monkeypatch.setattr("operando.morphology.blocks.BLOCK_BYTES", size)
        assert void_on_anode(labels, grid_of(labels, "label"), Roles(1, 2, 3)) == 27 + 5


@pytest.mark.parametrize("facing", [1, -1])
def test_an_anode_that_goes_on_to_the_wall_has_no_surface_there(facing: int) -> None:
    label = np.full((12, 6, 6), 2, np.uint8)
    label[:5] = 3
    label[3:, 0, 2] = 0  # a tilted bore leaves this column
    label[:, 5, 5] = 3  # here the anode goes on to the end of the field
    label = label[::facing].copy()
    labels = LABELS.new(coords=as_volume(label * 1.0).coords, label=label, other=label, share=np.full_like(label, FULL))
    grid, roles = grid_of(labels, "label"), Roles(1, 2, 3)
    height = height_map(labels, roles, facing, main_body(labels, grid, roles)).height
    assert np.argwhere(np.isnan(height)).tolist() == [[0, 2], [5, 5]]
    assert np.nanmax(height) == np.nanmin(height) == pytest.approx(4.5 if facing > 0 else 6.5)


def test_upside_down_cell_measures_the_same(seen: dict[str, xr.Dataset]) -> None:
    other = _measure(with_change(CELL, flipped=True))["surface"]
    assert int(other["facing"]) == -1
    for name in ("contact_area", "contact_loss", "cavity_volume", "roughness"):
        assert float(other[name]) == pytest.approx(float(seen["surface"][name]), rel=0.05)


def test_nothing_to_measure_without_an_electrolyte() -> None:
    volume = as_volume(np.where(np.indices((12, 20, 20))[0] < 6, 90.0, 130.0).astype(np.float32))
    tube = bore(volume)
    counted = histogram(volume, tube, None)
    own = levels(counted, classify([counted], ("void", "concrete")))
    labels = segment(volume, tube, own, phases=("void", "concrete"))
    found = surface_of(labels, labels, ("void", "concrete"))
    surface = interface(labels, found, volume, tube, own, None, phases=("void", "concrete"))
    assert np.isnan(surface["contact_area"])
    assert surface.attrs["warnings"]


def test_protrusion_and_particle_as_drawn_in_the_paper() -> None:
    before = Cell(bump=3.0, particle=(38.0, 30.0, 44.0))
    after = with_change(before, bump=9.0, particle=(35.6, 30.0, 44.0))
    one, two = _measure(before), _measure(after)
    tracks = (
        Track(name="bump", kind="protrusion", at_um=(0, 35.5 * VOXEL, 35.5 * VOXEL), radius_um=12 * VOXEL),
        Track(name="speck", kind="particle", at_um=(38 * VOXEL, 30 * VOXEL, 44 * VOXEL), radius_um=5 * VOXEL),
    )
    found = track(
        two["volume"], one["volume"], two["surface"], one["surface"], one["bore"], one["levels"], None, tracks
    )
    middle = np.hypot(*(np.indices(after.shape[1:]) - 35.5))
    truth = np.percentile(after.height()[middle <= 12], 99) - np.median(after.height()[(middle > 12) & (middle <= 18)])
    assert float(found["length"][0]) / VOXEL == pytest.approx(truth, abs=0.5)
    assert float(found["length"][1]) / VOXEL == pytest.approx(47.5 - 35.6, abs=0.15)
    assert found["length_low"][0] < truth * VOXEL < found["length_high"][0]


@pytest.mark.parametrize("flipped", [False, True])
def test_protrusion_over_an_opaque_anode_is_measured_from_its_shadow(flipped: bool) -> None:
    cell = Cell(bump=12.0, flipped=flipped)
    seen = _measure(cell, opaque_rows=24)
    wanted = (Track(name="bump", kind="protrusion", at_um=(0, 35.5 * VOXEL, 35.5 * VOXEL), radius_um=12 * VOXEL),)
    volume, surface = seen["volume"], seen["surface"]
    found = track(volume, volume, surface, surface, seen["bore"], seen["levels"], None, wanted)
    middle = np.hypot(*(np.indices(cell.shape[1:]) - 35.5))
    ring = (middle > 12) & (middle <= 18)
    assert np.isfinite(surface["height"].values[ring]).mean() < 0.5
    truth = np.percentile(cell.height()[middle <= 12], 99) - np.median(cell.height()[ring])
    assert float(found["length_low"][0]) < truth * VOXEL < float(found["length_high"][0])
    assert "its base is the edge of the shadow" in found.attrs["warnings"][0]


def test_no_shadow_no_length() -> None:
    levels_of = np.array([1.7, 14.0])
    heights = np.arange(6.0)
    assert np.isnan(crossing(heights, np.full(6, 2.0), levels_of))
    assert np.isnan(crossing(heights, np.full(6, 14.0), levels_of))
    assert crossing(heights, np.array([1.7, 1.7, 1.7, 14, 14, 14]), levels_of) == pytest.approx(2.5)


def test_no_tracks_are_no_error(seen: dict[str, xr.Dataset]) -> None:
    found = track(seen["volume"], seen["volume"], seen["surface"], seen["surface"], seen["bore"], seen["levels"])
    assert found.sizes["track"] == 0


def test_parts_do_not_depend_on_the_blocks() -> None:
    mask = np.random.default_rng(5).random((24, 16, 16)) < 0.32
    whole = connected(lambda a, b: mask[a:b], 24, 24)
    for length in (1, 5, 7):
        parts = connected(lambda a, b: mask[a:b], 24, length)
        assert sorted(parts.size[1:]) == sorted(whole.size[1:])
        numbers = np.concatenate([block for _, _, block in parts.blocks()])
        assert np.array_equal(np.bincount(numbers.ravel())[1:], parts.size[1:])
        assert np.array_equal(parts.rows(3, 11), numbers[3:11])


def test_tilted_plane_has_its_area() -> None:
    y, x = np.indices((5, 6))
    areas, _ = triangle_areas(0.5 * y + 0.25 * x, np.array([1.0, 1.0]))
    assert areas.sum() == pytest.approx(20 * np.sqrt(1 + 0.5**2 + 0.25**2))


def test_contact_reaches_to_the_outer_faces() -> None:
    touching, whole = contact(np.zeros((6, 5)), np.zeros((6, 5)), 1.0, np.array([2.0, 2.0]))
    assert touching == whole == pytest.approx(6 * 5 * 4)


def test_every_order_of_phases_has_an_anode() -> None:
    for names in product(("void", "electrolyte", "anode", "a", "b"), repeat=2):
        roles = Roles.of(names)
        assert 1 <= roles.anode <= 2
        assert roles.void != roles.anode
    assert Roles.of(PHASES) == Roles(1, 2, 3)
