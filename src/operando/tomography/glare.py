"""Scattered light of scintillator and optics: opaque rays level off above zero."""

import numpy as np
import xarray as xr
from pydantic import Field

from operando.model.errors import BrokenFileError
from operando.model.parameters import Parameters
from operando.model.products.raw import PROJECTION, Scan
from operando.model.products.tomography import GLARE, Glare
from operando.model.step import step
from operando.tomography._frames import file_of, frames, open_beam, ring_current, select
from operando.tomography.veil import binned, cells, interpolated, spread

HIGHEST = 0.03
"""Glare of scintillators and lenses lies between 0.5 and 3 % of the open beam."""
OPAQUE_RATIO = 4.0
"""A shadow's rays crowd at one level: at least this many times more of them than in the next equal step of ln T.
In front of the axis of a cylinder, where the ray is longest, the ratio is 1 / (√2 - 1) = 2.4."""
STEP = 0.25
"""Width of these steps in ln T."""


class GlareParameters(Parameters):
    """How scattered light is found."""

    level: float | None = Field(
        default=None, description="known level as share of the open beam; none: look for a shadow", ge=0, lt=0.5
    )
    level_std: float = Field(default=0.0, description="standard deviation of the known level", ge=0)
    radius_um: float | None = Field(
        default=300.0, description="reach of the glare; none, or no pixel size: the whole field alike", gt=0
    )
    projections: int = Field(default=32, description="projections looked at", ge=2)
    least_share: float = Field(
        default=0.002, description="smallest share of the field that an opaque shadow must fill", gt=0, lt=1
    )


@step(version=1)
def glare(scan: Scan, params: GlareParameters) -> Glare:
    """Measure the level at which opaque rays level off, or take it as given.

    measured = (1 - level) × true transmission + level × veil, the veil being the light around a pixel, spread
    with (1 + r²/r0²)^-1.5. The level is measured where rays of many different lengths crowd at one lowest
    transmission; where nothing is opaque it is not known, 0 is subtracted, and what the darkest rays allow
    (at most 3 %) enters the limit of trust.
    """
    chosen, image, veil, noise = sampled(scan, params)
    rows, columns = scan.sizes["row"], scan.sizes["column"]
    level, std, measured = 0.0, np.nan, True
    ratio = image / np.maximum(_at_pixels(veil, np.arange(rows)[::3], np.arange(columns)[::3], (rows, columns)), 1e-3)
    if params.level is not None:
        level, std = params.level, params.level_std
    else:
        level, std = shadow_level(ratio, noise, params.least_share)
        measured = bool(np.isfinite(level))
    bound = level + 2 * std if measured else float(np.clip(np.nanquantile(ratio, 0.001), 0, HIGHEST))
    row, column = cells(rows, veil.shape[1]), cells(columns, veil.shape[2])
    return GLARE.new(
        coords={"veil_angle": chosen, "veil_row": row, "veil_column": column},
        attrs={key: scan.attrs[key] for key in ("file", "frame") if key in scan.attrs},
        level=np.float64(level if measured else 0.0),
        level_std=np.float64(std),
        bound=np.float64(bound),
        measured=np.bool_(measured),
        veil=veil,
    )


def sampled(scan: xr.Dataset, params: GlareParameters) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Some projections: their numbers, every third pixel of the transmission, the veil, and the dark noise."""
    projections = select(scan, PROJECTION)
    chosen = np.unique(np.linspace(0, len(projections) - 1, params.projections).round().astype(int))
    beam = open_beam(scan, 0.1)
    if beam.faulty.all():
        found = "its flat fields are not above its dark fields"
        raise BrokenFileError(file_of(scan), found, "check the shutter or image_key")
    mean, current = beam.images.mean(0), ring_current(scan)
    pixel = float(scan["pixel_size"]) if "pixel_size" in scan else None
    radius = None if pixel is None or params.radius_um is None else params.radius_um / pixel
    thin, veils = [], []
    with np.errstate(divide="ignore", invalid="ignore"):
        for i in projections[chosen]:
            value = (frames(scan, np.array([i]))[0].astype(np.float32) - beam.dark) / (mean * current[i])
            value[beam.faulty] = np.nan
            thin.append(value[::3, ::3])
            veils.append(spread(binned(value), value.shape, radius))
        noise = float(np.nanmedian(beam.dark_std[:, None] / np.where(beam.faulty, np.nan, mean)))
    return chosen, np.stack(thin), np.stack(veils), noise


def _at_pixels(veil: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The veil (frame, row, column) at these rows and columns of a detector of ``shape``."""
    in_rows = interpolated(veil, cells(shape[0], veil.shape[1]), rows, axis=1)
    return interpolated(in_rows, cells(shape[1], veil.shape[2]), columns, axis=2)


def shadow_level(ratio: np.ndarray, noise: float, least_share: float) -> tuple[float, float]:
    """Level and standard deviation of an opaque shadow, NaN where there is none.

    ``ratio`` (frame, row, column) of transmission to veil. The shadow must be there in at least half of the
    projections at the same level, must crowd (see ``OPAQUE_RATIO``), and be dark (below 6 %).
    """
    levels = np.array([_shadow_of(image[np.isfinite(image)], noise, least_share) for image in ratio])
    seen = levels[np.isfinite(levels)]
    if seen.size < max(1, 0.5 * len(levels)):
        return np.nan, np.nan
    level = float(np.median(seen))
    scatter = 1.4826 * float(np.median(np.abs(seen - level)))
    if scatter > max(0.2 * level, noise):
        return np.nan, np.nan
    return max(level, 0.0), max(scatter, 0.02 * abs(level), noise / 10)


def _shadow_of(values: np.ndarray, noise: float, least_share: float) -> float:
    """Median of the lowest crowd of one projection's rays; NaN where they do not crowd."""
    floor = float(np.quantile(values, least_share / 2))
    middle = float(np.median(values[values < floor + 3 * noise + 0.1 * abs(floor)]))
    for _ in range(10):
        width = max(STEP * abs(middle), 3 * noise)
        middle = float(np.median(values[np.abs(values - middle) <= width]))
    crowd = np.count_nonzero(np.abs(values - middle) <= width)
    edge = middle + width
    beyond = np.count_nonzero((values > edge) & (values <= edge + max(edge * (np.exp(2 * STEP) - 1), 6 * noise)))
    if middle > 2 * HIGHEST or crowd < least_share * values.size or crowd < OPAQUE_RATIO * beyond:
        return np.nan
    return middle
