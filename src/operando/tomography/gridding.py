"""Filtered back projection by gridding in Fourier space: exact grey values at the price of a few FFTs.

Fourier slice theorem: the transform of a filtered projection is a line through the image's transform. The
lines are spread onto a grid with a kernel four cells wide, the grid is transformed back and the kernel's own
transform is divided out (O'Sullivan 1985, doi:10.1109/TMI.1985.4307723; the kernel is a sibling of that of
Barnett, Magland and af Klinteberg 2019, doi:10.1137/18M120885X).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

from operando.model.errors import OperandoError
from operando.tomography._threads import over_pieces, split, thread_count
from operando.tomography.angles import angle_weights, check_angles
from operando.tomography.filters import kernel

OVERSAMPLING = 1.25
WIDTH = 4
BATCH = 16
"""Slices worked on at once."""
TILE = 64
LOWEST = 12
"""Frequencies that carry what the filter's tail adds."""
_SHAPE = 7.7
"""Steepness of the spreading kernel; found by the flatness of discs of any size."""


def reconstruct_sinograms(sinograms: np.ndarray, angles: np.ndarray, centre: float, filter: str = "ramp") -> np.ndarray:
    """Reconstruct rows of sinograms.

    ``sinograms``: float32 (row, angle, column), line integrals; ``angles``: radians; ``centre``: pixels from
    the middle of column 0; ``filter``: ramp, shepp-logan, cosine, hann, hamming, parzen, butterworth or none.
    Returns float32 (row, y, x) in 1/pixel; voxels outside the circle that the columns span are 0.
    Raises ``OperandoError`` where angles are missing or in degrees, or where the sinograms hold NaN.
    """
    sinograms, angles = _checked(sinograms, angles, centre)
    plan = make_plan(angles, sinograms.shape[2], float(centre), filter)
    volume = np.empty((sinograms.shape[0], plan.columns, plan.columns), np.float32)
    for first in range(0, len(volume), BATCH):
        volume[first : first + BATCH] = _batch(sinograms[first : first + BATCH], plan)
    return volume


def _checked(sinograms: np.ndarray, angles: np.ndarray, centre: float) -> tuple[np.ndarray, np.ndarray]:
    if sinograms.ndim != 3:
        raise OperandoError(f"the sinograms have {sinograms.ndim} dimensions; give (row, angle, column).")
    checked = check_angles(angles, sinograms.shape[1])
    if not np.isfinite(sinograms).all():
        raise OperandoError("the sinograms hold NaN or infinite values; replace or mask them before reconstructing.")
    if not np.isfinite(centre) or not 0 <= centre <= sinograms.shape[2] - 1:
        raise OperandoError(
            f"the centre {centre} px lies outside the {sinograms.shape[2]} columns; count from the middle of column 0."
        )
    return sinograms, checked


@dataclass(frozen=True)
class Plan:
    """What depends on the geometry only: angles, number of columns, centre and filter."""

    angles: np.ndarray
    columns: int
    size: int
    response: np.ndarray
    """Filter, shift to the centre and weight of each line: (angle, frequency), complex64, frequency in FFT order."""
    shift: np.ndarray
    """The same without the filter, for the lowest frequencies."""
    tail: np.ndarray
    """What the filter's tail beyond the grid adds to the lowest frequencies: (mode, bin), complex64."""
    bin: int
    table: np.ndarray
    taper: np.ndarray
    """One over the kernel's transform at each voxel: (column,), float32."""
    inside: np.ndarray
    """True in the circle that the columns span: (y, x)."""


def make_plan(angles: np.ndarray, columns: int, centre: float, name: str) -> Plan:
    """Prepare the tables that all slices share."""
    size = _grid_size(columns, centre)
    frequency = fft.fftfreq(size, 1 / size)
    half_voxel = 0.5 if columns % 2 == 0 else 0.0
    offset = centre + half_voxel * (np.cos(angles) + np.sin(angles))
    shift = np.exp(2j * np.pi * np.outer(offset, frequency) / size) * (angle_weights(angles)[:, None] / size)
    filter_spectrum, tail, width = _filter_spectrum(name, columns, size)
    positions = np.arange(columns) - columns // 2
    taper = 1 / _kernel_transform(positions / size)
    radius = np.arange(columns) - (columns - 1) / 2
    return Plan(
        angles=angles,
        columns=columns,
        size=size,
        response=(shift * filter_spectrum).astype(np.complex64),
        shift=shift[:, _modes()].astype(np.complex64),
        tail=tail.astype(np.complex64),
        bin=width,
        table=_table(),
        taper=taper.astype(np.float32),
        inside=np.hypot(radius[:, None], radius) <= (columns - 1) / 2 + 1e-6,
    )


def _grid_size(columns: int, centre: float) -> int:
    """Smallest even number with factors 2, 3, 5, 7 that keeps copies of the projections out of the field."""
    beside = abs(centre - (columns - 1) / 2)
    size = int(np.ceil(max(OVERSAMPLING * columns, columns + beside + 2 * WIDTH, 16)))
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
def _filter_spectrum(name: str, columns: int, size: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the filter on the grid's frequencies, and what that leaves out as a small matrix.

    The grid is shorter than projection plus filter, so that the filter's tail wraps around. The tail is
    smooth: all it adds fits into the lowest frequencies, from the projection in coarse bins.
    """
    taps = kernel(name, columns - 1)
    reach = min(size // 2, columns - 1)
    wrapped = np.zeros(size)
    wrapped[: reach + 1] = taps[: reach + 1]
    wrapped[size - reach :] = taps[reach:0:-1]
    spectrum = fft.fft(wrapped).real
    missing = taps - wrapped[np.arange(columns) % size]
    smooth = np.convolve(np.pad(missing, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    width = max(1, -(-columns // 64))
    column = np.arange(columns)
    bins = [np.arange(first, min(columns, first + width)) for first in range(0, columns, width)]
    wanted = np.stack([smooth[np.abs(column[:, None] - inside)].mean(1) for inside in bins], axis=1)
    waves = np.exp(2j * np.pi * np.outer(column, _modes()) / size) / size
    normal = waves.conj().T @ waves
    normal += 1e-9 * np.trace(normal).real / len(normal) * np.eye(len(normal))
    return spectrum, np.linalg.solve(normal, waves.conj().T @ wanted), width


def _kernel_values(distance: np.ndarray) -> np.ndarray:
    """Hyperbolic sine of a semicircle, ``WIDTH`` cells wide, at a distance in cells.

    It is 0 at its ends. A kernel that is not weighs a sample on a cell's middle with one end only: a real
    image then leaks into the imaginary part, and the zero frequency, shared by all lines, loses weight.
    """
    inside = np.clip(1 - (2 * distance / WIDTH) ** 2, 0, None)
    return np.sinh(_SHAPE * np.sqrt(inside)) / np.sinh(_SHAPE)


def _kernel_transform(position: np.ndarray) -> np.ndarray:
    """Fourier transform of the kernel at a position in the image, in units of the grid's period."""
    nodes, weights = np.polynomial.legendre.leggauss(64)
    distance = nodes * WIDTH / 2
    waves = np.cos(2 * np.pi * np.outer(position, distance))
    return waves @ (_kernel_values(distance) * weights * WIDTH / 2)


@lru_cache(maxsize=1)
def _table(fine: int = 1024) -> np.ndarray:
    """Weights of the four cells around a sample that lies ``i / fine`` beyond the second of them."""
    fraction = np.arange(fine + 2) / fine
    return _kernel_values(fraction[:, None] - np.arange(-1, 3)).astype(np.float32)


def _batch(sinograms: np.ndarray, plan: Plan) -> np.ndarray:
    """Reconstruct up to ``BATCH`` slices."""
    lines = _radial_lines(_packed(sinograms), plan)
    steady = _without_zero_frequency(lines)
    image = fft.ifft(_gridded(lines, plan), axis=1, norm="forward", workers=thread_count())
    place = (np.arange(plan.columns) - plan.columns // 2) % plan.size
    image = fft.ifft(image[:, place], axis=0, norm="forward", workers=thread_count())[place]
    image *= (plan.taper[:, None] * plan.taper)[..., None]
    image += steady
    image *= plan.inside[..., None]
    both = np.concatenate([image.real, image.imag], axis=2)
    return np.moveaxis(both, 2, 0)[: len(sinograms)]


def _packed(sinograms: np.ndarray) -> np.ndarray:
    """Return complex (angle, column, lane): slice i is the real, slice i + 8 the imaginary part of lane i."""
    half = BATCH // 2
    packed = np.zeros((*sinograms.shape[1:], half), np.complex64)
    packed.real[..., : len(sinograms[:half])] = np.moveaxis(sinograms[:half], 0, 2)
    packed.imag[..., : len(sinograms[half:])] = np.moveaxis(sinograms[half:], 0, 2)
    return packed


def _radial_lines(packed: np.ndarray, plan: Plan) -> np.ndarray:
    """Filtered lines through the images' transform: float32 (angle, frequency, lane), frequency from 1 - size/2."""
    spectrum = fft.fft(packed, plan.size, axis=1, workers=thread_count()) * plan.response[..., None]
    edges = np.arange(0, plan.columns, plan.bin)
    coarse = np.add.reduceat(packed, edges, axis=1)
    spectrum[:, _modes()] += np.einsum("mb,abl->aml", plan.tail, coarse) * plan.shift[..., None]
    centred = fft.fftshift(spectrum, axes=1)[:, 1:]
    return np.concatenate([centred.real, centred.imag], axis=2)


def _without_zero_frequency(lines: np.ndarray) -> np.ndarray:
    """Take the zero frequency off all lines and return its sum: complex (lane,).

    All lines share it, so that the grid's error would add up there; it is the same for every voxel anyway.
    """
    middle = lines.shape[1] // 2
    total = lines[:, middle].sum(0, dtype=float)
    lines[:, middle] = 0
    return (total[: BATCH // 2] + 1j * total[BATCH // 2 :]).astype(np.complex64)


def _gridded(lines: np.ndarray, plan: Plan) -> np.ndarray:
    """Spread the lines onto the grid: complex64 (v, u, lane) with the zero frequency at index 0."""
    from operando.tomography._gridding_kernels import LANES, spread_tile

    grid = np.zeros((plan.size + 3, plan.size + 3, LANES), np.float32)
    rows = split(len(grid), -(-len(grid) // TILE))
    cosines, sines = np.cos(plan.angles), np.sin(plan.angles)

    def work(piece: int) -> None:
        for first, last in rows:
            spread_tile(lines, cosines, sines, plan.table, grid, *rows[piece], first, last)

    over_pieces(work, len(rows))
    return _folded(grid, plan.size)


def _folded(grid: np.ndarray, size: int) -> np.ndarray:
    """Fold the rim onto the other side, for the grid is periodic, and put the zero frequency first."""
    grid[size:] += grid[:3]
    grid[:, size:] += grid[:, :3]
    inner = np.roll(grid[3:, 3:], (2 - size // 2, 2 - size // 2), axis=(0, 1))
    return inner[..., : BATCH // 2] + 1j * inner[..., BATCH // 2 :]
