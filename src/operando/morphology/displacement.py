"""How the electrolyte moved between two scans, by digital volume correlation."""

from typing import Annotated

import numpy as np
from pydantic import Field

from operando.model.constants import NORMAL_95
from operando.model.parameters import Parameters
from operando.model.products.morphology import DISPLACEMENT, Bore, Displacement, Labels, Motion
from operando.model.products.tomography import Volume
from operando.model.step import After, Before, Setting, step
from operando.morphology.blocks import Grid, grid_of
from operando.morphology.correlation import locate, sample_around
from operando.morphology.placement import Placement
from operando.morphology.roles import Roles

COMPONENTS = ["zz", "yy", "xx", "zy", "zx", "yx"]
_PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


class DisplacementParameters(Parameters):
    """How the electrolyte is followed."""

    subset_voxels: int = Field(9, ge=3, le=64, description="half the side of the cubes that are followed")
    search_voxels: int = Field(6, ge=1, le=64, description="how far a cube is looked for")
    nodes: int = Field(48, ge=8, le=20_000, description="about so many places are followed, evenly spread")
    smallest_correlation: float = Field(0.5, ge=0, le=1, description="places that correlate less are left out")
    smallest_share: float = Field(0.9, gt=0, le=1, description="share of a cube's axes that must be electrolyte")


_DEFAULTS = DisplacementParameters()


@step(version=2)
def displacement(
    before: Before[Volume],
    after: After[Volume],
    before_labels: Before[Labels],
    after_labels: After[Labels],
    before_motion: Before[Motion],
    after_motion: After[Motion],
    bore: Bore,
    phases: Annotated[tuple[str, ...], Setting("tomography.phases")] = ("void", "electrolyte", "anode"),
    params: DisplacementParameters = _DEFAULTS,
) -> Displacement:
    """Follow cubes of electrolyte from one scan to another (https://doi.org/10.1007/BF02323555).

    Cubes on an even grid are placed by both scans' motions, so that what is found is movement within the cell. The
    strain at a node is the slope of a plane through the displacements around it; its noise floor is what the scatter
    about these planes gives, and ``strain_seen`` marks what stands out from it. The same between two scans at rest
    shows the floor directly (see ``strain``). Nodes that correlate too little are left out; a material without
    texture gives none.
    """
    grid = grid_of(before, "mu")
    roles = Roles.of(phases)
    places = [Placement.of(bore, motion, grid) for motion in (before_motion, after_motion)]
    wanted = _nodes(grid, params)
    kept = [node for node in wanted if _in_electrolyte(node, (before_labels, after_labels), grid, roles, params)]
    position, moved, std = _follow(kept, (before, after), grid, places, params)
    strain, noise = strains(position, moved)
    noise = noise * overlap(wanted, params)
    sentence = f"{len(position)} of {len(wanted)} places could be followed"
    return DISPLACEMENT.new(
        coords={"axis": ["z", "y", "x"], "component": COMPONENTS},
        attrs={
            "warnings": [] if len(position) >= 8 else [f"the electrolyte's displacement is hardly known: {sentence}"]
        },
        displacement=moved,
        displacement_std=std,
        position=position,
        strain=strain,
        strain_noise=noise,
        strain_seen=np.abs(strain) > NORMAL_95 * noise,
    )


def _nodes(grid: Grid, params: DisplacementParameters) -> np.ndarray:
    """Voxel indices (n, 3) of an even grid, a subset and its search away from the border."""
    margin = params.subset_voxels + params.search_voxels
    room = np.array(grid.shape) - 2 * margin
    if np.any(room < 1):
        return np.zeros((0, 3), int)
    spacing = max(1.0, (float(np.prod(room)) / params.nodes) ** (1 / 3))
    axes = [np.arange(margin, n - margin, round(spacing)) for n in grid.shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _in_electrolyte(
    node: np.ndarray, labels: tuple[Labels, Labels], grid: Grid, roles: Roles, params: DisplacementParameters
) -> bool:
    """Whether enough of a cube's three axes is electrolyte in both scans; reads only these lines."""
    half = params.subset_voxels
    names = ("z", "y", "x")
    for scan in labels:
        lines = []
        for axis, name in enumerate(names):
            where: dict[str, object] = {n: int(node[i]) for i, n in enumerate(names)}
            where[name] = slice(max(int(node[axis]) - half, 0), int(node[axis]) + half + 1)
            lines.append(scan["label"].isel(where).values)
        if np.mean(np.concatenate(lines) == roles.electrolyte) < params.smallest_share:
            return False
    return True


def _follow(
    nodes: list[np.ndarray],
    scans: tuple[Volume, Volume],
    grid: Grid,
    places: list[Placement],
    params: DisplacementParameters,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, displacements and their standard deviations, µm (n, 3)."""
    half = params.subset_voxels * float(grid.spacing.min())
    search = params.search_voxels * float(grid.spacing.min())
    found = []
    for node in nodes:
        at = grid.origin + node * grid.spacing
        template = sample_around(scans[0], at, half, grid, places[0])
        scene = sample_around(scans[1], at, half + search, grid, places[1])
        shift = locate(template.values, scene.values, grid.spacing)
        if shift.correlation >= params.smallest_correlation:
            found.append(np.stack([at, shift.shift, shift.std]))
    table = np.array(found).reshape(-1, 3, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def overlap(nodes: np.ndarray, params: DisplacementParameters) -> float:
    """How much noisier strain is than its scatter tells, because neighbouring cubes share voxels and err together.

    Cubes wider than their distance by a factor repeat each other's errors along each line of neighbours.
    """
    steps = [np.diff(np.unique(nodes[:, axis])) for axis in range(3)]
    spacing = min((float(step.min()) for step in steps if step.size), default=np.inf)
    return max(1.0, (2 * params.subset_voxels + 1) / spacing)


def strains(position: np.ndarray, moved: np.ndarray, neighbours: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Strain (n, 6) at each node from planes through its neighbours, and its noise floor (6,).

    NaN where fewer than eight neighbours spread in all directions.
    """
    strain = np.full((len(position), 6), np.nan)
    floor = np.full((len(position), 6), np.nan)
    if len(position) < 8:
        return strain, np.full(6, np.nan)
    for n, place in enumerate(position):
        near = np.argsort(np.linalg.norm(position - place, axis=1), kind="stable")[: neighbours + 1]
        design = np.column_stack([np.ones(len(near)), position[near] - place])
        if np.linalg.matrix_rank(design) < 4:
            continue
        solution = np.linalg.lstsq(design, moved[near], rcond=None)[0]
        freedom = max(len(near) - 4, 1)
        scatter = np.sqrt(np.sum((moved[near] - design @ solution) ** 2, axis=0) / freedom)
        spread = np.sqrt(np.diag(np.linalg.inv(design.T @ design)))[1:]
        slope = solution[1:].T
        strain[n] = [(slope[i, j] + slope[j, i]) / 2 for i, j in _PAIRS]
        floor[n] = [np.hypot(scatter[i] * spread[j], scatter[j] * spread[i]) / 2 for i, j in _PAIRS]
    known = np.isfinite(floor).all(axis=1)
    return strain, np.median(floor[known], axis=0) if known.any() else np.full(6, np.nan)
