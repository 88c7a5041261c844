"""Impedance points in the order of the file become spectra."""

from pathlib import Path

import numpy as np
import xarray as xr

from operando.formats._record import known_start
from operando.formats._times import after
from operando.model.errors import BrokenFileError
from operando.model.products.raw import IMPEDANCE
from operando.model.reading import ReadOptions


def build(path: Path, points: np.ndarray, start: np.datetime64, options: ReadOptions, name: str) -> xr.Dataset:
    """An IMPEDANCE product from rows (frequency Hz, Re Z ohm, Im Z ohm, seconds after ``start``).

    Rows without a frequency (rests, cycling) end a spectrum, and so does a sweep that starts again.
    Raises ``BrokenFileError`` where a point of a sweep is not finite, ``ConfigurationError`` where the start is
    needed and unknown.
    """
    points = np.asarray(points, float).reshape(-1, 4)
    spectra = split(points)
    if any(not np.isfinite(spectrum).all() for spectrum in spectra):
        raise BrokenFileError(path, "some points of its impedance spectra are no numbers", "export it again")
    longest = max((len(spectrum) for spectrum in spectra), default=0)
    padded = np.full((len(spectra), longest, 3), np.nan)
    for row, spectrum in zip(padded, spectra, strict=True):
        row[: len(spectrum)] = spectrum[:, :3]
    seconds = np.array([spectrum[0, 3] for spectrum in spectra], float)
    return IMPEDANCE.new(
        frequency=padded[:, :, 0],
        impedance_real=padded[:, :, 1],
        impedance_imaginary=padded[:, :, 2],
        time=after(known_start(path, start, options), seconds) if seconds.size else np.empty(0, "datetime64[ns]"),
        attrs={"format": name, "elapsed_s": seconds.tolist(), "warnings": []},
    )


def split(points: np.ndarray) -> list[np.ndarray]:
    """Cut rows into sweeps of frequency; a sweep of fewer than three points is no spectrum."""
    measured = np.nan_to_num(points[:, 0]) > 0
    sweeps: list[np.ndarray] = []
    for run in _runs(measured):
        rows = points[run]
        steps = np.sign(np.diff(rows[:, 0]))
        direction = np.sign(steps.sum()) if steps.size else 0
        # A step against the sweep's direction over most of the range is the start of the next sweep.
        jump = (steps * direction < 0) & (np.abs(np.diff(np.log(rows[:, 0]))) > 0.5 * _decades(rows))
        sweeps += [part for part in np.split(rows, np.flatnonzero(jump) + 1) if len(part) >= 3]
    return sweeps


def _decades(rows: np.ndarray) -> float:
    return float(np.ptp(np.log(rows[:, 0])))


def _runs(mask: np.ndarray) -> list[slice]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return [slice(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True)]
