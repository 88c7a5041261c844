"""The lengths that the user asked to follow: heights of protrusions, distances of particles."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from operando.model.configuration import Track
from operando.model.constants import NORMAL_95
from operando.model.parameters import Parameters
from operando.model.products.morphology import TRACKS, Bore, Interface, Levels, Motions, Tracks
from operando.model.products.tomography import Volume
from operando.model.step import First, Own, Setting, step
from operando.morphology.blocks import Grid, grid_of
from operando.morphology.correlation import locate, sample_around
from operando.morphology.placement import Placement
from operando.morphology.roles import Roles
from operando.morphology.shadow import shadow_edge
from operando.morphology.triangles import smooth_height


class TrackParameters(Parameters):
    """How features are followed."""

    search: float = Field(
        1.0, gt=0, le=5, description="a particle is looked for this many radii around its first place"
    )
    smoothing_voxels: float = Field(0.7, ge=0, le=5, description="heights are smoothed by this before percentiles")
    smallest_correlation: float = Field(
        0.5, ge=0, le=1, description="below this a particle counts as lost: no length is given"
    )


_CENTROID_VOXELS = 0.05
"""How well the centre of gravity of a particle is known in the first scan, voxels."""

_LEAD = 3.0
"""Standard deviations of chance that a particle's place has to fit better than any other."""


@dataclass(frozen=True)
class _Found:
    length: float
    half: float
    position: np.ndarray
    warning: str = ""


_DEFAULTS = TrackParameters()


@step(version=3)
def track(
    volume: Volume,
    first: First[Volume],
    interface: Interface,
    first_interface: First[Interface],
    bore: Bore,
    levels: Levels,
    motions: Own[Motions] | None = None,
    tracks: Annotated[tuple[Track, ...], Setting("tomography.track")] = (),
    phases: Annotated[tuple[str, ...], Setting("tomography.phases")] = ("void", "electrolyte", "anode"),
    params: TrackParameters = _DEFAULTS,
) -> Tracks:
    """Measure every configured length in this scan, in the first scan's frame.

    Protrusion: 99th percentile of the surface's height inside ``radius_um`` over the median of the ring from 1 to
    1.5 radii, positive where it sticks out towards the electrolyte; what blurring takes from a tip is given back. Where
    the anode around is opaque, the edge of its shadow is the base. Particle: distance of its centroid along z to
    the outer face of the first scan's last row; its centroid is that of the first scan, moved by the shift that
    correlates best; where other places fit nearly as well it is lost. Bounds hold noise, that of its centre, and the
    motion's uncertainty where it does not cancel.
    """
    grid = grid_of(first, "mu")
    place = Placement.of(bore, motions, grid)
    found = [
        protrusion(interface, item, grid, levels, params.smoothing_voxels, _Opaque(volume, place, phases))
        if item.kind == "protrusion"
        else particle(volume, first, item, grid, place, params)
        for item in tracks
    ]
    length, half = (np.array([getattr(f, name) for f in found], float) for name in ("length", "half"))
    position = np.stack([f.position for f in found]) if found else np.zeros((0, 3))
    return TRACKS.new(
        coords={"track": [item.name for item in tracks], "axis": ["z", "y", "x"]},
        attrs={"warnings": [f.warning for f in found if f.warning], "kind": [item.kind for item in tracks]},
        length=length,
        length_low=length - half,
        length_high=length + half,
        position=position,
    )


@dataclass(frozen=True)
class _Opaque:
    """The scan itself, for surfaces of which only a shadow is seen."""

    volume: Volume
    place: Placement
    phases: tuple[str, ...]

    def base(self, grid: Grid, ring: np.ndarray, levels: Levels, top: float, depth: float) -> float:
        """Height of the shadow's edge over the ring, µm; NaN if there is none. ``top`` and result along z."""
        roles = Roles.of(self.phases)
        if roles.electrolyte is None:
            return float("nan")
        means = levels["mean"].values[[roles.electrolyte - 1, roles.anode - 1]].astype(float)
        return shadow_edge(self.volume, grid, self.place, ring, top, top - depth, means)


def protrusion(
    interface: Interface,
    item: Track,
    grid: Grid,
    levels: Levels,
    smoothing: float,
    opaque: _Opaque | None = None,
) -> _Found:
    """Height of the surface at a place over its surroundings, µm."""
    facing = int(interface["facing"])
    voxel = float(grid.spacing[1])
    raw = facing * interface["height"].values.astype(float)
    blur = float(np.hypot(smoothing, float(levels["blur"]) / voxel))
    height, lost = sharpened(raw, smoothing, blur)
    y, x = interface["y_map"].values, interface["x_map"].values
    distance = np.hypot((y - item.at_um[1])[:, None], (x - item.at_um[2])[None])
    disc, ring = distance <= item.radius_um, (distance > item.radius_um) & (distance <= 1.5 * item.radius_um)
    inside, around = height[disc & np.isfinite(height)], height[ring & np.isfinite(height)]
    place = np.array([np.nan, item.at_um[1], item.at_um[2]])
    if facing != 0 and opaque is not None and inside.size and around.size < 0.5 * ring.sum():
        return _over_opaque(height, disc, ring, (y, x), item, grid, levels, facing, opaque)
    if facing == 0 or inside.size < 0.5 * disc.sum() or around.size < 0.5 * ring.sum() or inside.size == 0:
        return _Found(float("nan"), float("nan"), place, f"track {item.name}: the surface there is unknown")
    top, base = float(np.percentile(inside, 99)), float(np.median(around))
    peak = np.unravel_index(np.argmin(np.where(disc & np.isfinite(height), np.abs(height - top), np.inf)), height.shape)
    position = np.array([facing * top, y[peak[0]], x[peak[1]]])
    half = _height_half(raw, height, disc, ring, float(lost[peak]), float(grid.spacing[0]))
    return _Found(top - base, half, position)


def _over_opaque(
    height: np.ndarray,
    disc: np.ndarray,
    ring: np.ndarray,
    axes: tuple[np.ndarray, np.ndarray],
    item: Track,
    grid: Grid,
    levels: Levels,
    facing: int,
    opaque: _Opaque,
) -> _Found:
    """A protrusion whose surroundings let no light through: known columns stand out over the shadow's edge.

    Columns without a surface lie deeper than those with one, for it is the deep rows that are opaque. Top and base are
    each taken to be known to half a voxel.
    """
    known = np.where(disc & np.isfinite(height), height, -np.inf)
    top = float(np.sort(known[disc])[max(int(np.ceil(0.99 * disc.sum())) - 1, 0)])
    peak = np.unravel_index(np.argmax(known), height.shape)
    position = np.array([facing * top, axes[0][peak[0]], axes[1][peak[1]]])
    base = opaque.base(grid, ring, levels, facing * top, facing * 3 * item.radius_um) if np.isfinite(top) else np.nan
    if not np.isfinite(base):
        sentence = f"track {item.name}: the surface there is unknown"
        return _Found(float("nan"), float("nan"), np.array([np.nan, *item.at_um[1:]]), sentence)
    half = NORMAL_95 * float(np.hypot(0.5, 0.5) * grid.spacing[0])
    sentence = f"track {item.name}: the anode around it is opaque; its base is the edge of the shadow"
    return _Found(top - facing * base, half, position, sentence)


def sharpened(height: np.ndarray, smoothing: float, blur: float) -> tuple[np.ndarray, np.ndarray]:
    """A height map smoothed against noise, and what smoothing and the point spread took from it given back.

    Blurring by a normal distribution of ``blur`` pixels adds blur²/2 times the sum of the second derivatives; to first
    order that is taken away again. Returns the map and what was added to it.
    """
    calm = smooth_height(height, smoothing)
    wide = smooth_height(height, max(2.0, 2.0 * smoothing))
    along_y, along_x = np.gradient(wide)
    bend = np.gradient(along_y, axis=0) + np.gradient(along_x, axis=1)
    lost = -0.5 * blur**2 * np.nan_to_num(bend)
    return calm + lost, lost


def _height_half(
    raw: np.ndarray, height: np.ndarray, disc: np.ndarray, ring: np.ndarray, lost: float, voxel: float
) -> float:
    """Half-width of the 95 % interval of a protrusion, µm.

    It adds up: the noise of a column about its smooth surface, at the top (which stands on one part in a hundred of the
    disc) and in the ring's median; a third of what was given back at the tip; a tenth of a voxel for the threshold,
    which a tip and a plane don't feel alike.
    """
    known = np.isfinite(raw) & np.isfinite(height)
    noise = 1.4826 * float(np.median(np.abs((raw - height)[known & (disc | ring)])))
    top_std = noise / np.sqrt(max(0.01 * np.sum(known & disc), 1.0))
    ring_std = 1.25 * noise / np.sqrt(max(np.sum(known & ring) / 4, 1.0))
    return NORMAL_95 * float(np.sqrt(top_std**2 + ring_std**2 + (lost / 3) ** 2 + (0.1 * voxel) ** 2))


def particle(
    volume: Volume, first: Volume, item: Track, grid: Grid, place: Placement, params: TrackParameters
) -> _Found:
    """Distance of a particle to the outer face of the first scan's last row, µm."""
    at = np.array(item.at_um)
    reach = item.radius_um * (1 + params.search)
    around = sample_around(first, at, 1.5 * item.radius_um, grid, None)
    centroid = blob_centroid(around.values, around.offsets, item.radius_um) + at
    template = sample_around(first, at, 1.2 * item.radius_um, grid, None)
    scene = sample_around(volume, at, 1.2 * item.radius_um + reach, grid, place)
    shift = locate(template.values, scene.values, grid.spacing)
    position = centroid + shift.shift
    face = grid.origin[0] + grid.spacing[0] * (grid.shape[0] - 0.5)
    if not shift.correlation >= params.smallest_correlation:
        sentence = f"track {item.name}: lost, the best correlation is {shift.correlation:.2f}"
        return _Found(float("nan"), float("nan"), np.full(3, np.nan), sentence)
    if not shift.lead >= _LEAD:
        sentence = f"track {item.name}: lost, another place fits as well but for {shift.lead:.1f} standard deviations"
        return _Found(float("nan"), float("nan"), np.full(3, np.nan), sentence)
    own = _CENTROID_VOXELS * float(grid.spacing[0])
    half = NORMAL_95 * float(np.sqrt(shift.std[0] ** 2 + place.std[0] ** 2 + own**2))
    return _Found(float(face - position[0]), half, position)


def blob_centroid(values: np.ndarray, offsets: list[np.ndarray], radius: float) -> np.ndarray:
    """Offset (z, y, x) of the centre of gravity of what stands out from its surroundings within ``radius``, µm.

    Iterated with the window moved to the centre; weights are the departure from the surroundings' median beyond
    half of its largest.
    """
    z, y, x = np.meshgrid(*offsets, indexing="ij")
    values = np.nan_to_num(values, nan=float(np.nanmedian(values)))
    centre = np.zeros(3)
    for _ in range(5):
        distance = np.sqrt((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2)
        inside = distance <= radius
        background = float(np.median(values[~inside])) if (~inside).any() else float(np.median(values))
        departure = values - background
        sign = np.sign(departure[inside][np.argmax(np.abs(departure[inside]))])
        weight = np.where(inside, np.clip(sign * departure - 0.5 * np.abs(departure[inside]).max(), 0, None), 0.0)
        if weight.sum() == 0:
            return centre
        centre = np.array([(weight * axis).sum() for axis in (z, y, x)]) / weight.sum()
    return centre
