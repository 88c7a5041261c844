"""Meshes hold the surface and can be read back."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from operando.model.errors import OperandoError
from operando.morphology.changes import change_blocks, change_labels
from operando.morphology.mesh import change_mesh, surface_mesh, write_change, write_ply, write_stl


def _surface(height: np.ndarray, facing: int = 1) -> xr.Dataset:
    axes = {name: 2.0 * np.arange(n) for name, n in zip(("y_map", "x_map"), height.shape, strict=True)}
    return xr.Dataset({"height": (("y_map", "x_map"), height), "facing": ((), facing)}, coords=axes)


def test_flat_surface_has_its_area_and_normal(tmp_path: Path) -> None:
    corners, faces = surface_mesh(_surface(np.full((4, 5), 7.0)))
    sides = corners[faces]
    normal = np.cross(sides[:, 1] - sides[:, 0], sides[:, 2] - sides[:, 0]) / 2
    assert np.allclose(normal.sum(axis=0), [0, 0, 3 * 4 * 4.0])
    write_stl(tmp_path / "a.stl", corners, faces)
    raw = (tmp_path / "a.stl").read_bytes()
    assert len(raw) == 84 + 50 * len(faces)
    assert int.from_bytes(raw[80:84], "little") == len(faces)


def test_unknown_columns_stay_open_and_ply_keeps_the_gap(tmp_path: Path) -> None:
    height = np.zeros((4, 4))
    height[0, 0] = np.nan
    corners, faces = surface_mesh(_surface(height, facing=-1))
    assert len(corners) == 15
    assert len(faces) == 17
    write_ply(tmp_path / "a.ply", corners, faces, np.arange(15.0))
    head, body = (tmp_path / "a.ply").read_bytes().split(b"end_header\n", 1)
    assert b"element vertex 15" in head
    assert len(body) == 15 * 16 + 17 * 13


def test_gain_and_loss_are_written_with_the_later_surface(tmp_path: Path) -> None:
    before, after = np.full((4, 5), 3.0), np.full((4, 5), 3.0)
    after[:, :2], after[:, 3:], before[0, 0] = 5.0, 2.0, np.nan
    corners, faces, moved = change_mesh(_surface(before), _surface(after))
    assert len(corners) == len(moved) == 19
    assert sorted(set(moved)) == [-1.0, 0.0, 2.0]
    assert change_mesh(_surface(before, -1), _surface(after, -1))[2].max() == 1.0
    write_ply(tmp_path / "a.ply", corners, faces, advance=moved)
    head, body = (tmp_path / "a.ply").read_bytes().split(b"end_header\n", 1)
    assert b"property float advance\nproperty uchar red\n" in head
    assert len(body) == 19 * 19 + len(faces) * 13


def test_a_pair_of_scans_becomes_one_coloured_file(tmp_path: Path) -> None:
    before, after = (_surface(np.full((6, 7), height)) for height in (3.0, 4.5))
    before["height"][0, 0] = np.nan
    gap = np.arange(42.0).reshape(6, 7)
    write_change(tmp_path / "a.ply", before, after.assign(gap=(("y_map", "x_map"), gap)), step=2)
    head, body = (tmp_path / "a.ply").read_bytes().split(b"end_header\n", 1)
    assert b"element vertex 11\n" in head
    corner = np.dtype([(name, "<f4") for name in ("x", "y", "z", "gap", "advance")] + [("colour", "u1", 3)])
    corners = np.frombuffer(body, corner, 11)
    assert np.all(corners["advance"] == 1.5)
    assert np.all(corners["z"] == 4.5)
    assert corners["gap"].tolist() == gap[::2, ::2].ravel()[1:].tolist()
    assert np.all(corners["colour"] == [84, 39, 136])


def test_changed_voxels_are_labelled_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    scans = [
        xr.Dataset(
            {"label": (("z", "y", "x"), rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), (9, 6, 5)))},
            attrs={"phases": ["void", "electrolyte", "anode"]},
        )
        for _ in range(2)
    ]
    monkeypatch.setattr("operando.morphology.blocks.BLOCK_BYTES", 400)
    blocks = list(change_blocks(*scans))
    assert [start for start, _ in blocks] == [0, 2, 4, 6, 8]
    found = np.concatenate([block for _, block in blocks])
    assert np.array_equal(found, change_labels(*(scan["label"].values for scan in scans), 3))
    assert set(np.unique(found)) == {0, 1, 2, 3, 4, 255}
    with pytest.raises(OperandoError, match="can't be compared"):
        next(change_blocks(scans[0], scans[1].isel(z=slice(1, None))))


def test_no_surface_is_an_error() -> None:
    with pytest.raises(OperandoError, match="no known surface"):
        surface_mesh(_surface(np.full((3, 3), np.nan)))
