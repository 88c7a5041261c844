"""Kernels of the forward projector (numba; released from the interpreter's lock, so that frames run in threads).

A ray at angle θ and offset s runs through x = s cos θ - t sin θ, y = s sin θ + t cos θ. A region under a
height map z < h(x, y) is met by every row at once: each sample of the ray adds its length to all rows above
its height, so one pass over the samples and one running sum give the exact row-averaged path of all rows.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def paths_under(
    surface: np.ndarray,
    first: float,
    spacing: float,
    radius: float,
    cosine: float,
    sine: float,
    offsets: np.ndarray,
    step: float,
    per_um: float,
    shift: float,
    paths: np.ndarray,
) -> None:
    """Add to ``paths`` (offset, row) the length (µm) of each ray under ``surface`` (y, x) inside the bore.

    ``first`` and ``spacing`` describe the map's axis, ``offsets`` are s, ``step`` the sampling along the ray;
    a height h stands at row coordinate h × per_um + shift, where row r covers r … r + 1.
    """
    rows = paths.shape[1]
    size = surface.shape[0]
    full = np.empty(rows + 1)
    part = np.empty(rows + 1)
    for j in range(offsets.shape[0]):
        s = offsets[j]
        if abs(s) >= radius:
            continue
        half = np.sqrt(radius * radius - s * s)
        count = max(int(np.ceil(2 * half / step)), 1)
        length = 2 * half / count
        full[:] = 0.0
        part[:] = 0.0
        u = (s * cosine - first) / spacing
        v = (s * sine - first) / spacing
        for n in range(count):
            t = (-half + (n + 0.5) * length) / spacing
            px, py = u - t * sine, v + t * cosine
            i, k = int(px), int(py)
            if i < 0 or k < 0 or i > size - 2 or k > size - 2:
                continue
            a, b = px - i, py - k
            low = surface[k, i] * (1 - a) + surface[k, i + 1] * a
            high = surface[k + 1, i] * (1 - a) + surface[k + 1, i + 1] * a
            level = (low * (1 - b) + high * b) * per_um + shift
            if level <= 0.0:
                continue
            if level >= rows:
                full[rows] += 1.0
                continue
            row = int(level)
            full[row] += 1.0
            part[row] += level - row
        above = full[rows]
        for row in range(rows - 1, -1, -1):
            paths[j, row] += length * (above + part[row])
            above += full[row]


@njit(cache=True, nogil=True)
def paths_through_ellipsoids(
    grains: np.ndarray, cosine: float, sine: float, offsets: np.ndarray, per_um: float, shift: float, paths: np.ndarray
) -> None:
    """Add the chords (µm) × (relative density - 1) of ellipsoids, rows (z, y, x, semi z, y, x, density - 1)."""
    rows = paths.shape[1]
    spacing = offsets[1] - offsets[0]
    for g in range(grains.shape[0]):
        z, y, x, c, b, a, weight = grains[g]
        width = np.sqrt(a * a * cosine * cosine + b * b * sine * sine)
        middle = x * cosine + y * sine
        longest = 2 * a * b / width
        j0 = max(int(np.ceil((middle - width - offsets[0]) / spacing)), 0)
        j1 = min(int(np.floor((middle + width - offsets[0]) / spacing)), offsets.shape[0] - 1)
        r0 = max(int(np.floor((z - c) * per_um + shift)), 0)
        r1 = min(int(np.ceil((z + c) * per_um + shift)), rows - 1)
        for j in range(j0, j1 + 1):
            across = 1 - ((offsets[j] - middle) / width) ** 2
            for row in range(r0, r1 + 1):
                total = 0.0
                for n in range(4):
                    height = (row + (n + 0.5) / 4 - shift) / per_um
                    rest = across - ((height - z) / c) ** 2
                    if rest > 0:
                        total += np.sqrt(rest)
                paths[j, row] += 0.25 * weight * longest * total


@njit(cache=True, nogil=True, fastmath=True)
def transmit(
    paths: np.ndarray,
    walls: np.ndarray,
    bare: np.ndarray,
    attenuation: np.ndarray,
    weights: np.ndarray,
    first: float,
    per_um: float,
    centre: float,
    shear: float,
    middle_row: float,
    subsamples: int,
    image: np.ndarray,
) -> None:
    """Polychromatic transmission of every pixel, row by row.

    paths (material, offset, row) in µm, walls (offset, energy) the exponent of the container, bare (offset) what
    it lets through alone, attenuation
    (material, energy) in 1/µm, weights (energy). Column c of row r looks along s = (c - centre) / per_um
    - shear × (r - middle_row); ``first`` is the first offset, whose grid has ``subsamples`` points a pixel.
    """
    materials, count, _ = paths.shape
    energies = weights.shape[0]
    length = np.empty(materials, np.float32)
    spacing = 1.0 / (per_um * subsamples)
    for row in range(image.shape[0]):
        lean = shear * (row - middle_row)
        for column in range(image.shape[1]):
            middle = (column - centre) / per_um - lean
            length[:] = 0.0
            nearest = 0
            for n in range(subsamples):
                place = (middle + ((n + 0.5) / subsamples - 0.5) / per_um - first) / spacing
                j = min(max(int(place), 0), count - 2)
                part = np.float32(place - j)
                nearest = min(max(int((middle - first) / spacing + 0.5), 0), count - 1)
                for m in range(materials):
                    length[m] += (1 - part) * paths[m, j, row] + part * paths[m, j + 1, row]
            if not length.any():
                image[row, column] = bare[nearest]
                continue
            total = np.float32(0.0)
            for e in range(energies):
                exponent = walls[nearest, e]
                for m in range(materials):
                    exponent += attenuation[m, e] * length[m] * np.float32(1.0 / subsamples)
                total += weights[e] * np.exp(-exponent)
            image[row, column] = total


@njit(cache=True, nogil=True)
def assemble(under: np.ndarray, chord: np.ndarray, covered: np.ndarray, paths: np.ndarray) -> None:
    """Paths of anode, electrolyte, screws and cathode (material, offset, row) from those under the surfaces.

    ``under`` (surface, offset, row): below anode and electrolyte; ``covered`` (level, row): share of the row
    above the anode's back, the cathode's top and its bottom.
    """
    for j in range(chord.shape[0]):
        for row in range(covered.shape[1]):
            top, lower, bottom = covered[0, row], covered[1, row], covered[2, row]
            paths[0, j, row] = under[0, j, row] - chord[j] * top
            paths[1, j, row] = chord[j] * lower - under[1, j, row]
            paths[2, j, row] = chord[j] * (top + 1 - bottom)
            paths[3, j, row] = chord[j] * (bottom - lower)
