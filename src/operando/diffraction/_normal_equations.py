"""Deviance, score and Fisher information of lines on a spline background, line by line. Import inside the step.

Everything is a sum over the few channels that a line reaches, written so that the inner loops run over neighbouring
channels; no dense Jacobian is ever made.
"""

import numba
import numpy as np

_REACH = 5.0
_FLOOR = 1e-9
_FAST = {"reassoc", "contract", "nsz"}


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def normal_equations(
    counts: np.ndarray,
    energy: np.ndarray,
    channel_width: np.ndarray,
    spline_index: np.ndarray,
    spline_values: np.ndarray,
    line_energy: np.ndarray,
    line_variance: np.ndarray,
    line_group: np.ndarray,
    line_share: np.ndarray,
    energy_slope: np.ndarray,
    variance_slope: np.ndarray,
    areas: np.ndarray,
    smooth: np.ndarray,
    informed: bool,
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Poisson deviance, score and Fisher information of a sum of Gaussian lines on a spline background.

    Lines must be sorted by energy. Parameters are ordered: group areas, spline coefficients, shapes.
    ``spline_values`` (order, n) with the index of each in ``spline_index`` (order, n).
    Returns deviance (inf where the model is not positive), score (P,), information (P, P), model (n,); without
    ``informed`` only the areas' score and no information.
    """
    groups, knots, shapes = areas.size, smooth.size, energy_slope.shape[1]
    parameters = groups + knots + shapes
    score = np.zeros(parameters)
    information = np.zeros((parameters, parameters) if informed else (0, 0))
    first, last, start, profile = _profiles(energy, channel_width, line_energy, line_variance, line_share)
    model, moved = _model(
        energy, spline_index, spline_values, line_energy, line_variance, line_group,
        energy_slope, variance_slope, areas, smooth, first, last, start, profile,
    )  # fmt: skip
    if model.min() <= _FLOOR:
        return np.inf, score, information, model
    weight = 1.0 / model
    residual = counts * weight - 1.0
    if not informed:
        for l in range(first.size):
            score[line_group[l]] += _dot(profile[start[l] : start[l + 1]], residual[first[l] : last[l]])
        return _deviance(counts, model), score, information, model
    _lines(
        first, last, start, profile, line_group, spline_index, spline_values,
        moved, weight, residual, groups, knots, score, information,
    )  # fmt: skip
    _smooth(spline_index, spline_values, moved, weight, residual, groups, knots, score, information)
    for a in range(parameters):
        for b in range(a):
            information[a, b] = information[b, a]
    return _deviance(counts, model), score, information, model


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _deviance(counts: np.ndarray, model: np.ndarray) -> float:
    total = 0.0
    for i in range(counts.size):
        total += deviance_of(counts[i], model[i])
    return total


@numba.njit(cache=True, nogil=True)
def deviance_of(seen: float, mu: float) -> float:
    """Poisson deviance of one channel."""
    if seen > 0:
        return float(2.0 * (mu - seen + seen * np.log(seen / mu)))
    return 2.0 * mu


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _dot(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _profiles(
    energy: np.ndarray,
    channel_width: np.ndarray,
    line_energy: np.ndarray,
    line_variance: np.ndarray,
    line_share: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Channels ``first`` … ``last`` that each line reaches, and its profiles there, one after another."""
    lines = line_energy.size
    first, last, start = np.empty(lines, np.int64), np.empty(lines, np.int64), np.zeros(lines + 1, np.int64)
    for l in range(lines):
        reach = _REACH * np.sqrt(line_variance[l])
        first[l] = np.searchsorted(energy, line_energy[l] - reach)
        last[l] = np.searchsorted(energy, line_energy[l] + reach)
        start[l + 1] = start[l] + last[l] - first[l]
    profile = np.empty(start[lines])
    for l in range(lines):
        scale = line_share[l] / np.sqrt(2.0 * np.pi * line_variance[l])
        steep = -0.5 / line_variance[l]
        own, at, width = profile[start[l] : start[l + 1]], energy[first[l] : last[l]], channel_width[first[l] : last[l]]
        for i in range(own.size):
            x = at[i] - line_energy[l]
            own[i] = scale * width[i] * np.exp(steep * x * x)
    return first, last, start, profile


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _model(
    energy: np.ndarray,
    spline_index: np.ndarray,
    spline_values: np.ndarray,
    line_energy: np.ndarray,
    line_variance: np.ndarray,
    line_group: np.ndarray,
    energy_slope: np.ndarray,
    variance_slope: np.ndarray,
    areas: np.ndarray,
    smooth: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    start: np.ndarray,
    profile: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Expected counts (n,) and their derivatives by the shapes (shapes, n)."""
    n, shapes = energy.size, energy_slope.shape[1]
    model = np.zeros(n)
    moved = np.zeros((shapes, n))
    for k in range(spline_index.shape[0]):
        for i in range(n):
            model[i] += smooth[spline_index[k, i]] * spline_values[k, i]
    for l in range(line_energy.size):
        area = areas[line_group[l]]
        if area <= 0.0:
            continue
        own, at = profile[start[l] : start[l + 1]], energy[first[l] : last[l]]
        total = model[first[l] : last[l]]
        for i in range(own.size):
            total[i] += area * own[i]
        per_variance = 1.0 / line_variance[l]
        for s in range(shapes):
            by_energy = area * per_variance * energy_slope[l, s]
            by_variance = 0.5 * area * per_variance * variance_slope[l, s]
            if by_energy == 0.0 and by_variance == 0.0:
                continue
            changed = moved[s, first[l] : last[l]]
            for i in range(own.size):
                x = at[i] - line_energy[l]
                changed[i] += own[i] * (by_energy * x + by_variance * (x * x * per_variance - 1.0))
    return model, moved


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _lines(
    first: np.ndarray,
    last: np.ndarray,
    start: np.ndarray,
    profile: np.ndarray,
    line_group: np.ndarray,
    spline_index: np.ndarray,
    spline_values: np.ndarray,
    moved: np.ndarray,
    weight: np.ndarray,
    residual: np.ndarray,
    groups: int,
    knots: int,
    score: np.ndarray,
    information: np.ndarray,
) -> None:
    """Score of the areas, and their information with each other, the splines and the shapes."""
    lines, linear = first.size, groups + knots
    lowest = first.copy()
    for l in range(lines - 2, -1, -1):
        lowest[l] = min(lowest[l], lowest[l + 1])
    for l in range(lines):
        row, begin, end = line_group[l], first[l], last[l]
        own = profile[start[l] : start[l + 1]]
        weighted = own * weight[begin:end]
        score[row] += _dot(own, residual[begin:end])
        for m in range(l, lines):
            if lowest[m] >= end:
                break
            low, high = max(begin, first[m]), min(end, last[m])
            if low >= high:
                continue
            shift = start[m] - first[m]
            both = _dot(weighted[low - begin : high - begin], profile[shift + low : shift + high])
            column = line_group[m]
            information[min(row, column), max(row, column)] += 2.0 * both if row == column and m != l else both
        _with_splines(weighted, spline_index[:, begin:end], spline_values[:, begin:end], information[row], groups)
        for s in range(moved.shape[0]):
            information[row, linear + s] += _dot(weighted, moved[s, begin:end])


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _with_splines(
    weighted: np.ndarray, spline_index: np.ndarray, spline_values: np.ndarray, row: np.ndarray, groups: int
) -> None:
    """Add to a row of the information what a weighted profile shares with every spline; runs of one index at once."""
    n = weighted.size
    begin = 0
    while begin < n:
        end = begin + 1
        while end < n and spline_index[0, end] == spline_index[0, begin]:
            end += 1
        for k in range(spline_index.shape[0]):
            row[groups + spline_index[k, begin]] += _dot(weighted[begin:end], spline_values[k, begin:end])
        begin = end


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _smooth(
    spline_index: np.ndarray,
    spline_values: np.ndarray,
    moved: np.ndarray,
    weight: np.ndarray,
    residual: np.ndarray,
    groups: int,
    knots: int,
    score: np.ndarray,
    information: np.ndarray,
) -> None:
    """Score of splines and shapes, and their information with each other."""
    order, n = spline_index.shape
    shapes, linear = moved.shape[0], groups + knots
    begin = 0
    while begin < n:
        end = begin + 1
        while end < n and spline_index[0, end] == spline_index[0, begin]:
            end += 1
        for k in range(order):
            row = groups + spline_index[k, begin]
            weighted = spline_values[k, begin:end] * weight[begin:end]
            score[row] += _dot(residual[begin:end], spline_values[k, begin:end])
            for j in range(k, order):
                information[row, groups + spline_index[j, begin]] += _dot(weighted, spline_values[j, begin:end])
            for s in range(shapes):
                information[row, linear + s] += _dot(weighted, moved[s, begin:end])
        begin = end
    for s in range(shapes):
        weighted = moved[s] * weight
        score[linear + s] += _dot(residual, moved[s])
        for t in range(s, shapes):
            information[linear + s, linear + t] = _dot(weighted, moved[t])
