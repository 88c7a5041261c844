"""The parts of figures that compute something."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fake_source import FakeSource
from hypothesis import given
from hypothesis import strategies as st

import operando.figures
from operando.figures import catalogue, save
from operando.figures.abscissa import cell_edges, thinned, time_axis
from operando.figures.anode import anode_above
from operando.figures.spectra import known_lines, rebinned, spread
from operando.figures.states import choose
from operando.model.constants import HC_KEV_ANGSTROM, UNKNOWN_LABEL

MODULES = [m.name for m in pkgutil.walk_packages(operando.figures.__path__, "operando.figures.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_rebinning_conserves_counts_and_keeps_the_line_in_place() -> None:
    energy, d, two_theta = np.linspace(20, 120, 2000), 1.39, 8.0
    centre = HC_KEV_ANGSTROM / (2 * d * np.sin(np.deg2rad(two_theta / 2)))
    counts = 1000 * np.exp(-0.5 * ((energy - centre) / 0.2) ** 2)
    edges = np.linspace(1.3, 1.5, 401)
    density = rebinned(energy, counts, two_theta, edges)
    assert (density * np.diff(edges)).sum() == pytest.approx(counts.sum(), rel=1e-6)
    middles = (edges[1:] + edges[:-1]) / 2
    assert (density * middles).sum() / density.sum() == pytest.approx(d, abs=1e-4)


def test_rebinning_knows_nothing_outside_the_energies() -> None:
    density = rebinned(np.linspace(20, 120, 50), np.ones(50), 8.0, np.array([0.1, 0.2, 2.0, 2.1, 9.0, 10.0]))
    assert np.isnan(density[[0, 1, 3, 4]]).all()
    assert np.isfinite(density[2])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 0.08))
def test_spread_labels_keep_apart_and_inside(positions: list[float], gap: float) -> None:
    placed = np.sort(spread(positions, gap, 0.0, 1.0))
    assert (np.diff(placed) >= gap - 1e-6).all()
    assert placed[0] >= -1e-6
    assert placed[-1] <= 1 + 1e-6


@given(st.lists(st.floats(0.1, 50), min_size=2, max_size=30))
def test_cells_of_a_heat_map_hold_their_frame_and_never_overlap(steps: list[float]) -> None:
    middles = np.cumsum(steps)
    left, right = cell_edges(middles)
    assert ((left <= middles) & (middles <= right)).all()
    assert (left[1:] >= right[:-1] - 1e-9).all()


def test_thinned_record_keeps_its_extremes() -> None:
    y = np.random.default_rng(1).normal(size=100_000)
    x = np.arange(y.size, dtype=float)
    few_x, few = thinned(x, y, 500)
    assert few.size <= 1002
    assert (few.min(), few.max()) == (y.min(), y.max())
    assert (np.diff(few_x) > 0).all()


def test_chosen_states_are_numbered_in_order_and_well_apart() -> None:
    source = FakeSource()
    axis = time_axis(source)
    states = choose(source, axis, 7)
    hours = [state.hour for state in states]
    assert [state.number for state in states] == list(range(1, 8))
    assert hours == sorted(hours)
    assert min(np.diff(hours)) > 0.5 * (hours[-1] - hours[0]) / 7


def test_saved_files_are_the_same_bytes_twice(tmp_path: Path) -> None:
    source = FakeSource(frozenset({"cycler"}))
    first, second = (save(catalogue.draw("overview", source), tmp_path / name) for name in ("a", "b"))
    assert [path.suffix for path in first] == [".png", ".pdf", ".svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_lines_are_found_whether_their_names_are_shared_or_per_spectrum() -> None:
    class PerSpectrum(FakeSource):
        """The names of the lines stacked along ``spectrum``, as the store does for coordinates without an index."""

        def table(self, product: str) -> xr.Dataset | None:
            table = super().table(product)
            if product != "lines" or table is None:
                return table
            names = ("phase", "h", "k", "l", "element")
            stacked = {n: (table["d"].dims, np.broadcast_to(table[n].values, table["d"].shape)) for n in names}
            return table.drop_vars(names).assign(stacked)

    assert known_lines(PerSpectrum()) == known_lines(FakeSource())
    assert {line.label for line in known_lines(FakeSource())} >= {"In 211", "InLi 422"}


@pytest.mark.parametrize("upside_down", [False, True])
def test_the_anode_is_above_what_is_beside_it_wherever_the_slits_let_light_through(upside_down: bool) -> None:
    column = np.array([UNKNOWN_LABEL] * 30 + [3] * 4 + [2] * 6, np.uint8)
    lit_below = np.array([UNKNOWN_LABEL] * 30 + [2] * 6 + [3] * 4, np.uint8)
    label = np.broadcast_to((lit_below if upside_down else column)[:, None, None], (40, 3, 3))

    class OneScan:
        def frames(self, name: str) -> list[int]:
            return [0]

        def labels(self, scan: int) -> xr.Dataset:
            phases = ["void", "electrolyte", "anode"]
            return xr.Dataset({"label": (("z", "y", "x"), label)}, attrs={"phases": phases})

        def table(self, name: str) -> None:
            return None

    assert anode_above(OneScan()) is not upside_down  # type: ignore[arg-type]
