"""From grey values to labels and shares, on bare arrays: thresholds, a Potts model, false middles, partial volumes.

Each of these sees a few voxels around; ``Recipe.reach`` says how many all of them see together.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from operando.model.constants import OUTSIDE_LABEL, UNKNOWN_LABEL
from operando.model.errors import OperandoError

_TRUNCATE = 3.0
"""Where the filter before the thresholds ends, standard deviations."""
LOCAL = 6
"""Edge voxels of a phase that is not the same grey everywhere are measured against its mean within so many voxels."""
EVEN = 0.02
"""A mean that varies by less than this share of the contrast counts as the same everywhere."""


@dataclass(frozen=True)
class Recipe:
    """What tells the phases apart in one scan; widths in voxels."""

    mean: np.ndarray
    wide: np.ndarray
    """Phases whose grey value varies by more than noise."""
    uneven: np.ndarray
    """Phases whose mean is not the same everywhere."""
    noise: float
    smoothing: float
    edge: int
    coupling: float
    rounds: int

    @property
    def regularises(self) -> bool:
        """Whether neighbours have a say."""
        return self.noise > 0 and self.rounds > 0 and self.coupling > 0

    @property
    def middle(self) -> int:
        """Within how many voxels a false middle has its neighbours; 0: there is none to remove."""
        return self.edge + 1 if self.edge and np.isfinite(self.mean).sum() > 2 else 0

    @property
    def reach(self) -> int:
        """How far from a voxel another one can change its label or share."""
        filtered = int(_TRUNCATE * self.smoothing + 0.5)
        local = LOCAL if self.edge and self.uneven.any() else 0
        return filtered + 2 * self.rounds * self.regularises + self.middle + self.edge + local


def automatic_smoothing(mean: np.ndarray, noise: float) -> float:
    """Width of the filter, voxels: none where single voxels are clear, up to 1.2 where they are not."""
    contrast = np.diff(mean[np.isfinite(mean)])
    if contrast.size == 0:
        return 0.0
    ratio = noise / float(contrast.min())
    return 0.0 if ratio < 0.08 else float(np.clip(2.5 * ratio, 0.5, 1.2))


def automatic_edge(blur: float, smoothing: float) -> int:
    """How far from an edge voxels share two phases: twice the blur; nothing in a label image."""
    return 0 if blur < 0.05 else int(np.clip(np.ceil(2.0 * np.hypot(blur, 0.5 * smoothing)), 1, 4))


def uneven(mean: np.ndarray, mean_std: np.ndarray) -> np.ndarray:
    """Which phases' means (1/cm) vary in space by more than a little of the contrast to the next phase.

    Not the darkest: what attenuates next to nothing can't harden, and varies by what is blurred into small cavities.

    >>> uneven(np.array([0.0, 2.0, 16.0]), np.array([0.1, 0.03, 1.2])).tolist()
    [False, False, True]
    """
    steps = np.abs(np.diff(mean, prepend=np.nan, append=np.nan))
    return np.asarray((mean_std > EVEN * np.fmin(steps[1:], steps[:-1])) & (mean > np.nanmin(mean)))


def first_labels(grey: np.ndarray, unknown: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Thresholds half-way between the known classes on the smoothed grey values; 255 where unknown.

    What is unknown has no part in the smoothing of what is known.
    """
    smooth = _smoothed(grey, unknown, recipe.smoothing) if recipe.smoothing > 0 else grey
    phases = np.flatnonzero(np.isfinite(recipe.mean))
    if len(phases) == 0:
        raise OperandoError("no grey class is known, so that nothing can be segmented; set steps.classify.means.")
    thresholds = ((recipe.mean[phases][1:] + recipe.mean[phases][:-1]) / 2).astype(np.float32)
    above = np.zeros(grey.shape, np.uint8)
    for threshold in thresholds:
        above += smooth > threshold
    label = np.take((phases + 1).astype(np.uint8), above)
    label[unknown] = UNKNOWN_LABEL
    return label


def _smoothed(grey: np.ndarray, unknown: np.ndarray, width: float) -> np.ndarray:
    from scipy import ndimage

    if not unknown.any():
        return ndimage.gaussian_filter(grey, width, truncate=_TRUNCATE, mode="nearest")
    smooth = np.where(unknown, np.float32(0), grey)
    ndimage.gaussian_filter(smooth, width, truncate=_TRUNCATE, mode="nearest", output=smooth)
    weight = (~unknown).astype(np.float32)
    ndimage.gaussian_filter(weight, width, truncate=_TRUNCATE, mode="nearest", output=weight)
    smooth /= np.maximum(weight, np.float32(1e-6), out=weight)
    return smooth


def regularised(grey: np.ndarray, label: np.ndarray, recipe: Recipe, colour: int) -> np.ndarray:
    """A few rounds of iterated conditional modes of a Potts model (Besag, https://doi.org/10.1111/j.2517-6161.1986.tb01412.x).

    ``colour`` (0, 1) is that of the first voxel on the three-dimensional chessboard.
    """
    from operando.morphology._label_kernels import smooth_labels

    if not recipe.regularises:
        return label
    energies = (recipe.mean, recipe.noise**2, recipe.coupling)
    return smooth_labels(grey, label, _beside_another(label), *energies, recipe.rounds, colour)


def _beside_another(label: np.ndarray) -> np.ndarray:
    """Voxels that one of the six neighbours does not equal; bool (z, y, x)."""
    result = np.zeros(label.shape, bool)
    for axis in range(3):
        head, tail = ((slice(None),) * axis + (part,) for part in (slice(None, -1), slice(1, None)))
        differs = label[head] != label[tail]
        result[head] |= differs
        result[tail] |= differs
    return result


def running(values: np.ndarray, reach: int, neutral: int, take: Callable[..., np.ndarray]) -> np.ndarray:
    """Least or largest value (``take``) in a cube that reaches ``reach`` voxels from each voxel; uint8 (z, y, x).

    Windows of doubled length are put together from two that overlap. ``neutral`` never wins: it lies beyond the border.

    >>> running(np.array([[[1, 5, 2, 0]]], np.uint8), 1, 0, np.maximum).tolist()
    [[[5, 5, 5, 2]]]
    """
    size = 2 * reach + 1
    for axis in range(3):
        margin = [(reach, reach) if i == axis else (0, 0) for i in range(3)]
        found, length = np.pad(values, margin, constant_values=neutral), 1
        while length < size:
            step = min(length, size - length)
            head, tail = ([slice(None)] * axis + [part] for part in (slice(None, -step), slice(step, None)))
            found, length = take(found[tuple(head)], found[tuple(tail)]), length + step
        values = found
    return values


def _extremes(label: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Darkest and brightest phase within ``reach`` voxels of each voxel (a cube)."""
    none = (label == OUTSIDE_LABEL) | (label == UNKNOWN_LABEL)
    darkest = running(np.where(none, np.uint8(254), label), reach, 254, np.minimum)
    return darkest, running(np.where(none, np.uint8(0), label), reach, 0, np.maximum)


def without_false_middle(grey: np.ndarray, label: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Remove the middle phase that a blurred edge between a darker and a brighter phase pretends."""
    from operando.morphology._label_kernels import remove_false_middle, settle_false_middle

    if recipe.middle == 0:
        return label
    darkest, brightest = _extremes(label, recipe.middle)
    marked = remove_false_middle(label, darkest, brightest)
    return settle_false_middle(grey, marked, darkest, brightest, recipe.mean)


def partial_volumes(grey: np.ndarray, label: np.ndarray, recipe: Recipe, other: np.ndarray, share: np.ndarray) -> None:
    """Write second phase and coded share of each voxel near an edge, uint8; see ``shares``."""
    from operando.morphology._label_kernels import edge_shares

    if recipe.edge > 0:
        extremes = _extremes(label, recipe.edge)
        levels = (recipe.mean, recipe.wide, recipe.uneven, LOCAL)
        edge_shares(grey, label, *extremes, *levels, steps_within(recipe.edge), other, share)


def steps_within(reach: int) -> np.ndarray:
    """Steps (z, y, x, square of the length) to the voxels within ``reach``, nearest first, int64 (n, 4).

    >>> steps_within(1)[:2].tolist()
    [[-1, 0, 0, 1], [0, -1, 0, 1]]
    """
    steps = np.indices((2 * reach + 1,) * 3).reshape(3, -1).T - reach
    square = (steps**2).sum(axis=1)
    steps = np.column_stack([steps, square])[(square > 0) & (square <= reach**2)]
    return np.ascontiguousarray(steps[np.argsort(steps[:, 3], kind="stable")])
