"""The anode's surface towards the electrolyte, and what opened before it."""

from typing import Annotated

import numpy as np
from pydantic import Field

from operando.model.constants import NORMAL_95
from operando.model.parameters import Parameters
from operando.model.products.morphology import INTERFACE, Bore, Classes, Interface, Labels, PhaseVolumes
from operando.model.step import First, Setting, step
from operando.morphology.blocks import Grid, grid_of
from operando.morphology.gaps import hidden_gap
from operando.morphology.roles import Roles
from operando.morphology.surface import Cavities, HeightMap, cavities, facing_of, height_map, main_body
from operando.morphology.triangles import contact, roughness, smooth_height


class InterfaceParameters(Parameters):
    """What counts as a gap."""

    smallest_gap_voxels: float = Field(
        1.0, gt=0, le=20, description="a void thinner than this is not told from contact"
    )
    smoothing_voxels: float = Field(
        1.0, ge=0, le=10, description="the surface is smoothed by this before its area is taken"
    )


_DEFAULTS = InterfaceParameters()


@step(version=2)
def interface(
    labels: Labels,
    bore: Bore,
    classes: Classes,
    first: First[PhaseVolumes],
    phases: Annotated[tuple[str, ...], Setting("tomography.phases")] = ("void", "electrolyte", "anode"),
    params: InterfaceParameters = _DEFAULTS,
) -> Interface:
    """Measure the anode's surface as a height map z(y, x), the gap before it, the area in contact and the cavities.

    Every column is walked from the electrolyte's side to the first voxel of the anode's main body (loose bright
    particles are none of it). Which side that is follows from the first scan's centres of gravity. The contact
    area is that of the triangles of the height map whose corners have no void before them; faces under an
    overhang are not seen by it. The bounds of area and loss come from moving the smallest gap by half of itself,
    those of the cavities from the class means, the noise and the thresholds. Where void and electrolyte differ by
    less than an eighth of what the anode differs from both (a quarter, if the images have streaks), its edge's
    tail hides thin gaps: then the bounds allow for a hidden gap everywhere, and a warning says so.
    """
    grid = grid_of(labels, "label")
    roles = Roles.of(phases)
    facing = facing_of(first["centroid"].values, roles)
    if facing == 0:
        return _nothing(grid)
    body = main_body(labels, grid, roles)
    surface = height_map(labels, roles, facing, body)
    if not np.isfinite(surface.height).any():
        return _nothing(grid)
    return _pack(surface, cavities(labels, roles, surface, body), grid, classes, roles, params)


def _pack(
    surface: HeightMap,
    found: Cavities | None,
    grid: Grid,
    classes: Classes,
    roles: Roles,
    params: InterfaceParameters,
) -> Interface:
    pixel = grid.spacing[1:]
    height = grid.origin[0] + surface.height * grid.spacing[0]
    gap = surface.gap * grid.spacing[0]
    limit = params.smallest_gap_voxels * grid.spacing[0]
    smooth = smooth_height(height, params.smoothing_voxels)
    areas = np.array([contact(smooth, gap, limit * factor, pixel) for factor in (1.0, 0.5, 1.5)])
    area, loss = areas[:, 0], 1 - areas[:, 0] / areas[:, 1]
    noise = _area_noise(height, smooth, areas[0, 1])
    rough = roughness(height, pixel)
    volume, half = _cavity_volume(found, grid, classes, roles)
    hidden = hidden_gap(classes, roles, float(grid.spacing[0]))
    return INTERFACE.new(
        coords=_coordinates(grid),
        attrs={"warnings": _hidden_sentences(hidden)},
        height=height.astype(np.float32),
        gap=gap.astype(np.float32),
        contact_area=area[0],
        contact_area_low=0.0 if hidden else area.min() - noise,
        contact_area_high=area.max() + noise,
        contact_loss=loss[0],
        contact_loss_low=max(loss.min(), 0.0),
        contact_loss_high=1.0 if hidden else min(loss.max(), 1.0),
        cavity_volume=volume,
        cavity_volume_low=max(volume - half, 0.0),
        cavity_volume_high=volume + half + hidden * float(areas[0, 1]),
        roughness=rough[0],
        roughness_low=rough[1],
        roughness_high=rough[2],
        facing=surface.facing,
    )


def _hidden_sentences(hidden: float) -> list[str]:
    if not hidden:
        return []
    return [
        f"void and electrolyte differ little beside the bright anode, so that gaps below {hidden:.1f} um may be hidden"
    ]


def _area_noise(height: np.ndarray, smooth: np.ndarray, area: float) -> float:
    """How much the smoothing decides the area: a tenth of what it takes away, µm²."""
    rough = np.nanstd(height - smooth)
    return float(0.02 * area * min(rough, 1.0)) if np.isfinite(rough) else 0.0


def _cavity_volume(found: Cavities | None, grid: Grid, classes: Classes, roles: Roles) -> tuple[float, float]:
    """Volume of the void touching the surface and the half-width of its 95 % interval, µm³."""
    if found is None or roles.void is None:
        return float("nan"), float("nan")
    voxels = max(float(found.volume.sum()), 0.0)
    contrast = float(classes["mean"].values[roles.void] - classes["mean"].values[roles.void - 1])
    blur = float(classes["blur"]) / float(grid.spacing.min())
    thickness = np.sqrt(2 * np.pi) * max(blur, 0.4)
    shift = thickness * float(classes["threshold_std"].values[roles.void - 1]) / contrast
    faces = float(np.sum((36 * np.pi) ** (1 / 3) * np.maximum(found.volume, 0) ** (2 / 3)))
    area = max(faces, 2.0 * float(found.touch.sum()))
    noise2 = area * thickness * (float(classes["noise"]) / contrast) ** 2 * float(classes["noise_correlation"])
    half = NORMAL_95 * np.sqrt((area * shift) ** 2 + noise2) if voxels else 0.0
    return voxels * grid.voxel_volume, float(half) * grid.voxel_volume


def _coordinates(grid: Grid) -> dict[str, tuple[str, np.ndarray, str]]:
    axes = grid.coordinates()
    return {"y_map": ("y_map", axes["y"], "um"), "x_map": ("x_map", axes["x"], "um")}


def _nothing(grid: Grid) -> Interface:
    nan = float("nan")
    empty = np.full(grid.shape[1:], np.nan, np.float32)
    bounds = {
        f"{name}{suffix}": nan
        for name in ("contact_area", "contact_loss", "cavity_volume", "roughness")
        for suffix in ("", "_low", "_high")
    }
    sentence = "anode and electrolyte were not both seen, so that there is no surface between them to measure"
    return INTERFACE.new(
        coords=_coordinates(grid), attrs={"warnings": [sentence]}, height=empty, gap=empty.copy(), facing=0, **bounds
    )
