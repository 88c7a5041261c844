"""Find the tube's bore, and what else is shared by all scans of the series."""

from typing import Annotated

import numpy as np
from pydantic import Field

from operando.model.parameters import Parameters
from operando.model.products.morphology import BORE, Bore
from operando.model.products.tomography import Trust, Volume
from operando.model.step import First, Setting, step
from operando.morphology.blocks import Grid, grid_of, read_rows
from operando.morphology.circle import Circle, find_circle, fit_circle
from operando.morphology.coarse_trust import seen_rows

SECTIONS = 6


class BoreParameters(Parameters):
    """How the tube is looked for."""

    rows: int = Field(96, ge=6, le=4096, description="rows of the first scan that are looked at")
    smallest_share: float = Field(
        0.6, gt=0, le=1, description="share of all directions in which the wall must be seen to be believed"
    )


_DEFAULTS = BoreParameters()


@step(version=3)
def bore(
    first: First[Volume],
    bore_mm: Annotated[float | None, Setting("cell.bore_mm")] = None,
    first_trust: First[Trust] | None = None,
    params: BoreParameters = _DEFAULTS,
) -> Bore:
    """Find the bore of the tube in the first scan.

    The wall is the circle with the strongest step of grey values in means over many rows; six sections
    along z give the tilt of its axis. Only rows that can be trusted are looked at: in the slits' shadow anything may
    stand. With ``bore_mm`` only circles of that size are looked for. Without a believable circle the whole field
    counts as bore (radius infinite), and a warning says so.
    """
    grid = grid_of(first, "mu")
    sections, heights, low, high = _sections(first, grid, seen_rows(grid, (first_trust,)), params.rows)
    field = first.attrs.get("field_radius_um") or _field_radius(sections.mean(axis=0), grid)
    expected = None if bore_mm is None else bore_mm * 500.0
    circles = _circles(sections, grid, expected, field, params.smallest_share)
    warnings = []
    if not circles:
        warnings.append(_sentence(bore_mm, field))
    centre, slope, radius, radius_std = _axis(circles, heights, grid)
    margin = 0.15 * (high - low)
    return BORE.new(
        coords={"axis": ["z", "y", "x"], "across": ["y", "x"], "edge": ["low", "high"]},
        attrs={"warnings": warnings},
        centre=centre,
        slope=slope,
        radius=radius,
        radius_std=radius_std,
        field_radius=field,
        origin=grid.origin,
        extent=np.array(grid.shape),
        grey=np.array([low - margin, high + margin]),
    )


def _sections(first: Volume, grid: Grid, seen: slice, rows: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Mean images (section, y, x), their mean heights (µm), lowest and highest grey value of the seen rows."""
    chosen = np.unique(np.linspace(seen.start, seen.stop - 1, min(rows, seen.stop - seen.start)).astype(int))
    groups = [group for group in np.array_split(chosen, SECTIONS) if len(group)]
    low, high = np.inf, -np.inf
    means = []
    for group in groups:
        mean = np.zeros(grid.shape[1:])
        for row in group:
            plane = read_rows(first["mu"], row, row + 1)[0]
            finite = plane[np.isfinite(plane)]
            if finite.size:
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
            mean += np.nan_to_num(plane) / len(group)
        means.append(mean)
    heights = np.array([grid.origin[0] + grid.spacing[0] * group.mean() for group in groups])
    return np.stack(means), heights, low, high


def _field_radius(mean: np.ndarray, grid: Grid) -> float:
    """Radius of the inscribed circle (µm) if nothing was reconstructed outside of it, else infinite."""
    y, x = np.ogrid[: mean.shape[0], : mean.shape[1]]
    distance = np.hypot(y - (mean.shape[0] - 1) / 2, x - (mean.shape[1] - 1) / 2)
    half = (min(mean.shape) - 1) / 2
    outside = mean[distance > half + 2]
    if outside.size == 0 or np.ptp(outside) > 0:
        return np.inf
    return float((half - 1) * grid.spacing[1])


def _circles(
    sections: np.ndarray, grid: Grid, expected_um: float | None, field_um: float, smallest_share: float
) -> list[Circle]:
    """The wall in each section, in voxels; nothing if it is not believable."""
    pixel = float(grid.spacing[1])
    expected = None if expected_um is None else expected_um / pixel
    limit = min(min(sections.shape[1:]) / 2, field_um / pixel)
    start = find_circle(sections.mean(axis=0), expected, limit)
    if start is None:
        return []
    whole = fit_circle(sections.mean(axis=0), start)
    if whole is None or whole.share < smallest_share:
        return []
    if expected is not None and abs(whole.radius / expected - 1) > 0.05:
        return []
    fits = [fit_circle(section, whole) for section in sections]
    good = [fit for fit in fits if fit is not None and fit.share >= smallest_share]
    return good if len(good) == len(sections) else [whole]


def _axis(circles: list[Circle], heights: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray, float, float]:
    """A point of the axis, its slope, the radius and its standard deviation, µm."""
    middle = grid.middle
    if not circles:
        return middle, np.zeros(2), np.inf, 0.0
    pixel = float(grid.spacing[1])
    centres = grid.origin[1:] + pixel * np.array([[c.y, c.x] for c in circles])
    radii = pixel * np.array([c.radius for c in circles])
    floor = 0.1 * pixel
    slope = np.zeros(2)
    if len(circles) > 2:
        slope = np.polyfit(heights - middle[0], centres, 1)[0]
        spread = np.std(centres - np.outer(heights - middle[0], slope), axis=0, ddof=1).max()
        if np.abs(slope).max() * np.ptp(heights) < 2 * spread:
            slope = np.zeros(2)
        radius_std = float(np.hypot(np.std(radii, ddof=1) / np.sqrt(len(radii)), floor))
    else:
        radius_std = 2 * floor
    centre = np.array([middle[0], *np.median(centres - np.outer((heights - middle[0])[: len(circles)], slope), axis=0)])
    return centre, slope, float(np.median(radii)), radius_std


def _sentence(bore_mm: float | None, field: float) -> str:
    field_text = "the whole grid" if np.isinf(field) else f"the reconstructed circle of radius {field:.0f} um"
    if bore_mm is None:
        return f"no tube wall was found, so that {field_text} counts as the bore; set cell.bore_mm if there is a tube"
    return f"no wall of a {bore_mm} mm bore was found in the field of view, so that {field_text} counts as the bore"
