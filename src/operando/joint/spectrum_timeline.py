"""State of the cell during every spectrum."""

from typing import Annotated

from operando.joint.timeline import build, gather
from operando.model.products.electrochemistry import Curve, Protocol
from operando.model.products.joint import SPECTRUM_TIMELINE, SpectrumExposure, SpectrumTimeline
from operando.model.step import Series, Setting, step


@step(version=1)
def spectrum_timeline(
    curve: Curve | None,
    protocol: Protocol | None,
    exposures: Series[SpectrumExposure],
    drift_ppm: Annotated[float | None, Setting("diffraction.clock_drift_ppm")] = None,
) -> SpectrumTimeline:
    """Average charge (mAh), voltage (V) and current (mA) over every spectrum; cycle and step are those at its middle.

    The record is linear between its samples, so the averages are exact integrals. Outside the record, and where it
    is broken, values are NaN, −1 or "": nothing is extrapolated.
    """
    return build(SPECTRUM_TIMELINE, "spectrum", gather(exposures, drift_ppm), curve, protocol)
