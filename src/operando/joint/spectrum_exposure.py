"""When one spectrum was counted."""

from typing import Annotated

from operando.joint.exposure import identity, mean_ring_current, shifted
from operando.model.products.joint import SPECTRUM_EXPOSURE, SpectrumExposure
from operando.model.products.raw import Spectrum
from operando.model.step import Setting, step


@step(version=1)
def spectrum_exposure(
    spectrum: Spectrum, offset_s: Annotated[float | None, Setting("diffraction.clock_offset_s")] = None
) -> SpectrumExposure:
    """Take start and end of counting and the ring current meanwhile (mA)."""
    current = spectrum["ring_current"].values if "ring_current" in spectrum else None
    return SPECTRUM_EXPOSURE.new(
        start=shifted(spectrum["start"].values, offset_s),
        end=shifted(spectrum["end"].values, offset_s),
        ring_current=mean_ring_current(current),
        attrs=identity(spectrum),
    )
