"""A look at the motions of the whole series: which do not fit, and what is used instead."""

import numpy as np
import xarray as xr
from pydantic import Field

from operando.model.parameters import Parameters
from operando.model.products.morphology import MOTIONS, Motion, Motions
from operando.model.step import Series, step


class MotionsParameters(Parameters):
    """When a scan's motion does not fit the series."""

    jump_um: float = Field(20.0, gt=0, description="a lone jump beyond this from both neighbours is not believed")
    significance: float = Field(5.0, gt=0, description="nor one below this many standard deviations")
    smallest_correlation: float = Field(
        0.3, ge=-1, le=1, description="a motion with a lower correlation on the still parts is not believed"
    )


_DEFAULTS = MotionsParameters()


@step(version=1)
def motions(series: Series[Motion], params: MotionsParameters = _DEFAULTS) -> Motions:
    """Flag motions that do not fit their neighbours and replace them by the neighbours'.

    A motion is an outlier if it lies away from both neighbours while these agree with each other, or if
    the still parts correlate less with it than without. Others are used as they are, so that a new scan
    does not change the old ones. Where a motion is replaced its standard deviation covers the jump.
    """
    names, rows = zip(*((_name(motion, i), _row(motion)) for i, motion in enumerate(series)), strict=True)
    values, stds, scores = (np.stack(column) for column in zip(*rows, strict=True))
    outlier = lost(scores, params.smallest_correlation) | lone_jumps(
        values[:, :3], stds[:, :3], params.jump_um, params.significance
    )
    outlier[0] = False
    used, used_std = replaced(values, stds, outlier)
    return MOTIONS.new(
        coords={"scan": np.array([frame for frame, _ in names]), "axis": ["z", "y", "x"]},
        attrs={"warnings": _sentences([file for _, file in names], outlier)},
        translation=used[:, :3],
        translation_std=used_std[:, :3],
        rotation=used[:, 3:6],
        rotation_std=used_std[:, 3:6],
        grey_scale=used[:, 6],
        grey_scale_std=used_std[:, 6],
        outlier=outlier,
    )


def _name(motion: xr.Dataset, place: int) -> tuple[int, str]:
    """Number and file of a scan."""
    return motion.attrs.get("frame", place), motion.attrs.get("file", f"scan {place}")


def _row(motion: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The motion, its standard deviation, and how well the still parts correlate without and with it."""
    scores = np.array([float(motion["correlation_before"]), float(motion["correlation"])])
    return _vector(motion, ""), _vector(motion, "_std"), scores


def _vector(motion: xr.Dataset, suffix: str) -> np.ndarray:
    parts = [np.atleast_1d(motion[name + suffix].values) for name in ("translation", "rotation", "grey_scale")]
    return np.concatenate(parts).astype(float)


def lost(scores: np.ndarray, smallest: float) -> np.ndarray:
    """Whether the motion (column 1) correlates worse than none (column 0) or hardly at all."""
    before, after = scores.T
    return ~(after >= smallest) | (after < before - 0.01)


def lone_jumps(values: np.ndarray, stds: np.ndarray, jump: float, significance: float) -> np.ndarray:
    """Whether a scan alone jumps away from both neighbours while these agree; (scan, axis) in µm."""
    flagged = np.zeros(len(values), bool)
    for i in range(1, len(values) - 1):
        middle = (values[i - 1] + values[i + 1]) / 2
        width = np.sqrt(stds[i] ** 2 + (stds[i - 1] ** 2 + stds[i + 1] ** 2) / 4)
        away = np.abs(values[i] - middle) > np.maximum(jump, significance * width)
        agree = np.abs(values[i + 1] - values[i - 1]) < jump / 2
        flagged[i] = bool(np.any(away & agree))
    return flagged


def replaced(values: np.ndarray, stds: np.ndarray, outlier: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outliers replaced by interpolation between good neighbours; their spread joins the deviation."""
    good = np.flatnonzero(~outlier)
    used, used_std = values.copy(), stds.copy()
    for i in np.flatnonzero(outlier):
        left = good[good < i][-1]
        right = good[good > i][0] if np.any(good > i) else left
        part = 0.0 if left == right else (i - left) / (right - left)
        used[i] = (1 - part) * values[left] + part * values[right]
        around = values[good[np.argsort(np.abs(good - i))[:4]]]
        spread = around.std(axis=0) if len(around) > 1 else np.abs(values[left])
        used_std[i] = np.sqrt(np.maximum(stds[left], stds[right]) ** 2 + spread**2)
    return used, used_std


def _sentences(names: list[str], outlier: np.ndarray) -> list[str]:
    odd = [names[i] for i in np.flatnonzero(outlier)]
    return [f"{name}: its motion does not fit the series and was taken from its neighbours" for name in odd]
