"""The anode's surface towards the electrolyte, one a scan, and how far it has come."""

from typing import Annotated

import numpy as np

from operando.model.products.morphology import REACH, SURFACE, Labels, Reach, Surface
from operando.model.step import First, Previous, Setting, step
from operando.morphology.blocks import Grid, grid_of
from operando.morphology.height_map import HeightMap, facing_of, height_map, main_body
from operando.morphology.roles import Roles


@step(version=1)
def surface(
    labels: Labels,
    first: First[Labels],
    phases: Annotated[tuple[str, ...], Setting("tomography.phases")] = ("void", "electrolyte", "anode"),
) -> Surface:
    """Walk every column from the electrolyte's side to the first voxel of the anode's main body.

    Loose bright particles are none of it; faces under an overhang are not seen. Which side the electrolyte's is follows
    from the first scan.
    """
    grid, roles = grid_of(labels, "label"), Roles.of(phases)
    facing = facing_of(first, roles)
    if facing == 0:
        unknown = np.full(grid.shape[1:], np.nan)
        found = HeightMap(unknown, unknown, facing)
    else:
        found = height_map(labels, roles, facing, main_body(labels, grid, roles))
    return SURFACE.new(
        coords=map_axes(grid),
        height=(grid.origin[0] + found.height * grid.spacing[0]).astype(np.float32),
        void=(found.gap * grid.spacing[0]).astype(np.float32),
        facing=facing,
    )


@step(version=1)
def reach(surface: Surface, earlier: Previous[Reach] | None) -> Reach:
    """Follow how far towards the electrolyte the anode's surface has come: the electrolyte was pushed so far.

    A scan on another grid passes on what it was given.
    """
    if earlier is not None and not on_one_grid(surface, earlier):
        return earlier
    height = surface["height"].values
    if earlier is not None:
        farther = np.fmax if int(surface["facing"]) > 0 else np.fmin
        height = farther(height, earlier["height"].values)
    axes = {name: (name, surface[name].values, "um") for name in ("y_map", "x_map")}
    return REACH.new(coords=axes, height=height)


def on_one_grid(one: Surface | Reach, other: Surface | Reach) -> bool:
    """Whether two maps have the same columns."""
    return all(np.array_equal(one[name].values, other[name].values) for name in ("y_map", "x_map"))


def map_axes(grid: Grid) -> dict[str, tuple[str, np.ndarray, str]]:
    """Coordinates of a map of the grid's columns."""
    axes = grid.coordinates()
    return {"y_map": ("y_map", axes["y"], "um"), "x_map": ("x_map", axes["x"], "um")}


def in_voxels(surface: Surface, grid: Grid) -> HeightMap:
    """The map on the grid's own scale."""
    height = (surface["height"].values.astype(float) - grid.origin[0]) / grid.spacing[0]
    return HeightMap(height, surface["void"].values.astype(float) / grid.spacing[0], int(surface["facing"]))
