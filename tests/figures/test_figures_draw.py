"""Every figure draws whatever instrument is missing, and can be read."""

import pytest
from fake_source import ALL, CYCLER, DIFFRACTION, TOMOGRAPHY, FakeSource
from problems import problems

from operando.figures import catalogue
from operando.figures.reading import NothingToDrawError
from operando.model.errors import ConfigurationError

WITHOUT = {
    "everything": FakeSource(),
    "no cycler": FakeSource(ALL - {CYCLER}),
    "no diffraction": FakeSource(ALL - {DIFFRACTION}),
    "no tomography": FakeSource(ALL - {TOMOGRAPHY}),
    "no clock": FakeSource(ALL - {CYCLER}, timed=False),
}


@pytest.mark.parametrize("missing", WITHOUT)
@pytest.mark.parametrize("name", catalogue.names())
def test_figure_is_legible_or_says_what_it_lacks(name: str, missing: str) -> None:
    try:
        figure = catalogue.draw(name, WITHOUT[missing])
    except NothingToDrawError:
        assert missing != "everything"
        return
    assert problems(figure) == []


@pytest.mark.parametrize("only", sorted(ALL))
def test_overview_draws_one_instrument_alone(only: str) -> None:
    assert problems(catalogue.draw("overview", FakeSource(frozenset({only})))) == []


def test_overview_of_nothing_says_so() -> None:
    with pytest.raises(NothingToDrawError, match="nothing to draw"):
        catalogue.draw("overview", FakeSource(frozenset()))


def test_unknown_figure_and_option_are_refused_with_a_hint() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'overview'"):
        catalogue.draw("overveiw", FakeSource())
    with pytest.raises(ConfigurationError, match="did you mean 'states'"):
        catalogue.draw("overview", FakeSource(), state=3)


def test_every_figure_is_described() -> None:
    assert all(catalogue.describe(name).endswith(".") for name in catalogue.names())
