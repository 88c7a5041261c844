"""True values of what the analysis measures, by the definitions of the summary's words."""

from dataclasses import dataclass

import numpy as np

from operando.twin.cell import State, TwinCell
from operando.twin.settings import Detector, Protrusion
from operando.twin.tomography import Pose


@dataclass(frozen=True)
class Morphology:
    """Volumes (µm³) in the scan's own field of view, areas (µm²), lengths (µm)."""

    void: float
    electrolyte: float
    anode: float
    cavity: float
    contact_area: float
    surface_area: float
    tracks: dict[str, float]


def morphology(cell: TwinCell, state: State, stands: Pose, detector: Detector) -> Morphology:
    """Integrate the height maps over the bore and the detector's rows; pores are parts of ellipsoids."""
    surfaces = state.surfaces
    half = detector.pixel_um / 2
    first = -half - stands.shift_um[0]
    last = detector.rows * detector.pixel_um - half - stands.shift_um[0]
    if detector.slits_um is not None:
        first, last = max(first, detector.slits_um[0] - stands.shift_um[0]), min(last, detector.slits_um[1])
    top = cell.settings.anode.surface_um - cell.settings.anode.thickness_um
    bottom = cell.settings.anode.surface_um + cell.settings.electrolyte.thickness_um

    def under(surface: np.ndarray | float) -> float:
        """Volume above ``surface`` (towards the anode) inside the field."""
        clipped = np.clip(surface, first, last) - first
        return float(np.sum(np.broadcast_to(clipped, surfaces.weight.shape) * surfaces.weight))

    pores = sum(_ellipsoid_part(grain, first, last) for grain in state.grains if grain[6] <= -1 + 1e-9)
    cavity = under(surfaces.electrolyte) - under(surfaces.anode)
    area = _tilted_area(surfaces.anode, surfaces.spacing, surfaces.weight)
    return Morphology(
        void=cavity + pores,
        electrolyte=under(bottom) - under(surfaces.electrolyte) - pores,
        anode=under(surfaces.anode) - under(top),
        cavity=cavity,
        contact_area=float(area[surfaces.gap <= 1e-9].sum()),
        surface_area=float(area.sum()),
        tracks=tracks(cell, state, detector),
    )


def _ellipsoid_part(grain: np.ndarray, first: float, last: float) -> float:
    z, _, _, c, b, a, _ = grain
    low, high = (np.clip((edge - z) / c, -1, 1) for edge in (first, last))
    return float(np.pi * a * b * c * ((high - high**3 / 3) - (low - low**3 / 3)))


def _tilted_area(surface: np.ndarray, spacing: float, weight: np.ndarray) -> np.ndarray:
    """Area of each node's part of the surface, µm²."""
    along_y, along_x = np.gradient(surface, spacing)
    return np.asarray(weight * np.sqrt(1 + along_y**2 + along_x**2))


def track_names(cell: TwinCell) -> tuple[list[str], list[str]]:
    """Names of the protrusions and of the particles, as in operando.toml."""
    bumps, grains = len(cell.settings.anode.protrusion), len(cell.settings.electrolyte.particle)
    return _numbered("protrusion", bumps), _numbered("particle", grains)


def _numbered(word: str, count: int) -> list[str]:
    return [word if n == 0 else f"{word}_{n + 1}" for n in range(count)]


def tracks(cell: TwinCell, state: State, detector: Detector) -> dict[str, float]:
    """Heights of the protrusions, and distances of the particles to the outer face of the first scan's last row."""
    bumps, particles = track_names(cell)
    face = (detector.rows - 0.5) * detector.pixel_um
    found = {
        name: _height(cell, state.surfaces.anode, bump)
        for name, bump in zip(bumps, cell.settings.anode.protrusion, strict=True)
    }
    return found | {name: float(face - state.grains[n, 0]) for n, name in enumerate(particles)}


def _height(cell: TwinCell, surface: np.ndarray, bump: Protrusion) -> float:
    """99th percentile of the height inside the radius over the median of the ring from 1 to 1.5 radii."""
    distance = np.hypot(cell.axis[None, :] - bump.at_um[0], cell.axis[:, None] - bump.at_um[1])
    bore = cell.weight > 0
    inside = surface[bore & (distance <= bump.radius_um)]
    ring = surface[bore & (distance > bump.radius_um) & (distance <= 1.5 * bump.radius_um)]
    return float(np.percentile(inside, 99) - np.median(ring))
