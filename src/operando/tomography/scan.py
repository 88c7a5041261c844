"""One scan to one volume, for people who only want that."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from operando.model.errors import ConfigurationError
from operando.model.products.raw import PROJECTION
from operando.tomography._frames import file_of, select
from operando.tomography.centre import CentreParameters, find_centre, find_overhang
from operando.tomography.glare import GlareParameters
from operando.tomography.glare import glare as find_glare
from operando.tomography.gridding import reconstruct_padded
from operando.tomography.linearise import LineariseParameters, linearise
from operando.tomography.normalise import NormaliseParameters, normalise
from operando.tomography.padding import continued, steps_of
from operando.tomography.reconstruct import CM_PER_UM, at_lit_rows, lit_rows
from operando.tomography.rings import RingsParameters, rings

SLAB = 16
"""Rows worked on at once."""


def reconstruct_scan(
    scan: xr.Dataset,
    centre: float | str = "auto",
    rows: tuple[int, int] | slice | None = None,
    filter: str = "ramp",
    pixel_size_um: float | None = None,
) -> tuple[xr.DataArray, float, float]:
    """Reconstruct a scan: normalise, linearise, remove rings, find the centre, back-project.

    ``centre``: "auto", or pixels from the middle of column 0; ``rows``: first and last (exclusive) detector
    row; ``pixel_size_um``: only where the file has none. Returns the volume (z, y, x; float32), the centre and
    its standard deviation (px). The unit is 1/cm with a pixel size and 1/pixel without, in ``attrs["units"]``.
    The whole volume is held in memory: ``reconstruct_slabs`` gives it piece by piece.
    """
    first, last = _range(rows, scan)
    columns = scan.sizes["column"]
    volume = np.empty((last - first, columns, columns), np.float32)
    done, warnings = 0, []
    for slab in reconstruct_slabs(scan, centre, (first, last), filter, pixel_size_um):
        volume[done : done + len(slab)] = slab.values
        done += len(slab)
        warnings += [text for text in slab.attrs["warnings"] if text not in warnings]
    attrs = {**slab.attrs, "warnings": warnings}
    step = float(slab["x"][1]) if columns > 1 else 1.0
    return _array(volume, first, step, attrs), attrs["centre_px"], attrs["centre_px_std"]


def reconstruct_slabs(
    scan: xr.Dataset,
    centre: float | str = "auto",
    rows: tuple[int, int] | slice | None = None,
    filter: str = "ramp",
    pixel_size_um: float | None = None,
) -> Iterator[xr.DataArray]:
    """The same, sixteen rows at a time and in order, with memory that does not grow with the scan.

    Each piece (z, y, x) carries its unit, warnings, ``centre_px`` and ``centre_px_std`` in its attributes.
    """
    first, last = _range(rows, scan)
    if "row" not in scan.coords:
        scan = scan.assign_coords(row=np.arange(scan.sizes["row"]))
    pixel = float(scan["pixel_size"]) if "pixel_size" in scan else pixel_size_um
    glare = find_glare(scan, GlareParameters())
    value, std = _centre(scan, glare, centre)
    pad = _reach(scan, glare, value)
    step, scale = (float(pixel), float(pixel) * CM_PER_UM) if pixel else (1.0, 1.0)
    attrs = {"units": "1/cm" if pixel else "1/pixel", "centre_px": value, "centre_px_std": std}
    for start in range(first, last, SLAB):
        slab = sinograms_of(scan.isel(row=slice(start, min(start + SLAB, last))), glare)
        data, angles = slab["sinogram"].values, slab["rotation_angle"].values
        lit = np.logical_not(slab["starved"].values.all(axis=(1, 2)))
        some = reconstruct_padded(continued(lit_rows(data, lit), value, pad), angles, value, filter, pad)
        volume = at_lit_rows(some, lit)
        volume /= np.float32(scale)
        yield _array(volume, start, step, {**attrs, "warnings": list(slab.attrs.get("warnings", []))})


def _range(rows: tuple[int, int] | slice | None, scan: xr.Dataset) -> tuple[int, int]:
    """First and last (exclusive) row; raises ``ConfigurationError`` where there are none."""
    count = scan.sizes["row"]
    if rows is None:
        return 0, count
    first, last, _ = (rows if isinstance(rows, slice) else slice(*rows)).indices(count)
    if last <= first:
        raise ConfigurationError(f"{file_of(scan)}: rows {rows} are none of its {count}; give first and last + 1.")
    return first, last


def _centre(scan: xr.Dataset, glare: xr.Dataset, centre: float | str) -> tuple[float, float]:
    if centre != "auto":
        return float(centre), 0.0
    angles = scan["rotation_angle"].values[select(scan, PROJECTION)]
    value, std, _ = find_centre(
        lambda rows: np.moveaxis(attenuation_of(scan.isel(row=rows), glare)["attenuation"].values, 1, 0),
        scan.sizes["row"],
        angles,
        CentreParameters(),
        file_of(scan),
    )
    return value, std


def _reach(scan: xr.Dataset, glare: xr.Dataset, centre: float) -> int:
    """Columns by which projections are continued on both sides; 0 where the field holds the sample."""
    reach, cut = find_overhang(
        lambda rows: attenuation_of(scan.isel(row=rows), glare), scan.sizes["row"], centre, CentreParameters()
    )
    return steps_of(reach, scan.sizes["column"]) if cut else 0


def sinograms_of(scan: xr.Dataset, glare: xr.Dataset | None = None) -> xr.Dataset:
    """Sinograms of these rows, with every step's default parameters."""
    return rings(attenuation_of(scan, glare), RingsParameters())


def attenuation_of(scan: xr.Dataset, glare: xr.Dataset | None = None) -> xr.Dataset:
    """Line integrals of these rows, before ring removal."""
    return linearise(normalise(scan, glare, NormaliseParameters()), glare, LineariseParameters())


def _array(volume: np.ndarray, first: int, step: float, attrs: dict[str, Any]) -> xr.DataArray:
    length = "um" if attrs["units"] == "1/cm" else "px"
    z, y, x = (np.arange(size) * step for size in volume.shape)
    axes = {"z": z + first * step, "y": y, "x": x}
    coords = {name: (name, values, {"units": length}) for name, values in axes.items()}
    return xr.DataArray(volume, coords, ("z", "y", "x"), "mu", attrs)
