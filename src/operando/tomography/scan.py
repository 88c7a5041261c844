"""One scan to one volume, for people who only want that."""

import numpy as np
import xarray as xr

from operando.model.products.raw import PROJECTION
from operando.tomography._frames import file_of, select
from operando.tomography.angles import check_angles
from operando.tomography.centre import CentreParameters, find_centre
from operando.tomography.glare import GlareParameters
from operando.tomography.glare import glare as find_glare
from operando.tomography.gridding import reconstruct_sinograms
from operando.tomography.linearise import LineariseParameters, linearise
from operando.tomography.normalise import NormaliseParameters, normalise
from operando.tomography.reconstruct import CM_PER_UM
from operando.tomography.rings import RingsParameters, rings

SLAB = 16
"""Rows worked on at once."""


def reconstruct_scan(
    scan: xr.Dataset,
    centre: float | str = "auto",
    rows: tuple[int, int] | None = None,
    filter: str = "ramp",
    pixel_size_um: float | None = None,
) -> tuple[xr.DataArray, float, float]:
    """Reconstruct a scan: normalise, linearise, remove rings, find the centre, back-project.

    ``centre``: "auto", or pixels from the middle of column 0; ``rows``: first and last (exclusive) detector
    row; ``pixel_size_um``: only where the file has none. Returns the volume (z, y, x; float32), the centre and
    its standard deviation (px). The unit is 1/cm with a pixel size and 1/pixel without, in ``attrs["units"]``.
    """
    first, last = rows or (0, scan.sizes["row"])
    pixel = float(scan["pixel_size"]) if "pixel_size" in scan else pixel_size_um
    glare = find_glare(scan, GlareParameters())
    value, std = _centre(scan, glare, centre)
    columns = scan.sizes["column"]
    volume = np.empty((last - first, columns, columns), np.float32)
    warnings: list[str] = []
    for start in range(first, last, SLAB):
        slab = sinograms_of(scan.isel(row=slice(start, min(start + SLAB, last))), glare)
        angles = check_angles(slab["rotation_angle"].values, slab.sizes["angle"], file_of(scan))
        volume[start - first : start - first + slab.sizes["row"]] = reconstruct_sinograms(
            slab["sinogram"].values, angles, value, filter
        )
        warnings += [text for text in slab.attrs.get("warnings", []) if text not in warnings]
    unit, step = ("1/cm", float(pixel)) if pixel else ("1/pixel", 1.0)
    if pixel:
        volume /= np.float32(step * CM_PER_UM)
    return _array(volume, first, unit, step, warnings), value, std


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


def sinograms_of(scan: xr.Dataset, glare: xr.Dataset | None = None) -> xr.Dataset:
    """Sinograms of these rows, with every step's default parameters."""
    return rings(attenuation_of(scan, glare), RingsParameters())


def attenuation_of(scan: xr.Dataset, glare: xr.Dataset | None = None) -> xr.Dataset:
    """Line integrals of these rows, before ring removal."""
    return linearise(normalise(scan, glare, NormaliseParameters()), glare, LineariseParameters())


def _array(volume: np.ndarray, first: int, unit: str, step: float, warnings: list[str]) -> xr.DataArray:
    length = "um" if unit == "1/cm" else "px"
    z, y, x = (np.arange(size) * step for size in volume.shape)
    coords = {
        name: (name, values, {"units": length}) for name, values in {"z": z + first * step, "y": y, "x": x}.items()
    }
    return xr.DataArray(volume, coords, ("z", "y", "x"), "mu", {"units": unit, "warnings": warnings})
