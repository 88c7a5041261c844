"""What the diffracting gauge volume contains: the slits' lozenge, turned with the stage and absorption-weighted."""

from dataclasses import dataclass

import numpy as np

from operando.twin.projector import Scene
from operando.twin.settings import Spectrometer
from operando.twin.tomography import Pose

_POINTS = 6000
_LEVELS = 96


@dataclass(frozen=True)
class Contents:
    """Effective volumes (µm³) in the gauge, each against ``energies`` (keV) because absorption weighs them."""

    energies: np.ndarray
    anode: np.ndarray
    electrolyte: np.ndarray
    shares: dict[str, float]
    """Plain volume shares of anode, electrolyte and void, without absorption."""


def contents(given: Spectrometer, subject: Scene, stands: Pose) -> Contents:
    """Sample the lozenge at quasi-random points, averaged over half a turn; see ``lozenge``."""
    z, y, x, volume = lozenge(given, subject.radius)
    z, y, x = z - stands.shift_um[0], y - stands.shift_um[1], x - stands.shift_um[2]
    inside = np.hypot(x, y) < subject.radius
    anode = inside & (z < _at(subject.anode, subject.axis, y, x))
    electrolyte = inside & (z > _at(subject.electrolyte, subject.axis, y, x))
    level, through = _absorption(subject, z)
    return Contents(
        subject.energies,
        np.bincount(level[anode], volume[anode], len(through)) @ through,
        np.bincount(level[electrolyte], volume[electrolyte], len(through)) @ through,
        _shares(volume * inside, anode, electrolyte),
    )


def _shares(volume: np.ndarray, anode: np.ndarray, electrolyte: np.ndarray) -> dict[str, float]:
    total = max(float(volume.sum()), 1e-300)
    parts = {"anode": anode, "electrolyte": electrolyte, "void": ~anode & ~electrolyte}
    return {name: float(volume[part].sum()) / total for name, part in parts.items()}


def lozenge(given: Spectrometer, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points of the gauge (z from the first row, y and x from the axis) and the volume each stands for, µm³.

    Beam and diffracted beam lie in a vertical plane, both through slits of height h, so that the gauge is a
    parallelogram: h (1 - |t| / L) high at the distance t along the beam, with L = h / sin 2θ, and inclined by θ.
    Its volume is h² w / sin 2θ; what lies outside the bore is not sampled. The stage turns it by half a turn.
    """
    height, across = given.slits_um
    two_theta = np.radians(given.two_theta_deg)
    length = height / float(np.sin(two_theta))
    reach = min(length, radius + across + max(abs(part) for part in given.gauge_centre_um[1:]))
    u = _halton(_POINTS)
    along = (2 * u[:, 0] - 1) * reach
    sideways = (u[:, 1] - 0.5) * across
    high = height * (1 - np.abs(along) / length)
    z0, y0, x0 = given.gauge_centre_um
    z = z0 + along * np.tan(two_theta / 2) + (u[:, 2] - 0.5) * high
    angle = np.pi * u[:, 3]
    x = x0 + sideways * np.cos(angle) - along * np.sin(angle)
    y = y0 + sideways * np.sin(angle) + along * np.cos(angle)
    return z, y, x, high * across * 2 * reach / len(u)


def _halton(count: int) -> np.ndarray:
    """Halton's quasi-random points (count, 4): radical inverses of 1 … count to the bases 2, 3, 5, 7."""
    points = np.zeros((count, 4))
    for axis, base in enumerate((2, 3, 5, 7)):
        left, weight = np.arange(1, count + 1), 1.0
        while left.any():
            weight /= base
            points[:, axis] += weight * (left % base)
            left = left // base
    return points


def _at(field: np.ndarray, axis: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The height map at the nearest nodes."""
    j, i = (np.clip(np.rint((v - axis[0]) / (axis[1] - axis[0])).astype(int), 0, len(axis) - 1) for v in (y, x))
    return np.asarray(field[j, i])


def _absorption(subject: Scene, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Level of each point, and the transmission (level, energy) of the way in and out at each level.

    The way is a mean chord of what stands at the point's height; heights are taken together in thin levels.
    """
    edges = np.linspace(z.min(), z.max(), _LEVELS + 1)
    level = np.clip(np.searchsorted(edges, z, side="right") - 1, 0, _LEVELS - 1)
    disc = subject.axis[:, None] ** 2 + subject.axis[None, :] ** 2 < subject.radius**2
    heights = np.sort(subject.anode[disc])
    cover = 1 - np.searchsorted(heights, (edges[:-1] + edges[1:]) / 2) / len(heights)
    chord = np.pi / 2 * subject.radius
    exponent = chord * (cover[:, None] * subject.mu[0] + (1 - cover)[:, None] * subject.mu[1])
    walls = np.sum(subject.wall_mu * (2 * np.diff(subject.wall_radii))[:, None], axis=0)
    return level, np.exp(-exponent - walls)
