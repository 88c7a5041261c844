"""Direct filtered back projection: slow, plain and exact, the reference that everything else is tested against."""

import numpy as np
from scipy import fft

from operando.tomography._threads import over_pieces, split
from operando.tomography.angles import angle_weights, check_angles
from operando.tomography.filters import kernel


def filter_projections(sinograms: np.ndarray, name: str) -> np.ndarray:
    """Convolve every projection (last axis) with the filter's taps, linearly, without wrap-around. float64."""
    columns = sinograms.shape[-1]
    length = fft.next_fast_len(2 * columns, real=True)
    taps = kernel(name, columns - 1)
    whole = np.zeros(length)
    whole[:columns] = taps
    whole[length - columns + 1 :] = taps[:0:-1]
    spectrum = fft.rfft(np.asarray(sinograms, np.float64), length, axis=-1) * fft.rfft(whole).real
    return fft.irfft(spectrum, length, axis=-1)[..., :columns]


def backproject(sinograms: np.ndarray, angles: np.ndarray, centre: float, filter: str = "ramp") -> np.ndarray:
    """Filtered back projection with linear interpolation between columns.

    ``sinograms`` (row, angle, column), ``angles`` in rad, ``centre`` in pixels from the middle of column 0.
    Returns float32 (row, y, x) in 1/pixel. ``filter="none"`` gives the unfiltered back projection.
    """
    from operando.tomography._backproject_kernels import spread

    rows, projections, columns = sinograms.shape
    checked = check_angles(angles, projections)
    filtered = filter_projections(sinograms, filter) * angle_weights(checked)[:, None]
    volume = np.zeros((rows, columns, columns))
    pieces = [(row, a, b) for row in range(rows) for a, b in split(columns, 8)]

    def work(piece: int) -> None:
        row, first, last = pieces[piece]
        spread(filtered[row], np.cos(checked), np.sin(checked), float(centre), volume[row], first, last)

    over_pieces(work, len(pieces))
    return volume.astype(np.float32)
