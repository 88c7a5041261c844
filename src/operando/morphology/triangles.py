"""A height map as triangles: its area, the part in contact, its roughness; on bare arrays."""

import numpy as np


def smooth_height(height: np.ndarray, width: float) -> np.ndarray:
    """Smoothed by a normal distribution of ``width`` pixels that leaves out unknown columns."""
    from scipy import ndimage

    if width == 0:
        return height
    valid = np.isfinite(height)
    weight = ndimage.gaussian_filter(valid.astype(float), width)
    total = ndimage.gaussian_filter(np.where(valid, height, 0.0), width)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(valid, total / weight, np.nan)


def triangle_areas(height: np.ndarray, pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas of the two triangles of every cell (2, y-1, x-1), NaN where a corner is unknown, and of its corners' mean.

    >>> flat, _ = triangle_areas(np.zeros((2, 2)), np.array([2.0, 3.0]))
    >>> float(flat.sum())
    6.0
    """
    a, b, c, d = height[:-1, :-1], height[:-1, 1:], height[1:, :-1], height[1:, 1:]
    flat = pixel[0] * pixel[1]
    first = np.sqrt(((b - a) * pixel[0]) ** 2 + ((c - a) * pixel[1]) ** 2 + flat**2) / 2
    second = np.sqrt(((d - c) * pixel[0]) ** 2 + ((d - b) * pixel[1]) ** 2 + flat**2) / 2
    return np.stack([first, second]), np.stack([(a + b + c) / 3, (b + c + d) / 3])


def contact(height: np.ndarray, gap: np.ndarray, limit: float, pixel: np.ndarray) -> tuple[float, float]:
    """Area of the triangles without void before them and of all triangles, µm².

    A triangle counts by the share of its corners whose gap is below ``limit``. Triangles reach to the middles of the
    outermost columns only; the half column beyond is taken to be like the rest.
    """
    areas, _ = triangle_areas(height, pixel)
    touching = (gap < limit).astype(float)
    a, b, c, d = touching[:-1, :-1], touching[:-1, 1:], touching[1:, :-1], touching[1:, 1:]
    share = np.stack([(a + b + c) / 3, (b + c + d) / 3])
    flat = np.isfinite(areas).sum() / 2
    beyond = float(np.isfinite(height).sum()) / flat if flat else 0.0
    return float(np.nansum(areas * share)) * beyond, float(np.nansum(areas)) * beyond


def roughness(height: np.ndarray, pixel: np.ndarray, tiles: int = 4) -> tuple[float, float, float]:
    """Root mean square of the height about its plane with its 95 % interval from tiles left out, µm."""
    y, x = np.nonzero(np.isfinite(height))
    if len(y) < 16:
        return (float("nan"),) * 3
    design = np.stack([np.ones(len(y)), y * pixel[0], x * pixel[1]], axis=1)
    values = height[y, x]
    residual2 = (values - design @ np.linalg.lstsq(design, values, rcond=None)[0]) ** 2
    tile = (y * tiles // height.shape[0]) * tiles + x * tiles // height.shape[1]
    sums = np.bincount(tile, residual2, minlength=tiles**2)
    counts = np.bincount(tile, minlength=tiles**2)
    used = counts > 0
    left_out = np.sqrt((residual2.sum() - sums[used]) / np.maximum(len(y) - counts[used], 1))
    n = int(used.sum())
    half = 1.96 * float(np.sqrt((n - 1) / n * np.sum((left_out - left_out.mean()) ** 2))) if n > 1 else 0.0
    value = float(np.sqrt(residual2.mean()))
    return value, max(value - half, 0.0), value + half
