"""When one scan was exposed."""

from typing import Annotated

import numpy as np

from operando.joint.exposure import identity, mean_ring_current, shifted
from operando.model.products.joint import SCAN_EXPOSURE, ScanExposure
from operando.model.products.raw import PROJECTION, Scan
from operando.model.step import Setting, step


@step(version=1)
def scan_exposure(
    scan: Scan, offset_s: Annotated[float | None, Setting("tomography.clock_offset_s")] = None
) -> ScanExposure:
    """Take start and end of the sample frames and the ring current meanwhile (mA); no image is read."""
    current = None
    if "ring_current" in scan:
        current = scan["ring_current"].values[np.asarray(scan["image_key"].values) == PROJECTION]
    return SCAN_EXPOSURE.new(
        start=shifted(scan["start"].values, offset_s),
        end=shifted(scan["end"].values, offset_s),
        ring_current=mean_ring_current(current),
        attrs=identity(scan),
    )
