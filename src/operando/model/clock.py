"""The shared clock: UTC as ``datetime64[ns]``; offset and drift of each instrument are explicit."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from operando.model.errors import ConfigurationError

NOT_A_TIME = np.datetime64("NaT", "ns")

TIME_ENCODING = {"units": "nanoseconds since 1970-01-01", "dtype": "int64", "calendar": "proleptic_gregorian"}
"""Encoding of every time on disk. xarray's default rounds to the first value's resolution and an append
then turns minutes into days."""


@dataclass(frozen=True)
class Clock:
    """How one instrument's clock relates to the beamline's.

    ``offset_s`` is added to the instrument's time; ``drift_ppm`` stretches it about ``epoch``
    (the instrument's first reading).
    """

    offset_s: float = 0.0
    drift_ppm: float = 0.0

    def to_beamline(self, times: np.ndarray, epoch: np.datetime64) -> np.ndarray:
        """Convert instrument times, ``datetime64[ns]``, to the beamline's clock.

        >>> t = np.array(["2018-05-04T06:00:00"], "datetime64[ns]")
        >>> str(Clock(offset_s=-1.5).to_beamline(t, t[0])[0])
        '2018-05-04T05:59:58.500000000'
        """
        elapsed = (times - epoch).astype("int64")
        correction = np.rint(elapsed * (self.drift_ppm * 1e-6)).astype("int64") + round(self.offset_s * 1e9)
        corrected = times + correction.astype("timedelta64[ns]")
        return np.where(np.isnat(times), NOT_A_TIME, corrected)


def parse_time(text: str, time_zone: str | None, file: str) -> np.datetime64:
    """Read an ISO 8601 time; without a zone of its own it needs ``time_zone`` (an IANA name).

    Raises ``ConfigurationError`` where no zone is known: a zone is never guessed.

    >>> str(parse_time("2018-05-04T08:00:00+02:00", None, "a.csv"))
    '2018-05-04T06:00:00.000000000'
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigurationError(f"{file}: {text!r} is not a time; write it as 2018-05-04T08:00:00+02:00.") from None
    return to_utc(moment, time_zone, file)


def to_utc(moment: datetime, time_zone: str | None, file: str) -> np.datetime64:
    """Turn a datetime, zoned or local to ``time_zone``, into UTC ``datetime64[ns]``."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_zone(time_zone, file))
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "ns")


def _zone(name: str | None, file: str) -> ZoneInfo:
    if name is None:
        raise ConfigurationError(
            f'{file}: its times have no time zone; add time_zone = "Europe/Berlin" (or yours) to its section of '
            "operando.toml."
        )
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigurationError(
            f'time_zone = {name!r} is not an IANA time zone; write for example "Europe/Berlin".'
        ) from None


def to_text(time: np.datetime64) -> str | None:
    """Write a time as ISO 8601 UTC with ``Z``, ``None`` for no time.

    >>> to_text(np.datetime64("2018-05-04T06:00:00.250", "ns"))
    '2018-05-04T06:00:00.25Z'
    """
    if np.isnat(time):
        return None
    text = str(time.astype("datetime64[ns]"))
    stem, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    return f"{stem}.{fraction}Z" if fraction else f"{stem}Z"
