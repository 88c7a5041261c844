"""When one spectrum was counted."""

from typing import Annotated

from operando.joint.exposure import identity, mean_ring_current, shifted
from operando.model.products.joint import SPECTRUM_EXPOSURE, SpectrumExposure
from operando.model.products.raw import Pattern, Spectrum
from operando.model.step import Setting, step


@step(version=2)
def spectrum_exposure(
    spectrum: Spectrum | None = None,
    pattern: Pattern | None = None,
    offset_s: Annotated[float | None, Setting("diffraction.clock_offset_s")] = None,
) -> SpectrumExposure:
    """Take start and end of counting and the ring current meanwhile (mA).

    A pattern that somebody else reduced stands for its spectrum. Raises ``TypeError`` without either.
    """
    taken = spectrum if spectrum is not None else pattern
    if taken is None:
        raise TypeError("spectrum_exposure needs a spectrum or a pattern")
    current = taken["ring_current"].values if "ring_current" in taken else None
    return SPECTRUM_EXPOSURE.new(
        start=shifted(taken["start"].values, offset_s),
        end=shifted(taken["end"].values, offset_s),
        ring_current=mean_ring_current(current),
        attrs=identity(taken),
    )
