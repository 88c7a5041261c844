"""Phases by a trained pixel classifier, or by probabilities that another program gave (ilastik).

For volumes in which thresholds don't suffice: texture, phases of the same grey. Plain functions for a script or a
notebook; what they return is the product ``Labels``, which every later step takes.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from operando.model.errors import OperandoError
from operando.model.products.tomography import Volume
from operando.morphology.blocks import ranges, read_rows, rows_per_block

WIDTHS = (0.7, 1.6, 3.5)
"""Standard deviations of the filters, voxels."""

HALO = 15
"""Rows that a block needs on both sides: four of the widest standard deviation, and one for the gradient."""


def features(grey: np.ndarray) -> np.ndarray:
    """What a voxel is judged by, float32 (feature, z, y, x): grey, and for each width mean, gradient and Laplacian."""
    from scipy import ndimage

    found = [grey.astype(np.float32)]
    for width in WIDTHS:
        found.append(ndimage.gaussian_filter(found[0], width))
        found.append(ndimage.gaussian_gradient_magnitude(found[0], width))
        found.append(ndimage.gaussian_laplace(found[0], width))
    return np.stack(found)


@dataclass(frozen=True)
class PixelClassifier:
    """A random forest trained on marked voxels (Breiman, https://doi.org/10.1023/A:1010933404324)."""

    forest: Any
    phases: tuple[str, ...]

    @classmethod
    def train(
        cls, volume: Volume, marks: np.ndarray, phases: tuple[str, ...], trees: int = 60, seed: int = 0
    ) -> "PixelClassifier":
        """Learn from ``marks``, uint8 (z, y, x): 0 not marked, 1… the phases. Features are made block by block."""
        from sklearn.ensemble import RandomForestClassifier

        missing = [name for number, name in enumerate(phases, start=1) if not (marks == number).any()]
        if missing or marks.shape != volume["mu"].shape:
            what = f"no voxel is marked as {missing[0]}" if missing else f"marks have {marks.shape} voxels"
            raise OperandoError(f"{volume.attrs.get('file', 'this scan')}: {what}; mark some of every phase in it.")
        rows, truth = [], []
        for start, stop, found in _blocks(volume, 0, len(marks)):
            here = marks[start:stop] > 0
            rows.append(found[:, here].T)
            truth.append(marks[start:stop][here])
        forest = RandomForestClassifier(trees, min_samples_leaf=4, class_weight="balanced", random_state=seed, n_jobs=1)
        return cls(forest.fit(np.concatenate(rows), np.concatenate(truth)), phases)

    def probabilities(self, volume: Volume, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Probability of each phase, float32 (phase, z, y, x), of the rows from ``start`` to before ``stop``."""
        end = volume.sizes["z"] if stop is None else stop
        parts = []
        for _, _, found in _blocks(volume, start, end):
            flat = self.forest.predict_proba(found.reshape(len(found), -1).T)
            parts.append(flat.T.astype(np.float32).reshape(len(self.phases), *found.shape[1:]))
        return np.concatenate(parts, axis=1)


def _blocks(volume: Volume, start: int, stop: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """First and last row and features of each block; the same whatever the blocks."""
    total = volume.sizes["z"]
    length = rows_per_block(volume["mu"].shape, 4.0 * (2 + 3 * len(WIDTHS)))
    for a, b in ranges(stop - start, length):
        low, high = max(start + a - HALO, 0), min(start + b + HALO, total)
        found = features(read_rows(volume["mu"], low, high))
        yield start + a, start + b, found[:, start + a - low : start + b - low]


def read_ilastik(path: Path, dataset: str = "exported_data", start: int = 0, stop: int | None = None) -> np.ndarray:
    """Probabilities that ilastik exported to HDF5, float32 (phase, z, y, x), of some rows; 8 bits become 0 to 1.

    The axes are those that ilastik wrote beside the data, else z, y, x, channel.
    """
    import h5py

    with h5py.File(path, "r") as file:
        if dataset not in file:
            raise OperandoError(f"{path}: it has no dataset {dataset!r}; it has {', '.join(file) or 'nothing'}.")
        stored = file[dataset]
        tags = json.loads(stored.attrs["axistags"])["axes"] if "axistags" in stored.attrs else []
        names = [str(axis["key"]) for axis in tags] or list("zyxc")
        if sorted(set(names) - {"t"}) != sorted("zyxc") or len(names) != stored.ndim:
            raise OperandoError(
                f"{path}: its axes are {''.join(names)}, not z, y, x and c; export probabilities in 3D."
            )
        key = tuple(slice(start, stop) if name == "z" else 0 if name == "t" else slice(None) for name in names)
        values = stored[key]
    order = [name for name in names if name != "t"]
    moved = np.transpose(values, [order.index(name) for name in "czyx"])
    scale = 1 / np.iinfo(moved.dtype).max if moved.dtype.kind == "u" else 1.0
    return np.ascontiguousarray(moved, dtype=np.float32) * np.float32(scale)
