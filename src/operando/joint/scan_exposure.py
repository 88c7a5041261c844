"""When one scan was exposed."""

from typing import Annotated

import numpy as np

from operando.joint.exposure import identity, mean_ring_current, shifted
from operando.model.products.joint import SCAN_EXPOSURE, ScanExposure
from operando.model.products.raw import PROJECTION, RawVolume, Scan
from operando.model.step import Setting, step


@step(version=2)
def scan_exposure(
    scan: Scan | None = None,
    raw_volume: RawVolume | None = None,
    offset_s: Annotated[float | None, Setting("tomography.clock_offset_s")] = None,
) -> ScanExposure:
    """Take start and end of the sample frames and the ring current meanwhile (mA); no image is read.

    A volume that somebody else reconstructed stands for its scan. Raises ``TypeError`` without either.
    """
    taken = scan if scan is not None else raw_volume
    if taken is None:
        raise TypeError("scan_exposure needs a scan or a reconstructed volume")
    current = None
    if scan is not None and "ring_current" in scan:
        current = scan["ring_current"].values[np.asarray(scan["image_key"].values) == PROJECTION]
    return SCAN_EXPOSURE.new(
        start=shifted(taken["start"].values, offset_s),
        end=shifted(taken["end"].values, offset_s),
        ring_current=mean_ring_current(current),
        attrs=identity(taken),
    )
