"""The grey classes that all scans of the series share."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated

import numpy as np
from pydantic import Field

from operando.model.errors import OperandoError
from operando.model.parameters import Parameters
from operando.model.products.morphology import CLASSES, Classes, Histogram
from operando.model.step import Series, Setting, step
from operando.morphology.mixture import Mixture, assign, fit, local_mean, peaks
from operando.morphology.roles import Roles


class ClassifyParameters(Parameters):
    """How classes are found."""

    means: tuple[float, ...] = Field((), description="mean attenuation of each phase, 1/cm, if they are known")
    empty: float | None = Field(
        0.0, description="attenuation of a void in 1/cm, for series in which none is open yet; null for stacks of grey"
    )
    threshold_floor: float = Field(
        0.003, ge=0, le=0.5, description="no threshold is known better than this share of the contrast"
    )


_DEFAULTS = ClassifyParameters()


@step(version=7)
def classify(
    series: Series[Histogram],
    phases: Annotated[tuple[str, ...], Setting("tomography.phases")] = ("void", "electrolyte", "anode"),
    params: ClassifyParameters = _DEFAULTS,
) -> Classes:
    """Fit one mixture of normal distributions to the histograms of the whole series.

    Only voxels away from edges count, so that partial volumes do not pull the means. The thresholds lie
    half-way between neighbouring means, where a blurred flat edge keeps its place. Where a phase then is missing, as
    one may that is thin or noisy everywhere, the voxels near edges are asked as well. A mean's standard deviation is
    how far it varies between sectors of the bore and between scans; results are rounded to half of it, or
    of the threshold's floor, so that one more scan leaves them as they are.
    """
    if not series:
        raise OperandoError("no scan could be used, so that no grey classes can be found; look at the scans' errors.")
    grey = series[0]["grey"].values.astype(float)
    pooled = sum(item["core"].values.sum(axis=0) for item in series).astype(float)
    noise = float(np.median([float(item["noise"]) for item in series]))
    mixture, warnings = _fit_classes(grey, pooled, noise, phases, params, len(phases) + 2)
    if not np.isfinite(mixture.mean).all():
        pooled = pooled + sum(item["edge"].values for item in series)
        # Edges have peaks of their own: no more are taken than phases may be there beside an empty void.
        most = len(phases) - (1 if params.empty is not None and Roles.of(phases).void == 1 else 0)
        second, said = _fit_classes(grey, pooled, noise, phases, params, most)
        if np.isfinite(second.mean).sum() > np.isfinite(mixture.mean).sum():
            mixture, warnings = second, said
    std, drift, apart = _mean_std(series, grey, mixture)
    contrast = np.diff(mixture.mean)
    floor = params.threshold_floor * contrast
    threshold_std = np.sqrt((std[1:] ** 2 + std[:-1] ** 2) / 4 + floor**2)
    mean = _rounded(mixture.mean, np.maximum(std, params.threshold_floor * _nearest_gap(mixture.mean)))
    return CLASSES.new(
        coords={"phase": list(phases), "boundary": [f"{a}|{b}" for a, b in pairwise(phases)]},
        attrs={"warnings": warnings},
        mean=mean,
        mean_std=_ladder(std),
        mean_drift=_ladder(drift),
        sector_drift=_ladder(apart),
        width=_ladder(mixture.width),
        threshold=(mean[1:] + mean[:-1]) / 2,
        threshold_std=_ladder(threshold_std),
        blur=_ladder(np.array(_blur(series, grey, mixture))),
        streaks=_ladder(np.array(_streaks(series, grey, mixture, noise))),
        noise=_ladder(np.array(noise)),
        noise_correlation=_ladder(np.array(np.median([float(item["noise_correlation"]) for item in series]))),
    )


def _fit_classes(
    grey: np.ndarray, counts: np.ndarray, noise: float, phases: tuple[str, ...], params: ClassifyParameters, most: int
) -> tuple[Mixture, list[str]]:
    counts = counts.copy()
    counts[[0, -1]] = 0  # the end bins hold whatever lies beyond
    if counts.sum() == 0:
        raise OperandoError("no trusted voxel lies inside the bore; check cell.bore_mm and the trust map.")
    if params.means:
        if len(params.means) != len(phases):
            raise OperandoError(
                f"steps.classify.means has {len(params.means)} values for {len(phases)} phases; give one for each."
            )
        means = np.sort(np.array(params.means, float))
        return _measured(grey, counts, means, noise, np.ones(len(means), bool)), []
    found = peaks(grey, counts, noise, most)
    empty = params.empty if Roles.of(phases).void == 1 else None
    starts = assign(found, len(phases), empty, noise)
    candidates = [_measured(grey, counts, start, noise, ~np.isin(start, found)) for start in starts]
    best = max(candidates, key=lambda mixture: mixture.likelihood)
    return best, _sentences(best, found, phases, params)


def _measured(grey: np.ndarray, counts: np.ndarray, starts: np.ndarray, noise: float, fixed: np.ndarray) -> Mixture:
    """Fit the starts; a fixed class keeps its start, an unknown one NaN, and neither gets a share."""
    free = np.isfinite(starts) & ~fixed
    share, mean = np.zeros(len(starts)), np.array(starts, float)
    width = np.full(len(starts), max(noise, grey[1] - grey[0]))
    likelihood = -np.inf
    if free.any():
        fitted = fit(grey, counts, starts[free], noise)
        share[free], width[free], likelihood = fitted.share, fitted.width, fitted.likelihood
        local = np.array([local_mean(grey, counts, m, w) for m, w in zip(fitted.mean, fitted.width, strict=True)])
        mean[free] = np.where(np.abs(local - fitted.mean) <= fitted.width, local, fitted.mean)
        rare = free & (share < 0.1)
        mean[rare] = starts[rare]  # edges outweigh what is inside a small cavity: its peak is the better mean
    return Mixture(share, mean, width, likelihood)


def _sentences(best: Mixture, found: np.ndarray, phases: tuple[str, ...], params: ClassifyParameters) -> list[str]:
    warnings = []
    for name, mean, share in zip(phases, best.mean, best.share, strict=True):
        if not np.isfinite(mean):
            warnings.append(
                f"only {len(found)} grey classes were found for {len(phases)} phases, so that no voxel is {name}; "
                "set steps.classify.means if they are known"
            )
        elif share == 0:
            warnings.append(f"no voxel is clearly {name} in any scan; its attenuation is taken as {mean:g} 1/cm")
    if len(found) > len(phases):
        values = ", ".join(f"{value:.3g}" for value in found)
        warnings.append(f"{len(found)} grey classes were seen ({values} 1/cm) for {len(phases)} phases")
    return warnings


def _mean_std(
    series: Series[Histogram], grey: np.ndarray, mixture: Mixture
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far each class's mean varies between sectors and scans, in a sector between scans, and there by itself."""
    smallest = 1e-3 * (grey[1] - grey[0])
    std, drift, apart = np.full(len(mixture.mean), smallest), *np.zeros((2, len(mixture.mean)))
    for p, (mean, width, share) in enumerate(zip(mixture.mean, mixture.width, mixture.share, strict=True)):
        near = np.abs(grey - mean) <= 2.5 * max(width, grey[1] - grey[0])
        local, weight = _local_means((item["core"].values for item in series), grey, mean, width, near)
        if share > 0 and weight.sum() == 0:  # a phase that is all edges: one sector a scan
            every = (item["core"].values.sum(axis=0) + item["edge"].values for item in series)
            local, weight = _local_means((one[None] for one in every), grey, mean, width, near)
        if share == 0 or weight.sum() == 0:
            contrast = np.nanmin(np.abs(np.diff(mixture.mean))) if len(mixture.mean) > 1 else abs(mean)
            std[p] = 0.05 * contrast
            continue
        local = np.nan_to_num(local)
        spread = np.sqrt(np.average((local - np.average(local, weights=weight)) ** 2, weights=weight))
        std[p] = max(smallest, spread, width / np.sqrt(weight.sum()))  # one scan or sector alone has no spread
        drift[p], apart[p] = _drifts(local, weight)
    return std, drift, apart


def _local_means(
    counts: Iterable[np.ndarray], grey: np.ndarray, mean: float, width: float, near: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A class's means and the voxels they rest on, (scan, sector), from each scan's counts (sector, grey)."""
    found = [[(local_mean(grey, one, mean, width), one[near].sum()) for one in scan] for scan in counts]
    local, weight = np.moveaxis(np.array(found, float), 2, 0)
    return local, np.where(np.isfinite(local), weight, 0.0)


def _drifts(local: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Standard deviation of means (scan, sector) from scan to scan: in a sector, and beside what all sectors share.

    >>> local = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> [round(std, 3) for std in _drifts(local, np.ones((2, 2)))]
    [1.414, 0.0]
    >>> [round(std, 3) for std in _drifts(local, np.array([[1.0, 1.0], [1.0, 9.0]]))]
    [1.054, 0.0]
    """
    scans, sectors = local.shape
    of_scan, of_sector = np.zeros(scans), np.zeros(sectors)
    weight = weight + 1e-300
    for _ in range(30):  # a sector that one scan shows more of must not take that scan's mean for its own
        of_sector = np.average(local - of_scan[:, None], axis=0, weights=weight)
        of_scan = np.average(local - of_sector, axis=1, weights=weight)
    rest = local - of_sector - of_scan[:, None]
    common = of_scan - np.average(of_scan, weights=weight.sum(axis=1))
    free = scans / max(scans - 1, 1)
    drift = np.sqrt(np.average((rest + common[:, None]) ** 2, weights=weight) * free)
    free *= sectors / max(sectors - 1, 1)
    return float(drift), float(np.sqrt(np.average(rest**2, weights=weight) * free))


def _blur(series: Series[Histogram], grey: np.ndarray, mixture: Mixture) -> float:
    """Standard deviation of the point spread, µm, from the gradient half-way up the edges.

    An edge of contrast C blurred by a normal distribution s has the gradient C / (s sqrt(2 pi)) half-way up; central
    differences widen s² by a third of a voxel squared.
    """
    voxel = float(series[0].attrs.get("voxel_um", 1.0))
    weights, widths = [], []
    for low, high in pairwise(mixture.mean):
        if not (np.isfinite(low) and np.isfinite(high)):
            continue
        near = np.abs(grey - (low + high) / 2) <= 0.1 * (high - low)
        counts = sum(item["edge"].values[near] for item in series).astype(float)
        squares = sum((item["edge"].values * item["edge_gradient"].values ** 2)[near] for item in series)
        if counts.sum() >= 50:
            gradient = np.sqrt(squares.sum() / counts.sum())
            widths.append(np.sqrt(max(((high - low) / (gradient * np.sqrt(2 * np.pi))) ** 2 - 1 / 3, 0.0)))
            weights.append(counts.sum())
    return voxel * float(np.average(widths, weights=weights)) if widths else 0.0


def _streaks(series: Series[Histogram], grey: np.ndarray, mixture: Mixture, noise: float) -> float:
    """Share of the edge voxels more than five times the noise below the darkest phase."""
    edges = np.sum([item["edge"].values for item in series], axis=0).astype(float)
    darkest = np.nanmin(mixture.mean) - 5 * max(noise, grey[1] - grey[0])
    return float(edges[grey < darkest].sum() / max(edges.sum(), 1))


def _nearest_gap(mean: np.ndarray) -> np.ndarray:
    """Contrast of each class to its nearest neighbour; zero where there is none."""
    gaps = np.concatenate([[np.nan], np.abs(np.diff(mean)), [np.nan]])
    return np.nan_to_num(np.fmin(gaps[1:], gaps[:-1]))


def _rounded(values: np.ndarray, known_to: np.ndarray) -> np.ndarray:
    """Rounded to a power of two near half of what they are known to."""
    quantum = 2.0 ** np.floor(np.log2(np.maximum(known_to / 2, 1e-12)))
    return np.rint(values / quantum) * quantum


def _ladder(values: np.ndarray) -> np.ndarray:
    """Rounded to steps of a quarter octave: a width need not be known better, and stays equal longer."""
    positive = np.maximum(np.asarray(values, float), 1e-300)
    return np.where(np.asarray(values) > 1e-30, 2.0 ** (np.rint(4 * np.log2(positive)) / 4), 0.0)
