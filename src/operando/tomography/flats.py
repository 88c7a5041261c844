"""Flat fields that follow a beam that moves (Van Nieuwenhove et al. 2015, doi:10.1364/OE.23.027975)."""

from typing import Literal

import numpy as np
import xarray as xr
from pydantic import Field

from operando.model.errors import OperandoError
from operando.model.parameters import Parameters
from operando.model.products.raw import FLAT, PROJECTION, Scan
from operando.model.products.tomography import FLATS, Flats
from operando.model.step import step
from operando.tomography._frames import file_of, frames, open_beam, select, without_zingers

ROWS = 32
"""Detector rows looked at, spread over the detector."""
GROUP = 16
"""Projections averaged to tell whether a pixel is beside the sample."""
AIR_PIXELS = 8192
"""Pixels beside the sample that are enough to find the weights."""
AIR = 0.93
"""Transmission that a pixel beside the sample keeps in every group of projections."""
ABOVE = 1.05
"""How far a component's strength must stand above that of shuffled flats."""


class FlatsParameters(Parameters):
    """How the open beam of a projection is found."""

    method: Literal["interpolated", "principal"] = Field(
        default="interpolated",
        description="interpolated in time, or principal components that follow a moving beam (needs air in the field)",
    )
    components: int = Field(default=8, description="most principal components", ge=1, le=32)


@step(version=1)
def flats(scan: Scan, params: FlatsParameters) -> Flats:
    """Find how the open beam of each projection is put together from the flats.

    Principal components of the flats that stand above the noise are fitted to each projection where the sample
    never is. Raises ``OperandoError`` where it is everywhere.
    """
    attrs = {key: scan.attrs[key] for key in ("file", "frame") if key in scan.attrs}
    projections, count = select(scan, PROJECTION), select(scan, FLAT).size
    if params.method == "interpolated":
        return FLATS.new(attrs=attrs, mixture=np.zeros((0, count)), weights=np.zeros((len(projections), 0)))
    part = scan.isel(row=slice(None, None, max(1, scan.sizes["row"] // ROWS)))
    beam = open_beam(part, 0.1)
    light = frames(part, projections).astype(np.float32) - beam.dark
    white = without_zingers(frames(part, select(scan, FLAT)).astype(np.float32) - beam.dark)
    air = np.flatnonzero(beside(light, beam.images.mean(0)) & ~beam.faulty)
    air = air[:: max(1, len(air) // AIR_PIXELS)]
    light, white = light.reshape(len(light), -1), white.reshape(len(white), -1)
    try:
        mixture = principal_mixture(white[:, ~beam.faulty.ravel()], params.components)
        weights = fitted_weights(light[:, air], mixture @ white[:, air])
    except OperandoError as error:
        raise OperandoError(f"{file_of(scan)}: {error}") from None
    return FLATS.new(attrs=attrs, mixture=mixture, weights=weights)


def beside(light: np.ndarray, beam: np.ndarray) -> np.ndarray:
    """Pixels (row, column) that stay as bright as the open beam in every group of projections."""
    groups = np.add.reduceat(light, np.arange(0, len(light), GROUP), axis=0, dtype=np.float64)
    groups /= np.minimum(GROUP, len(light) - np.arange(0, len(light), GROUP))[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((groups / beam).min(0) > AIR)


def principal_mixture(flats: np.ndarray, most: int = 8) -> np.ndarray:
    """Mean and principal components as mixtures of the flats: (component, flat), the mean first.

    ``flats`` (frame, pixel), dark subtracted. How many components: parallel analysis, that is those whose
    strength exceeds that of the same flats with their frames shuffled pixel by pixel (seeded).
    """
    residual = (flats - flats.mean(0)).astype(np.float64)
    strength, vectors = _strengths(residual)
    shuffled = np.random.default_rng(0).permuted(residual, axis=0)
    noise, _ = _strengths(shuffled - shuffled.mean(0))
    above = int(np.argmin(np.append(strength > ABOVE * noise, False)))
    mean = np.full((1, len(flats)), 1 / len(flats))
    return np.concatenate([mean, vectors[:, : min(most, above)].T])


def _strengths(residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular values, falling, and what mixes the components from the frames: (frame,), (frame, component)."""
    squares, vectors = np.linalg.eigh(residual @ residual.T)
    return np.sqrt(np.maximum(squares[::-1], 0)), vectors[:, ::-1]


def fitted_weights(light: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Weights (angle, component) with which components (component, pixel) make up the light (angle, pixel)."""
    if light.shape[1] < 4 * len(components):
        raise OperandoError("no pixel is always beside the sample, so flats can't follow the beam; interpolate them.")
    return np.asarray(np.linalg.lstsq(components.T, light.T.astype(np.float64), rcond=None)[0].T)


def followed(scan: xr.Dataset, flats: xr.Dataset | None, dark: np.ndarray) -> np.ndarray | None:
    """Components (component, row, column) of the open beam in these rows; ``None`` where flats are interpolated."""
    if flats is None or flats.sizes["component"] == 0:
        return None
    white = without_zingers(frames(scan, select(scan, FLAT)).astype(np.float32) - dark)
    return np.asarray(np.tensordot(flats["mixture"].values.astype(np.float32), white, 1))
