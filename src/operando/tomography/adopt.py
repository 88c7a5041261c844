"""Take a volume that somebody else reconstructed."""

from typing import Annotated

import numpy as np

from operando.model.errors import ConfigurationError
from operando.model.products.raw import RawVolume
from operando.model.products.tomography import VOLUME, Volume
from operando.model.step import Cut, Setting, step


@step(version=1, cut=Cut(working_bytes=12))
def adopt(
    raw_volume: RawVolume, pixel_size_um: Annotated[float | None, Setting("tomography.pixel_size_um")] = None
) -> Volume:
    """Take the grey values of a reconstructed volume (z, y, x) as they are; only their voxel size is needed.

    The values count as attenuation in 1/cm although nobody knows their scale: thresholds and registration need
    differences only, and a sentence says so. Raises ``ConfigurationError`` where no voxel size is known.
    """
    voxel = float(raw_volume["voxel_size"]) if "voxel_size" in raw_volume else pixel_size_um
    file = raw_volume.attrs.get("file", "the volume")
    if voxel is None:
        raise ConfigurationError(f"{file}: it has no voxel size; set pixel_size_um in [tomography].")
    rows = raw_volume["z"].values if "z" in raw_volume.coords else np.arange(raw_volume.sizes["z"])
    y, x = (np.arange(raw_volume.sizes[axis]) * voxel for axis in ("y", "x"))
    return VOLUME.new(
        coords={"z": rows * voxel, "y": y, "x": x},
        attrs={"warnings": ["its grey values are taken as they are: their unit is unknown"]},
        mu=raw_volume["grey"].values.astype(np.float32),
    )
