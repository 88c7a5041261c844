"""The movie's frames are functions of the state, and what is written can be played."""

from pathlib import Path

import numpy as np
import pytest
from fake_source import ALL, CYCLER, DIFFRACTION, TOMOGRAPHY, FakeSource
from problems import problems

from operando.figures import movie, movie_encoding
from operando.figures.movie_stage import prepare
from operando.figures.reading import NothingToDrawError
from operando.model.errors import OperandoError


def test_frame_does_not_depend_on_what_was_shown_before() -> None:
    source = FakeSource()
    stage = prepare(source)
    stage.show(30)
    stage.show(2)
    again = stage.show(30)
    assert again.shape == (1080, 1920, 3)
    assert np.array_equal(again, movie.frame(source, 30))


@pytest.mark.parametrize("missing", ["", *sorted(ALL)])
def test_movie_is_legible_without_an_instrument(missing: str) -> None:
    stage = prepare(FakeSource(ALL - {missing}))
    first, last = stage.show(0), stage.show(len(stage.moments) - 1)
    assert not np.array_equal(first, last)
    assert problems(stage.figure) == []


@pytest.mark.parametrize("only", [TOMOGRAPHY, DIFFRACTION, CYCLER])
def test_movie_of_one_instrument(only: str) -> None:
    assert prepare(FakeSource(frozenset({only}), timed=False)).show(1).std() > 0


def test_movie_of_nothing_says_so() -> None:
    with pytest.raises(NothingToDrawError, match="nothing to show"):
        movie.frame(FakeSource(frozenset()), 0)


def test_written_movie_plays_with_as_many_frames(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = movie.write(FakeSource(frozenset({TOMOGRAPHY})), tmp_path / "movie.mp4", fps=4, every=12)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height) == (1920, 1080)
        assert float(stream.average_rate) == 4.0
        assert len(list(container.decode(stream))) == 4
    assert [file.name for file in tmp_path.iterdir()] == ["movie.mp4"]


def test_without_an_encoder_the_movie_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    monkeypatch.setattr(movie_encoding.shutil, "which", lambda name: None)
    with pytest.raises(OperandoError, match="found neither"):
        movie.write(FakeSource(), tmp_path / "movie.mp4")
