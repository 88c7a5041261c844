"""Contracts, the step decorator and the clock keep what they promise."""

from typing import Annotated

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from operando.model.clock import Clock, parse_time, to_text
from operando.model.contract import Contract, Variable
from operando.model.errors import BrokenFileError, ConfigurationError, ContractError
from operando.model.interval import Quantity, from_std
from operando.model.parameters import Parameters
from operando.model.products.catalogue import contracts
from operando.model.products.tomography import TRUST, VOLUME, Centres, Trust, Volume
from operando.model.step import First, Own, Previous, Series, Setting, step
from operando.model.units import CANONICAL, convert

NANOSECONDS = st.integers(0, 4_000_000_000_000_000_000)


class Choice(Parameters):
    """One parameter."""

    width: float = 1.0


def test_the_graph_follows_from_the_annotations() -> None:
    @step(version=3)
    def blend(
        volume: Volume,
        reference: First[Volume],
        trust: Trust | None,
        centre: Own[Centres],
        others: Series[Volume],
        earlier: Previous[Volume] | None,
        params: Choice,
        phases: Annotated[tuple[str, ...] | None, Setting("tomography.phases")] = None,
    ) -> tuple[Volume, Trust]:
        """Blend."""
        return volume, trust or volume

    ways = {needed.name: (needed.contract.name, needed.way, needed.optional) for needed in blend.inputs}
    assert ways == {
        "volume": ("volume", "same", False),
        "reference": ("volume", "first", False),
        "trust": ("trust", "same", True),
        "centre": ("centres", "own", False),
        "others": ("volume", "series", False),
        "earlier": ("volume", "previous", True),
    }
    assert blend.over == "scan"
    assert blend.outputs == (VOLUME, TRUST)
    assert blend.parameters == ("params", Choice)
    assert blend.settings[0][1].path == "tomography.phases"


def test_the_first_scan_has_no_previous_one() -> None:
    def smooth(volume: Volume, earlier: Previous[Volume]) -> Volume:
        """Smooth."""
        return volume

    with pytest.raises(TypeError, match=r"write Previous\[…\] \| None"):
        step(version=1)(smooth)


def test_a_product_in_another_unit_is_refused() -> None:
    volume = VOLUME.new(mu=np.zeros((1, 2, 2)))
    wrong = volume["mu"].assign_attrs(units="1/mm")
    with pytest.raises(ContractError, match="'1/mm', the contract says '1/cm'"):
        VOLUME.check(volume.assign(mu=wrong))


def test_the_uncertainty_of_a_variable_is_demanded() -> None:
    contract = Contract("point", "a test", {"d": Variable((), "angstrom", "spacing", "std")})
    with pytest.raises(ContractError, match="'d_std' is missing"):
        contract.new(d=1.39)


def test_every_contract_has_a_name_of_its_own_and_says_what_it_means() -> None:
    assert len(contracts()) > 30
    for name, contract in contracts().items():
        assert contract.name == name
        assert contract.meaning
        assert all(variable.meaning for variable in contract.variables.values()), name


@given(NANOSECONDS)
def test_times_survive_text_to_the_nanosecond(nanoseconds: int) -> None:
    time = np.datetime64(nanoseconds, "ns")
    text = to_text(time)
    assert text is not None
    stem, _, fraction = text.removesuffix("Z").partition(".")
    assert np.datetime64(f"{stem}.{fraction or 0}", "ns") == time


@given(NANOSECONDS, st.floats(-1e5, 1e5), st.floats(-100, 100))
def test_a_clock_shifts_and_stretches_without_rounding_to_seconds(start: int, offset: float, drift: float) -> None:
    times = np.array([start, start + 3_600_000_000_000], "datetime64[ns]")
    moved = Clock(offset, drift).to_beamline(times, times[0])
    assert abs((moved[0] - times[0]).astype(int) - round(offset * 1e9)) <= 1
    assert abs((moved[1] - moved[0]).astype(int) - 3_600_000_000_000 * (1 + drift * 1e-6)) <= 2


def test_a_time_without_zone_asks_for_one_and_never_guesses() -> None:
    with pytest.raises(ConfigurationError, match="time_zone"):
        parse_time("2018-05-04T08:00:00", None, "cell.mpt")
    assert str(parse_time("2018-05-04T08:00:00", "Europe/Berlin", "cell.mpt")) == "2018-05-04T06:00:00.000000000"
    with pytest.raises(ConfigurationError, match="IANA"):
        parse_time("2018-05-04T08:00:00", "Europe/Berlim", "cell.mpt")


def test_a_number_that_is_none_is_null() -> None:
    assert Quantity(float("nan"), 0.0, 1.0, "um").as_json() is None
    assert from_std(1.0, 0.5, "um").as_json() == {
        "value": 1.0,
        "low": 0.020018007729972974,
        "high": 1.979981992270027,
        "unit": "um",
    }


def test_every_canonical_unit_is_one() -> None:
    for quantity, unit in CANONICAL.items():
        assert convert(1.0, unit, quantity) == pytest.approx(1.0)
    with pytest.raises(TypeError):
        convert(1.0, "s", "length")


def test_an_error_about_a_file_is_one_sentence_and_travels_between_processes() -> None:
    import pickle

    error = BrokenFileError("a.nxs", "it ends early", "copy it again")
    assert str(pickle.loads(pickle.dumps(error))) == "a.nxs: it ends early; copy it again."


def test_a_dataset_passes_through_a_contract_unchanged() -> None:
    volume = VOLUME.new(mu=np.ones((2, 3, 3), np.float32))
    xr.testing.assert_identical(VOLUME.check(volume), volume)
