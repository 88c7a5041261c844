"""The smooth part of a spectrum: what is left when every narrow feature is peeled off, and escape lines."""

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter1d

from operando.model.constants import GERMANIUM_ESCAPE_KEV

_GE_K_EDGE_KEV = 11.103


def peel(counts: np.ndarray, widest: int) -> np.ndarray:
    """Sensitive nonlinear iterative peak clipping in the LLS domain; ``widest`` is half the widest peak in channels.

    counts (n,) -> background (n,), smoothed at last so that it does not follow the noise on the scale of a line, which
    a fit on top of it would take for its own. Ryan et al. (1988), https://doi.org/10.1016/0168-583X(88)90063-8.
    """
    smooth = gaussian_filter1d(np.asarray(counts, float), max(1.0, widest / 8.0), mode="nearest")
    folded = np.log(np.log(np.sqrt(smooth + 1.0) + 1.0) + 1.0)
    padded = np.pad(folded, widest, mode="edge")
    n = len(folded)
    for reach in range(widest, 0, -1):
        left = padded[widest - reach : widest - reach + n]
        right = padded[widest + reach : widest + reach + n]
        padded[widest : widest + n] = np.minimum(padded[widest : widest + n], 0.5 * (left + right))
    unfolded = (np.exp(np.exp(padded[widest : widest + n]) - 1.0) - 1.0) ** 2 - 1.0
    peeled = np.maximum(unfolded, 0.0)
    return np.asarray(gaussian_filter1d(peeled, widest / 2.0, mode="nearest"))


def escape_probability(energy: np.ndarray) -> np.ndarray:
    """Chance (2, n) that a photon's Ge Kα or Kβ leaves through the front of a thick germanium crystal.

    Normal incidence; Reed and Ware (1972), https://doi.org/10.1088/0022-3735/5/6/029. Zero below the Ge K edge.
    """
    grid, table = _escape_table()
    above = np.asarray(energy, float) > _GE_K_EDGE_KEV
    return np.where(above, np.array([np.interp(energy, grid, row) for row in table]), 0.0)


@cache
def _escape_table() -> tuple[np.ndarray, np.ndarray]:
    """Energies (k,) in keV from the edge on, and the two probabilities (2, k)."""
    from xraydb import fluor_yield, mu_elam

    density, jump_share, shares = 5.323, 1.0 - 1.0 / 6.5, (0.88, 0.12)
    grid = np.geomspace(_GE_K_EDGE_KEV + 0.01, 400.0, 400)
    incoming = density * np.asarray(mu_elam("Ge", grid * 1000.0))
    k_yield = float(fluor_yield("Ge", "K", "Ka", 20_000.0)[0])
    outgoing = [density * float(mu_elam("Ge", line * 1000.0)) for line in GERMANIUM_ESCAPE_KEV]
    ratios = np.array(outgoing)[:, None] / incoming
    leaving = 0.5 * (1.0 - ratios * np.log1p(1.0 / ratios))
    return grid, np.array(shares)[:, None] * k_yield * jump_share * leaving


def escape_lines(net: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Escape counts (n,) that the narrow features ``net`` (n,) leave below themselves; energies ascending, keV."""
    width = np.gradient(energy)
    spectral = np.maximum(net, 0.0) / width
    total = np.zeros_like(spectral)
    for probability, shift in zip(escape_probability(energy), GERMANIUM_ESCAPE_KEV, strict=True):
        total += np.interp(energy + shift, energy, spectral * probability, left=0.0, right=0.0)
    return np.asarray(total * width)


def pile_up(counts: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Where pulses would be counted that came in pairs, at the sum of their energies: counts (n,) if all of them had.

    ``energy`` (n,) in keV of the channels' middles, nearly even. The share of such pairs is for the fit to find.
    """
    from scipy.signal import fftconvolve

    counts = np.maximum(np.asarray(counts, float), 0.0)
    pairs = np.maximum(fftconvolve(counts, counts), 0.0) / max(float(counts.sum()), 1.0)
    step = (energy[-1] - energy[0]) / (len(energy) - 1)
    return np.asarray(np.interp(energy, 2.0 * energy[0] + step * np.arange(len(pairs)), pairs, left=0.0, right=0.0))


def spline_basis(energy: np.ndarray, spacing_kev: float) -> tuple[np.ndarray, np.ndarray]:
    """Cubic B-splines with evenly spaced knots: index (n,) of the first non-zero one, values (n, 4)."""
    low, high = energy[0], energy[-1]
    pieces = max(1, round((high - low) / spacing_kev))
    place = (energy - low) / (high - low) * pieces
    first = np.clip(place.astype(int), 0, pieces - 1)
    t = place - first
    values = np.stack(
        [
            (1.0 - t) ** 3,
            3.0 * t**3 - 6.0 * t**2 + 4.0,
            -3.0 * t**3 + 3.0 * t**2 + 3.0 * t + 1.0,
            t**3,
        ],
        axis=1,
    )
    return first.astype(np.int64), values / 6.0
