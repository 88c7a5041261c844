"""Forward projection of the cell: what an ideal detector would see, transmission for transmission.

It shares nothing with the reconstruction: paths come from height maps and analytic chords, never from voxels.
"""

from dataclasses import dataclass

import numpy as np

from operando.model.constants import FARADAY_MAH_PER_MOL
from operando.twin.beam import Spectrum
from operando.twin.cell import State, TwinCell
from operando.twin.substances import anode_attenuation, attenuation


@dataclass(frozen=True)
class View:
    """How one projection looks at the cell: the stage's angle (rad), the cell's offsets (µm, along z, y, x)."""

    angle: float
    rows: int
    columns: int
    pixel_um: float
    centre_px: float
    shift_um: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turn: float = 0.0
    """Rotation of the cell on the stage, rad: x' = x cos - y sin."""
    tilt: tuple[float, float] = (0.0, 0.0)
    """Lean of the cell's axis along y and x, rad."""
    roll: float = 0.0
    """Lean of the rotation axis in the detector's plane, rad."""
    first_row: int = 0
    """Only ``rows`` rows from this one on are looked at."""
    middle_row: float = 0.0
    """Row at which leaning axes stand at their place, counted from ``first_row``."""


@dataclass(frozen=True)
class Scene:
    """A state of the cell, ready to be projected at any angle; lengths in µm, attenuation in 1/µm."""

    anode: np.ndarray
    electrolyte: np.ndarray
    axis: np.ndarray
    grains: np.ndarray
    radius: float
    anode_top: float
    cathode_top: float
    cathode_bottom: float
    wall_radii: np.ndarray
    wall_mu: np.ndarray
    mu: np.ndarray
    """(material, energy): anode, electrolyte, screws, cathode."""
    weights: np.ndarray
    energies: np.ndarray


def scene(cell: TwinCell, state: State, spectrum: Spectrum) -> Scene:
    """Take the cell's state and the beam together."""
    given = cell.settings
    energies = spectrum.energies
    lithium = state.stored_mah / FARADAY_MAH_PER_MOL
    volume = cell.anode.volume_um3 + cell.volume_change(state.stored_mah)
    powder = given.electrolyte.relative_density
    mu = np.stack([
        anode_attenuation(cell.anode, lithium, volume, energies),
        attenuation(given.electrolyte.material, energies, powder),
        attenuation(given.screw, energies),
        attenuation(given.cathode.material, energies, 0.6),
    ])
    walls = np.array([wall.thickness_um for wall in given.walls])
    surfaces = state.surfaces
    bottom = given.anode.surface_um + given.electrolyte.thickness_um
    return Scene(
        anode=surfaces.anode,
        electrolyte=surfaces.electrolyte,
        axis=surfaces.axis,
        grains=np.concatenate([state.grains, cell.marks]),
        radius=cell.radius,
        anode_top=given.anode.surface_um - given.anode.thickness_um,
        cathode_top=bottom,
        cathode_bottom=bottom + given.cathode.thickness_um,
        wall_radii=cell.radius + np.concatenate([[0.0], np.cumsum(walls)]),
        wall_mu=np.array([attenuation(wall.material, energies) for wall in given.walls]).reshape(-1, len(energies)),
        mu=mu,
        weights=spectrum.weights,
        energies=energies,
    )


def paths(subject: Scene, view: View, subsamples: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Offsets s (µm from the cell's axis) and paths (material, offset, row) in µm.

    Materials as in ``Scene.mu``; the electrolyte's path counts grains by their relative density.
    """
    from operando.twin._project import assemble, paths_through_ellipsoids, paths_under

    cosine, sine = np.cos(view.angle - view.turn), np.sin(view.angle - view.turn)
    offsets = _offsets(view, subsamples)
    chord = 2 * np.sqrt(np.clip(subject.radius**2 - offsets**2, 0, None))
    per_um = 1 / view.pixel_um
    shift = view.shift_um[0] * per_um + 0.5 - view.first_row
    under = np.zeros((2, len(offsets), view.rows))
    spacing = subject.axis[1] - subject.axis[0]
    for surface, target in zip((subject.anode, subject.electrolyte), under, strict=True):
        leaning = _leaning(surface, subject.axis, view.tilt)
        paths_under(
            leaning, subject.axis[0], spacing, subject.radius, cosine, sine, offsets, spacing, per_um, shift, target
        )
    levels = (subject.anode_top, subject.cathode_top, subject.cathode_bottom)
    covered = np.stack([_covered(level, view, per_um, shift) for level in levels])
    found = np.empty((4, len(offsets), view.rows))
    assemble(under, chord, covered, found)
    if len(subject.grains):
        paths_through_ellipsoids(subject.grains, cosine, sine, offsets, per_um, shift, found[1])
    return offsets, found


def transmission(subject: Scene, view: View, subsamples: int = 2) -> np.ndarray:
    """Polychromatic transmission (row, column) of the noiseless, glareless detector."""
    from operando.twin._project import transmit

    offsets, lengths = paths(subject, view, subsamples)
    used = [m for m in range(len(lengths)) if np.any(lengths[m])]
    image = np.empty((view.rows, view.columns), np.float32)
    per_um = 1 / view.pixel_um
    cosine, sine = np.cos(view.angle), np.sin(view.angle)
    seen = view.centre_px + (view.shift_um[2] * cosine + view.shift_um[1] * sine) * per_um
    own = view.angle - view.turn
    shear = (view.roll + view.tilt[1] * np.cos(own) + view.tilt[0] * np.sin(own)) * view.pixel_um
    walls = wall_paths(subject, offsets) @ subject.wall_mu
    transmit(
        lengths[used].astype(np.float32),
        walls.astype(np.float32),
        (np.exp(-walls) @ subject.weights).astype(np.float32),
        subject.mu[used].astype(np.float32),
        subject.weights.astype(np.float32),
        offsets[0],
        per_um,
        seen,
        shear,
        view.middle_row,
        subsamples,
        image,
    )
    return image


def wall_paths(subject: Scene, offsets: np.ndarray) -> np.ndarray:
    """Analytic chords (offset, wall) in µm through the tubes around the bore."""
    chords = 2 * np.sqrt(np.clip(subject.wall_radii[None, :] ** 2 - offsets[:, None] ** 2, 0, None))
    return np.diff(chords, axis=1)


def _offsets(view: View, subsamples: int) -> np.ndarray:
    reach = max(view.centre_px, view.columns - 1 - view.centre_px) + 12
    count = int(np.ceil(reach * subsamples))
    return np.arange(-count, count + 1) * (view.pixel_um / subsamples)


def _leaning(surface: np.ndarray, axis: np.ndarray, tilt: tuple[float, float]) -> np.ndarray:
    """A small lean lifts one side of every surface."""
    if tilt == (0.0, 0.0):
        return surface
    return surface - tilt[1] * axis[None, :] - tilt[0] * axis[:, None]


def _covered(level: float, view: View, per_um: float, shift: float) -> np.ndarray:
    """Share of each row above a flat level."""
    return np.asarray(np.clip(level * per_um + shift - np.arange(view.rows), 0, 1))
