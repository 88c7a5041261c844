"""Numbers as people read them: rounded to what the interval supports, with the interval and the unit."""

import math
from collections.abc import Mapping
from typing import Any

NOT_KNOWN = "not known"
_UNITS = {
    "1": "",
    "um": "µm",
    "um2": "µm²",
    "um3": "µm³",
    "angstrom": "Å",
    "ohm": "Ω",
    "degC": "°C",
    "px": "px",
}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
PLAIN_FROM, PLAIN_TO = -3, 4
"""Powers of ten that are written out."""
MOST_DIGITS = 7
"""Of a value, however narrow its interval."""
SMALL_CELL_MAH = 0.1
"""Charges below are written in µAh."""


def unit_text(unit: str) -> str:
    """Write a unit as in print.

    >>> unit_text("um3")
    'µm³'
    """
    return _UNITS.get(unit, unit)


def quantity_text(quantity: Mapping[str, Any] | None) -> str:
    """Write a quantity of summary.json with its 95 % interval.

    >>> quantity_text({"value": 4.583e7, "low": 4.41e7, "high": 4.72e7, "unit": "um3"})
    '45.8 (44.1 … 47.2) × 10⁶ µm³'
    >>> quantity_text({"value": 0.9612, "low": 0.9571, "high": 0.9653, "unit": "1"})
    '0.9612 (0.9571 … 0.9653)'
    >>> quantity_text(None)
    'not known'
    """
    if quantity is None:
        return NOT_KNOWN
    value, interval, unit = quantity_parts(quantity)
    return f"{value} {interval} {unit}".strip()


def quantity_parts(quantity: Mapping[str, Any]) -> tuple[str, str, str]:
    """Value, interval in brackets, and power of ten with unit, which belongs to both.

    >>> quantity_parts({"value": 120.0, "low": 117.0, "high": 123.0, "unit": "um"})
    ('120.0', '(117.0 … 123.0)', 'µm')
    >>> quantity_parts({"value": 0.0029, "low": 0.0028, "high": 0.0030, "unit": "mAh"})
    ('2.90', '(2.80 … 3.00)', 'µAh')
    """
    parts = [float(quantity[key]) for key in ("value", "low", "high")]
    unit = str(quantity["unit"])
    largest = max(abs(part) for part in parts)
    if unit == "mAh" and largest < SMALL_CELL_MAH:
        parts, unit, largest = [1e3 * part for part in parts], "µAh", 1e3 * largest
    exponent = _exponent(largest)
    scaled = [part / 10.0**exponent for part in parts]
    decimals = _decimals((scaled[2] - scaled[1]) / 2, scaled[0])
    value, low, high = (_minus(f"{part:.{decimals}f}") for part in scaled)
    power = f"× 10{str(exponent).translate(_RAISED)} " if exponent else ""
    return value, f"({low} … {high})", f"{power}{unit_text(unit)}".strip()


def _exponent(largest: float) -> int:
    if largest == 0 or not math.isfinite(largest):
        return 0
    power = math.floor(math.log10(largest))
    return 0 if PLAIN_FROM <= power <= PLAIN_TO else 3 * math.floor(power / 3)


def _decimals(half: float, value: float) -> int:
    """Two digits of the half interval, but not more than a reader can use of the value; four without an interval.

    >>> _decimals(1.2e-3, 1.5), _decimals(2e-9, 3.5)
    (4, 6)
    """
    smallest, digits = (half, 1) if half > 0 else (abs(value), 3)
    if smallest == 0:
        return 0
    most = MOST_DIGITS - 1 - math.floor(math.log10(abs(value))) if value else 12
    return min(max(min(digits - math.floor(math.log10(smallest)), most), 0), 12)


def _minus(text: str) -> str:
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def number_text(value: Any, digits: int = 4, unit: str = "") -> str:
    """Write a bare number, or ``not known``.

    >>> number_text(0.163212, unit="mAh")
    '0.1632 mAh'
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOT_KNOWN
    return f"{_minus(f'{value:.{digits}g}')} {unit_text(unit)}".strip()


def time_text(time: str | None) -> str:
    """Write a time of summary.json to the minute.

    >>> time_text("2018-05-04T06:00:12.25Z")
    '2018-05-04 06:00 UTC'
    """
    return NOT_KNOWN if time is None else f"{time[:10]} {time[11:16]} UTC"
