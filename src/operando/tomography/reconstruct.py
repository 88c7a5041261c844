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
from operando.tomography.gridding import reconstruct_padded, reconstruct_sinograms
from operando.tomography.padding import continued
from operando.tomography.trust import COARSE, alternating, odd_even_noise, starved_share

CM_PER_UM = 1e-4


class ReconstructParameters(Parameters):
    """How sinograms become slices."""

    filter: Literal["ramp", "shepp-logan", "cosine", "hann", "hamming", "parzen", "butterworth"] = Field(
        default="ramp", description="filter of the back projection; ramp keeps every detail and the noise"
    )
    truncated: Literal["auto", "always", "never"] = Field(
        default="auto", description="continue projections beyond the field where the sample is wider"
    )
    noise_map: bool = Field(default=True, description="estimate the noise from odd against even projections")


@step(version=1, cut=Cut(working_bytes=40))
def reconstruct(
    sinograms: Sinograms,
    centres: Own[Centres],
    pixel_size_um: Annotated[float | None, Setting("tomography.pixel_size_um")],
    params: ReconstructParameters,
) -> tuple[Volume, Trust]:
    """Filtered back projection by gridding; 1/cm. Slabs must start at multiples of four rows.

    The axis lies at x = y = (columns - 1) / 2 voxels. Voxels outside the circle that the columns span are 0
    and their rays count as starved.
    """
    pixel = pixel_of(sinograms, pixel_size_um)
    data, angles = sinograms["sinogram"].values, sinograms["rotation_angle"].values
    centre = float(np.ravel(centres["centre"].values)[0])
    wide = continued(data, centre, params.truncated)
    volume = reconstruct_padded(wide, angles, centre, params.filter, (wide.shape[2] - data.shape[2]) // 2)
    volume /= np.float32(pixel * CM_PER_UM)
    first = int(sinograms["row"].values[0]) if "row" in sinograms.coords else 0
    attrs = {**sinograms.attrs, "centre_px": centre, "pixel_size_um": pixel}
    attrs["field_radius_um"] = pixel * (data.shape[2] - 1) / 2
    noise = noise_map(data, angles, centre, params) / (pixel * CM_PER_UM)
    share = starved_share(sinograms["starved"].values, angles, centre)
    return (
        VOLUME.new(coords=_grid(volume.shape, first, pixel), attrs=attrs, mu=volume),
        TRUST.new(
            coords=_coarse_grid(share.shape, first, pixel),
            attrs={key: attrs[key] for key in ("file", "frame", "pixel_size_um") if key in attrs},
            starved_share=share,
            noise=noise.astype(np.float32),
        ),
    )


def pixel_of(product: xr.Dataset, configured: float | None) -> float:
    """Pixel size (µm) from the file, else from the configuration; raises ``ConfigurationError`` without any."""
    size = float(product["pixel_size"]) if "pixel_size" in product else configured
    if size is None or not np.isfinite(size) or size <= 0:
        raise ConfigurationError(f"{file_of(product)}: it has no pixel size; give tomography.pixel_size_um.")
    return float(size)


def noise_map(data: np.ndarray, angles: np.ndarray, centre: float, params: ReconstructParameters) -> np.ndarray:
    """Noise (1/pixel) at quarter resolution, from one row of each block of four; NaN where it was not asked for."""
    rows = data[np.minimum(np.arange(0, len(data), COARSE) + COARSE // 2, len(data) - 1)]
    coarse = -(-data.shape[2] // COARSE)
    if not params.noise_map or len(angles) < 4:
        return np.full((len(rows), coarse, coarse), np.nan)
    difference = reconstruct_sinograms(rows * alternating(len(angles))[:, None], angles, centre, params.filter)
    return odd_even_noise(difference)


def _grid(shape: tuple[int, ...], first: int, pixel: float) -> dict[Hashable, Any]:
    z, y, x = (np.arange(length) * pixel for length in shape)
    return {"z": z + first * pixel, "y": y, "x": x}


def _coarse_grid(shape: tuple[int, ...], first: int, pixel: float) -> dict[Hashable, Any]:
    """Middles of blocks of four voxels."""
    z, y, x = ((np.arange(length) * COARSE + (COARSE - 1) / 2) * pixel for length in shape)
    named = {"z_coarse": z + first * pixel, "y_coarse": y, "x_coarse": x}
    return {name: (name, values, "um") for name, values in named.items()}
