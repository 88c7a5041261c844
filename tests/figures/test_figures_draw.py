"""Every figure draws whatever instrument is missing, and can be read."""

import runpy
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import xarray as xr
from fake_source import ALL, CYCLER, DIFFRACTION, TOMOGRAPHY, FakeSource
from problems import problems

from operando.figures import catalogue, save, script
from operando.figures.movie_stage import prepare
from operando.figures.reading import NothingToDrawError
from operando.model.errors import ConfigurationError

WITHOUT = {
    "everything": FakeSource(),
    "no cycler": FakeSource(ALL - {CYCLER}),
    "no diffraction": FakeSource(ALL - {DIFFRACTION}),
    "no tomography": FakeSource(ALL - {TOMOGRAPHY}),
    "no clock": FakeSource(ALL - {CYCLER}, timed=False),
}


@pytest.mark.parametrize("name", catalogue.names())
def test_figure_is_legible(name: str) -> None:
    assert problems(catalogue.draw(name, WITHOUT["everything"])) == []


@pytest.mark.parametrize("missing", list(WITHOUT)[1:])
@pytest.mark.parametrize("name", catalogue.names())
def test_figure_draws_without_an_instrument_or_says_what_it_lacks(name: str, missing: str) -> None:
    try:
        figure = catalogue.draw(name, WITHOUT[missing])
    except NothingToDrawError:
        return
    if name == "overview":
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


@pytest.mark.parametrize("name", ["overview", "fig3"])
def test_script_beside_a_figure_draws_it_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, given = WITHOUT["everything"], {"states": 3}
    (first,) = save(catalogue.draw(name, source, **given), tmp_path / "first", ("png",))
    store = ModuleType("operando.pipeline.store")
    store.Results = lambda folder: source  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "operando.pipeline.store", store)
    path = tmp_path / "results" / "figures" / f"{name}.py"
    path.parent.mkdir(parents=True)
    path.write_text(script(name, given), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [str(path)])
    runpy.run_path(str(path))
    assert path.with_suffix(".png").read_bytes() == first.read_bytes()


def test_a_single_cycle_needs_no_list() -> None:
    first, second = (catalogue.draw("fig3", WITHOUT["everything"], cycles=c, states=2) for c in (4, [4]))
    assert first.get_size_inches().tolist() == second.get_size_inches().tolist()


def test_script_refuses_an_unknown_option() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'states'"):
        script("overview", {"state": 3})


def test_an_unknown_renderer_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="renderer"):
        catalogue.draw("s3", WITHOUT["everything"], renderer="povray")


def test_reference_page_lists_every_figure_with_its_options() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "figures.md").read_text(encoding="utf-8")
    for name in catalogue.names():
        options = ", ".join(f"`{key}={value!r}`" for key, value in catalogue.options(name).items()) or "none"
        assert f"| `{name}` | {catalogue.describe(name)} | {options} |" in page


class YearsApart(FakeSource):
    """Spectra of another year, as when files of different experiments are put together."""

    def table(self, product: str) -> xr.Dataset | None:
        table = super().table(product)
        if product != "spectrum_timeline" or table is None:
            return table
        years = np.timedelta64(5 * 365, "D")
        return table.assign(start=table["start"] + years, end=table["end"] + years)


def test_instruments_years_apart_get_an_axis_each() -> None:
    figure = catalogue.draw("overview", YearsApart())
    assert problems(figure) == []
    timed = [axes for axes in figure.axes if "since the instrument's first" in axes.get_xlabel()]
    assert len(timed) == 4
    assert all(np.ptp(axes.get_xlim()) < 100 for axes in timed)


def test_movie_of_instruments_years_apart_follows_the_scans() -> None:
    stage = prepare(YearsApart())
    assert [moment.scan for moment in stage.moments] == FakeSource().frames("volume")
    assert problems(stage.figure) == []
