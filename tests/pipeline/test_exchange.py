"""What other programs are given."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from operando.model.errors import ConfigurationError
from operando.pipeline import exchange
from operando.pipeline.store import Results


@pytest.fixture(scope="module")
def meshes(tiny_done: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("exchange") / "tiny"
    shutil.copytree(tiny_done, folder)
    return exchange.write(folder, "mesh")


def test_every_scan_has_its_surface_and_every_pair_its_change(meshes: list[Path], tiny_done: Path) -> None:
    pairs = Results(tiny_done).product("pairs")
    assert pairs is not None
    changed = {path.name for path in meshes if path.name.endswith(".change.ply")}
    ends = zip(pairs["from_scan"].values, pairs["to_scan"].values, strict=True)
    assert changed == {f"scan_{first:04d}-scan_{last:04d}.change.ply" for first, last in ends}
    assert sum(path.name.endswith(".interface.stl") for path in meshes) == 4


def test_a_change_carries_how_far_the_surface_advanced(meshes: list[Path], tiny_done: Path) -> None:
    path = next(path for path in meshes if path.name == "scan_0000-scan_0003.change.ply")
    head, _, body = path.read_bytes().partition(b"end_header\n")
    count = int(head.split(b"element vertex ")[1].split()[0])
    fields = [(name, "<f4") for name in ("x", "y", "z", "gap", "advance")] + [
        (c, "u1") for c in ("red", "green", "blue")
    ]
    corners = np.frombuffer(body, np.dtype(fields), count)
    heights = []
    for scan in (0, 3):
        interface = Results(tiny_done).product("interface", scan)
        assert interface is not None
        heights.append(interface["height"].values)
    advance = heights[1] - heights[0]
    assert corners["advance"].mean() == pytest.approx(np.nanmean(advance), abs=1e-3)


def test_a_scan_that_is_not_there_is_named(tiny_done: Path) -> None:
    with pytest.raises(ConfigurationError, match="no interface of scan 9; there are 0, 1, 2, 3"):
        exchange.write(tiny_done, "mesh", 9)
