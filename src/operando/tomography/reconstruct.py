"""From sinograms to the attenuation coefficient in 1/cm, with a map of how far it can be trusted."""

from collections.abc import Hashable
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from operando.model.errors import ConfigurationError
from operando.model.parameters import Parameters
from operando.model.products.tomography import TRUST, VOLUME, Centres, Sinograms, Trust, Volume
from operando.model.step import Cut, Own, Setting, step
from operando.tomography._frames import file_of
from operando.tomography.denoise import denoise_rows
from operando.tomography.gridding import reconstruct_together
from operando.tomography.padding import continued, is_truncated, overhang, steps_of
from operando.tomography.stitch import embedded, joined_share, measured_radius, stitch_full_turn
from operando.tomography.trust import COARSE, alternating, odd_even_noise, starved_share

CM_PER_UM = 1e-4
BLOCK = 8
"""Rows that are reconstructed or left out together; slabs start at multiples of them."""


class ReconstructParameters(Parameters):
    """How sinograms become slices."""

    filter: Literal["ramp", "shepp-logan", "cosine", "hann", "hamming", "parzen", "butterworth"] = Field(
        default="ramp", description="filter of the back projection; ramp keeps every detail and the noise"
    )
    truncated: Literal["auto", "always", "never"] = Field(
        default="auto", description="continue projections beyond the field where the sample is wider"
    )
    acquisition: Literal["centred", "half"] = Field(
        default="centred",
        description="half: the axis near the detector's edge and a full turn; the volume is twice the detector wide",
    )
    denoise: Literal["none", "non-local-means"] = Field(
        default="none", description="smooth the volume but keep its edges; trust tells what volumes gain and lose"
    )
    denoise_strength: float = Field(
        default=1.0, description="1 averages what differs by about the noise of the trust map", gt=0, le=5
    )
    noise_map: bool = Field(default=True, description="estimate the noise from odd against even projections")


@step(version=4, cut=Cut(working_bytes=15, fixed_bytes=250))
def reconstruct(
    sinograms: Sinograms,
    centres: Own[Centres],
    pixel_size_um: Annotated[float | None, Setting("tomography.pixel_size_um")],
    params: ReconstructParameters,
) -> tuple[Volume, Trust]:
    """Filtered back projection by gridding; 1/cm. Slabs must start at multiples of four rows.

    The axis lies at x = y = (columns - 1) / 2 voxels. Voxels outside the circle that the columns span are 0
    and their rays count as starved; rows in which every ray is starved stay 0.
    """
    pixel = pixel_of(sinograms, pixel_size_um)
    data, angles = sinograms["sinogram"].values, sinograms["rotation_angle"].values
    centre = float(np.ravel(centres["centre"].values)[0])
    first = int(sinograms["row"].values[0]) if "row" in sinograms.coords else 0
    attrs = {**sinograms.attrs, "centre_px": centre, "pixel_size_um": pixel}
    columns, half = data.shape[2], params.acquisition == "half"
    radius = measured_radius(columns, centre) if half else (columns - 1) / 2
    attrs["field_radius_um"] = pixel * radius
    share = (joined_share if half else starved_share)(sinograms["starved"].values, angles, centre)
    if half:
        data, angles, centre = stitch_full_turn(data, angles, centre)
    pad = (_stitched_reach if half else _reach)(data, centre, centres, params)
    lit = np.logical_not(sinograms["starved"].values.all(axis=(1, 2)))
    halves = _of_halves(data, pad, params)
    volume, difference = reconstruct_together(
        continued(lit_rows(data, lit), centre, pad), halves, angles, centre, params.filter, pad
    )
    volume = at_lit_rows(volume, lit)
    volume /= np.float32(pixel * CM_PER_UM)
    if half:
        volume, difference = embedded(volume, 2 * columns, radius), embedded(difference, 2 * columns, data.shape[2])
    noise = _noise(difference, share.shape) / (pixel * CM_PER_UM)
    changed = quietened(volume, noise, params)
    return (
        VOLUME.new(coords=_grid(volume.shape, first, pixel), attrs=attrs, mu=volume),
        TRUST.new(
            coords=_coarse_grid(share.shape, first, pixel),
            attrs={key: attrs[key] for key in ("file", "frame", "pixel_size_um") if key in attrs},
            starved_share=share,
            noise=noise.astype(np.float32),
            **changed,
        ),
    )


def lit_rows(data: np.ndarray, lit: np.ndarray) -> np.ndarray:
    """The rows that see something: behind slits most of a large detector is dark.

    They are kept in blocks of eight, so that a row keeps its neighbour, with whom it shares its rounding.
    """
    kept = _lit_blocks(lit)
    return data if kept.all() else data[kept]


def at_lit_rows(slices: np.ndarray, lit: np.ndarray) -> np.ndarray:
    """Slices of ``lit_rows`` back in their places; 0 in rows that see nothing."""
    kept = _lit_blocks(lit)
    volume = slices
    if not kept.all():
        volume = np.zeros((len(lit), *slices.shape[1:]), np.float32)
        volume[kept] = slices
    volume[~lit] = 0
    return volume


def _lit_blocks(lit: np.ndarray) -> np.ndarray:
    return np.logical_or.reduceat(lit, np.arange(0, len(lit), BLOCK)).repeat(BLOCK)[: len(lit)]


def _reach(data: np.ndarray, centre: float, centres: xr.Dataset, params: ReconstructParameters) -> int:
    """Columns by which projections are continued: the same for all rows of a scan, however it is cut into slabs."""
    known = "overhang" in centres and (params.truncated == "always" or bool(centres["truncated"]))
    return steps_of(int(centres["overhang"]), data.shape[2]) if known and params.truncated != "never" else 0


def _stitched_reach(data: np.ndarray, centre: float, centres: xr.Dataset, params: ReconstructParameters) -> int:
    """The same for two halves that were joined, from these rows alone."""
    if params.truncated == "never" or (params.truncated == "auto" and not is_truncated(data, one_sided=True)):
        return 0
    return steps_of(overhang(data, centre), data.shape[2])


def quietened(volume: np.ndarray, noise: np.ndarray, params: ReconstructParameters) -> dict[str, np.ndarray]:
    """De-noise in place, as asked for; the share of the volume that each block of rows gained and lost."""
    if params.denoise == "none":
        return {}
    return denoise_rows(volume, noise, params.denoise_strength)


def pixel_of(product: xr.Dataset, configured: float | None) -> float:
    """Pixel size (µm) from the file, else from the configuration; raises ``ConfigurationError`` without any."""
    size = float(product["pixel_size"]) if "pixel_size" in product else configured
    if size is None or not np.isfinite(size) or size <= 0:
        raise ConfigurationError(f"{file_of(product)}: it has no pixel size; give tomography.pixel_size_um.")
    return float(size)


def _of_halves(data: np.ndarray, pad: int, params: ReconstructParameters) -> np.ndarray:
    """Sinograms whose images are half the difference of even and odd projections; none where they are not asked for.

    One row of each block of four, with ``pad`` empty columns on both sides.
    """
    if not params.noise_map or data.shape[1] < 4:
        return np.empty((0, data.shape[1], data.shape[2] + 2 * pad), np.float32)
    rows = np.minimum(np.arange(0, len(data), COARSE) + COARSE // 2, len(data) - 1)
    halves = np.zeros((len(rows), data.shape[1], data.shape[2] + 2 * pad), np.float32)
    signs = alternating(data.shape[1])[:, None]
    for place, row in enumerate(rows):
        np.multiply(data[row], signs, out=halves[place, :, pad : pad + data.shape[2]])
    return halves


def _noise(difference: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Noise (1/pixel) of coarse voxels from the images of both halves' difference; NaN where there are none."""
    return odd_even_noise(difference) if len(difference) else np.full(shape, np.nan)


def _grid(shape: tuple[int, ...], first: int, pixel: float) -> dict[Hashable, Any]:
    z, y, x = (np.arange(length) * pixel for length in shape)
    return {"z": z + first * pixel, "y": y, "x": x}


def _coarse_grid(shape: tuple[int, ...], first: int, pixel: float) -> dict[Hashable, Any]:
    """Middles of blocks of four voxels."""
    z, y, x = ((np.arange(length) * COARSE + (COARSE - 1) / 2) * pixel for length in shape)
    named = {"z_coarse": z + first * pixel, "y_coarse": y, "x_coarse": x}
    return {name: (name, values, "um") for name, values in named.items()}
