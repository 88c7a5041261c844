"""Dates of instruments, whatever the machine's locale says."""

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operando.formats._text import is_number, number
from operando.formats._times import after, parse_moment

MOMENT = datetime(2016, 11, 4, 16, 52, 52)


@pytest.mark.parametrize(
    "written",
    [
        "Nov 04, 2016 16:52:52",
        "Fri Nov  4 16:52:52 2016",
        "Friday, November 4, 2016 4:52:52 PM",
        "04-Nov-2016 16:52:52",
        "11/04/2016 16:52:52",
        "11/4/16 4:52:52 PM",
        "2016/11/04 16:52:52",
        "2016-11-04T16:52:52",
        "2016-11-04 16:52:52.0000000",
        " '2016-11-04 16:52:52' ",
    ],
)
def test_one_moment_in_many_spellings(written: str) -> None:
    assert parse_moment(written) == MOMENT


def test_day_first_is_used_where_asked_or_needed() -> None:
    assert parse_moment("04/11/2016 16:52:52", day_first=True) == MOMENT
    assert parse_moment("26/07/2022 16:52:52") == datetime(2022, 7, 26, 16, 52, 52)


@given(st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)))
def test_any_moment_comes_back(moment: datetime) -> None:
    assert parse_moment(moment.isoformat(sep=" ")) == moment
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    written = (
        f"{months[moment.month - 1]} {moment.day:02d}, {moment.year} {moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"
    )
    assert parse_moment(written) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@given(st.text())
def test_any_other_text_is_no_moment_and_no_crash(written: str) -> None:
    assert parse_moment(written) is None or ":" in written


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(",."))
def test_numbers_keep_every_digit(value: float, decimal: str) -> None:
    assert number(repr(value).replace(".", decimal)) == value


@given(st.text())
def test_other_text_is_no_number(written: str) -> None:
    assert is_number(written) or np.isnan(number(written))


@given(st.floats(0, 1e9))
def test_seconds_are_added_to_the_nanosecond(seconds: float) -> None:
    start = np.datetime64("2016-11-04T16:52:52", "ns")
    elapsed = (after(start, seconds) - start) / np.timedelta64(1, "ns")
    assert abs(int(elapsed) - int(seconds * 1e9)) <= max(2, seconds * 1e9 * 2**-52)


def test_an_unknown_time_stays_unknown() -> None:
    assert np.isnat(after(np.datetime64("NaT", "ns"), np.array([0.0, 1.0]))).all()
    assert np.isnat(after(np.datetime64(0, "ns"), np.nan))
