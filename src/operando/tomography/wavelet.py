"""Stripe removal by damping in a wavelet transform (Münch et al. 2009, doi:10.1364/OE.17.008567)."""

import numpy as np
from scipy import fft

_LOW = np.array(
    [0.23037781330885523, 0.7148465705525415, 0.6308807679295904, -0.02798376941698385,
     -0.18703481171888114, 0.030841381835986965, 0.032883011666982945, -0.010597401784997278]
)  # fmt: skip
"""Daubechies' low-pass filter with four vanishing moments; orthogonal, periodic."""
_HIGH = _LOW[::-1] * (-1) ** np.arange(len(_LOW))


def damp_stripes(sinogram: np.ndarray, level: int, sigma: float) -> np.ndarray:
    """Damp, at each level, the vertical details' lowest frequencies along the angle. Float32 (angle, column).

    ``sigma``: width of the damping in frequencies of the transformed column. The lowest level keeps the grey values.
    """
    angles, columns = sinogram.shape
    step = 2**level
    pad = [(0, -angles % step), (0, -columns % step)]
    wide = np.pad(sinogram.astype(float), pad, mode="symmetric")
    return _damped(wide, level, sigma)[:angles, :columns].astype(np.float32)


def _damped(image: np.ndarray, level: int, sigma: float) -> np.ndarray:
    if level == 0 or min(image.shape) < len(_LOW):
        return image
    low, high = _analysed(image, 1)
    rough, along = _analysed(low, 0)
    stripes, corner = _analysed(high, 0)
    waves = fft.rfft(stripes, axis=0)
    keep = 1 - np.exp(-(np.arange(len(waves)) ** 2) / (2 * sigma**2))
    stripes = fft.irfft(waves * keep[:, None], len(stripes), axis=0)
    low = _composed(_damped(rough, level - 1, sigma), along, 0)
    return _composed(low, _composed(stripes, corner, 0), 1)


def _analysed(image: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Low and high half-bands along an axis."""
    image = np.moveaxis(image, axis, -1)
    parts = [sum(tap * np.roll(image, -k, axis=-1)[..., ::2] for k, tap in enumerate(f)) for f in (_LOW, _HIGH)]
    return np.moveaxis(np.asarray(parts[0]), -1, axis), np.moveaxis(np.asarray(parts[1]), -1, axis)


def _composed(low: np.ndarray, high: np.ndarray, axis: int) -> np.ndarray:
    """Inverse of ``_analysed``, its transpose."""
    total = 0.0
    for part, taps in ((low, _LOW), (high, _HIGH)):
        part = np.moveaxis(part, axis, -1)
        spread = np.zeros((*part.shape[:-1], 2 * part.shape[-1]))
        spread[..., ::2] = part
        total = total + sum(tap * np.roll(spread, k, axis=-1) for k, tap in enumerate(taps))
    return np.moveaxis(np.asarray(total), -1, axis)
