"""Projections narrower than the sample: continued beyond the field, so that the filter does not meet a cliff."""

import numpy as np

from operando.tomography.gridding import reconstruct_padded

OUTSIDE = 0.1
"""An edge column that attenuates this share of the whole projection's mean sees the sample: the field is truncated."""
PROJECTIONS = 100
"""So many projections, evenly spread, tell whether the field is truncated."""
WIDEST = 1.0
"""Most columns added on either side, as share of the field."""


def is_truncated(sinograms: np.ndarray, one_sided: bool = False) -> bool:
    """Whether the sample reaches both edges of the field (row, angle, column) in most of the projections.

    ``one_sided``: or either edge, for half-acquisitions, where one side was not measured.
    """
    nearest = np.maximum if one_sided else np.minimum
    sinograms = sinograms[:, :: max(1, sinograms.shape[1] // PROJECTIONS)]
    edge = nearest(sinograms[..., :4].mean(2), sinograms[..., -4:].mean(2))
    return bool(np.mean(edge > OUTSIDE * np.abs(sinograms).mean(2)) > 0.5)


def overhang(sinograms: np.ndarray, centre: float) -> int:
    """Columns that a round container reaches beyond the field, from the outer quarter of the mean projection.

    A chord through a disc obeys p² = 4 μ² (R² - s²): a straight line of p² over s² reaches 0 at R².
    """
    columns = sinograms.shape[-1]
    distance = np.abs(np.arange(columns) - centre)
    outer = distance > 0.75 * distance.max()
    square = np.mean(np.maximum(sinograms, 0), axis=(0, 1), dtype=float)[outer] ** 2
    slope, level = np.polyfit(distance[outer] ** 2, square, 1)
    widest = int(WIDEST * columns)
    if slope >= 0:
        return widest
    return int(np.clip(np.ceil(np.sqrt(-level / slope) - (columns - 1) / 2), 1, widest))


def extended(sinograms: np.ndarray, pad: int, centre: float) -> np.ndarray:
    """Continue every projection by ``pad`` columns on both sides, as a disc's chords: (row, angle, column + 2 pad)."""
    columns = sinograms.shape[-1]
    few = max(2, columns // 64)
    wide = np.zeros((*sinograms.shape[:-1], columns + 2 * pad), np.float32)
    wide[..., pad : pad + columns] = sinograms
    for edge, place, end in (
        (sinograms[..., :few], np.arange(-pad, 0), -pad - 1.0),
        (sinograms[..., -few:], np.arange(columns, columns + pad), float(columns + pad)),
    ):
        radius, border = abs(end - centre), abs((0 if end < 0 else columns - 1) - centre)
        shape = np.clip(radius**2 - (place - centre) ** 2, 0, None) / max(radius**2 - border**2, 1e-9)
        level = np.maximum(edge.mean(-1), 0)
        wide[..., place + pad] = level[..., None] * np.sqrt(shape).astype(np.float32)
    return wide


def steps_of(overhang: float, columns: int) -> int:
    """Columns of continuation, rounded up to whole steps, so that neighbouring scans share their tables."""
    step = max(1, columns // 64)
    return -(-int(overhang) // step) * step


def continued(sinograms: np.ndarray, centre: float, pad: int) -> np.ndarray:
    """Sinograms continued by ``pad`` columns on both sides, as they are for 0."""
    return extended(sinograms, pad, centre) if pad else sinograms


def reconstruct_truncated(
    sinograms: np.ndarray, angles: np.ndarray, centre: float, filter: str = "ramp", pad: int | None = None
) -> np.ndarray:
    """Reconstruct the field's own circle of a wider sample (local tomography).

    ``pad`` columns are added on both sides (default: as far as a round container of the same slope reaches).
    What lies outside the field adds an unknown, nearly constant value to the slice; the continuation brings it
    close to right for round containers. Units and axes as for ``reconstruct_sinograms``.
    """
    pad = overhang(sinograms, centre) if pad is None else pad
    return reconstruct_padded(extended(sinograms, pad, centre), angles, centre, filter, pad)
