"""The cell as a function of the lithium in its anode: surfaces z(x, y), grains, and what follows from them.

The anode fills the bore from its back to the surface ``anode(x, y)``, the electrolyte begins at
``electrolyte(x, y)``; between them is the cavity. z grows from the anode into the electrolyte, with the
detector's rows. The anode's volume is its pristine volume plus lithium × the reaction's volume, exactly.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from operando.model.constants import CM3_TO_UM3, FARADAY_MAH_PER_MOL
from operando.model.errors import ConfigurationError
from operando.twin.settings import Cell, Protrusion
from operando.twin.substances import Anode, anode_substance

_MARK_CONTRAST = 6.0
"""Attenuation of a speck in the wall over that of the pressed electrolyte: specks of steel."""


@dataclass(frozen=True)
class Surfaces:
    """Height maps (µm) on the bore's square grid ``axis`` × ``axis`` (y, x; µm from the bore's axis)."""

    axis: np.ndarray
    weight: np.ndarray
    anode: np.ndarray
    electrolyte: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """Thickness of the cavity, µm."""
        return np.asarray(self.electrolyte - self.anode)

    @property
    def spacing(self) -> float:
        """Grid spacing in µm."""
        return float(self.axis[1] - self.axis[0])


@dataclass(frozen=True)
class State:
    """The cell at one moment, in its own frame (no motion)."""

    surfaces: Surfaces
    grains: np.ndarray
    stored_mah: float
    alloyed_share: float
    """Of the whole host."""
    active_share: float
    """Alloyed share of the host next to the interface: what diffraction sees."""


class TwinCell:
    """Geometry that changes with lithium.

    ``step_um`` is the spacing of the height maps, ``lit_um`` the heights z that the beam reaches.
    """

    def __init__(self, settings: Cell, seed: int, step_um: float, lit_um: tuple[float, float]) -> None:
        self.settings = settings
        self.radius = settings.bore_um / 2
        self.axis = _axis(self.radius, step_um)
        self.weight = _disc_weight(self.axis, self.radius)
        self.lit_um = lit_um
        self._seed = seed

    @cached_property
    def anode(self) -> Anode:
        """Moles and molar volumes of the anode's host."""
        return anode_substance(self.settings.anode, self.area, self.settings.temperature_c)

    @property
    def area(self) -> float:
        """Cross-section of the bore, µm²."""
        return float(np.pi * self.radius**2)

    @cached_property
    def roughness(self) -> np.ndarray:
        """The pristine surface about its mean height, µm."""
        anode = self.settings.anode
        return anode.roughness_um * self._field(1, anode.correlation_um)

    @cached_property
    def cavity_pattern(self) -> np.ndarray:
        """Where cavities open first, µm: a smooth random field."""
        anode = self.settings.anode
        return anode.cavity_contrast_um * self._field(2, anode.correlation_um)

    def _field(self, stream: int, shortest_um: float) -> np.ndarray:
        """Smooth random field of unit variance: 48 plane waves, so that it does not depend on the grid."""
        generator = np.random.default_rng([self._seed, 11, stream])
        waves = 2 * np.pi / (shortest_um * generator.uniform(1.0, 3.0, 48))
        direction, phase = generator.uniform(0, 2 * np.pi, (2, 48))
        x, y = self.axis[None, :], self.axis[:, None]
        field = np.zeros((len(self.axis), len(self.axis)))
        for k, a, p in zip(waves, direction, phase, strict=True):
            field += np.cos(k * (x * np.cos(a) + y * np.sin(a)) + p)
        field *= np.sqrt(2 / 48)
        return field - np.average(field, weights=self.weight)

    @cached_property
    def pristine_grains(self) -> np.ndarray:
        """Rows z, y, x, semi-axes z, y, x (µm) and density relative to the powder's - 1."""
        electrolyte = self.settings.electrolyte
        listed = [
            (p.at_um[0], p.at_um[2], p.at_um[1], p.radius_um[0], p.radius_um[2], p.radius_um[1],
             p.relative_density / electrolyte.relative_density - 1)
            for p in electrolyte.particle
        ]  # fmt: skip
        grains = np.array(listed).reshape(-1, 7)
        return np.concatenate([grains, self._random_grains(grains)]) if electrolyte.grains else grains

    @cached_property
    def marks(self) -> np.ndarray:
        """Specks in the innermost wall, which never move; rows as those of the grains."""
        given = self.settings
        if not given.marks or not given.walls:
            return np.zeros((0, 7))
        generator = np.random.default_rng([self._seed, 13])
        radius = np.minimum(
            given.mark_um * generator.uniform(0.7, 1.3, given.marks), 0.45 * given.walls[0].thickness_um
        )
        angle = generator.uniform(0, 2 * np.pi, given.marks)
        place = self.radius + given.walls[0].thickness_um / 2
        z = generator.uniform(self.lit_um[0], self.lit_um[1], given.marks)
        contrast = np.full(given.marks, _MARK_CONTRAST)
        columns = (z, place * np.sin(angle), place * np.cos(angle), radius, radius, radius, contrast)
        return np.stack(columns, axis=1)

    def _random_grains(self, taken: np.ndarray) -> np.ndarray:
        """Grains and pores that overlap neither each other, nor the surface, nor the wall."""
        electrolyte, anode = self.settings.electrolyte, self.settings.anode
        generator = np.random.default_rng([self._seed, 12])
        top = anode.surface_um + 3 * anode.roughness_um + max((p.height_um for p in anode.protrusion), default=0)
        bottom = min(
            anode.surface_um + electrolyte.thickness_um, self.lit_um[1] + 0.2 * (self.lit_um[1] - self.lit_um[0])
        )
        placed = list(taken)
        for _ in range(40 * electrolyte.grains):
            if len(placed) >= len(taken) + electrolyte.grains:
                break
            semi = electrolyte.grain_um * generator.uniform(0.5, 1.5) * generator.uniform(0.8, 1.25, 3)
            reach = semi.max()
            if bottom - top < 3 * reach or reach >= 0.8 * self.radius:
                continue
            z = generator.uniform(top + 1.5 * reach, bottom - reach)
            r = (self.radius - 1.2 * reach) * np.sqrt(generator.uniform())
            angle = generator.uniform(0, 2 * np.pi)
            density = 0.0 if generator.uniform() < electrolyte.pore_share else 1.0
            grain = np.array([
                z,
                r * np.sin(angle),
                r * np.cos(angle),
                *semi,
                density / electrolyte.relative_density - 1,
            ])
            if all(np.linalg.norm(grain[:3] - g[:3]) > 1.1 * (reach + g[3:6].max()) for g in placed):
                placed.append(grain)
        return np.array(placed[len(taken) :]).reshape(-1, 7)

    def pushed(self, stored_mah: float) -> np.ndarray:
        """Surface that the anode has when ``stored_mah`` are in it and it touches everywhere, µm."""
        anode = self.settings.anode
        surface = anode.surface_um + self.roughness
        left = self.volume_change(stored_mah)
        for bump in anode.protrusion:
            volume = bump.growth_share * self.volume_change(max(stored_mah - bump.grows_above_mah, 0.0))
            grown = volume / (np.pi * bump.radius_um**2 / 3)
            surface = surface + (bump.height_um + grown) * self._bump(bump)
            left -= volume
        return np.asarray(surface + left / self.area)

    def _bump(self, bump: Protrusion) -> np.ndarray:
        if np.hypot(*bump.at_um) + bump.radius_um > self.radius:
            raise ConfigurationError(
                f"cell.anode.protrusion: at {bump.at_um} with radius {bump.radius_um} µm it leaves the bore of "
                f"radius {self.radius} µm; move it inwards."
            )
        x, y = self.axis[None, :] - bump.at_um[0], self.axis[:, None] - bump.at_um[1]
        shape = np.clip(1 - (x**2 + y**2) / bump.radius_um**2, 0, None) ** 2
        return np.asarray(shape * (np.pi * bump.radius_um**2 / 3) / np.sum(shape * self.weight))

    def volume_change(self, stored_mah: float) -> float:
        """Charge × ΔV of the reaction, µm³."""
        return stored_mah / FARADAY_MAH_PER_MOL * self.anode.reaction_cm3_per_mol * CM3_TO_UM3

    def state(self, stored_mah: float, stored_maximum_mah: float) -> State:
        """The cell with ``stored_mah`` in its anode after at most ``stored_maximum_mah`` were in it."""
        pushed = self.pushed(stored_maximum_mah)
        shrunk = self.volume_change(stored_maximum_mah) - self.volume_change(stored_mah)
        gap = self._gap(shrunk * (1 - self.settings.anode.hidden_share))
        surfaces = Surfaces(self.axis, self.weight, pushed - gap, pushed)
        moles = stored_mah / FARADAY_MAH_PER_MOL
        return State(surfaces, self._grains(pushed), stored_mah, *self.anode.shares(moles))

    def _gap(self, volume: float) -> np.ndarray:
        """Cavity of a given volume (µm³): opens where the pattern is highest and spreads from there."""
        pattern = self.cavity_pattern
        if volume <= 0:
            return np.zeros_like(pattern)
        low, high = -float(pattern.max()), float(-pattern.min()) + volume / self.area
        for _ in range(60):
            level = (low + high) / 2
            if np.sum(np.clip(level + pattern, 0, None) * self.weight) < volume:
                low = level
            else:
                high = level
        gap = np.clip(high + pattern, 0, None)
        return np.asarray(gap * (volume / np.sum(gap * self.weight)))

    def _grains(self, pushed: np.ndarray) -> np.ndarray:
        """Grains after the anode's push, which fades with depth."""
        grains = self.pristine_grains.copy()
        if len(grains):
            rise = self._at(pushed - self.pushed(0.0), grains[:, 1], grains[:, 2])
            depth = grains[:, 0] - self._at(self.pushed(0.0), grains[:, 1], grains[:, 2])
            grains[:, 0] += rise * np.exp(-np.clip(depth, 0, None) / self.settings.electrolyte.push_decay_um)
        return grains

    def _at(self, field: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The field between the nodes, bilinear."""
        from scipy.ndimage import map_coordinates

        place = (np.stack([y, x]) - self.axis[0]) / (self.axis[1] - self.axis[0])
        return np.asarray(map_coordinates(field, place, order=1, mode="nearest"))


def _axis(radius: float, step: float) -> np.ndarray:
    half = int(np.ceil(radius / step)) + 2
    return np.arange(-half, half + 1) * step


def _disc_weight(axis: np.ndarray, radius: float) -> np.ndarray:
    """Area of each node's cell inside the bore, µm²; sums to the disc's exact area."""
    step = axis[1] - axis[0]
    sub = (np.arange(8) + 0.5) / 8 - 0.5
    fine = (axis[:, None] + step * sub).ravel()
    inside = (fine[:, None] ** 2 + fine[None, :] ** 2 <= radius**2).astype(np.float64)
    n = len(axis)
    weight = inside.reshape(n, 8, n, 8).mean(axis=(1, 3)) * step**2
    return np.asarray(weight * (np.pi * radius**2 / weight.sum()))
