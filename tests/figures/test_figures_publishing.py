"""Figures land in a folder with their scripts; what can't be drawn is said."""

from pathlib import Path

import numpy as np
import pytest
from fake_source import CYCLER, FakeSource

from operando.figures import catalogue, publishing, rendering


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
