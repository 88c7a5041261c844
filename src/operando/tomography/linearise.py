"""Transmission to line integral: the logarithm, with glare taken out before and hardening after it."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import numpy as np
import xarray as xr
from pydantic import Field

from operando.model.configuration import Spectrum
from operando.model.errors import ConfigurationError
from operando.model.material import Material
from operando.model.parameters import Parameters
from operando.model.products.tomography import ATTENUATION, Attenuation, Glare, Transmission
from operando.model.step import Cut, Setting, step
from operando.tomography._frames import row_coordinate, row_numbers
from operando.tomography._threads import over_pieces, split
from operando.tomography.edge_gradient import HALO, NARROWEST, WIDEST, EdgeGradient
from operando.tomography.hardening import hardening_curve, straightened
from operando.tomography.normalise import STARVED_FACTOR, between, surround_of
from operando.tomography.reconstruct import pixel_of
from operando.tomography.veil import interpolated

LEAST = 1e-6
"""Lowest transmission that a starved ray is given where no noise is known."""
MOST_GLARE = 0.5
"""Largest share of glare in a row's own open beam that is subtracted."""


class LineariseParameters(Parameters):
    """How transmissions become line integrals."""

    dark_noise: float | None = Field(
        default=0.05,
        description="rays of a higher relative noise are averaged with their dark neighbours; none: never",
        gt=0,
        le=1,
    )
    hardening_polynomial: tuple[float, ...] = Field(
        default=(), description="p' = c1 p + c2 p² + …: straightens the line integral of a polychromatic beam"
    )
    straighten: bool = Field(
        default=True, description="straighten the hardened beam where tomography.spectrum and the material are known"
    )
    hardening_material: str | None = Field(
        default=None, description="material that hardens the beam most; none: the anode's (cell.anode.material)"
    )
    effective_kev: float | None = Field(
        default=None, description="energy that the attenuation shall belong to; none: the spectrum's mean", gt=0
    )


@step(version=3, stored=False, cut=Cut(halo=HALO, halo_with="blur_um", working_bytes=16))
def linearise(
    transmission: Transmission,
    glare: Glare | None,
    params: LineariseParameters,
    material: Annotated[Material | None, Setting("steps.linearise.hardening_material", resolve="material")] = None,
    spectrum: Annotated[Spectrum | None, Setting("tomography.spectrum")] = None,
    anode: Annotated[Material | None, Setting("cell.anode.material", resolve="material")] = None,
    blur_um: Annotated[float | None, Setting("tomography.blur_um")] = None,
    pixel_size_um: Annotated[float | None, Setting("tomography.pixel_size_um")] = None,
) -> Attenuation:
    """Take -ln of the transmission after subtracting the glare; starved rays carry a bounded, flagged value.

    Dark rays are averaged with the dark rays beside them, so that their noise does not streak through the slice.
    Hardening is straightened where a polynomial is given, or the beam's ``spectrum`` and a material: the one named,
    else the anode's, for it is by far the densest. With the camera's ``blur_um`` (standard deviation), rays beside an
    edge get what the blur of the light takes from them (``edge_gradient``).
    A starved ray is given no less than one standard deviation of the darkest rays; one whose true transmission is
    lower reads too little, which is why it is flagged.
    """
    from operando.tomography._normalise_kernels import line_integral

    values = transmission["transmission"].values
    starved = transmission["starved"].values.copy()
    noise = transmission["noise"].values
    level, veil, early, share = _veil_of(transmission, glare)
    limit = _limit(transmission, glare)
    if params.dark_noise is not None:
        shot = transmission["shot"].values if "shot" in transmission else np.zeros(values.shape[1])
        values = attenuation = calmed(values, noise, shot, params.dark_noise)  # from here on in place
    else:
        attenuation = np.empty_like(values)
    straighten = _straightening(params, material, spectrum, anode)
    width = 0.0 if blur_um is None else blur_um / pixel_of(transmission, pixel_size_um)
    blurred = EdgeGradient.of(width, straighten) if NARROWEST < width <= WIDEST else None
    dark = np.asarray(starved.all(axis=(0, 2)))
    pieces = split(len(values), 16)

    def work(piece: int) -> None:
        part = slice(*pieces[piece])
        before, after = veil[early[part]], veil[np.minimum(early[part] + 1, len(veil) - 1)]
        line_integral(
            values[part], starved[part], noise, limit, level, before, after, share[part], LEAST, attenuation[part]
        )
        lack = None if blurred is None else blurred.lacking(attenuation[part], dark)
        attenuation[part] = straighten(attenuation[part])
        if lack is not None:
            attenuation[part] += lack

    over_pieces(work, len(pieces))
    sizes = {"pixel_size": transmission["pixel_size"].values} if "pixel_size" in transmission else {}
    return ATTENUATION.new(
        coords=row_coordinate(transmission),
        attrs={**transmission.attrs, "warnings": [*transmission.attrs.get("warnings", ()), *_too_wide(width)]},
        attenuation=attenuation,
        starved=starved,
        rotation_angle=transmission["rotation_angle"].values,
        **sizes,
    )


def _too_wide(width: float) -> list[str]:
    """A sentence where the camera's blur (pixels) is too wide to be given back."""
    if width <= WIDEST:
        return []
    return [
        f"the camera's blur is {width:.1f} pixels wide (tomography.blur_um): what blurs of more than {WIDEST:g} pixels "
        "take from edges is not given back"
    ]


def _straightening(
    params: LineariseParameters, material: Material | None, spectrum: Spectrum | None, anode: Material | None
) -> Callable[[np.ndarray], np.ndarray]:
    """What follows the logarithm: the polynomial, the material's hardening curve, or nothing."""
    if params.hardening_polynomial:
        return partial(polynomial, coefficients=params.hardening_polynomial)
    curve = _curve(params, material, spectrum, anode)
    return (lambda values: values) if curve is None else partial(straightened, curve=curve)


def _curve(
    params: LineariseParameters, material: Material | None, spectrum: Spectrum | None, anode: Material | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Hardening curve of the material; raises ``ConfigurationError`` where one is named and no spectrum is given."""
    named = material is not None or params.hardening_material is not None
    if spectrum is None and named and params.straighten:
        raise ConfigurationError("hardening_material needs the beam's spectrum; give [tomography.spectrum].")
    if spectrum is None or not params.straighten:
        return None
    from operando.materials.catalogue import load

    chosen = material or (load(params.hardening_material) if params.hardening_material else anode)
    if chosen is None:
        return None
    return hardening_curve(chosen, np.array(spectrum.energy_kev), np.array(spectrum.weight), params.effective_kev)


def calmed(transmission: np.ndarray, noise: np.ndarray, shot: np.ndarray, target: float) -> np.ndarray:
    """Average dark rays (angle, row, column) with dark rays beside them until their relative noise is ``target``.

    Without it the noise of a few dark rays streaks through the whole slice (Hsieh 1998, doi:10.1118/1.598410).
    The mean is taken before the logarithm, where the noise has no bias.
    """
    from operando.tomography._normalise_kernels import calm

    result = np.empty_like(transmission)
    pieces = split(len(transmission), 16)
    over_pieces(lambda piece: calm(transmission, noise, shot, target, result, *pieces[piece]), len(pieces))
    return result


def _veil_of(
    transmission: xr.Dataset, glare: xr.Dataset | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Level of each row, veil (veil_angle, row, column); for each projection the one before it and the share.

    A row that is more glare than beam is starved as a whole: its level is bounded to keep its values finite.
    """
    angles, rows, columns = (transmission.sizes[name] for name in ("angle", "row", "column"))
    if glare is None or float(glare["level"]) == 0:
        nothing = np.zeros(rows, np.float32), np.zeros((1, 0, 0), np.float32)
        return *nothing, np.zeros(angles, int), np.zeros(angles, np.float32)
    wanted = row_numbers(transmission)
    level = np.minimum(float(glare["level"]) * surround_of(glare, wanted), MOST_GLARE).astype(np.float32)
    veil = interpolated(glare["veil"].values, glare["veil_row"].values, wanted, axis=1)
    veil = interpolated(veil, glare["veil_column"].values, np.arange(columns), axis=2)
    early, share = between(glare["veil_angle"].values.astype(float), np.arange(angles, dtype=float))
    return level, np.ascontiguousarray(veil), early, share


def _limit(transmission: xr.Dataset, glare: xr.Dataset | None) -> np.ndarray:
    """Corrected transmission (row, column) that is not above what is unsure of the glare; 0 where its level counts."""
    noise = transmission["noise"].values
    if glare is None or float(glare["bound"]) >= float(glare["level"]):
        return np.zeros_like(noise)
    unsure = float(glare["bound"]) * surround_of(glare, row_numbers(transmission))
    return (STARVED_FACTOR * (noise + unsure[:, None])).astype(np.float32)


def polynomial(line_integrals: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    """Polynomial without constant term: c1 p + c2 p² + …

    >>> polynomial(np.array([2.0]), (1.0, 0.5)).tolist()
    [4.0]
    """
    result = np.zeros_like(line_integrals)
    for coefficient in reversed(coefficients):
        result = (result + line_integrals.dtype.type(coefficient)) * line_integrals
    return result
