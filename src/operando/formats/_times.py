"""Dates as instruments write them, read without the machine's locale, and turned into UTC."""

import math
import re
from datetime import UTC, datetime

import numpy as np

from operando.model.clock import NOT_A_TIME, to_utc
from operando.model.reading import ReadOptions

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([AaPp][Mm])?")
_NUMERIC = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})\b")
_YEAR_FIRST = re.compile(r"(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})\b")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")


def parse_moment(written: str, day_first: bool = False) -> datetime | None:
    """Read a date with its time of day; ``None`` if there is none. Zoned only where the text has a zone.

    Known: ISO 8601, ``Nov 04, 2016 04:52:52.890``, ``Thu Jan 14 11:23:55 2016``, ``07/26/2022 22:38:30.190``
    (month first unless ``day_first`` or the numbers forbid it), ``2022/07/26 22:38:30``.

    >>> parse_moment("Nov 04, 2016 04:52:52.890").isoformat()
    '2016-11-04T04:52:52.890000'
    >>> parse_moment("26.07.2022 22:38:30").day
    26
    """
    written = written.strip("'\" \t\r\n")
    if _ISO.match(written):
        return _iso(written)
    clock = _CLOCK.search(written)
    date = _date(written[: clock.start()] + " " + written[clock.end() :], day_first) if clock else None
    if clock is None or date is None:
        return None
    try:
        return datetime(*date, *_time_of_day(clock))
    except ValueError:
        return None


def _iso(written: str) -> datetime | None:
    # Some files carry more digits or a zone without colon; fromisoformat of 3.11 takes both but not 7+ digits.
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", written.replace(",", "."))
    try:
        return datetime.fromisoformat(shortened)
    except ValueError:
        return None


def _date(rest: str, day_first: bool) -> tuple[int, int, int] | None:
    """Year, month, day out of what is left when the time of day is taken away."""
    if found := _YEAR_FIRST.search(rest):
        year, month, day = map(int, found.groups())
        return year, month, day
    if found := _NUMERIC.search(rest):
        first, second, year = map(int, found.groups())
        month, day = (second, first) if (day_first and second <= 12) or first > 12 else (first, second)
        return (year if year > 99 else 2000 + year), month, day
    words = re.findall(r"[A-Za-z]+|\d+", rest)
    months = [MONTHS.index(w[:3].lower()) + 1 for w in words if w[:3].lower() in MONTHS]
    numbers = [w for w in words if w.isdigit()]
    years = [w for w in numbers if len(w) == 4]
    days = [w for w in numbers if len(w) <= 2]
    return (int(years[0]), months[0], int(days[0])) if months and years and days else None


def _time_of_day(clock: re.Match[str]) -> tuple[int, int, int, int]:
    hour, minute, second, fraction, half = clock.groups()
    value = int(hour)
    if half:
        value = value % 12 + (12 if half.lower() == "pm" else 0)
    return value, int(minute), int(second or 0), int((fraction or "0")[:6].ljust(6, "0"))


def to_time(moment: datetime | None, options: ReadOptions, file: str) -> np.datetime64:
    """UTC of a moment; NaT for none, and for a local time without zone where no absolute time is needed.

    Raises ``ConfigurationError`` for a local time whose zone nobody told, if ``options.require_time``.
    """
    if moment is None or (moment.tzinfo is None and options.time_zone is None and not options.require_time):
        return NOT_A_TIME
    return to_utc(moment, options.time_zone, file)


def from_unix(seconds: float) -> datetime:
    """A moment from seconds since 1970, which are UTC by definition."""
    return datetime.fromtimestamp(seconds, UTC)


_CENTURIES_S = 4e9
"""More seconds than any instrument counts; beyond about 9e9 a count of nanoseconds overflows."""


def after(start: np.datetime64, seconds: np.ndarray | float) -> np.ndarray:
    """``start`` plus seconds, NaT where either is unknown or absurd; exact to the ns that a double can hold."""
    lasting = np.asarray(seconds, float)
    known = np.abs(lasting) < _CENTURIES_S
    whole = np.floor(np.where(known, lasting, 0.0))
    nanoseconds = whole.astype("int64") * 1_000_000_000 + np.rint((np.where(known, lasting, 0.0) - whole) * 1e9).astype(
        "int64"
    )
    moments = start + nanoseconds.astype("timedelta64[ns]")
    return np.where(known, moments, NOT_A_TIME)


def one_after(start: np.datetime64, seconds: float) -> np.datetime64:
    """The same for one number of seconds."""
    if not abs(seconds) < _CENTURIES_S:
        return NOT_A_TIME
    whole = math.floor(seconds)
    return start + np.timedelta64(whole * 1_000_000_000 + round((seconds - whole) * 1e9), "ns")
