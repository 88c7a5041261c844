"""Step ``per_charge``: how much a phase grows and shrinks per charge, and what share of it stays behind."""

from typing import Annotated

import numpy as np

from operando.diffraction.amounts import phase_areas
from operando.diffraction.rounding import without_last_bits
from operando.model.material import Material
from operando.model.products.diffraction import AREA_PER_CHARGE, AreaPerCharge, Lines
from operando.model.products.joint import SpectrumTimeline
from operando.model.step import Series, Setting, step

WAYS = ("charge", "discharge")


@step(version=1)
def per_charge(
    lines: Series[Lines],
    timeline: SpectrumTimeline,
    phases: Annotated[tuple[Material, ...] | None, Setting("diffraction.phases", resolve="material")],
) -> AreaPerCharge:
    """Slope of each phase's summed line area against net charge, one for all charges and one for all discharges.

    Every step of the protocol has its own level, so that motion and relaxation between steps do not enter. A phase
    that takes all the lithium it gives has equal slopes; less on discharge is a share that stays inactive, or an
    interface that moved through the gauge.
    """
    names = [one.name for one in phases or ()]
    frames = [int(one.attrs["frame"]) for one in lines]
    charge, way, group = (timeline[name].values[frames] for name in ("charge", "step_kind", "step"))
    slope, std, count = np.full((3, len(names), len(WAYS)), np.nan)
    for row, name in enumerate(names):
        area, area_std = np.array([phase_areas(one, name) for one in lines], float).reshape(-1, 2).T
        for column, wanted in enumerate(WAYS):
            used = (way.astype(str) == wanted) & np.isfinite(charge + area) & (area_std > 0.0)
            slope[row, column], std[row, column] = common_slope(
                charge[used], area[used], area_std[used], group[used].astype(int)
            )
            count[row, column] = used.sum()
    ratio = slope[:, 1] / slope[:, 0]
    return without_last_bits(
        AREA_PER_CHARGE.new(
            coords={
                "phase": ("phase", np.array(names, dtype=str), "text"),
                "way": ("way", np.array(WAYS), "text"),
            },
            slope=slope,
            slope_std=std,
            inactive=1.0 - ratio,
            inactive_std=np.abs(ratio) * np.hypot(std[:, 0] / slope[:, 0], std[:, 1] / slope[:, 1]),
            spectra=count,
        )
    )


def common_slope(x: np.ndarray, y: np.ndarray, y_std: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Slope of y (n,) against x (n,) shared by all groups, each with its own level, and its standard deviation.

    Scatter beyond the stated deviations widens it (Birge's ratio). NaN where no group has two different x.

    >>> common_slope(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]), np.ones(3), np.zeros(3, int))[0]
    2.0
    """
    weight = y_std**-2.0
    levels = [group == one for one in np.unique(group)]
    dx, dy = x.astype(float).copy(), y.astype(float).copy()
    for level in levels:
        for values in (dx, dy):
            values[level] -= np.average(values[level], weights=weight[level])
    information = float(weight @ dx**2)
    freedom = len(x) - len(levels) - 1
    if freedom < 0 or information <= 0.0:
        return float("nan"), float("nan")
    slope = float(weight @ (dx * dy)) / information
    misfit = float(weight @ (dy - slope * dx) ** 2) / freedom if freedom else 1.0
    return slope, float(np.sqrt(max(1.0, misfit) / information))
