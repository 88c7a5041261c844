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
    """Sample the lozenge at quasi-random points, averaged over half a turn.

    Beam and diffracted beam lie in a vertical plane, so that the lozenge of slits h × w is h / sin 2θ long.
    """
    z, y, x, volume = _points(given, subject.radius)
    z, y, x = z - stands.shift_um[0], y - stands.shift_um[1], x - stands.shift_um[2]
    inside = np.hypot(x, y) < subject.radius
    anode = inside & (z < _at(subject.anode, subject.axis, y, x))
    electrolyte = inside & (z > _at(subject.electrolyte, subject.axis, y, x))
    level, weight = _absorption(subject, z)
    weight *= volume / len(z)
    return Contents(
        subject.energies,
        np.bincount(level[anode], minlength=len(weight)) @ weight,
        np.bincount(level[electrolyte], minlength=len(weight)) @ weight,
        _shares(inside, anode, electrolyte),
    )


def _shares(inside: np.ndarray, anode: np.ndarray, electrolyte: np.ndarray) -> dict[str, float]:
    total = max(int(inside.sum()), 1)
    void = inside & ~anode & ~electrolyte
    return {name: int(part.sum()) / total for name, part in
            (("anode", anode), ("electrolyte", electrolyte), ("void", void))}  # fmt: skip


def _points(given: Spectrometer, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Points of the lozenge in the cell's coordinates (z from the first row, y and x from the axis), and its volume."""
    height, across = given.slits_um
    length = height / float(np.sin(np.radians(given.two_theta_deg)))
    half = min(length, 2 * radius + 2 * height) / 2
    u = _halton(_POINTS)
    along = (2 * u[:, 0] - 1) * half
    sideways = (u[:, 1] - 0.5) * across
    lozenge = height * (1 - np.abs(along) / half)
    z0, y0, x0 = given.gauge_centre_um
    z = z0 + (u[:, 2] - 0.5) * lozenge
    angle = np.pi * u[:, 3]
    x = x0 + sideways * np.cos(angle) - along * np.sin(angle)
    y = y0 + sideways * np.sin(angle) + along * np.cos(angle)
    return z, y, x, height * across * half


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
