"""De-noising of volumes that keeps edges, and what it does to the volumes measured from them."""

from dataclasses import dataclass

import numpy as np


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

    return denoise_nl_means(
        np.ascontiguousarray(volume, np.float32),
        patch_size=3,
        patch_distance=3,
        h=0.8 * strength * noise,
        sigma=noise,
        fast_mode=True,
    )


def effect_on_volume(before: np.ndarray, after: np.ndarray, threshold: float) -> Effect:
    """State what de-noising did to the volume above a threshold."""
    was, now = before > threshold, after > threshold
    count = max(int(was.sum()), 1)
    return Effect(float((now & ~was).sum() / count), float((was & ~now).sum() / count))
