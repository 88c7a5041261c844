"""Ring removal: what is wrong with single detector columns is taken out of the sinograms."""

from typing import Literal

import numpy as np
from pydantic import Field
from scipy import ndimage

from operando.model.parameters import Parameters
from operando.model.products.tomography import SINOGRAMS, Attenuation, Sinograms
from operando.model.step import Cut, step
from operando.tomography._frames import row_coordinate
from operando.tomography._threads import over_pieces

Method = Literal["offsets", "all-stripe", "sorting", "wavelet-fft", "none"]


class RingsParameters(Parameters):
    """How rings are removed."""

    method: Method = Field(
        default="offsets",
        description="offsets (only each column's own), all-stripe (Vo 2018), sorting, wavelet-fft or none",
    )
    offset_width: int = Field(
        default=9, description="columns of the median that judges offsets, at most 1/32 of the detector", ge=3, le=99
    )
    snr: float = Field(
        default=3.0, description="how far a faulty column stands out, in units of the others' spread", gt=1
    )
    large_size: int = Field(
        default=51,
        description="columns of the median that finds wide stripes, at most 1/16 of the detector",
        ge=3,
        le=501,
    )
    small_size: int = Field(
        default=21,
        description="columns of the median that smooths small stripes, at most 1/40 of the detector",
        ge=3,
        le=501,
    )
    drop_ratio: float = Field(
        default=0.1, description="share of the brightest and darkest values ignored", ge=0, le=0.8
    )
    wavelet_level: int = Field(default=5, description="levels of the wavelet transform", ge=1, le=10)
    wavelet_sigma: float = Field(default=1.0, description="width of the damped frequencies", gt=0)


@step(version=2, stored=False, cut=Cut(working_bytes=16))
def rings(attenuation: Attenuation, params: RingsParameters) -> Sinograms:
    """Remove stripes row by row and lay the data out as sinograms (row, angle, column)."""
    seen, dark = (np.moveaxis(attenuation[name].values, 1, 0) for name in ("attenuation", "starved"))
    sinograms, starved = np.empty(seen.shape, np.float32), np.empty(dark.shape, np.bool_)

    def work(row: int) -> None:
        sinograms[row] = _clean(seen[row], params)
        starved[row] = dark[row]

    over_pieces(work, len(sinograms))
    sizes = {"pixel_size": attenuation["pixel_size"].values} if "pixel_size" in attenuation else {}
    return SINOGRAMS.new(
        coords=row_coordinate(attenuation),
        attrs=dict(attenuation.attrs),
        sinogram=sinograms,
        starved=starved,
        rotation_angle=attenuation["rotation_angle"].values,
        **sizes,
    )


def _clean(sinogram: np.ndarray, params: RingsParameters) -> np.ndarray:
    # On a narrow detector the usual widths would span the sample itself and take its round parts for rings.
    columns = sinogram.shape[1]
    large, small = min(params.large_size, max(9, columns // 16)), min(params.small_size, max(5, columns // 40))
    if params.method == "none" or min(sinogram.shape) <= 3:
        return sinogram
    return remove_stripes(
        sinogram, params.method, params.snr, large, small,
        params.drop_ratio, params.wavelet_level, params.wavelet_sigma,
        _odd(min(params.offset_width, max(5, columns // 32))),
    )  # fmt: skip


def remove_stripes(
    sinogram: np.ndarray,
    method: Method = "offsets",
    snr: float = 3.0,
    large_size: int = 51,
    small_size: int = 21,
    drop_ratio: float = 0.1,
    wavelet_level: int = 5,
    wavelet_sigma: float = 1.0,
    offset_width: int = 9,
) -> np.ndarray:
    """Return the sinogram (angle, column; float32) without stripes."""
    sinogram = np.ascontiguousarray(sinogram, np.float32)
    if method == "wavelet-fft":
        from operando.tomography.wavelet import damp_stripes

        return damp_stripes(sinogram, wavelet_level, wavelet_sigma)
    if method == "none":
        return sinogram
    if method == "offsets":
        from operando.tomography.stripes import subtract_offsets

        return subtract_offsets(sinogram, offset_width)
    return remove_all_stripes(sinogram, snr, large_size, small_size, drop_ratio, only_sorting=method == "sorting")


def remove_all_stripes(
    sinogram: np.ndarray,
    snr: float = 3.0,
    large_size: int = 51,
    small_size: int = 21,
    drop_ratio: float = 0.1,
    only_sorting: bool = False,
) -> np.ndarray:
    """Unresponsive, fluctuating, large and small stripes (Vo, Atwood and Drakopoulos 2018, doi:10.1364/OE.26.028396).

    Values of a column are sorted, compared with the neighbouring columns' sorted values, and put back. The
    published method sorts twice; scaling a column and taking medians across sorted columns keeps the order,
    so that one sort serves both. Sinogram (angle, column), float32.
    """
    from operando.tomography._rings_kernels import keys_of, put_back, running_median, values_of

    cleaned = sinogram.copy() if only_sorting else bridge_dead_stripes(sinogram, snr, large_size)
    keys = np.empty(cleaned.shape[::-1], np.uint64)
    keys_of(cleaned, keys)
    keys.sort(axis=1)
    ordered = np.empty(keys.shape, np.float32)
    values_of(keys, ordered.view(np.uint32))
    smooth = np.empty_like(ordered)
    if not only_sorting:
        running_median(ordered, _odd(large_size), smooth)
        _replace_large_stripes(ordered, smooth, snr, drop_ratio)
    running_median(ordered, _odd(small_size), smooth)
    put_back(keys, smooth, cleaned)
    return cleaned


def _odd(size: int) -> int:
    return size if size % 2 else size + 1


def bridge_dead_stripes(sinogram: np.ndarray, snr: float, size: int) -> np.ndarray:
    """Interpolate columns that hardly vary or vary wildly along the angle from the columns beside them."""
    from operando.tomography._rings_kernels import roughness

    rough = roughness(sinogram, 10)
    usual = ndimage.median_filter(rough, _odd(size))
    usual[usual == 0] = np.mean(np.abs(usual))
    faulty = ndimage.binary_dilation(outstanding(rough / np.where(usual == 0, 1, usual), snr))
    faulty[:2] = faulty[-2:] = False
    cleaned = sinogram.copy()
    bad, good = np.flatnonzero(faulty), np.flatnonzero(~faulty)
    if 0 < bad.size < sinogram.shape[1] // 3:
        right = np.searchsorted(good, bad)
        left = right - 1
        share = ((bad - good[left]) / (good[right] - good[left])).astype(np.float32)
        cleaned[:, bad] = sinogram[:, good[left]] * (1 - share) + sinogram[:, good[right]] * share
    return cleaned


def _replace_large_stripes(ordered: np.ndarray, smooth: np.ndarray, snr: float, drop_ratio: float) -> None:
    """Scale every column to the median of its neighbours; replace those that stand out. In place, (column, rank)."""
    drop = int(0.5 * drop_ratio * ordered.shape[1])
    kept = slice(drop, ordered.shape[1] - drop)
    own, neighbours = ordered[:, kept].mean(1, dtype=float), smooth[:, kept].mean(1, dtype=float)
    factor = np.divide(own, neighbours, out=np.ones_like(own), where=neighbours != 0)
    faulty = ndimage.binary_dilation(outstanding(factor, snr))
    # A negative factor would turn the order round; such a column (all air, mean near zero) stays as it is.
    factor = np.where(factor > 0, factor, 1.0)
    ordered /= factor.astype(np.float32)[:, None]
    ordered[faulty] = smooth[faulty]


def outstanding(values: np.ndarray, snr: float) -> np.ndarray:
    """Mask of values off a straight line through the middle of their sorted order (Vo 2018, algorithm 4).

    Values without any spread have none that stands out.
    """
    ranked = np.sort(values)
    rank = np.arange(len(ranked), dtype=float)
    drop = int(0.25 * len(ranked))
    slope, low_end = np.polyfit(rank[drop : -drop - 1], ranked[drop : -drop - 1], 1)
    high_end = low_end + slope * rank[-1]
    spread = abs(high_end - low_end)
    mask = np.zeros(len(values), bool)
    if spread < 1e-9 * max(abs(high_end), 1e-30):
        return mask
    if abs(ranked[-1] - high_end) / spread >= snr:
        mask |= values > high_end + 0.5 * snr * spread
    if abs(low_end - ranked[0]) / spread >= snr:
        mask |= values <= low_end - 0.5 * snr * spread
    return mask
