"""Results without the last bits, which linear algebra leaves to where arrays happen to lie in memory."""

import numpy as np
import xarray as xr

from operando.model.interval import Quantity

DIGITS = 10
"""Significant digits kept: far more than any interval needs, fewer than rounding errors reach."""


def significant(values: np.ndarray, digits: int = DIGITS) -> np.ndarray:
    """Round to so many significant digits; what is not finite stays.

    >>> significant(np.array([123.456789012345, 0.0, np.nan]), 6)
    array([123.457,   0.   ,     nan])
    """
    magnitude = np.where(np.isfinite(values) & (values != 0), np.abs(values), 1.0)
    decimals = digits - 1 - np.floor(np.log10(magnitude))
    factor = 10.0 ** np.clip(decimals, -300, 300)
    return np.where(np.isfinite(values), np.rint(np.where(np.isfinite(values), values, 0.0) * factor) / factor, values)


def rounded(quantity: Quantity) -> Quantity:
    """The same of one quantity."""
    value, low, high = significant(np.array([quantity.value, quantity.low, quantity.high])).tolist()
    return Quantity(value, low, high, quantity.unit)


def without_last_bits(product: xr.Dataset) -> xr.Dataset:
    """The product with every floating-point variable rounded, so that it is the same on any worker."""
    return product.copy(
        data={
            name: significant(variable.values) if variable.dtype.kind == "f" else variable.values
            for name, variable in product.data_vars.items()
        }
    )
