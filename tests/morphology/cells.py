"""Small synthetic cells with known answers: a tube, electrolyte, an anode with a rough surface, cavities, specks."""

from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from scipy import ndimage

from operando.model.products.morphology import MOTIONS
from operando.model.products.tomography import TRUST, VOLUME
from operando.morphology.rigid import Rigid

PHASES = ("void", "electrolyte", "anode")
VOXEL = 2.5
MU = {"void": 0.0, "electrolyte": 1.7, "anode": 14.0, "tube": 0.5, "speck": 6.0}


def smooth_field(shape: tuple[int, ...], width: float, rng: np.random.Generator) -> np.ndarray:
    """A random field with standard deviation one."""
    values = ndimage.gaussian_filter(rng.standard_normal(shape), width, mode="wrap")
    return values / values.std()


@dataclass(frozen=True)
class Cell:
    """What is where, in voxels; the anode lies at low z, its surface at ``height`` (y, x)."""

    shape: tuple[int, int, int] = (48, 72, 72)
    bore: float = 28.0
    level: float = 20.0
    roughness: float = 1.5
    growth: float = 0.0
    bump: float = 0.0
    gap: float = 0.0
    gap_radius: float = 8.0
    gap_power: float = 0.5
    gap_at: tuple[float, float] = (36.0, 36.0)
    drawn_back: bool = False
    """Whether the gap is where the anode was, else it lies beyond."""
    particle: tuple[float, float, float] | None = None
    tilt: tuple[float, float] = (0.0, 0.0)
    seed: int = 1
    flipped: bool = False
    texture: float = 0.03
    tube_texture: float = 0.6
    mu: dict[str, float] = field(default_factory=lambda: dict(MU))

    def height(self) -> np.ndarray:
        """The anode's surface, rows (y, x)."""
        rng = np.random.default_rng(self.seed)
        y, x = np.indices(self.shape[1:])
        rough = self.roughness * smooth_field(self.shape[1:], 5.0, rng)
        middle_y, middle_x = (n / 2 - 0.5 for n in self.shape[1:])
        bump = self.bump * np.exp(-((y - middle_y) ** 2 + (x - middle_x) ** 2) / (2 * 5.0**2))
        return self.level + self.growth + rough + bump - self.drawn_back * self.gap_map()

    def gap_map(self) -> np.ndarray:
        """Thickness of the void before the surface, rows (y, x)."""
        y, x = np.indices(self.shape[1:])
        inside = 1 - ((y - self.gap_at[0]) ** 2 + (x - self.gap_at[1]) ** 2) / self.gap_radius**2
        return self.gap * np.clip(inside, 0, None) ** self.gap_power

    def inside(self) -> np.ndarray:
        """The bore's cross-section."""
        y, x = np.indices(self.shape[1:])
        return np.hypot(y - (self.shape[1] - 1) / 2, x - (self.shape[2] - 1) / 2) <= self.bore

    def truth(self) -> dict[str, float]:
        """Volumes in voxels inside the bore."""
        inside = self.inside()
        anode = float((self.height() + 0.5)[inside].sum())
        void = float(self.gap_map()[inside].sum())
        return {"void": void, "anode": anode, "electrolyte": float(inside.sum() * self.shape[0]) - anode - void}

    def grey(self, motion: Rigid | None = None) -> np.ndarray:
        """Attenuation (z, y, x) without blur; partial volumes along z are exact."""
        points = np.stack(np.indices(self.shape), axis=-1).astype(float) * VOXEL
        if motion is not None:
            points = motion.inverse(points)
        z, y, x = np.moveaxis(points / VOXEL, -1, 0)
        height, gap = (
            ndimage.map_coordinates(m, [y, x], order=1, mode="nearest") for m in (self.height(), self.gap_map())
        )
        anode = np.clip(height - z + 0.5, 0, 1)
        below_gap = np.clip(height + gap - z + 0.5, 0, 1)
        texture = smooth_field(self.shape, 1.5, np.random.default_rng(99))
        grain = 1 + self.texture * ndimage.map_coordinates(texture, [z, y, x], order=1, mode="nearest")
        content = self.mu["anode"] * anode + self.mu["void"] * (below_gap - anode)
        content = content + self.mu["electrolyte"] * grain * (1 - below_gap)
        if self.particle is not None:
            distance = np.sqrt(sum((a - b) ** 2 for a, b in zip((z, y, x), self.particle, strict=True)))
            speck = np.clip(3.5 - distance, 0, 1)
            content = content * (1 - speck) + self.mu["speck"] * speck
        radius = np.hypot(y - (self.shape[1] - 1) / 2, x - (self.shape[2] - 1) / 2)
        wall = np.clip(radius - self.bore + 0.5, 0, 1)
        tube = self.mu["tube"] * (
            1 + self.tube_texture * np.clip(ndimage.map_coordinates(texture, [z, y, x], order=1), -1, 2)
        )
        return content * (1 - wall) + tube * wall

    def volume(self, blur: float = 0.7, noise: float = 0.25, seed: int = 0, motion: Rigid | None = None) -> xr.Dataset:
        """A scan: blurred, with slightly correlated noise."""
        grey = ndimage.gaussian_filter(self.grey(motion), blur)
        rng = np.random.default_rng(seed)
        grain = ndimage.gaussian_filter(rng.standard_normal(self.shape), 0.5)
        grey = (grey + noise * grain / grain.std()).astype(np.float32)
        if self.flipped:
            grey = np.ascontiguousarray(grey[::-1])
        return as_volume(grey, frame=seed)


def as_volume(grey: np.ndarray, frame: int = 0, voxel: float = VOXEL) -> xr.Dataset:
    """An array as a product."""
    coords = {name: voxel * np.arange(n) for name, n in zip(("z", "y", "x"), grey.shape, strict=True)}
    return VOLUME.new(coords=coords, attrs={"frame": frame, "file": f"scan_{frame}.h5"}, mu=grey)


def starved_rows(shape: tuple[int, ...], rows: int, flipped: bool = False) -> xr.Dataset:
    """A trust map whose first rows (last ones, if flipped) saw only starved rays; in fours."""
    coarse = tuple(n // 4 for n in shape)
    share = np.zeros(coarse, np.float32)
    share[: rows // 4] = 0.5
    axes = ("z_coarse", "y_coarse", "x_coarse")
    coords = {name: (name, VOXEL * (1.5 + 4 * np.arange(n)), "um") for name, n in zip(axes, coarse, strict=True)}
    share = np.ascontiguousarray(share[::-1]) if flipped else share
    return TRUST.new(coords=coords, starved_share=share, noise=share * 0)


def with_change(cell: Cell, **changes: object) -> Cell:
    """The same cell later."""
    return replace(cell, **changes)  # type: ignore[arg-type]


def motions_of(*moved: Rigid | None, std: float = 0.0) -> xr.Dataset:
    """A table of known motions."""
    known = [Rigid() if motion is None else motion for motion in moved]
    count = len(known)
    return MOTIONS.new(
        coords={"scan": np.arange(count), "axis": ["z", "y", "x"]},
        translation=np.stack([m.translation for m in known]),
        translation_std=np.full((count, 3), std),
        rotation=np.stack([m.rotation for m in known]),
        rotation_std=np.zeros((count, 3)),
        grey_scale=np.ones(count),
        grey_scale_std=np.zeros(count),
        outlier=np.zeros(count, bool),
    )
