"""Tables of a gridding reconstruction: what depends on the geometry only."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

from operando.tomography.angles import angle_weights
from operando.tomography.filters import kernel

OVERSAMPLING = 1.25
BATCH = 16
"""Slices worked on at once."""
LOWEST = 12
"""Frequencies that carry what the filter's tail adds."""
SHAPE = 9.5
"""Steepness of the spreading kernel; found by the flatness of discs of any size."""


@dataclass(frozen=True)
class Plan:
    """What depends on the geometry only: angles, number of columns, centre and filter."""

    angles: np.ndarray
    columns: int
    """Of the image; the projections may be wider by ``pad`` on both sides."""
    size: int
    response: np.ndarray
    """Filter, shift to the centre and weight of each line: (angle, frequency ≥ 0, 2), float32."""
    shift: np.ndarray
    """The same without the filter, for the lowest frequencies."""
    tail: np.ndarray
    """What the filter's tail beyond the grid adds to the lowest frequencies: (mode, bin, 2), float32."""
    bin: int
    table: np.ndarray
    taper: np.ndarray
    """One over the kernel's transform at each voxel: (column,), float32."""
    radius: float
    """Of the circle that the columns span."""
    radices: np.ndarray
    twiddles: np.ndarray


@lru_cache(maxsize=2)
def plan_for(angles: bytes, columns: int, centre: float, name: str, pad: int) -> Plan:
    return make_plan(np.frombuffer(angles), columns, centre, name, pad)


def make_plan(angles: np.ndarray, columns: int, centre: float, name: str, pad: int = 0) -> Plan:
    """Prepare the tables that all slices share.

    The grid's period need not hold a padded projection: it only has to keep what wraps around out of the image.
    """
    from operando.tomography._fft_kernels import WIDTH, fft_tables

    size = _grid_size(columns, centre, pad)
    frequency = np.arange(size // 2)
    half_voxel = 0.5 if columns % 2 == 0 else 0.0
    offset = centre + pad + half_voxel * (np.cos(angles) + np.sin(angles))
    shift = np.exp(2j * np.pi * np.outer(offset, frequency) / size) * (angle_weights(angles)[:, None] / size)
    spectrum, tail, width = _filter_spectrum(name, columns, size, pad)
    positions = np.arange(columns) - columns // 2
    radices, twiddles = fft_tables(size)
    return Plan(
        angles=angles,
        columns=columns,
        size=size,
        response=_pairs(shift * spectrum[: size // 2]),
        shift=_pairs(shift[:, : LOWEST + 1]),
        tail=_pairs(tail),
        bin=width,
        table=_table(WIDTH),
        taper=(1 / _kernel_transform(positions / size, WIDTH)).astype(np.float32),
        radius=(columns - 1) / 2 + 1e-6,
        radices=radices,
        twiddles=twiddles,
    )


def _pairs(values: np.ndarray) -> np.ndarray:
    """Real and imaginary parts as a last axis, float32."""
    return np.stack([values.real, values.imag], axis=-1).astype(np.float32)


def _grid_size(columns: int, centre: float, pad: int) -> int:
    """Smallest even number with factors 2, 3, 5, 7 that keeps copies of the projections out of the field."""
    beside = abs(centre - (columns - 1) / 2)
    size = int(np.ceil(max(OVERSAMPLING * columns, columns + beside + pad + 8, 4 * LOWEST)))
    while not _is_smooth(size) or size % 2:
        size += 1
    return size


def _is_smooth(number: int) -> bool:
    for factor in (2, 3, 5, 7):
        while number % factor == 0:
            number //= factor
    return number == 1


def _modes() -> np.ndarray:
    return np.arange(-LOWEST, LOWEST + 1)


@lru_cache(maxsize=16)
def _filter_spectrum(name: str, columns: int, size: int, pad: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the filter on the grid's frequencies, and what that leaves out as a small matrix.

    The grid is shorter than projection plus filter, so that the filter's tail wraps around. The tail is
    smooth: all it adds fits into the lowest frequencies, from the projection in coarse bins.
    """
    samples = columns + 2 * pad
    taps = kernel(name, samples - 1)
    reach = min(size // 2, samples - 1)
    wrapped = np.zeros(size)
    wrapped[: reach + 1] = taps[: reach + 1]
    wrapped[size - reach :] = taps[reach:0:-1]
    spectrum = fft.fft(wrapped).real
    missing = taps - wrapped[np.arange(samples) % size]
    smooth = np.convolve(np.pad(missing, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    width = max(1, -(-samples // 64))
    column = np.arange(pad, pad + columns)
    bins = [np.arange(first, min(samples, first + width)) for first in range(0, samples, width)]
    wanted = np.stack([smooth[np.abs(column[:, None] - inside)].mean(1) for inside in bins], axis=1)
    waves = np.exp(2j * np.pi * np.outer(column, _modes()) / size) / size
    normal = waves.conj().T @ waves
    normal += 1e-9 * np.trace(normal).real / len(normal) * np.eye(len(normal))
    return spectrum, np.linalg.solve(normal, waves.conj().T @ wanted), width


def _kernel_values(distance: np.ndarray, width: int) -> np.ndarray:
    """Hyperbolic sine of a semicircle, ``width`` cells wide, at a distance in cells.

    It is 0 at its ends. A kernel that is not weighs a sample on a cell's middle with one end only: a real
    image then leaks into the imaginary part, and the zero frequency, shared by all lines, loses weight.
    """
    inside = np.clip(1 - (2 * distance / width) ** 2, 0, None)
    return np.sinh(SHAPE * np.sqrt(inside)) / np.sinh(SHAPE)


def _kernel_transform(position: np.ndarray, width: int) -> np.ndarray:
    """Fourier transform of the kernel at a position in the image, in units of the grid's period."""
    # x = sin t takes the kernel's steep ends, so that the quadrature converges.
    nodes, weights = np.polynomial.legendre.leggauss(64)
    turn = 0.5 * np.pi * nodes
    distance = np.sin(turn) * width / 2
    waves = np.cos(2 * np.pi * np.outer(position, distance))
    return waves @ (_kernel_values(distance, width) * weights * np.cos(turn) * 0.25 * np.pi * width)


@lru_cache(maxsize=1)
def _table(width: int, fine: int = 1024) -> np.ndarray:
    """Weights of the cells around a sample whose first cell lies ``i / fine`` inside the kernel's reach."""
    fraction = np.arange(fine + 2) / fine
    return _kernel_values(fraction[:, None] - width / 2 + np.arange(width), width).astype(np.float32)
