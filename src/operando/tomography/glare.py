"""Scattered light of scintillator and optics: opaque rays level off above zero."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from pydantic import Field

from operando.model.errors import BrokenFileError
from operando.model.parameters import Parameters
from operando.model.products.raw import PROJECTION, Scan
from operando.model.products.tomography import GLARE, Glare
from operando.model.step import step
from operando.tomography._frames import file_of, frames, open_beam, ring_current, row_numbers, select
from operando.tomography.veil import binned, cells, interpolated, spread

HIGHEST = 0.03
"""Glare of scintillators and lenses lies between 0.5 and 3 % of the open beam."""
OPAQUE_RATIO = 4.0
"""A shadow's rays crowd at one level: at least this many times more of them than in the next equal step of ln T.
In front of the axis of a cylinder, where the ray is longest, the ratio is 1 / (√2 - 1) = 2.4."""
STEP = 0.25
"""Width of these steps in ln T."""
MOST_SURROUND = 1000.0
"""Rows that see less than one over this of what is spread around them see nothing."""
TOLERATED = 0.05
"""So much of the darkest rays may be glare that could not be measured before something is said."""
SHAPE_SHARE = 0.05
"""How far the unknown shape of the glare's tail may put the level off, as share of it."""


class GlareParameters(Parameters):
    """How scattered light is found."""

    level: float | None = Field(
        default=None, description="known level as share of the open beam; none: look for a shadow", ge=0, lt=0.5
    )
    level_std: float = Field(default=0.0, description="standard deviation of the known level", ge=0)
    trust: Literal["level", "uncertainty"] = Field(
        default="uncertainty",
        description="a ray is starved below 3 × (noise + glare): what is unsure of it once subtracted, or its level",
    )
    radius_um: float | None = Field(
        default=300.0, description="reach of the glare; none, or no pixel size: the whole field alike", gt=0
    )
    projections: int = Field(default=32, description="projections looked at", ge=2)
    least_share: float = Field(
        default=0.002, description="smallest share of the field that an opaque shadow must fill", gt=0, lt=1
    )


@step(version=3)
def glare(scan: Scan, params: GlareParameters) -> Glare:
    """Measure the level at which opaque rays level off, or take it as given.

    measured = (1 - s) × true transmission + s × veil, the veil being the light around a pixel, spread with
    (1 + r²/r0²)^-1.5, over the open beam's; s is the level times what the open beam spreads to a row over what it
    sends there. The level is measured where rays of many different lengths crowd at one lowest transmission, else
    from the flats' rows that the slits shade; where nothing is opaque it is not known, 0 is subtracted, what
    the darkest rays allow (at most 3 %) enters the limit of trust, and a warning says how much of the light of the
    darkest rays that could be.
    """
    seen = sampled(scan, params)
    level, std = _level(seen, params)
    measured = bool(np.isfinite(level))
    known = level + 2 * std if params.trust == "level" else 2 * std
    bound = known if measured else _highest(seen.ratio, seen.noise)
    warnings = [] if measured else _doubt(seen.ratio, bound)
    rows, columns = scan.sizes["row"], scan.sizes["column"]
    return GLARE.new(
        coords={
            "veil_angle": seen.projections,
            "veil_row": cells(rows, seen.veil.shape[1]) + row_numbers(scan)[0],
            "veil_column": cells(columns, seen.veil.shape[2]),
            "detector_row": row_numbers(scan),
        },
        attrs={key: scan.attrs[key] for key in ("file", "frame") if key in scan.attrs} | {"warnings": warnings},
        level=np.float64(level if measured else 0.0),
        level_std=np.float64(std),
        bound=np.float64(bound),
        measured=np.bool_(measured),
        veil=seen.veil,
        surround=seen.surround.astype(np.float32),
    )


@dataclass(frozen=True)
class Seen:
    """What some projections and the flats show of the glare."""

    projections: np.ndarray
    """Numbers of the projections."""
    veil: np.ndarray
    """Light spread over the reach of the glare, over the open beam's: (frame, cell, cell)."""
    surround: np.ndarray
    """The open beam spread over the reach of the glare, over the row's own: (row,)."""
    ratio: np.ndarray
    """Light of every third pixel over what is spread there, rows in the slits' shadow left out: (frame, pixel)."""
    noise: float
    """Standard deviation of a dark ray's ratio."""
    spread_beam: np.ndarray
    """The open beam spread over the reach of the glare: (row,)."""


def _level(seen: Seen, params: GlareParameters) -> tuple[float, float]:
    """Level and standard deviation: as given, from opaque rays, from the slits' shadow, or NaN."""
    if params.level is not None:
        return params.level, params.level_std
    level, std = shadow_level(seen.ratio, seen.noise, params.least_share)
    return (level, std) if np.isfinite(level) else slits_level(seen.surround, seen.spread_beam)


def _highest(ratio: np.ndarray, noise: float) -> float:
    """The highest level that the darkest rays allow."""
    return float(np.clip(np.nanquantile(ratio, 0.001) + 3 * noise, 0, HIGHEST)) if ratio.size else HIGHEST


def _doubt(ratio: np.ndarray, bound: float) -> list[str]:
    """A sentence where glare that could not be measured may matter: more than ``TOLERATED`` of the darkest rays."""
    darkest = float(np.nanquantile(ratio, 0.01)) if ratio.size else np.nan
    if not bound > TOLERATED * darkest:
        return []
    share = min(bound / darkest, 1.0) if darkest > 0 else 1.0
    return [
        f"nothing in the field is opaque, so that scattered light could not be measured: at up to {bound:.1%} of the "
        f"open beam it would be {share:.0%} of what the darkest rays show, and what they cross would read too little; "
        "give steps.glare.level if it is known"
    ]


def slits_level(surround: np.ndarray, spread_beam: np.ndarray) -> tuple[float, float]:
    """Level and standard deviation from rows of the flats that see next to no direct beam, NaN without any.

    Only rows near the lit ones tell: farther away the shape of the glare's tail matters more than its level.
    """
    shade = (surround > 1 / (2 * HIGHEST)) & (surround < MOST_SURROUND) & (spread_beam > 0.25 * spread_beam.max())
    if np.count_nonzero(shade) < 2:
        return np.nan, np.nan
    levels = 1 / surround[shade]
    level = float(np.median(levels))
    scatter = 1.4826 * float(np.median(np.abs(levels - level)))
    return level, max(scatter, SHAPE_SHARE * level)


def sampled(scan: xr.Dataset, params: GlareParameters) -> Seen:
    """Look at some projections and at the flats."""
    projections = select(scan, PROJECTION)
    chosen = np.unique(np.linspace(0, len(projections) - 1, params.projections).round().astype(int))
    beam = open_beam(scan, 0.1)
    if beam.faulty.all():
        found = "its flat fields are not above its dark fields"
        raise BrokenFileError(file_of(scan), found, "check the shutter or image_key")
    pixel = float(scan["pixel_size"]) if "pixel_size" in scan else None
    radius = None if pixel is None or params.radius_um is None else params.radius_um / pixel
    current, shape = ring_current(scan), beam.faulty.shape
    unlit = beam.faulty.all(1)
    mean = np.where(beam.faulty, np.nan, beam.images.mean(0))
    mean[unlit] = 0
    beam_spread = spread(binned(mean), shape, radius)
    wide_beam = _at_pixels(beam_spread, np.arange(shape[0]), np.arange(shape[1])[::3], shape)
    rows = wide_beam.mean(1)
    surround = np.minimum(rows / np.maximum(_usual(mean), rows / MOST_SURROUND), MOST_SURROUND)
    lit = np.flatnonzero(surround < 1 / (2 * HIGHEST))[::3]
    veils, ratios = [], []
    for i in projections[chosen]:
        light = (frames(scan, np.array([i]))[0].astype(np.float32) - beam.dark) / np.float32(current[i])
        light[beam.faulty] = np.nan
        light[unlit] = 0
        veils.append(spread(binned(light), shape, radius) / np.maximum(beam_spread, 1e-6 * beam_spread.max()))
        around = _at_pixels(veils[-1], lit, np.arange(shape[1])[::3], shape) * wide_beam[lit]
        ratios.append((light[lit, ::3] / np.maximum(around, 1e-3 * wide_beam[lit])).ravel())
    noise = float(np.median(beam.dark_std[lit] / rows[lit])) if lit.size else 0.0
    return Seen(chosen, np.stack(veils), surround, np.stack(ratios), noise, rows)


def _usual(mean: np.ndarray) -> np.ndarray:
    """Median of each row, 0 where nothing is known."""
    known = np.where(np.isfinite(mean).any(1)[:, None], mean, 0.0)
    return np.nanmedian(known, axis=1)


def _at_pixels(veil: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Cells (cell, cell) at these rows and columns of a detector of ``shape``."""
    in_rows = interpolated(veil, cells(shape[0], veil.shape[0]), rows, axis=0)
    return interpolated(in_rows, cells(shape[1], veil.shape[1]), columns, axis=1)


def shadow_level(ratio: np.ndarray, noise: float, least_share: float) -> tuple[float, float]:
    """Level and standard deviation of an opaque shadow, NaN where there is none.

    ``ratio`` (frame, pixel) of light to what is spread there. The shadow must be there in at least half of the
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
    return max(level, 0.0), max(scatter, SHAPE_SHARE * abs(level), noise / 10)


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
