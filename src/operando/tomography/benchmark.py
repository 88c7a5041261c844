"""How fast this machine reconstructs, beside what its memory and its arithmetic allow."""

import resource
import time
from collections.abc import Callable

import numpy as np

from operando.tomography._threads import over_pieces, thread_count
from operando.tomography.gpu import find_device
from operando.tomography.gridding import reconstruct_sinograms
from operando.tomography.plan import BATCH, make_plan
from operando.tomography.rings import Method, remove_stripes

REPEATS = 5


def measure(columns: int = 1008, angles: int = 750, rows: int = BATCH) -> dict[str, float | str]:
    """Time one batch of slices and one sinogram's ring removal; medians, compilation apart.

    Returns seconds, the floor set by the FFTs' arithmetic and by the memory's bandwidth as measured here, and
    the accuracy on a disc of known attenuation.
    """
    turn = np.arange(angles) * np.pi / angles
    data, radius = disc_sinograms(columns, angles, rows)
    centre = (columns - 1) / 2
    started = time.perf_counter()
    volume = reconstruct_sinograms(data, turn, centre)
    first = time.perf_counter() - started
    place = np.arange(columns) - centre
    inside = volume[0][np.hypot(place[:, None], place) < 0.9 * radius]
    mean, deviation = float(inside.mean()), float(inside.std())
    del volume, inside  # not in memory beside the next
    seconds = median_time(lambda: reconstruct_sinograms(data, turn, centre)) / rows
    size = make_plan(turn, columns, centre, "ramp").size
    few = data[: 2 * thread_count()]
    noisy = few + np.random.default_rng(0).standard_normal(few.shape, np.float32) * np.float32(0.01)
    return {
        "columns": columns,
        "projections": angles,
        "slices at once": rows,
        "threads": thread_count(),
        "graphics card": "used" if find_device() is not None else "none",
        "first call with compilation or its cache / s": first,
        "one slice / s": seconds,
        "floor of one slice: FFTs / s": _fft_operations(size, columns, angles) / fft_rate(size),
        "floor of one slice: memory / s": _bytes_moved(size, columns, angles) / bandwidth(),
        "disc's mean over its true value": mean,
        "disc's standard deviation": deviation,
        "offsets of one sinogram / s": rings_time(noisy, "offsets"),
        "all stripes of one sinogram / s": rings_time(noisy, "all-stripe"),
        "peak memory of this process / MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def disc_sinograms(columns: int, angles: int, rows: int) -> tuple[np.ndarray, float]:
    """Sinograms (row, angle, column) of a centred disc of attenuation 1 per pixel, and its radius in pixels."""
    radius = 0.45 * columns
    edge = np.clip(np.arange(columns + 1) - columns / 2, -radius, radius)
    area = edge * np.sqrt(np.maximum(radius**2 - edge**2, 0)) + radius**2 * np.arcsin(edge / radius)
    chord = np.diff(area).astype(np.float32)
    return np.broadcast_to(chord, (rows, angles, columns)).copy(), radius


def median_time(work: Callable[[], object]) -> float:
    """Median seconds of a few runs."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def rings_time(data: np.ndarray, method: Method) -> float:
    """Seconds a sinogram with all threads, one sinogram each."""
    count = len(data)
    remove_stripes(data[0], method)
    return median_time(lambda: over_pieces(lambda row: remove_stripes(data[row], method), count)) / count


def fft_rate(size: int) -> float:
    """Floating-point operations a second of our own transform, all threads together (5 N log2 N a transform)."""
    from operando.tomography._fft_kernels import aligned, fft_tables, transform

    tables, count = fft_tables(size), 64 * thread_count()
    rooms = [(aligned(size, 16), aligned(size, 16)) for _ in range(count // 64)]
    for points, _ in rooms:
        points[:] = 0

    def work(piece: int) -> None:
        for _ in range(64):
            transform(*rooms[piece], *tables)

    work(0)
    return 8 * count * 5 * size * np.log2(size) / median_time(lambda: over_pieces(work, len(rooms)))


def bandwidth(megabytes: int = 256) -> float:
    """Bytes a second read and written when all threads copy."""
    threads = thread_count()
    source = [np.ones(megabytes << 18, np.float32)[: (megabytes << 18) // threads] for _ in range(threads)]
    target = [np.zeros_like(part) for part in source]

    def work(piece: int) -> None:
        np.copyto(target[piece], source[piece])

    return 2 * sum(part.nbytes for part in source) / median_time(lambda: over_pieces(work, threads))


def _fft_operations(size: int, columns: int, angles: int) -> float:
    """Of one slice: two slices share a complex transform."""
    return (angles + size + columns) * 5 * size * np.log2(size) / 2


def _bytes_moved(size: int, columns: int, angles: int) -> float:
    """Of one slice: projections, lines written and read, grid written and read twice, image."""
    return 4 * (angles * columns + 2 * angles * size + 4 * size**2 + columns**2)
