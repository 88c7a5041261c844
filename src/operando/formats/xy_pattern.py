"""Text with columns: a pattern that somebody else has reduced (``.xy``, ``.xye``, ``.chi``, XAS text)."""

from pathlib import Path

import numpy as np
import xarray as xr

from operando.formats import _xy
from operando.formats._delimited import Outline
from operando.model.errors import BrokenFileError
from operando.model.products.raw import PATTERN
from operando.model.reading import Kind, ReadOptions

NAME = "xy_pattern"
TITLE = "two- or three-column text (.xy, .xye, XAS)"
KIND: Kind = "pattern"
EXTENSIONS = (".xye", ".xy", ".chi", ".txt", ".dat", ".asc", ".csv", ".prn")
FALLBACK = True


def sniff(path: Path, head: bytes) -> bool:
    """Rows of numbers, without a row of labels that is more than x, y and an uncertainty."""
    outline = _xy.outline_of(head)
    return outline is not None and _is_pattern(outline)


def _is_pattern(outline: Outline) -> bool:
    return (not outline.labels and outline.width <= 20) or outline.width == 2 or outline.has_uncertainty


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the first two columns as a PATTERN product; a third is the standard deviation if it is one.

    ``attrs["abscissa_unit"]`` is ``""`` where the file names none. Raises ``BrokenFileError`` for rows that are no
    numbers, ``ConfigurationError`` for a start whose zone is unknown.
    """
    columns = _xy.read_columns(path)
    values, outline = columns.values, columns.outline
    if not np.isfinite(values[:, :2]).all():
        row = int(np.argmin(np.isfinite(values[:, :2]).all(axis=1)))
        raise BrokenFileError(path, f"row {row + 1} of its numbers has none in x or y", "repair this row")
    deviations = outline.has_uncertainty or (outline.width == 3 and not outline.labels)
    std = values[:, 2] if deviations and (values[:, 2] >= 0).all() else np.full(len(values), np.nan)
    steps = np.diff(values[:, 0])
    if steps.size and not ((steps > 0).all() or (steps < 0).all()):
        columns.warnings.append(f"x is not monotonic: {int(min((steps <= 0).sum(), (steps >= 0).sum()))} steps turn.")
    start, end = _xy.times(path, columns, options)
    return PATTERN.new(
        intensity=values[:, 1],
        intensity_std=std,
        abscissa=values[:, 0],
        start=start,
        end=end,
        attrs={
            "format": NAME,
            "abscissa_unit": _unit(path, columns),
            "abscissa_label": _xy.label(columns, 0),
            "intensity_label": _xy.label(columns, 1),
            "warnings": columns.warnings,
        },
    )


def _unit(path: Path, columns: _xy.Columns) -> str:
    label = _xy.label(columns, 0)
    named = _xy.unit_in(label)
    if named or path.suffix.lower() != ".xye":
        if not named and "energy" in label.lower() and np.nanmax(columns.values[:, 0]) > 1000:
            columns.warnings.append(
                f"its {label!r} has no unit; up to {np.nanmax(columns.values[:, 0]):g}, taken as eV."
            )
            return "eV"
        return named
    return "deg"  # What TOPAS and FullProf mean by .xye.
