"""What the anode gained and lost between two scans."""

import numpy as np
import xarray as xr

from operando.figures.panels.volumes import power_of_ten, volume_unit
from operando.figures.reading import NothingToDrawError
from operando.figures.source import Source
from operando.model.constants import OUTSIDE_LABEL, UNKNOWN_LABEL

SLAB = 32


def largest_pair(source: Source, pairs: xr.Dataset) -> int:
    """The pair with most charge, or else the one furthest apart in time."""
    balance = source.table("balance")
    if balance is not None and np.isfinite(balance["charge"].values).any():
        return int(np.nanargmax(np.abs(balance["charge"].values)))
    if pairs.sizes["pair"] == 0:
        raise NothingToDrawError("There are no two scans to compare.")
    return int((pairs["to_scan"] - pairs["from_scan"]).values.argmax())


def thicknesses(before: xr.Dataset, after: xr.Dataset, label: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gained and lost thickness along z (y, x) in µm, and columns where nothing could be compared.

    Only voxels known in both scans count. Labels are read slab by slab.
    """
    z = before["z"].values
    shape = before["label"].shape[1:]
    gain, loss, compared = (np.zeros(shape) for _ in range(3))
    for start in range(0, z.size, SLAB):
        part = slice(start, start + SLAB)
        old, new = (one["label"].isel(z=part).values for one in (before, after))
        known = (old != UNKNOWN_LABEL) & (new != UNKNOWN_LABEL) & (old != OUTSIDE_LABEL) & (new != OUTSIDE_LABEL)
        gain += (known & (new == label) & (old != label)).sum(axis=0)
        loss += (known & (new != label) & (old == label)).sum(axis=0)
        compared += known.sum(axis=0)
    thickness = float(z[1] - z[0])
    return gain * thickness, loss * thickness, compared == 0


def numbers_of_pair(source: Source, pair: int) -> str:
    """Gain, loss and net of a pair with their intervals, in words; empty where they were not measured."""
    difference = source.product("difference", pair)
    if difference is None:
        return ""
    exponent = power_of_ten(difference["gain"].values)
    names = [f"{name}{suffix}" for name in ("gain", "loss", "net") for suffix in ("", "_low", "_high")]
    scaled = {name: float(difference[name]) / 10.0**exponent for name in names}
    parts = [
        f"{name} {scaled[name]:.1f} ({scaled[f'{name}_low']:.1f} … {scaled[f'{name}_high']:.1f})"
        for name in ("gain", "loss", "net")
    ]
    return f"{', '.join(parts)} {volume_unit(exponent)}".replace("-", "−")
