"""Spectra on one axis of lattice spacing: the heat map of the series, and one spectrum with its fit."""

from typing import Any

import numpy as np
import xarray as xr

from operando.figures.spectra import SUM_OF_ELEMENTS, Line, known_lines, rebinned, spacing_range
from operando.model.constants import HC_KEV_ANGSTROM
from operando.pipeline.store import Results
from operando.viewer.packing import pack
from operando.viewer.reader import Reader

BINS = 900
ROUND = 0.05
"""The axis ends at multiples of this, Å, so that one more spectrum does not shift it."""
TICKS = 24
FWHM_PER_STD = 2.3548200450309493
STRONGEST = 0.998


def heat_map(reader: Reader) -> bytes | None:
    """Square root of the intensity above background as bytes (0 is unknown), one row a spectrum."""
    return reader.of_revision("heat map", lambda: _heat_map(reader))


def _heat_map(reader: Reader) -> bytes | None:
    results = reader.results
    numbers = results.frames("corrected")
    if not numbers or results.table("calibration") is None:
        return None
    edges, lines = _axis(reader)
    rows = np.array([_net(reader, number, edges) for number in numbers])
    finite = np.isfinite(rows)
    top = float(np.quantile(rows[finite], STRONGEST)) if finite.any() else 1.0
    scaled = 1 + np.rint(254 * np.sqrt(np.clip(np.nan_to_num(rows) / max(top, 1e-9), 0, 1)))
    header = {"frames": numbers, "low": edges[0], "high": edges[-1], "top": top, "lines": _ticks(lines)}
    return pack(header, {"intensity": np.where(finite, scaled, 0).astype(np.uint8)})


def _axis(reader: Reader) -> tuple[np.ndarray, list[Line]]:
    """Edges of the bins, Å, and the known lines."""

    def make() -> tuple[np.ndarray, list[Line]]:
        lines = known_lines(reader.results)
        low, high = spacing_range(lines) if lines else _whole_range(reader.results)
        return np.linspace(np.floor(low / ROUND) * ROUND, np.ceil(high / ROUND) * ROUND, BINS + 1), lines

    return reader.of_revision("axis", make)


def _whole_range(results: Results) -> tuple[float, float]:
    """Range of spacings, Å, of the first spectrum's middle energies, where no line is known."""
    corrected = results.product("corrected", results.frames("corrected")[0])
    calibration = results.table("calibration")
    assert corrected is not None
    assert calibration is not None
    middle = np.quantile(corrected["energy"].values, [0.15, 0.95])
    sine = np.sin(np.deg2rad(np.nanmean(calibration["two_theta"].values)) / 2)
    low, high = HC_KEV_ANGSTROM / (2 * middle[::-1] * sine)
    return float(low), float(high)


def _ticks(lines: list[Line]) -> list[dict[str, Any]]:
    return [{"phase": line.phase, "hkl": line.hkl, "d": line.d} for line in lines[:TICKS]]


def _net(reader: Reader, number: int, edges: np.ndarray) -> np.ndarray:
    digests = (reader.results.digest("corrected", number), reader.results.digest("calibration"), edges[0], edges[-1])

    def make() -> np.ndarray:
        parts = _summed(reader.results, number, edges, ("counts", "background"))
        net: np.ndarray = (parts["counts"] - parts["background"]).astype(np.float32)
        return net

    kept: np.ndarray = reader.remembered(("net", *digests), make)
    return kept


def _summed(results: Results, number: int, edges: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Counts/Å on the bins, dead time corrected, summed over the good elements; NaN where no element sees a bin."""
    corrected, calibration = results.product("corrected", number), results.table("calibration")
    total = {name: np.full(edges.size - 1, np.nan) for name in names}
    if corrected is None or calibration is None:
        return total
    for element in good_elements(corrected, calibration):
        two_theta = float(calibration["two_theta"].values[element])
        energy, scale = corrected["energy"].values[element], float(corrected["scale"].values[element])
        for name in names:
            part = rebinned(energy, corrected[name].values[element] * scale, two_theta, edges)
            total[name] = np.where(np.isnan(total[name]), part, total[name] + np.nan_to_num(part))
    return total


def good_elements(corrected: xr.Dataset, calibration: xr.Dataset) -> list[int]:
    """Detector elements that can be used in this spectrum."""
    good = corrected["good"].values.astype(bool) & calibration["good"].values.astype(bool)
    return [int(element) for element in np.flatnonzero(good)]


def spectrum(reader: Reader, number: int) -> bytes | None:
    """One spectrum: counts, background and the sum of background and fitted lines, counts/Å."""
    if number not in reader.results.frames("corrected") or reader.results.table("calibration") is None:
        return None
    edges, lines = _axis(reader)
    parts = _summed(reader.results, number, edges, ("counts", "background"))
    arrays = {"d": (edges[1:] + edges[:-1]) / 2, **parts}
    fitted = _fitted(reader.results, number, edges)
    if fitted is not None:
        arrays["fit"] = parts["background"] + fitted
    header = {"number": number, "lines": _ticks(lines), "found": _found(reader.results, number)}
    return pack(header, {name: array.astype(np.float32) for name, array in arrays.items()})


def _fitted(results: Results, number: int, edges: np.ndarray) -> np.ndarray | None:
    """The fitted lines as Gaussians of the calibrated width, counts/Å on the bins."""
    lines, calibration = results.product("lines", number), results.table("calibration")
    if lines is None or calibration is None or not {"d", "area"} <= set(lines.variables):
        return None
    if "element" in lines and (lines["element"].values == SUM_OF_ELEMENTS).any():
        lines = lines.isel(line=np.flatnonzero(lines["element"].values == SUM_OF_ELEMENTS))
    d, area = (lines[name].values.astype(float) for name in ("d", "area"))
    known = np.isfinite(d) & np.isfinite(area)
    spread = _spread(d[known], calibration)
    from scipy.special import ndtr

    below = ndtr((edges[:, None] - d[known]) / spread)
    shares: np.ndarray = np.diff(below, axis=0) @ area[known] / np.diff(edges)
    return shares


def _spread(d: np.ndarray, calibration: xr.Dataset) -> np.ndarray:
    """Standard deviation of a line in lattice spacing, Å, from the detector's resolution."""
    sine = np.sin(np.deg2rad(np.nanmean(calibration["two_theta"].values)) / 2)
    energy = HC_KEV_ANGSTROM / (2 * d * sine)
    terms = np.nanmean(calibration["resolution"].values, axis=0)
    width = np.sqrt(terms[0] ** 2 + terms[1] * energy)
    spread: np.ndarray = d * width / energy / FWHM_PER_STD
    return spread


def _found(results: Results, number: int) -> list[dict[str, Any]]:
    """Lattices of the phases in this spectrum."""
    lattice = results.product("lattice", number)
    if lattice is None:
        return []
    cell, std = lattice["cell"].values, lattice["cell_std"].values
    return [
        {"phase": str(phase), "a": float(cell[k, 0]), "std": float(std[k, 0]) if np.isfinite(std[k, 0]) else None}
        for k, phase in enumerate(lattice["phase"].values)
        if np.isfinite(cell[k, 0])
    ]
