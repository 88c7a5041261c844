"""De-noising of volumes that keeps edges, and what it does to the volumes measured from them."""

from dataclasses import dataclass

import numpy as np

from operando.model.errors import OperandoError
from operando.tomography.trust import COARSE

ROWS = 8
"""Rows smoothed together; slabs start at multiples of it, so that they do not matter."""


@dataclass(frozen=True)
class Effect:
    """What de-noising changes: share of voxels that cross a threshold either way, and the net, of those above it."""

    gained: float
    lost: float

    @property
    def net(self) -> float:
        """Relative change of the volume above the threshold."""
        return self.gained - self.lost


def denoise_volume(volume: np.ndarray, noise: float, strength: float = 1.0) -> np.ndarray:
    """Non-local means over (z, y, x): patches that look alike are averaged (Buades et al. 2005, doi:10.1137/040616024).

    ``noise``: standard deviation of a voxel in the volume's unit, for instance from the trust map;
    ``strength``: 1 averages what differs by about the noise.
    """
    from skimage.restoration import denoise_nl_means

    smooth = denoise_nl_means(
        np.ascontiguousarray(volume, np.float32),
        patch_size=3,
        patch_distance=3,
        h=0.8 * strength * noise,
        sigma=noise,
        fast_mode=True,
    )
    return np.asarray(smooth).reshape(volume.shape)  # a single row comes back without its axis


def effect_on_volume(before: np.ndarray, after: np.ndarray, threshold: float) -> Effect:
    """State what de-noising did to the volume above a threshold."""
    was, now = before > threshold, after > threshold
    count = max(int(was.sum()), 1)
    return Effect(float((now & ~was).sum() / count), float((was & ~now).sum() / count))


def denoise_rows(volume: np.ndarray, noise: np.ndarray, strength: float) -> dict[str, np.ndarray]:
    """De-noise a slab (z, y, x) in place, and tell what the volume above Otsu's threshold gains and loses.

    ``noise``: at quarter resolution; its median over the known part of each eight rows is taken. Returns
    ``gained`` and ``lost`` for each block of four rows. Raises ``OperandoError`` where no noise is known.
    """
    from skimage.filters import threshold_otsu

    if not np.isfinite(noise).any():
        raise OperandoError("de-noising needs the noise map; set noise_map = true in [steps.reconstruct].")
    effects = []
    for first in range(0, len(volume), ROWS):
        before = volume[first : first + ROWS]
        level = noise[first // COARSE : (first + ROWS) // COARSE]
        after = denoise_volume(before, float(np.median(level[level > 0])), strength) if (level > 0).any() else before
        threshold = float(threshold_otsu(before)) if np.ptp(before) > 0 else 0.0
        effects += [
            effect_on_volume(before[part : part + COARSE], after[part : part + COARSE], threshold)
            for part in range(0, len(after), COARSE)
        ]
        volume[first : first + ROWS] = np.where(before == 0, before, after)
    return {"gained": np.array([e.gained for e in effects]), "lost": np.array([e.lost for e in effects])}
