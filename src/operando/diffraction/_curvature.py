"""What the model's own curvature takes from the Fisher information, line by line. Import inside the step."""

import numba
import numpy as np

_REACH = 5.0
_FAST = {"reassoc", "contract", "nsz"}


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def residual_curvature(
    counts: np.ndarray,
    model: np.ndarray,
    energy: np.ndarray,
    channel_width: np.ndarray,
    line_energy: np.ndarray,
    line_variance: np.ndarray,
    line_group: np.ndarray,
    line_share: np.ndarray,
    energy_slope: np.ndarray,
    variance_slope: np.ndarray,
    areas: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Σ (counts / model - 1) ∂² model by areas and shapes (groups, shapes), and by shapes and shapes (shapes, shapes).

    Lines are Gaussians in ``line_energy`` (keV) with ``line_variance`` (keV²), which move with the shapes along
    ``energy_slope`` and ``variance_slope`` (lines, shapes); these slopes are taken as constant.
    """
    shapes = energy_slope.shape[1]
    by_area, by_shapes = np.zeros((areas.size, shapes)), np.zeros((shapes, shapes))
    moments = np.empty(5)
    for l in range(line_energy.size):
        sigma = np.sqrt(line_variance[l])
        first = np.searchsorted(energy, line_energy[l] - _REACH * sigma)
        last = np.searchsorted(energy, line_energy[l] + _REACH * sigma)
        moments[:] = 0.0
        for i in range(first, last):
            u = (energy[i] - line_energy[l]) / sigma
            term = (counts[i] / model[i] - 1.0) * channel_width[i] * np.exp(-0.5 * u * u)
            for k in range(5):
                moments[k] += term
                term *= u
        moments *= line_share[l] / (np.sqrt(2.0 * np.pi) * sigma)
        moved = moments[1]
        wider = 0.5 * (moments[2] - moments[0])
        group = line_group[l]
        for s in range(shapes):
            e, v = energy_slope[l, s] / sigma, variance_slope[l, s] / line_variance[l]
            if e == 0.0 and v == 0.0:
                continue
            by_area[group, s] += moved * e + wider * v
            along = areas[group] * (2.0 * wider * e + 0.5 * (moments[3] - 3.0 * moments[1]) * v)
            across = areas[group] * (
                0.5 * (moments[3] - 3.0 * moments[1]) * e
                + 0.25 * (moments[4] - 6.0 * moments[2] + 3.0 * moments[0]) * v
            )
            for t in range(shapes):
                by_shapes[s, t] += along * energy_slope[l, t] / sigma + across * variance_slope[l, t] / line_variance[l]
    return by_area, by_shapes
