"""Figures land in a folder with their scripts; what can't be drawn is said."""

from pathlib import Path

import numpy as np
import pytest
from fake_source import CYCLER, FakeSource
from problems import problems

from operando.figures import catalogue, planning, publishing, rendering


def test_gallery_lists_what_it_drew_and_why_it_did_not(tmp_path: Path) -> None:
    made = publishing.gallery(FakeSource(frozenset({CYCLER})), tmp_path, ["s1", "film"], ("svg",))
    assert [path.name for path in made.files["s1"]] == ["s1.svg", "s1.py"]
    assert "needs the anode's surface" in made.missing["film"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s1.py", "s1.svg"]


def test_figures_of_report_and_demo_are_known() -> None:
    assert {*publishing.REPORT, *publishing.DEMO} <= set(catalogue.names())


def test_solids_are_rendered_in_a_process_of_their_own() -> None:
    pytest.importorskip("pyvista")
    source = FakeSource()
    before, after = source.labels(0), source.labels(30)
    assert before is not None
    assert after is not None
    picture = rendering.gain_and_loss(before, after, 3)
    gained = np.array([0xD5, 0x5E, 0x00]) / 255
    hue = picture / np.maximum(picture.max(axis=2, keepdims=True), 1)
    assert (np.abs(hue - gained / gained.max()).max(axis=2) < 0.1).mean() > 0.01


def test_plan_of_a_beamtime_is_legible(tmp_path: Path) -> None:
    curves = {"chord_um": [0.0, 90.0, 180.0], "exposure": [0.25, 1.0], "cavity_um": [[1, 2, None], [0.5, 1, 3]]}
    plan = {
        "curves": curves | {"protrusion_um": [[3, 3, None], [2, 2, 2]]},
        "least_host_fraction": {"exposure": [0.25, 1.0], "fraction": [0.01, 0.005]},
    }
    assert problems(planning.draw(plan)) == []
    assert [path.name for path in planning.save(plan, tmp_path)] == ["planning.png", "planning.pdf", "planning.svg"]
