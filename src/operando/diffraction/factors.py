"""Step ``factors``: a second look at the series that names no phase."""

import numpy as np
from pydantic import Field

from operando.diffraction.mixture import factorise
from operando.diffraction.rounding import significant
from operando.model.parameters import Parameters
from operando.model.products.diffraction import FACTORS, Factors, Merged
from operando.model.step import Series, step


class FactorsParameters(Parameters):
    """How the series is taken apart."""

    count: int = Field(3, ge=1, le=12, description="factors; one for each thing that changes by itself")
    iterations: int = Field(300, ge=10, le=5000, description="multiplicative updates at most")


@step(version=1)
def factors(spectra: Series[Merged], params: FactorsParameters) -> Factors:
    """Factorise the counts of the series (non-negative, Poisson likelihood) and say how many counts stay unexplained.

    Factors are mixtures of phases wherever phases change together; they show what a list of phases may have missed.
    """
    frames = [int(one.attrs["frame"]) for one in spectra]
    counts = np.array([one["counts"].values for one in spectra], float)
    number = min(params.count, len(frames))
    found = factorise(counts, number, params.iterations)
    return FACTORS.new(
        coords={"spectrum": np.array(frames, int), "d": ("bin", spectra[0]["d"].values, "angstrom")},
        pattern=significant(found.spectra, 6),
        amount=significant(found.amounts, 6),
        deviance=np.float64(significant(np.array(found.deviance), 6)),
    )
