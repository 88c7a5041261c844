"""Step ``pristine``: the spectrum that all others are compared with."""

from collections.abc import Sequence
from typing import Annotated

import xarray as xr

from operando.model.errors import ConfigurationError
from operando.model.products.diffraction import PRISTINE, Merged, Pristine
from operando.model.step import Series, Setting, step


@step(version=1)
def pristine(
    spectra: Series[Merged], reference: Annotated[str | None, Setting("diffraction.reference")] = None
) -> Pristine:
    """Take the spectrum that the configuration names as pristine, the first unless it names one.

    Raises ``ConfigurationError`` where the series has no such file.
    """
    one = spectra[place_of_reference(spectra, reference)]
    return PRISTINE.new(
        coords={"d": ("bin", one["d"].values, "angstrom")},
        attrs={"pristine": str(one.attrs.get("file", ""))},
        **{name: one[name].values for name in PRISTINE.all_variables()},
    )


def place_of_reference(spectra: Sequence[xr.Dataset], reference: str | None) -> int:
    """Place in the series of the pristine spectrum."""
    if reference in {None, "first"}:
        return 0
    for place, one in enumerate(spectra):
        if str(one.attrs.get("file", "")).endswith(str(reference)):
            return place
    raise ConfigurationError(f'reference = "{reference}" is none of the spectra; write "first" or the name of a file.')
