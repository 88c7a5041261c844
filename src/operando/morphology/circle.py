"""Find a tube's wall as a circle in an image, on bare arrays; everything in pixels."""

from dataclasses import dataclass, replace

import numpy as np

_DIRECTIONS = 360
_WINDOW = 4.0
"""Pixels to either side of the circle that are looked at in the end."""
_APART = 0.25
"""Pixels between the radii at which a step is looked at."""
_SHARP = 1.5
"""Pixels to either side that tell best where a step is."""
_WHOLE = 3.0
"""Pixels to either side after which a step is over: how much lies inside of it."""


@dataclass(frozen=True)
class Circle:
    """A circle; ``share`` of all directions show the step within tolerance of it."""

    y: float
    x: float
    radius: float
    share: float = 0.0


def find_circle(image: np.ndarray, radius: float | None, limit: float) -> Circle | None:
    """The circle across which the image steps most, from a coarse search; ``None`` if it can't fit in ``limit``.

    The score is the median over all directions of the step, so that half of the wall may show nothing.
    """
    from scipy import ndimage

    factor = max(1, int(min(image.shape) / 128))
    small = ndimage.gaussian_filter(ndimage.zoom(image, 1 / factor, order=1) if factor > 1 else image, 1.0)
    scale = (np.array(image.shape) - 1) / (np.array(small.shape) - 1)
    pixel = float(scale.mean())
    lowest, highest = (0.25 * limit, 0.97 * limit) if radius is None else (0.95 * radius, 1.05 * radius)
    highest = min(highest, 0.99 * limit)
    if highest <= lowest:
        return None
    radii = np.arange(lowest / pixel, highest / pixel + 0.5, 0.5)
    middle = (np.array(small.shape) - 1) / 2
    best = (0.0, middle[0], middle[1], radii[0])
    reach = max(2.0, 0.12 * min(small.shape))
    for step in (reach / 4, reach / 16):
        offsets = step * np.arange(-4, 5)
        for y in best[1] + offsets:
            for x in best[2] + offsets:
                steps = np.abs(np.median(_steps(small, y, x, radii, 1.5, 90), axis=1))
                winner = int(np.argmax(steps))
                if steps[winner] > best[0]:
                    best = (float(steps[winner]), y, x, float(radii[winner]))
    if best[0] <= 0:
        return None
    return Circle(best[1] * scale[0], best[2] * scale[1], best[3] * pixel)


def _steps(image: np.ndarray, y: float, x: float, radii: np.ndarray, half: float, directions: int) -> np.ndarray:
    """Inside minus outside at each radius and direction."""
    return _polar(image, y, x, radii - half, directions) - _polar(image, y, x, radii + half, directions)


def _polar(image: np.ndarray, y: float, x: float, radii: np.ndarray, directions: int) -> np.ndarray:
    from scipy import ndimage

    angle = 2 * np.pi * np.arange(directions) / directions
    points = [y + np.outer(radii, np.sin(angle)), x + np.outer(radii, np.cos(angle))]
    return ndimage.map_coordinates(image, points, order=1, mode="nearest")


def fit_circle(image: np.ndarray, start: Circle, rounds: int = 3) -> Circle | None:
    """Locate the step in every direction to a fraction of a pixel and fit a circle to it, robustly.

    Directions whose step has the other sign, is weak, or lies off the circle are left out. Where steps lie tells
    whether they are on a circle (``share``); the circle returned holds as much as a sharp disc would.
    """
    circle = start
    for window in np.linspace(max(_WINDOW, 0.04 * start.radius), _WINDOW, rounds):
        fitted = _fitted(image, circle, window, _SHARP)
        if fitted is None:
            return None
        circle = fitted
    whole = _fitted(image, circle, _WINDOW, _WHOLE)
    return circle if whole is None else replace(whole, share=circle.share)


def _fitted(image: np.ndarray, circle: Circle, window: float, reach: float) -> Circle | None:
    """The circle through the steps within ``window`` of another one; ``None`` if too few can be used."""
    angles, radii, good = _edges(image, circle, window, reach)
    return _least_squares(angles, radii, good, circle) if good.sum() >= 0.3 * _DIRECTIONS else None


def _edges(image: np.ndarray, circle: Circle, window: float, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Direction (rad), radius of the step there (pixels), and whether it can be used.

    The radius is the centre of what the grey value changes, up or down, within ``reach`` of the steepest place. Where
    that is the whole step, a sharp disc would hold as much, however the step is blurred or overshoots.
    """
    radii = circle.radius + np.arange(-window, window + _APART, _APART)
    steps = _steps(image, circle.y, circle.x, radii, 1.0, _DIRECTIONS)
    steps *= np.sign(np.median(steps[np.argmax(np.abs(np.median(steps, axis=1)))]))
    peak = np.argmax(steps, axis=0)
    columns = np.arange(_DIRECTIONS)
    height = steps[peak, columns]
    near = np.abs(np.arange(len(radii))[:, None] - peak) <= reach / _APART
    weight = np.where(near, steps, 0)
    whole = weight.sum(axis=0)
    location = (weight * radii[:, None]).sum(axis=0) / np.where(whole > 0, whole, np.inf)
    good = (height > 0.25 * np.median(height)) & (whole > 0.25 * np.median(whole))
    good &= (peak > 0) & (peak < len(radii) - 1)
    return 2 * np.pi * columns / _DIRECTIONS, location, good


def _least_squares(angles: np.ndarray, radii: np.ndarray, good: np.ndarray, circle: Circle) -> Circle | None:
    design = np.stack([np.sin(angles), np.cos(angles), np.ones_like(angles)], axis=1)
    used = good
    for _ in range(5):
        if used.sum() < 10:
            return None
        solution = np.linalg.lstsq(design[used], radii[used], rcond=None)[0]
        residual = np.abs(radii - design @ solution)
        used = good & (residual < max(0.75, 3 * 1.4826 * float(np.median(residual[used]))))
    tolerance = max(1.5, 0.004 * circle.radius)
    share = float(np.mean(good & (residual < tolerance)))
    return Circle(circle.y + solution[0], circle.x + solution[1], float(solution[2]), share)
