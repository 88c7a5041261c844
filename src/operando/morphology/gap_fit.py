"""How wide the void between anode and electrolyte is, from the blurred step anode | void | electrolyte.

Thresholds fail beside an anode that is ten times denser than the electrolyte: the tail of its edge is brighter than
the void, and fills gaps of several voxels. Here the whole profile of each column is fitted,

    grey(u) = void + (anode - void) F((s - u) / w) + (electrolyte - void) F((u - s - gap) / w)

with F the normal distribution, u the distance from the surface as first seen, s its correction and w the width of
the point spread as the anode's side of the edge shows it, where no gap is felt; where surfaces are steep, or not
parallel, each edge has its own. A gap thinner than the point spread only narrows the edge, so that it is not told
from contact; see ``rim`` for what becomes of it.
"""

from dataclasses import dataclass, replace

import numpy as np

from operando.model.products.morphology import Labels, Levels
from operando.model.products.tomography import Volume
from operando.morphology.columns import IN_PLANE, LOWEST, Columns, columns
from operando.morphology.placement import Placement
from operando.morphology.roles import Roles
from operando.morphology.triangles import smooth_height

_WIDTHS = np.arange(0.40, 1.45, 0.05)
_WIDTH_STD = 0.02
"""How well the edge's width is known, voxels."""

_TOO_WIDE = 0.015
"""By how much aligning and averaging columns widens the anode's side of the edge (simulated scans), voxels."""

_FACTORS, _NEARBY = np.arange(0.85, 1.3, 0.05), 4.0
"""What the anode's edge may be narrower or wider by in places, and over how many columns that is looked for."""

_LIFTS = np.arange(0.0, 0.65, 0.1)
"""Shares of the way from the void's to the electrolyte's grey value that hardening may lift a void (seen: 0.4)."""

_SHOWN, _LEAST_COLUMNS, _MANY_COLUMNS = 2.0, 30, 2000
"""Columns with a gap of so many voxels tell the void's grey value; so many are needed, about so many used."""

_TOO_BAD = 6.0
"""Columns whose squared misfit is so many times the median's don't tell the void's grey value: on steep flanks a fit
may run through the electrolyte to something dark behind it."""

_SHORTEST, _LONGEST = 32, 128

_MOST_COLUMNS = 1.2e6
"""Of larger maps every second, third … column is fitted, so that the columns fit in memory."""


@dataclass(frozen=True)
class GapFit:
    """Maps (y, x) in voxels: ``gap`` (may be negative where there is none), NaN where unknown.

    ``narrow`` and ``wide``: with the point spread a standard deviation narrower, wider; ``dark``: with
    the void's grey value lower by its own. ``void``: that grey value. ``misfit``: typical residual beyond
    the surface over the contrast of void and electrolyte. ``drag``: by how much the surface seems to lie deeper
    for each voxel of a gap much thinner than the point spread ``width``.
    """

    gap: np.ndarray
    narrow: np.ndarray
    wide: np.ndarray
    dark: np.ndarray
    void: np.ndarray
    width: float
    misfit: float
    drag: float

    def spread_out(self, stride: int, height: np.ndarray) -> "GapFit":
        """The maps with every column of ``height``, each as its nearest fitted one."""
        if stride == 1:
            return self

        def spread(values: np.ndarray) -> np.ndarray:
            full = np.repeat(np.repeat(values, stride, axis=0), stride, axis=1)[: height.shape[0], : height.shape[1]]
            return np.where(np.isfinite(height), full, np.nan)

        gap, narrow, wide, dark = (spread(one) for one in (self.gap, self.narrow, self.wide, self.dark))
        return replace(self, gap=gap, narrow=narrow, wide=wide, dark=dark, void=spread(self.void))


def fit_gap(
    volume: Volume,
    height: np.ndarray,
    facing: int,
    levels: Levels,
    roles: Roles,
    place: Placement,
    wall_um: float,
    labels: Labels | None = None,
) -> GapFit | None:
    """Fit the gap before a surface ``height`` (rows); ``None`` without void and electrolyte, or in a label image.

    Voxels that are unknown in ``labels`` have no part in it.
    """
    mean, voxel = levels["mean"].values, float(place_spacing(volume))
    if roles.void is None or roles.electrolyte is None or float(levels["blur"]) < 0.05 * voxel:
        return None
    void, electrolyte, dense = (float(mean[label - 1]) for label in (roles.void, roles.electrolyte, roles.anode))
    if not np.isfinite(void + electrolyte) or electrolyte <= void:
        return None
    stride = int(np.ceil(np.sqrt(height.size / _MOST_COLUMNS)))
    calm_height = smooth_height(height, 0.7)[::stride, ::stride]
    length = _SHORTEST
    while True:
        found = columns(volume, calm_height, facing, place, wall_um, length, stride, labels)
        result = _fit(found, calm_height, stride, void, electrolyte, dense)
        told = result.gap[np.isfinite(result.gap)]
        if length >= _LONGEST or np.sum(told > length - 8) <= 1e-3 * told.size:
            return result.spread_out(stride, height)
        length *= 2


def place_spacing(volume: Volume) -> float:
    """Voxel along z, µm."""
    z = volume["z"].values
    return float(z[1] - z[0]) if len(z) > 1 else 1.0


def _fit(found: Columns, height: np.ndarray, stride: int, void: float, electrolyte: float, dense: float) -> GapFit:
    anode = found.level(np.broadcast_to(found.steps <= -3, found.raw.shape), 1.5)
    levels = np.stack([np.full_like(anode, void), np.full_like(anode, electrolyte), anode])
    tilt = _tilt(height, stride)
    width = edge_width(found, levels, tilt)
    widths = np.stack([width * tilt, width * tilt])
    gap, misfit, _ = _gaps(found, levels, widths)
    spread, lifted = 0.0, fitted_void(found, gap, levels, widths)
    for _ in range(2):
        believed = np.where(misfit < _TOO_BAD * _typical(misfit), gap, np.nan)
        levels[0], spread = void_level(found, believed, lifted, void, electrolyte)
        levels[1] = electrolyte_level(found, gap, electrolyte)
        widths = np.stack([widths[0] * local_factor(found, levels, widths, gap), far_width(width, height, gap, stride)])
        gap, misfit, beyond = _gaps(found, levels, widths)
    darker = levels - spread * np.array([1.0, 0.0, 0.0])[:, None, None]
    narrow, wide = (_gaps(found, levels, (1 + by / width) * widths)[0] for by in (-_WIDTH_STD, _WIDTH_STD))
    dark = _gaps(found, darker, widths)[0]
    gap, narrow, wide, dark = (sharpened(one) for one in (gap, narrow, wide, dark))
    typical = float(np.sqrt(_typical(beyond)))
    drag = (electrolyte - void) / (dense - electrolyte) if dense > electrolyte else float("inf")
    return GapFit(gap, narrow, wide, dark, levels[0], width, typical / (electrolyte - void), drag)


def _tilt(height: np.ndarray, stride: int) -> np.ndarray:
    """How much longer than straight across it a column's way through a surface is, from the surface's slope."""
    slope_y, slope_x = np.gradient(smooth_height(height, 1.5), stride)
    return np.asarray(np.nan_to_num(np.sqrt(1 + np.minimum(slope_y**2 + slope_x**2, 8.0)), nan=1.0))


def far_width(width: float, height: np.ndarray, gap: np.ndarray, stride: int) -> np.ndarray:
    """Width (y, x) of the electrolyte's edge, voxels.

    Columns are averaged once they are aligned to the anode, so that the electrolyte's edge is also as wide as the gap
    differs between those that are averaged.
    """
    thick = smooth_height(np.maximum(gap, 0.0), 1.5)
    slope_y, slope_x = np.gradient(np.nan_to_num(thick))
    return np.asarray(np.hypot(width * _tilt(height + thick, stride), IN_PLANE * np.hypot(slope_y, slope_x)))


def local_factor(found: Columns, levels: np.ndarray, widths: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """By how much the anode's edge is wider about each column (y, x) than ``widths`` (2, y, x) say, given the gap.

    On flanks and beside ridges columns don't align as well as on flat parts. The side of the edge within the anode
    tells, where the gap is hardly felt.
    """
    from operando.morphology._gap_kernels import edge_misfit

    misfits, out = [], np.empty(gap.shape)
    for factor in _FACTORS:
        tried = widths * np.array([factor, 1.0])[:, None, None]
        edge_misfit(found.calm, LOWEST, 1 - LOWEST, levels, tried, np.maximum(gap, 0.0), out)
        misfits.append(smooth_height(np.minimum(out, _TOO_BAD * _typical(out)), _NEARBY))
    return np.where(np.isfinite(misfits[0]), _lowest(_FACTORS, np.stack(misfits)), 1.0)


def electrolyte_level(found: Columns, gap: np.ndarray, electrolyte: float) -> np.ndarray:
    """The electrolyte's grey value (y, x) just behind the gap of each column."""
    begin = np.maximum(gap, 0.0) + 3.0
    with np.errstate(invalid="ignore"):
        return found.level((found.steps >= begin) & (found.steps <= begin + 5.0), 3.0, electrolyte)


def sharpened(gap: np.ndarray) -> np.ndarray:
    """The gap (y, x) with its thick parts as they were before neighbouring columns were averaged, to first order."""
    return gap + np.clip(gap - _SHOWN, 0.0, 1.0) * (gap - smooth_height(gap, IN_PLANE))


def _typical(misfit: np.ndarray) -> float:
    return float(np.nanmedian(misfit)) if np.isfinite(misfit).any() else float("inf")


def _gaps(found: Columns, levels: np.ndarray, widths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gap, squared misfit and squared misfit from the surface on (y, x)."""
    from operando.morphology._gap_kernels import fit_columns

    out = np.empty((4, *widths.shape[1:]))
    fit_columns(found.calm, LOWEST, levels, widths, out)
    return out[1], out[2], out[3]


def fitted_void(found: Columns, gap: np.ndarray, levels: np.ndarray, widths: np.ndarray) -> float:
    """The void's grey value away from thick gaps, which show it: that with which columns with a gap are fitted best.

    Hardening lifts it before the anode, where bubbles in the electrolyte don't tell it, and a gap fitted with a void
    that is too dark comes out too thin. ``gap`` (y, x), ``widths`` (2, y, x) and ``levels`` (void, electrolyte, anode;
    y, x) as fitted at first; where hardly any column shows a gap it is the void's there.
    """
    with np.errstate(invalid="ignore"):
        chosen = gap > _SHOWN
    void, electrolyte = (float(np.median(level)) for level in levels[:2])
    count = int(chosen.sum())
    if count < _LEAST_COLUMNS:
        return void
    step = 1 + count // _MANY_COLUMNS
    few = Columns(*(values[:, chosen][:, None, ::step].copy() for values in (found.raw, found.calm)))
    own, spread, misfits = levels[:, chosen][:, None, ::step].copy(), widths[:, chosen][:, None, ::step], []
    for lift in _LIFTS:
        own[0] = void + lift * (electrolyte - void)
        misfits.append(float(np.mean(_gaps(few, own, spread)[1])))
    return void + float(_lowest(_LIFTS, np.array(misfits))) * (electrolyte - void)


def _lowest(places: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Where evenly spaced values (place, …) are lowest, by a parabola; never beyond the places."""
    best = np.clip(np.argmin(np.nan_to_num(values, nan=np.inf), axis=0), 1, len(places) - 2)
    below, here, above = (np.take_along_axis(values, (best + by)[None], axis=0)[0] for by in (-1, 0, 1))
    curvature = below - 2 * here + above
    with np.errstate(invalid="ignore", divide="ignore"):
        offset = np.where(curvature > 0, np.clip(0.5 * (below - above) / curvature, -1, 1), 0.0)
    return np.asarray(places[best] + offset * (places[1] - places[0]))


def void_level(
    found: Columns, gap: np.ndarray, lifted: float, void: float, electrolyte: float
) -> tuple[np.ndarray, float]:
    """The void's grey value about each column (y, x), from where it is thick, and how far it varies over the gaps.

    Between dense parts hardening and streaks lift it; it is taken as no more than 0.8 of the way to the electrolyte's.
    Away from thick gaps it is ``lifted``, see ``fitted_void``. Columns whose ``gap`` (y, x) is NaN are not used.
    """
    with np.errstate(invalid="ignore"):
        inside = (gap > 4.5) & (found.steps >= 2.5) & (found.steps <= gap - 2)
    level = np.minimum(found.level(inside, 6.0, lifted), void + 0.8 * (electrolyte - void))
    thick = (inside & np.isfinite(found.raw)).sum(axis=0) > 2
    if thick.sum() < 30:
        return level, 0.1 * (electrolyte - void)
    return level, float(np.std(level[gap > _SHOWN]))


def edge_width(found: Columns, levels: np.ndarray, tilt: np.ndarray) -> float:
    """Width of the point spread in voxels: where a single edge fits the anode's side of the step best.

    Up to the surface a gap behind it is hardly felt. The median over the columns counts.
    """
    from operando.morphology._gap_kernels import edge_misfit

    every = max(1, int(np.sqrt(tilt.size / 20_000)))
    few, own, across = found.calm[:, ::every, ::every], levels[:, ::every, ::every], tilt[::every, ::every]
    misfits, out = [], np.empty((2, *across.shape))
    for width in _WIDTHS:
        for gap, kept in zip((0.0, 1e3), out, strict=True):
            tried = np.stack([width * across, width * across])
            edge_misfit(few, LOWEST, 1 - LOWEST, own, tried, np.full(across.shape, gap), kept)
        known = out.min(axis=0)[np.isfinite(out[0])]
        misfits.append(float(np.median(known)) if known.size else np.nan)
    return float(_lowest(_WIDTHS, np.array(misfits))) - _TOO_WIDE
