"""Step ``correct``: state the energy scale, the lost counts and the smooth background of one spectrum."""

from operando.diffraction.corrections import corrected
from operando.model.products.diffraction import Calibration, Corrected
from operando.model.products.raw import Spectrum
from operando.model.step import step


@step(version=4)
def correct(spectrum: Spectrum, calibration: Calibration) -> Corrected:
    """Give every channel its energy and every element its dead-time factor, leaving the raw counts as they are.

    A dead, empty or inconsistent element is marked and named in the warnings; counts are never changed, so that
    the fit can weigh them as what they are: Poisson counts.
    """
    return corrected(spectrum, calibration)
