"""Transmission to line integral: the logarithm, with glare taken out before and hardening after it."""

import numpy as np
from pydantic import Field

from operando.model.parameters import Parameters
from operando.model.products.tomography import ATTENUATION, Attenuation, Glare, Transmission
from operando.model.step import Cut, step
from operando.tomography._frames import row_coordinate
from operando.tomography._threads import over_pieces, split

LEAST = 1e-6
"""Lowest transmission that a starved ray is given where no noise is known."""


class LineariseParameters(Parameters):
    """How transmissions become line integrals."""

    hardening_polynomial: tuple[float, ...] = Field(
        default=(), description="p' = c1 p + c2 p² + …: straightens the line integral of a polychromatic beam"
    )


@step(version=1, stored=False, cut=Cut(working_bytes=16))
def linearise(transmission: Transmission, glare: Glare | None, params: LineariseParameters) -> Attenuation:
    """Take -ln of the transmission after subtracting the glare; starved rays carry a bounded, flagged value.

    The bound of a starved ray is one standard deviation of the darkest rays; a ray whose true transmission is
    lower reads too little, which is why it is flagged.
    """
    from operando.tomography._normalise_kernels import line_integral

    level = 0.0 if glare is None else float(glare["level"])
    values = transmission["transmission"].values
    starved = transmission["starved"].values | (values <= level)
    noise = transmission["noise"].values
    attenuation = np.empty_like(values)
    pieces = split(len(values), 16)

    def work(piece: int) -> None:
        part = slice(*pieces[piece])
        line_integral(values[part], starved[part], noise, level, LEAST, attenuation[part])
        if params.hardening_polynomial:
            attenuation[part] = straightened(attenuation[part], params.hardening_polynomial)

    over_pieces(work, len(pieces))
    sizes = {"pixel_size": transmission["pixel_size"].values} if "pixel_size" in transmission else {}
    return ATTENUATION.new(
        coords=row_coordinate(transmission),
        attrs=dict(transmission.attrs),
        attenuation=attenuation,
        starved=starved,
        rotation_angle=transmission["rotation_angle"].values,
        **sizes,
    )


def straightened(line_integrals: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    """Polynomial without constant term: c1 p + c2 p² + …

    >>> straightened(np.array([2.0]), (1.0, 0.5)).tolist()
    [4.0]
    """
    result = np.zeros_like(line_integrals)
    for coefficient in reversed(coefficients):
        result = (result + line_integrals.dtype.type(coefficient)) * line_integrals
    return result
