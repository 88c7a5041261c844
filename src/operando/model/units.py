"""One canonical unit a quantity; pint is used only where values enter or leave."""

from functools import cache
from typing import Any

CANONICAL = {
    "area": "um2",
    "attenuation": "1/cm",
    "capacity": "mAh",
    "charge": "mAh",
    "conductivity": "S/cm",
    "current": "mA",
    "density": "g/cm3",
    "diffraction_angle": "deg",
    "duration": "s",
    "energy": "keV",
    "length": "um",
    "mass": "mg",
    "molar_volume": "cm3/mol",
    "pressure": "MPa",
    "resistance": "ohm",
    "rotation_angle": "rad",
    "spacing": "angstrom",
    "temperature": "degC",
    "voltage": "V",
    "volume": "um3",
}
"""Canonical unit of each quantity. Counts, ratios and indices have the unit ``1``."""


@cache
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    registry.define("pixel_length = [pixel]")
    return registry


def _spelled(unit: str) -> str:
    """Turn the compact spelling used in attributes (``um3``, ``1/cm``) into pint's (``um**3``)."""
    import re

    return re.sub(r"(?<=[a-zA-Z])([23])\b", r"**\1", unit.replace("Å", "angstrom"))


def convert(value: Any, unit: str, quantity: str) -> Any:
    """Convert ``value`` in ``unit`` to the canonical unit of ``quantity``.

    Raises ``pint.DimensionalityError`` (a ``TypeError``) if the unit does not measure that quantity
    and ``pint.UndefinedUnitError`` (an ``AttributeError``) if nobody knows the unit.

    >>> round(float(convert(1.0, "mm", "length")), 6)
    1000.0
    """
    registry = _registry()
    quantity_with_unit = registry.Quantity(value, _spelled(unit))
    return quantity_with_unit.to(_spelled(CANONICAL[quantity])).magnitude
