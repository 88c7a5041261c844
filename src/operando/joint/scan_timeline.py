"""State of the cell during every scan."""

from typing import Annotated

from operando.joint.timeline import build, gather
from operando.model.products.electrochemistry import Curve, Protocol
from operando.model.products.joint import SCAN_TIMELINE, ScanExposure, ScanTimeline
from operando.model.step import Series, Setting, step


@step(version=1)
def scan_timeline(
    curve: Curve | None,
    protocol: Protocol | None,
    exposures: Series[ScanExposure],
    drift_ppm: Annotated[float | None, Setting("tomography.clock_drift_ppm")] = None,
) -> ScanTimeline:
    """Average charge (mAh), voltage (V) and current (mA) over every scan; cycle and step are those at its middle.

    The record is linear between its samples, so the averages are exact integrals. Outside the record, and where it
    is broken, values are NaN, −1 or "": nothing is extrapolated.
    """
    return build(SCAN_TIMELINE, "scan", gather(exposures, drift_ppm), curve, protocol)
