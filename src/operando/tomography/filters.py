"""Filters of filtered back projection, built from the exact ramp of a sampled projection."""

import numpy as np
from scipy import fft

from operando.model.errors import ConfigurationError

FILTERS = ("ramp", "shepp-logan", "cosine", "hann", "hamming", "parzen", "butterworth", "none")


def window(name: str, frequency: np.ndarray) -> np.ndarray:
    """Window on the ramp at ``frequency`` in cycles a pixel (0 … 0.5); ``butterworth`` is of order 4 at 0.25."""
    share = np.abs(frequency) / 0.5
    if name == "parzen":
        return np.where(share <= 0.5, 1 - 6 * share**2 * (1 - share), 2 * (1 - np.minimum(share, 1)) ** 3)
    windows = {
        "ramp": lambda: np.ones_like(share),
        "shepp-logan": lambda: np.sinc(share / 2),
        "cosine": lambda: np.cos(np.pi * share / 2),
        "hann": lambda: 0.5 * (1 + np.cos(np.pi * share)),
        "hamming": lambda: 0.54 + 0.46 * np.cos(np.pi * share),
        "butterworth": lambda: 1 / np.sqrt(1 + (share / 0.5) ** 8),
    }
    if name not in windows:
        raise ConfigurationError(f"filter = {name!r} is unknown; use one of {', '.join(FILTERS)}.")
    return windows[name]()


def kernel(name: str, reach: int) -> np.ndarray:
    """Taps of the filter at lags 0 … ``reach``, 1/pixel².

    The ramp's taps are those of the band-limited ramp in space, 1/4 at 0 and -1/(πn)² at odd n (Kak and
    Slaney, Principles of Computerized Tomographic Imaging, 1988, eq. 61): sampling the ramp in frequency
    instead loses the zero frequency, and with it the grey values. ``none`` leaves the projection as it is.
    """
    taps = np.zeros(reach + 1)
    if name == "none":
        taps[0] = 1.0
        return taps
    length = fft.next_fast_len(8 * (reach + 1), real=True)
    lags = np.arange(length // 2 + 1)
    ramp = np.where(lags % 2 == 1, -1.0 / (np.pi * np.maximum(lags, 1)) ** 2, 0.0)
    ramp[0] = 0.25
    if name == "ramp":
        return ramp[: reach + 1]
    whole = np.concatenate([ramp, ramp[1 : length - length // 2][::-1]])
    spectrum = fft.rfft(whole).real * window(name, fft.rfftfreq(length))
    return fft.irfft(spectrum, length)[: reach + 1]
