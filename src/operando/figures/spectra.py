"""Spectra of all elements on one scale of lattice spacing, for heat maps and waterfalls."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from operando.figures.source import Source
from operando.model.constants import HC_KEV_ANGSTROM

D_BINS = 500
MARGIN = 0.02
SUM_OF_ELEMENTS = -1


@dataclass(frozen=True)
class Line:
    """One diffraction line: its phase, its name ``hkl``, its usual spacing (Å) and usual area (counts)."""

    phase: str
    hkl: str
    d: float
    area: float

    @property
    def label(self) -> str:
        """The line's name as written beside a heat map."""
        return f"{self.phase} {self.hkl}"


@dataclass(frozen=True)
class Patterns:
    """``intensity`` (spectrum, bin) in counts/Å; ``edges`` of the bins in Å; ``frames`` the spectra's indices."""

    edges: np.ndarray
    intensity: np.ndarray
    frames: np.ndarray

    @property
    def d(self) -> np.ndarray:
        """Middles of the bins, Å."""
        middles: np.ndarray = np.sqrt(self.edges[1:] * self.edges[:-1])
        return middles


@dataclass(frozen=True)
class FlatLines:
    """Every fitted line of every spectrum and element: columns of equal length; ``code`` counts into ``names``."""

    names: list[tuple[str, str]]
    spectrum: np.ndarray
    code: np.ndarray
    element: np.ndarray
    columns: dict[str, np.ndarray]

    def of(self, phase: str, hkl: str) -> "FlatLines":
        """Only the rows of one line."""
        known = (phase, hkl) in self.names
        return self.where(self.code == (self.names.index((phase, hkl)) if known else -1))

    def where(self, chosen: np.ndarray) -> "FlatLines":
        """Only the chosen rows."""
        columns = {name: values[chosen] for name, values in self.columns.items()}
        return FlatLines(self.names, self.spectrum[chosen], self.code[chosen], self.element[chosen], columns)

    def whole(self) -> "FlatLines":
        """Only rows summed over the elements, where there are such."""
        summed = self.element == SUM_OF_ELEMENTS
        return self.where(summed) if summed.any() else self


def flat_lines(source: Source) -> FlatLines | None:
    """The table of lines as columns; what names a line may be shared by all spectra or differ between them."""
    table = source.table("lines")
    if table is None or 0 in table["d"].shape:
        return None
    shape = table["d"].shape

    def flat(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values, shape).ravel()

    phase, *hkl = (flat(table[name].values) for name in ("phase", "h", "k", "l"))
    element = flat(table["element"].values) if "element" in table else np.zeros(phase.size)
    there = (phase.astype(str) != "") & np.isfinite(hkl[0].astype(float))
    numbers = [str(name) for name, variable in table.data_vars.items() if variable.dtype.kind == "f"]
    names, code = _coded(phase[there].astype(str), [index[there].astype(int) for index in hkl])
    return FlatLines(
        names,
        flat(table["spectrum"].values[:, None])[there],
        code,
        element[there],
        {name: flat(table[name].values)[there] for name in numbers},
    )


def _coded(phase: np.ndarray, hkl: list[np.ndarray]) -> tuple[list[tuple[str, str]], np.ndarray]:
    """The different lines, and for each row which of them it is."""
    rows = np.rec.fromarrays([phase, *hkl])
    different, code = np.unique(rows, return_inverse=True)
    return [(str(row[0]), _hkl(list(row)[1:])) for row in different], code


def known_lines(source: Source) -> list[Line]:
    """Lines of the fitted phases with their median spacing and area, strongest first."""
    flat = flat_lines(source)
    if flat is None:
        return []
    flat = flat.whole()
    parts = [(name, flat.of(*name)) for name in flat.names]
    found = [Line(name[0], name[1], _median(part.columns["d"]), _median(part.columns["area"])) for name, part in parts]
    return sorted((line for line in found if np.isfinite(line.d)), key=lambda line: -line.area)


def _hkl(indices: Sequence[float]) -> str:
    return "".join(f"{int(index)}" if index >= 0 else f"{int(-index)}\u0305" for index in indices)


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else np.nan


def spacing_range(lines: Sequence[Line], margin: float = MARGIN) -> tuple[float, float]:
    """Range of spacings (Å) that holds ``lines``."""
    spacings = [line.d for line in lines]
    return min(spacings) * (1 - margin), max(spacings) * (1 + margin)


def rebinned(energy: np.ndarray, counts: np.ndarray, two_theta: float, edges: np.ndarray) -> np.ndarray:
    """Counts per Å of one element on bins of lattice spacing; counts are conserved.

    ``energy`` (channel,) keV of the channels' middles, ascending; ``two_theta`` in degrees; ``edges`` in Å.
    Bins outside the energies are NaN.
    """
    halves = np.diff(energy) / 2
    upper = np.concatenate([energy[:-1] + halves, energy[-1:] + halves[-1:]])
    cumulative = np.concatenate([[0.0], np.cumsum(counts)])
    boundaries = np.concatenate([energy[:1] - halves[:1], upper])
    wanted = HC_KEV_ANGSTROM / (2 * np.sin(np.deg2rad(two_theta) / 2)) / edges
    at_edges = np.interp(wanted, boundaries, cumulative, left=np.nan, right=np.nan)
    density: np.ndarray = (at_edges[:-1] - at_edges[1:]) / np.diff(edges)
    return density


def patterns(source: Source, low: float, high: float, bins: int = D_BINS) -> Patterns | None:
    """Every corrected spectrum without its background, summed over the good elements.

    Counts are multiplied by real time / live time. Bins are equal in ln d, as the resolution nearly is.
    ``None`` where there is no corrected spectrum.
    """
    calibration = source.table("calibration")
    frames = source.frames("corrected")
    if calibration is None or not frames:
        return None
    edges = np.geomspace(low, high, bins + 1)
    rows = [_pattern(source.corrected(frame), calibration, edges) for frame in frames]
    return Patterns(edges, np.array(rows), np.array(frames))


def _pattern(corrected: xr.Dataset | None, calibration: xr.Dataset, edges: np.ndarray) -> np.ndarray:
    total = np.full(edges.size - 1, np.nan)
    if corrected is None:
        return total
    net = (corrected["counts"].values - corrected["background"].values) * corrected["scale"].values[:, None]
    good = corrected["good"].values.astype(bool) & calibration["good"].values.astype(bool)
    for element in np.flatnonzero(good):
        two_theta = float(calibration["two_theta"].values[element])
        part = rebinned(corrected["energy"].values[element], net[element], two_theta, edges)
        total = np.where(np.isnan(total), part, total + np.nan_to_num(part))
    return total


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels apart to at least ``gap`` within ``low`` … ``high``, keeping their order and staying near.

    >>> spread([1.0, 1.1, 3.0], 0.5, 0.0, 4.0)
    [0.8, 1.3, 3.0]
    """
    order = np.argsort(positions, kind="stable")
    blocks: list[tuple[float, int]] = []  # middle of a block of touching labels, and their number
    for value in np.array(positions, float)[order]:
        blocks.append((float(value), 1))
        while len(blocks) > 1 and _touch(blocks[-2], blocks[-1], gap):
            (a, n), (b, m) = blocks[-2], blocks.pop()
            blocks[-1] = ((a * n + b * m) / (n + m), n + m)
    placed = [middle + gap * (i - (number - 1) / 2) for middle, number in blocks for i in range(number)]
    for i in range(len(placed)):  # off the lower edge
        placed[i] = max(placed[i], placed[i - 1] + gap if i else low)
    for i in reversed(range(len(placed))):  # and off the upper one
        placed[i] = min(placed[i], placed[i + 1] - gap if i + 1 < len(placed) else high)
    back = np.empty(len(placed))
    back[order] = placed
    return [round(float(value), 9) for value in back]


def _touch(first: tuple[float, int], second: tuple[float, int], gap: float) -> bool:
    return bool(second[0] - first[0] < gap * (first[1] + second[1]) / 2)
