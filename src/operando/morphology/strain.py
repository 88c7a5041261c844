"""The electrolyte's strain beside the noise floor of two scans at rest."""

import numpy as np

from operando.model.constants import NORMAL_95
from operando.model.products.joint import Pairs
from operando.model.products.morphology import STRAIN, Displacement, Strain
from operando.model.step import Series, step
from operando.morphology.displacement import COMPONENTS

_AT_REST = "null test"


@step(version=2)
def strain(displacements: Series[Displacement], pairs: Pairs) -> Strain:
    """Set the strain of every pair of scans beside its noise floor.

    The floor is what 95 % of the places show between two scans at rest (the null test); without such a pair it is NaN,
    and what the scatter of the displacements about planes gives stands in for it. Strain: median over the places, with
    the 95 % interval of a median by its order statistics, and the pair's own noise: a plane takes thirteen places, so
    that so many count as one.
    """
    names, strains, noise = zip(*map(_row, displacements), strict=True) if len(displacements) else ((), (), ())
    rest = {
        (int(pair["from_scan"]), int(pair["to_scan"]))
        for pair in (pairs.isel(pair=k) for k in range(pairs.sizes["pair"]))
        if str(pair["step"].values) == _AT_REST
    }
    resting = [one for name, one in zip(names, strains, strict=True) if name in rest]
    floor = floor_of(np.concatenate(resting) if resting else np.zeros((0, 6)))
    noises = np.array(noise).reshape(-1, 6)
    fitted = NORMAL_95 * _median(noises)
    limit = np.where(np.isfinite(floor), np.fmax(floor, 0.0), fitted)
    value, low, high = (np.full((len(names), 6), np.nan) for _ in range(3))
    share, count = np.full((len(names), 6), np.nan), np.zeros(len(names))
    for k, one in enumerate(strains):
        known = one[np.isfinite(one).all(axis=1)]
        count[k] = len(known)
        if len(known) >= 8:
            value[k], low[k], high[k] = median_with_bounds(known, noises[k])
            share[k] = np.where(np.isfinite(limit), np.mean(np.abs(known) > limit, axis=0), np.nan)
    return STRAIN.new(
        coords={"pair": np.arange(len(names)), "component": COMPONENTS},
        attrs={"warnings": _warnings(floor, len(displacements)), "scans": [list(name) for name in names]},
        floor=floor,
        fitted_floor=fitted,
        strain=value,
        strain_low=low,
        strain_high=high,
        seen_share=share,
        nodes=count,
    )


def _row(displacement: Displacement) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """Numbers of the two scans, strain (place, component) and its noise."""
    frames = tuple(int(number) for number in displacement.attrs["frame"])
    return frames, displacement["strain"].values, displacement["strain_noise"].values


def floor_of(strains: np.ndarray) -> np.ndarray:
    """What 95 % of the places (node, 6) stay below in size, (6,); NaN with fewer than eight.

    >>> bool(np.isnan(floor_of(np.zeros((3, 6)))).all())
    True
    """
    known = strains[np.isfinite(strains).all(axis=1)]
    return np.asarray(np.percentile(np.abs(known), 95, axis=0)) if len(known) >= 8 else np.full(6, np.nan)


def median_with_bounds(values: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median over the first axis and its 95 % interval from order statistics and a place's ``noise`` (std).

    Neighbouring places share most of the points of their planes: four of them count as one among the order
    statistics, and a plane's thirteen as one for the noise.

    >>> [round(float(part[0]), 2) for part in median_with_bounds(np.linspace(0, 1, 401)[:, None], np.zeros(1))]
    [0.5, 0.4, 0.6]
    """
    half = min(0.5 * NORMAL_95 / np.sqrt(max(len(values) / 4, 1.0)), 0.5)
    low, middle, high = np.quantile(values, [0.5 - half, 0.5, 0.5 + half], axis=0)
    own = NORMAL_95 * noise / np.sqrt(max(len(values) / 13, 1.0))
    return middle, middle - np.hypot(middle - low, own), middle + np.hypot(high - middle, own)


def _median(rows: np.ndarray) -> np.ndarray:
    known = rows[np.isfinite(rows).all(axis=1)]
    return np.asarray(np.median(known, axis=0)) if len(known) else np.full(6, np.nan)


def _warnings(floor: np.ndarray, count: int) -> list[str]:
    if not count or np.isfinite(floor).any():
        return []
    return [
        "no two scans at rest show the noise floor of the electrolyte's strain: taken from the scatter of each pair"
    ]
