"""The lengths that the user asked to follow: heights of protrusions, distances of particles."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from operando.model.configuration import Track
from operando.model.constants import NORMAL_95
from operando.model.parameters import Parameters
from operando.model.products.morphology import TRACKS, Bore, Classes, Interface, Motions, Tracks
from operando.model.products.tomography import Volume
from operando.model.step import First, Own, Setting, step
from operando.morphology.blocks import Grid, grid_of
from operando.morphology.correlation import locate, sample_around
from operando.morphology.placement import Placement
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


@dataclass(frozen=True)
class _Found:
    length: float
    half: float
    position: np.ndarray
    warning: str = ""


_DEFAULTS = TrackParameters()


@step(version=1)
def track(
    volume: Volume,
    first: First[Volume],
    interface: Interface,
    first_interface: First[Interface],
    bore: Bore,
    classes: Classes,
    motions: Own[Motions] | None = None,
    tracks: Annotated[tuple[Track, ...], Setting("tomography.track")] = (),
    params: TrackParameters = _DEFAULTS,
) -> Tracks:
    """Measure every configured length in this scan, in the first scan's frame.

    Protrusion: 99th percentile of the surface's height inside ``radius_um`` over the median of the ring from 1 to
    1.5 radii, positive where it sticks out towards the electrolyte. Particle: distance of its centroid along z to
    the outer face of the first scan's last row; its centroid is that of the first scan, moved by the shift
    that correlates best. Bounds hold noise and the motion's uncertainty where it does not cancel.
    """
    grid = grid_of(first, "mu")
    place = Placement.of(bore, motions, grid)
    found = [
        protrusion(interface, item, grid, classes, params.smoothing_voxels)
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


def protrusion(interface: Interface, item: Track, grid: Grid, classes: Classes, smoothing: float) -> _Found:
    """Height of the surface at a place over its surroundings, µm."""
    facing = int(interface["facing"])
    height = facing * smooth_height(interface["height"].values.astype(float), smoothing)
    y, x = interface["y_map"].values, interface["x_map"].values
    distance = np.hypot((y - item.at_um[1])[:, None], (x - item.at_um[2])[None])
    disc, ring = distance <= item.radius_um, (distance > item.radius_um) & (distance <= 1.5 * item.radius_um)
    inside, around = height[disc & np.isfinite(height)], height[ring & np.isfinite(height)]
    place = np.array([np.nan, item.at_um[1], item.at_um[2]])
    if facing == 0 or inside.size < 0.5 * disc.sum() or around.size < 0.5 * ring.sum() or inside.size == 0:
        return _Found(float("nan"), float("nan"), place, f"track {item.name}: the surface there is unknown")
    top, base = float(np.percentile(inside, 99)), float(np.median(around))
    peak = np.unravel_index(np.argmin(np.where(disc & np.isfinite(height), np.abs(height - top), np.inf)), height.shape)
    position = np.array([facing * top, y[peak[0]], x[peak[1]]])
    return _Found(top - base, _height_half(height, disc, ring, grid, classes), position)


def _height_half(height: np.ndarray, disc: np.ndarray, ring: np.ndarray, grid: Grid, classes: Classes) -> float:
    """Half-width of the 95 % interval of a protrusion, µm.

    It adds up: the ring's median (robust spread over the root of the independent columns), a fifth of a voxel for
    the top, whose 99th percentile stands on few columns, and the threshold, which a blurred tip feels more.
    """
    values = height[ring & np.isfinite(height)]
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    ring_std = 1.25 * spread / np.sqrt(max(values.size / 25, 1.0))
    voxel = float(grid.spacing[0])
    contrast = float(np.nanmin(np.abs(np.diff(classes["mean"].values)))) if classes["mean"].size > 1 else 1.0
    threshold = float(np.nanmax(classes["threshold_std"].values)) / contrast * 2.5 * float(classes["blur"])
    return NORMAL_95 * float(np.sqrt(ring_std**2 + (0.2 * voxel) ** 2 + threshold**2))


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
    half = NORMAL_95 * float(np.hypot(shift.std[0], place.std[0]))
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
