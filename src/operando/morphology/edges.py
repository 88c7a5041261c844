"""How volumes depend on the class means and on noise: sums over the voxels that two phases share."""

from itertools import combinations

import numpy as np

from operando.model.products.morphology import Levels
from operando.morphology.shares import EMPTY, FULL, decoded, known


class EdgeSums:
    """For every pair of phases (dark, bright): how many voxels share them, and the sum of the bright one's share.

    With the share f = (grey - dark) / (bright - dark), a volume V = sum of f depends on the means as
    dV/d(dark) = sum(f - 1) / contrast and dV/d(bright) = -sum(f) / contrast. Voxels that were set to none or all of a
    phase don't depend on the means.
    """

    def __init__(self, phases: int) -> None:
        self.phases = phases
        self.count = np.zeros((phases, phases))
        self.bright = np.zeros((phases, phases))
        self.steep = np.zeros((phases, phases))

    def add(self, label: np.ndarray, other: np.ndarray, share: np.ndarray) -> None:
        """Add one block of labels."""
        mixed = (label != other) & known(label) & (share != FULL) & (share != EMPTY)
        a, b, part = label[mixed].astype(int), other[mixed].astype(int), decoded(share[mixed]).astype(float)
        bright = np.where(a > b, part, 1 - part)
        index = (np.minimum(a, b) - 1) * self.phases + np.maximum(a, b) - 1
        size = self.phases**2
        shape = (self.phases, self.phases)
        self.count += np.bincount(index, minlength=size).reshape(shape)
        self.bright += np.bincount(index, bright, minlength=size).reshape(shape)
        middle = (bright > 0.4) & (bright < 0.6)
        self.steep += np.bincount(index[middle], minlength=size).reshape(shape)

    def by_mean(self, levels: Levels, which: str = "mean_std") -> np.ndarray:
        """Change of each phase's volume (voxels) for one standard deviation of each class mean: (phase, mean)."""
        mean, std = levels["mean"].values, levels[which].values
        result = np.zeros((self.phases, self.phases))
        for dark, bright in self._pairs(mean):
            contrast = mean[bright] - mean[dark]
            by_dark = (self.bright[dark, bright] - self.count[dark, bright]) / contrast * std[dark]
            by_bright = -self.bright[dark, bright] / contrast * std[bright]
            result[bright] += _placed(self.phases, dark, by_dark) + _placed(self.phases, bright, by_bright)
            result[dark] -= _placed(self.phases, dark, by_dark) + _placed(self.phases, bright, by_bright)
        return result

    def by_scale(self, levels: Levels) -> np.ndarray:
        """Change of each phase's volume (voxels) for a grey scale that is wrong by its whole: (phase,).

        Means that the scan shows itself move with its scale, so that they change nothing.
        """
        mean, taken = levels["mean"].values, ~levels["own"].values.astype(bool)
        result = np.zeros(self.phases)
        for dark, bright in self._pairs(mean):
            contrast = mean[bright] - mean[dark]
            by_dark = (self.count[dark, bright] - self.bright[dark, bright]) * mean[dark] / contrast
            by_bright = self.bright[dark, bright] * mean[bright] / contrast
            change = by_dark * taken[dark] + by_bright * taken[bright]
            result[bright] += change
            result[dark] -= change
        return result

    def by_floor(self, levels: Levels) -> np.ndarray:
        """The same for the part of the thresholds' uncertainty that the means don't have: (phase,), voxels.

        A threshold moved by t (in units of the contrast) moves an edge by t over its slope; between shares 0.4
        and 0.6 lie count / 0.2 voxels per unit of share.
        """
        mean, std = levels["mean"].values, levels["mean_std"].values
        threshold_std = levels["threshold_std"].values
        variance = np.zeros(self.phases)
        for dark, bright in self._pairs(mean):
            within = max(int(dark), 0)
            floor2 = max(threshold_std[within] ** 2 - (std[dark] ** 2 + std[dark + 1] ** 2) / 4, 0.0)
            contrast = mean[bright] - mean[dark]
            change = self.steep[dark, bright] / 0.2 * np.sqrt(floor2) / contrast
            variance[[dark, bright]] += change**2
        return np.sqrt(variance)

    def noise_variance(self, levels: Levels) -> np.ndarray:
        """Variance of each phase's volume from the noise of its edge voxels: (phase,), voxels squared."""
        mean = levels["mean"].values
        per_voxel = float(levels["noise"]) ** 2 * float(levels["noise_correlation"])
        variance = np.zeros(self.phases)
        for dark, bright in self._pairs(mean):
            part = self.count[dark, bright] * per_voxel / (mean[bright] - mean[dark]) ** 2
            variance[[dark, bright]] += part
        return variance

    def _pairs(self, mean: np.ndarray) -> list[tuple[int, int]]:
        found = combinations(range(self.phases), 2)
        return [(a, b) for a, b in found if np.isfinite(mean[a]) and np.isfinite(mean[b]) and self.count[a, b] > 0]


def _placed(size: int, index: int, value: float) -> np.ndarray:
    result = np.zeros(size)
    result[index] = value
    return result
