"""Text with two columns: channel or energy, and whole counts of one energy-dispersive detector."""

import re
from pathlib import Path

import numpy as np
import xarray as xr

from operando.formats import _spectra, _text, _xy
from operando.model.errors import BrokenFileError
from operando.model.reading import Kind, ReadOptions

NAME = "xy_counts"
TITLE = "two-column text: channel or energy, and counts"
KIND: Kind = "diffraction"
EXTENSIONS = (".txt", ".dat", ".csv", ".asc", ".xy")
FALLBACK = True

_ENERGY = re.compile(r"(?<![A-Za-z])(energy|[kM]?eV)(?![A-Za-z])", re.IGNORECASE)


def sniff(path: Path, head: bytes) -> bool:
    """Two columns: whole counts against consecutive channels, or against an energy that is called so."""
    outline = _xy.outline_of(head)
    if outline is None or outline.width != 2 or path.suffix.lower() == ".xye":
        return False
    x = [_text.number(row[0]) for row in outline.rows]
    y = [_text.number(row[1]) for row in outline.rows]
    if not all(count >= 0 and float(count).is_integer() for count in y):
        return False
    consecutive = len(x) > 3 and x[0] in {0, 1} and bool(np.all(np.diff(x) == 1))
    return consecutive or bool(_ENERGY.search(" ".join((*outline.labels, *outline.comments[-1:]))))


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the file as a SPECTRA product of one spectrum and one element.

    Energies become coefficients of a parabola; a first channel called 1 stays channel 1. Comments such as
    ``# live time: 100`` and ``# start time: 2018-05-04T08:00:00Z`` are used. Raises ``BrokenFileError`` for rows
    that are no counts.
    """
    columns = _xy.read_columns(path)
    x, y = columns.values[:, 0], columns.values[:, 1]
    if not (np.isfinite(columns.values).all() and (y >= 0).all() and (y < 1e15).all() and (y == np.floor(y)).all()):
        raise BrokenFileError(path, "its second column holds something other than whole counts", "give raw counts")
    channels = np.array_equal(x, np.arange(x.size) + x[0]) and x[0] in {0, 1}
    counts = np.concatenate([np.zeros(int(x[0]) if channels else 0), y]).astype(np.int64)
    start, end = _xy.times(path, columns, options)
    real = columns.named("real[ _]?time")
    if not np.isfinite(real) and not np.isnat(end):
        real = float((end - start) / np.timedelta64(1, "s"))
    return _spectra.build(
        path,
        counts[np.newaxis, np.newaxis],
        options,
        live_time=np.array([[columns.named("live[ _]?time")]]),
        real_time=np.array([[real]]),
        start=np.array([start]),
        energy_coefficients=None if channels else _coefficients(path, x, columns)[np.newaxis],
        warnings=columns.warnings,
        attrs={"format": NAME},
    )


def _coefficients(path: Path, energy: np.ndarray, columns: _xy.Columns) -> np.ndarray:
    """Coefficients in keV of the parabola through the energies."""
    unit = _xy.unit_in(_xy.label(columns, 0)) or _xy.unit_in(" ".join(columns.outline.comments[-1:])) or "keV"
    if unit not in {"keV", "eV"} or energy.size < 3:
        raise BrokenFileError(path, f"its {energy.size} energies are in {unit!r}", "give energies in keV or eV")
    factor = 1e-3 if unit == "eV" else 1.0
    fitted = np.polynomial.polynomial.polyfit(np.arange(energy.size), energy * factor, 2)
    missed = np.abs(np.polynomial.polynomial.polyval(np.arange(energy.size), fitted) - energy * factor).max()
    if missed > 0.1 * abs(fitted[1]):
        columns.warnings.append(f"its energies are no parabola of the channel: missed by up to {missed:.3g} keV.")
    return np.asarray(fitted)
