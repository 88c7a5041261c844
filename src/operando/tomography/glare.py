"""Scattered light of scintillator and optics: opaque rays level off above zero."""

import numpy as np
import xarray as xr
from pydantic import Field

from operando.model.parameters import Parameters
from operando.model.products.raw import PROJECTION, Scan
from operando.model.products.tomography import GLARE, Glare
from operando.model.step import step
from operando.tomography._frames import Open, frames, open_beam, ring_current, select

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
    projections: int = Field(default=24, description="projections looked at", ge=1)
    least_share: float = Field(
        default=0.002, description="smallest share of the field that an opaque shadow must fill", gt=0, lt=1
    )


@step(version=1)
def glare(scan: Scan, params: GlareParameters) -> Glare:
    """Measure the level at which opaque rays level off, or take it as given.

    measured transmission = level + (1 - level) × true transmission. The level is measured where rays of many
    different lengths crowd at one lowest transmission; where nothing is opaque it is not known, 0 is subtracted,
    and only what the darkest rays allow (at most 3 %) enters the limit of trust.
    """
    attrs = {key: scan.attrs[key] for key in ("file", "frame") if key in scan.attrs}
    if params.level is not None:
        return _glare(attrs, params.level, params.level_std, params.level + 2 * params.level_std, True)
    darkest, noise = sampled_transmission(scan, params.projections)
    level, std = shadow_level(darkest, noise, params.least_share)
    if np.isfinite(level):
        return _glare(attrs, level, std, level + 2 * std, True)
    return _glare(attrs, 0.0, np.nan, float(np.clip(lowest_level(darkest), 0, HIGHEST)), False)


def _glare(attrs: dict[str, object], level: float, std: float, bound: float, measured: bool) -> xr.Dataset:
    return GLARE.new(
        attrs=attrs,
        level=np.float64(level),
        level_std=np.float64(std),
        bound=np.float64(bound),
        measured=np.bool_(measured),
    )


def sampled_transmission(scan: xr.Dataset, wanted: int) -> tuple[np.ndarray, float]:
    """Transmission of some projections (frame, row, column), every third row and column, and its dark noise."""
    projections = select(scan, PROJECTION)
    chosen = projections[np.unique(np.linspace(0, len(projections) - 1, wanted).round().astype(int))]
    beam = open_beam(scan, 0.1)
    mean, current = beam.images.mean(0), ring_current(scan)
    stack = [_thinned(frames(scan, np.array([i]))[0], beam, mean * current[i]) for i in chosen]
    noise = beam.dark_std[:, None] / np.where(beam.faulty, np.nan, mean)
    return np.stack(stack), float(np.nanmedian(noise))


def _thinned(counts: np.ndarray, beam: Open, mean: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (counts.astype(np.float32) - beam.dark) / mean
    return np.where(beam.faulty, np.nan, value)[::3, ::3].astype(np.float32)


def lowest_level(transmission: np.ndarray) -> float:
    """Transmission that one ray in a thousand stays below, never less than 0."""
    return max(float(np.nanquantile(transmission, 0.001)), 0.0)


def shadow_level(transmission: np.ndarray, noise: float, least_share: float) -> tuple[float, float]:
    """Level and standard deviation of an opaque shadow, NaN where there is none.

    ``transmission`` (frame, row, column). The shadow must be there in at least half of the projections at
    the same level, must crowd (see ``OPAQUE_RATIO``), and be dark (below 6 %).
    """
    levels = np.array([_shadow_of(image[np.isfinite(image)], noise, least_share) for image in transmission])
    seen = levels[np.isfinite(levels)]
    if seen.size < max(1, 0.5 * len(levels)):
        return np.nan, np.nan
    level = float(np.median(seen))
    scatter = 1.4826 * float(np.median(np.abs(seen - level)))
    if scatter > max(0.1 * level, noise):
        return np.nan, np.nan
    return level, max(scatter, 0.02 * abs(level), noise / 10)


def _shadow_of(values: np.ndarray, noise: float, least_share: float) -> float:
    """Median of the lowest crowd of one projection's rays; NaN where they do not crowd."""
    floor = float(np.quantile(values, least_share / 2))
    middle = float(np.median(values[values < floor + 3 * noise + 0.1 * abs(floor)]))
    width = max(STEP * abs(middle), 3 * noise)
    crowd = np.count_nonzero(np.abs(values - middle) <= width)
    edge = middle + width
    beyond = np.count_nonzero((values > edge) & (values <= edge + max(edge * (np.exp(2 * STEP) - 1), 6 * noise)))
    if middle > 2 * HIGHEST or crowd < least_share * values.size or crowd < OPAQUE_RATIO * beyond:
        return np.nan
    return middle
