"""The centre of rotation over the series: it drifts smoothly, so that a scan that jumps was misjudged."""

import numpy as np
from pydantic import Field

from operando.model.parameters import Parameters
from operando.model.products.tomography import CENTRES, Centre, Centres
from operando.model.step import Series, step


class CentresParameters(Parameters):
    """How a scan's centre is judged by its neighbours'."""

    neighbours: int = Field(default=5, description="scans on either side that a scan is compared with", ge=1)
    sigmas: float = Field(
        default=5.0, description="a centre this far from its neighbours' line, in their scatter, is an outlier", gt=1
    )
    least: float = Field(default=0.5, description="and at least this far, in pixels", ge=0)


_READ = ("centre", "centre_std", "overhang", "truncated")
FEWEST = 4
"""Fewer scans than this can't judge each other."""


@step(version=3)
def centres(series: Series[Centre], params: CentresParameters) -> Centres:
    """Keep every centre as found unless it does not fit a line through its neighbours; then take the line's.

    The values that fit are not smoothed, so that a new scan leaves the old ones as they are.
    """
    rows = [(*(c[name].values for name in _READ if name in c), *_name(c, place)) for place, c in enumerate(series)]
    found, stds, *reach, scans, names = (np.array(column) for column in zip(*rows, strict=True))
    centre, std, outlier = judged(scans, found, stds, params)
    said = [
        f"{name}: the centre {value:.2f} px does not fit its neighbours'; {new:.2f} px was used."
        for name, value, new, odd in zip(names, found, centre, outlier, strict=True)
        if odd
    ]
    return CENTRES.new(
        coords={"scan": ("scan", scans)},
        attrs={"warnings": said},
        centre=centre,
        centre_std=std,
        outlier=outlier,
        **dict(zip(_READ[2:], reach, strict=False)),
    )


def _name(centre: Centre, place: int) -> tuple[int, str]:
    """Number and file of a scan."""
    scan = int(centre.attrs.get("frame", place))
    return scan, centre.attrs.get("file", f"scan {scan}")


def judged(
    scans: np.ndarray, found: np.ndarray, stds: np.ndarray, params: CentresParameters
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return centre, std and outlier flag of each scan; fewer than four scans can't judge each other."""
    centre, std, outlier = found.copy(), stds.copy(), np.zeros(len(found), bool)
    if len(found) < FEWEST:
        return centre, std, outlier
    while np.count_nonzero(~outlier) >= FEWEST:
        worst = _worst(scans, found, stds, outlier, params)
        if worst is None:
            break
        outlier[worst] = True
    for place in np.flatnonzero(outlier):
        line, scatter, _ = _line_through_others(int(place), scans, found, outlier, params.neighbours)
        centre[place], std[place] = round(line, 3), max(scatter, float(np.median(stds)))
    return centre, std, outlier


def _worst(
    scans: np.ndarray, found: np.ndarray, stds: np.ndarray, ignored: np.ndarray, params: CentresParameters
) -> int | None:
    """Of the centres off their neighbours' line the one without which those agree best; ``None`` if all fit.

    One at a time: among few scans a wrong one spoils the lines of the right ones.
    """
    candidates = []
    for place in np.flatnonzero(~ignored):
        line, scatter, furthest = _line_through_others(int(place), scans, found, ignored, params.neighbours)
        if abs(found[place] - line) > max(params.sigmas * float(np.hypot(scatter, stds[place])), params.least):
            candidates.append((furthest, int(place)))
    return min(candidates)[1] if candidates else None


def _line_through_others(
    place: int, scans: np.ndarray, found: np.ndarray, ignored: np.ndarray, neighbours: int
) -> tuple[float, float, float]:
    """Robust line (Theil and Sen) through the nearest scans at this one; their scatter and largest distance."""
    others = np.flatnonzero(~ignored & (np.arange(len(found)) != place))
    if others.size == 0:
        others = np.flatnonzero(np.arange(len(found)) != place)
    near = others[np.argsort(np.abs(others - place), kind="stable")[: 2 * neighbours]]
    x, y = scans[near] - scans[place], found[near]
    one, two = np.triu_indices(len(near), 1)
    apart = x[two] != x[one]
    slope = float(np.median((y[two] - y[one])[apart] / (x[two] - x[one])[apart])) if apart.any() else 0.0
    level = float(np.median(y - slope * x))
    off = np.abs(y - slope * x - level)
    return level, 1.4826 * float(np.median(off)), float(off.max())
