"""The anode's surface towards the electrolyte, and what opened before it."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from operando.model.constants import NORMAL_95
from operando.model.parameters import Parameters
from operando.model.products.morphology import INTERFACE, Bore, Interface, Labels, Levels, Motions, Reach, Surface
from operando.model.products.tomography import Volume
from operando.model.step import Own, Previous, Setting, step
from operando.morphology.blocks import Grid, grid_of
from operando.morphology.doubtful import void_on_anode
from operando.morphology.gap_fit import GapFit, fit_gap
from operando.morphology.height_map import HeightMap, counted_gap
from operando.morphology.placement import Placement
from operando.morphology.retreat import LEAST_COLUMNS, Retreat, shown_gaps, thin_gaps
from operando.morphology.rim import Opened, best_of, opened
from operando.morphology.roles import Roles
from operando.morphology.surface import in_voxels, map_axes, on_one_grid
from operando.morphology.triangles import contact, roughness, smooth_height

LEAST_OPEN = 0.4
"""Of a fitted gap this thin, in voxels, contact is no longer believed."""


RIM_AREA_STD, RIM_VOLUME_STD = 0.4, 0.25
"""Standard deviations of the rim's area and volume, as shares of them: a gap may end steeply or level (in made-up cells
the area was off by half of the rim where it ends like a dome, and as much the other way where it ends like a bell)."""

BOUNDED_TO = 4 / 3
"""Where no gap is seen, bounds are believed to residuals so many times ``largest_misfit`` (simulated coarse scans)."""

MOST_UNTOLD = 0.02
"""With a larger share of the surface without a word on gaps, a warning says so."""


class InterfaceParameters(Parameters):
    """What counts as a gap."""

    smallest_gap_voxels: float = Field(
        1.0, gt=0, le=20, description="in a label image, a void thinner than this is not told from contact"
    )
    smoothing_voxels: float = Field(
        1.0, ge=0, le=10, description="the surface is smoothed by this before its area is taken"
    )
    largest_misfit: float = Field(
        0.08,
        gt=0,
        description="with larger residuals beyond the surface (over the contrast of electrolyte and void) no gap is "
        "measured",
    )


_DEFAULTS = InterfaceParameters()


@step(version=22)
def interface(
    labels: Labels,
    surface: Surface,
    volume: Volume,
    bore: Bore,
    levels: Levels,
    motions: Own[Motions] | None,
    reach: Previous[Reach] | None = None,
    phases: Annotated[tuple[str, ...], Setting("tomography.phases")] = ("void", "electrolyte", "anode"),
    params: InterfaceParameters = _DEFAULTS,
) -> Interface:
    """Measure the gap before the anode's surface, the area in contact and the cavities.

    The gap is fitted to the grey values of each column (see ``gap_fit``): thresholds would lose it in the tail of the
    dense anode. One too thin for that is told by how far the surface has drawn back from where it had been, if the
    electrolyte stayed there (see ``retreat``). A gap is open where it is seen, and on its rim, where it is too thin to
    be seen and is taken to taper out as it did before. The contact area is that of the height map's triangles without
    an open gap.
    The bounds hold the uncertainty of the point spread, of the void's grey value and of where the electrolyte is, and
    the rim. Where residuals are large beside the contrast of void and electrolyte no gap is measured: if none is seen
    the bounds say what may hide (to ``BOUNDED_TO`` times the limit), else nothing is said; either way the void that the
    labels show on the anode is told as doubtful. A label image is counted as it is.
    """
    grid = grid_of(labels, "label")
    roles = Roles.of(phases)
    heights = in_voxels(surface, grid)
    if not np.isfinite(heights.height).any():
        return _nothing(grid, _NO_SURFACE)
    place = Placement.of(bore, motions, grid)
    wall = min(2.0 * float(levels["blur"]), 4.0 * float(grid.spacing[1]))
    fit = fit_gap(volume, heights.height, heights.facing, levels, roles, place, wall, labels)
    gaps = _counted(heights, params) if fit is None else _fitted(fit, heights, _retreated(surface, reach, grid), params)
    return _pack(heights, gaps, labels, grid, roles, params)


def _retreated(surface: Surface, reach: Reach | None, grid: Grid) -> np.ndarray | None:
    """How far the surface (y, x) lies behind where it had been, voxels; ``None`` where that is not known."""
    if reach is None or not on_one_grid(surface, reach):
        return None
    back = reach["height"].values.astype(float) - surface["height"].values
    return np.asarray(int(surface["facing"]) * back / grid.spacing[0])


@dataclass(frozen=True)
class _Gaps:
    """What is taken as open (None: not to be told) and the other ways it may be, voxels.

    Of ``others`` each is one standard deviation away to one side, or to both sides.
    """

    best: Opened | None
    others: tuple[tuple[Opened, ...], ...]
    warnings: list[str]
    told: np.ndarray
    """Columns (y, x) of which gap or contact can be told."""
    believed: bool = True
    """Whether a void that the labels show on the anode can't be a streak: a gap is seen there too."""
    void: np.ndarray | float = float("nan")
    """Grey value of the void before the columns (y, x), where it is fitted."""
    unsure: float = 0.0
    """Standard deviation of the fitted gap where there seems to be contact, voxels: it may hide there."""
    thin_std: float | None = None
    """That of gaps which the surface's retreat tells, voxels."""


def _counted(surface: HeightMap, params: InterfaceParameters) -> _Gaps:
    """Gaps of a label image, bounded by moving the smallest gap by half of itself."""
    maps = []
    for factor in (1.0, 0.5, 1.5):
        seen = np.nan_to_num(surface.gap) >= factor * params.smallest_gap_voxels
        maps.append(Opened(seen, np.zeros_like(seen), np.where(seen, surface.gap, 0.0)))
    return _Gaps(maps[0], (tuple(maps[1:]),), [], np.isfinite(surface.height))


def _fitted(fit: GapFit, surface: HeightMap, back: np.ndarray | None, params: InterfaceParameters) -> _Gaps:
    told = np.isfinite(fit.gap) & np.isfinite(surface.height)
    hidden = 1 - float(told.sum()) / max(float(np.isfinite(surface.height).sum()), 1.0)
    untold = f"before {100 * hidden:.0f} % of the anode's surface too much is unknown to tell a gap from contact"
    if not told.any():
        return _Gaps(None, (), [untold], told, believed=False)
    thin = None if back is None else thin_gaps(back, fit.gap, fit.drag, fit.width)
    best = _opened(fit.gap, thin)
    strays = f"beside the anode grey values deviate by {fit.misfit:.2g} of what void and electrolyte differ, so that "
    rough = fit.misfit > params.largest_misfit
    if rough and (best.seen.any() or fit.misfit > BOUNDED_TO * params.largest_misfit):
        return _Gaps(None, (), [strays + "gaps can't be measured"], told, believed=False)
    closed = smooth_height(best_of(fit.gap, None if thin is None else thin.gap), 1.0)[~best.everywhere & told]
    unsure = float(np.sqrt(np.nanmean(closed**2))) if closed.size else 0.0
    warnings = [strays + "gaps are only bounded"] * rough + [untold] * (hidden > MOST_UNTOLD)
    others = [(_opened(fit.narrow, thin), _opened(fit.wide, thin)), (_opened(fit.dark, thin),)]
    if thin is not None:
        others.append((_opened(fit.gap, thin.shifted(-1)), _opened(fit.gap, thin.shifted(1))))
    elif back is not None and shown_gaps(fit.gap, back).sum() >= LEAST_COLUMNS:
        warnings.append(_MOVED)
    thin_std = None if thin is None else thin.std
    return _Gaps(best, tuple(others), warnings, told, bool(best.seen.any()), fit.void, unsure, thin_std)


def _opened(gap: np.ndarray, thin: Retreat | None) -> Opened:
    return opened(gap, None if thin is None else thin.gap)


def _pack(
    surface: HeightMap, gaps: _Gaps, labels: Labels, grid: Grid, roles: Roles, params: InterfaceParameters
) -> Interface:
    height = grid.origin[0] + surface.height * grid.spacing[0]
    known = np.isfinite(surface.height)
    pixel = grid.spacing[1:]
    smooth = smooth_height(height, params.smoothing_voxels)
    rough = roughness(height, pixel)
    values = {"roughness": rough[0], "roughness_low": rough[1], "roughness_high": rough[2]}
    gap = np.full(height.shape, np.nan)
    number = np.zeros(height.shape, np.int32)
    if gaps.best is not None:
        gap = np.where(gaps.told, gaps.best.gap * grid.spacing[0], np.nan)
        number = _numbered(gaps.best.everywhere & known)
        told = [np.where(gaps.told, one, np.nan) for one in (height, smooth)]
        touching = _contact(gaps.best, gaps.others, told[0], told[1], pixel)
        values |= {f"contact_loss_seen{end}": touching[f"contact_loss{end}"] for end in ("", "_low", "_high")}
        values |= _hidden_contact(touching, gaps.unsure)
        values |= _cavity(gaps.best, gaps.others, grid, gaps.unsure * np.sum(gaps.told & ~gaps.best.everywhere))
        values["cavity_counted"] = counted_gap(labels, roles, surface, gaps.best) * grid.voxel_volume
        values["cavity_grey"] = _mean_grey(gaps)
        values["thin_gap_std"] = np.nan if gaps.thin_std is None else gaps.thin_std * grid.spacing[0]
    else:
        values |= _unknown(("contact_area", "contact_loss", "contact_loss_seen", "cavity_volume"))
        values |= {"cavity_counted": float("nan"), "cavity_grey": float("nan"), "thin_gap_std": float("nan")}
    doubted = 0.0 if gaps.believed else void_on_anode(labels, grid, roles) * grid.voxel_volume
    return INTERFACE.new(
        coords=map_axes(grid),
        attrs={"warnings": gaps.warnings + _doubt(doubted)},
        height=height.astype(np.float32),
        gap=gap.astype(np.float32),
        cavity=number,
        facing=surface.facing,
        unknown_share=_unknown_share(labels, known),
        void_doubted=doubted,
        **values,
    )


def _mean_grey(gaps: _Gaps) -> float:
    """Mean grey value of the void in the open gaps; NaN where there is none, or where it is not fitted."""
    assert gaps.best is not None
    width = np.where(np.isfinite(gaps.void), np.maximum(gaps.best.gap, 0.0), 0.0)
    return float(np.sum(width * np.nan_to_num(gaps.void)) / width.sum()) if width.sum() > 0 else float("nan")


def _doubt(volume: float) -> list[str]:
    return [f"of the void that is seen {volume:.2g} um3 touch the anode and may be streaks"] if volume > 0 else []


def _numbered(mask: np.ndarray) -> np.ndarray:
    """Connected open places, numbered from 1 (y, x)."""
    from scipy import ndimage

    return np.asarray(ndimage.label(mask)[0], np.int32)


def _unknown_share(labels: Labels, known: np.ndarray) -> float:
    """Share of the bore's columns whose surface is not known."""
    middle = labels["label"].isel(z=labels.sizes["z"] // 2).values
    inside = middle != 0
    return float(np.mean(~known[inside])) if inside.any() else 1.0


def _contact(
    best: Opened, others: tuple[tuple[Opened, ...], ...], height: np.ndarray, smooth: np.ndarray, pixel: np.ndarray
) -> dict[str, float]:
    """Contact area and loss with their bounds: the rim's part, and what the other fits say, each normal."""

    def areas(open_: np.ndarray) -> tuple[float, float]:
        return contact(smooth, open_.astype(float), 0.5, pixel)

    touching, whole = areas(best.everywhere)
    rim = RIM_AREA_STD * (areas(best.seen)[0] - touching)
    away = _spread([[areas(one.everywhere)[0] - touching for one in sides] for sides in others])
    half = NORMAL_95 * float(np.hypot(rim, away))
    area_half = half + _area_noise(height, smooth, whole)
    loss = 1 - touching / whole if whole else float("nan")
    return {
        "contact_area": touching,
        "contact_area_low": max(touching - area_half, 0.0),
        "contact_area_high": min(touching + area_half, whole * 1.01),
        "contact_loss": loss,
        "contact_loss_low": max(loss - half / whole, 0.0),
        "contact_loss_high": min(loss + half / whole, 1.0),
    }


def _hidden_contact(values: dict[str, float], unsure: float) -> dict[str, float]:
    """Contact and its loss, with the share of columns lowered that may be open by ``LEAST_OPEN`` voxels unseen."""
    share = math.erfc(LEAST_OPEN / (math.sqrt(2) * unsure)) if unsure > 0 else 0.0
    loss = values["contact_loss_high"]
    return values | {
        "contact_area_low": values["contact_area_low"] * (1 - share),
        "contact_loss_high": min(1.0, loss + (1 - loss) * share),
    }


def _cavity(best: Opened, others: tuple[tuple[Opened, ...], ...], grid: Grid, hidden: float) -> dict[str, float]:
    """Volume of the open gaps with its bounds, µm³; above it also one standard deviation of what contact may hide."""
    volume = float(best.gap.sum())
    rim = RIM_VOLUME_STD * float(best.gap[best.rim].sum())
    away = _spread([[float(one.gap.sum()) - volume for one in sides] for sides in others])
    half = NORMAL_95 * float(np.sqrt(rim**2 + away**2 + (0.01 * volume) ** 2))
    voxel = grid.voxel_volume
    return {
        "cavity_volume": volume * voxel,
        "cavity_volume_low": max(volume - half, 0.0) * voxel,
        "cavity_volume_high": (volume + half + hidden) * voxel,
    }


def _spread(changes: list[list[float]]) -> float:
    """One standard deviation from changes by one each, to one side or to both."""
    return float(np.linalg.norm([(one[-1] - one[0]) / 2 if len(one) > 1 else one[0] for one in changes]))


def _area_noise(height: np.ndarray, smooth: np.ndarray, area: float) -> float:
    """What smoothing and the border decide of the area: 0.5 %, and 2 % for each µm of what was smoothed away, µm²."""
    rough = np.nanstd(height - smooth)
    return float(area * (0.005 + 0.02 * min(rough, 1.0))) if np.isfinite(rough) else 0.0


def _unknown(names: tuple[str, ...]) -> dict[str, float]:
    return {f"{name}{suffix}": float("nan") for name in names for suffix in ("", "_low", "_high")}


_MOVED = "the electrolyte has not stayed where the anode had been, so that gaps below the resolution are guessed at"

_NO_SURFACE = "anode and electrolyte were not both seen, so that there is no surface between them to measure"


def _nothing(grid: Grid, sentence: str) -> Interface:
    empty = np.full(grid.shape[1:], np.nan, np.float32)
    return INTERFACE.new(
        coords=map_axes(grid),
        attrs={"warnings": [sentence]},
        height=empty,
        gap=empty.copy(),
        cavity=np.zeros(grid.shape[1:], np.int32),
        facing=0,
        unknown_share=1.0,
        cavity_counted=float("nan"),
        cavity_grey=float("nan"),
        thin_gap_std=float("nan"),
        void_doubted=0.0,
        **_unknown(("contact_area", "contact_loss", "contact_loss_seen", "cavity_volume", "roughness")),
    )
