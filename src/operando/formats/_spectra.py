"""What every spectrometer reader does: look at the counts and times, and make the product."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.formats._times import one_after
from operando.model.errors import BrokenFileError
from operando.model.products.raw import SPECTRA
from operando.model.reading import ReadOptions


def build(
    path: Path,
    counts: np.ndarray,
    options: ReadOptions,
    *,
    live_time: np.ndarray,
    real_time: np.ndarray,
    start: np.ndarray,
    energy_coefficients: np.ndarray | None = None,
    two_theta: np.ndarray | None = None,
    warnings: list[str] | None = None,
    attrs: dict[str, Any] | None = None,
    coords: dict[Hashable, Any] | None = None,
    **optional: Any,
) -> xr.Dataset:
    """A SPECTRA product from arrays of one file.

    ``counts`` is (spectrum, element, channel), times are (spectrum, element) in s, ``start`` (spectrum,) UTC.
    The end of counting is the start plus the longest real time. Elements that are dead or whose live time exceeds
    the real time are named in ``attrs["warnings"]``. Raises ``BrokenFileError`` for negative or absent counts.
    """
    elements = counts.shape[1]
    _refuse_impossible(path, counts)
    coefficients = np.full((elements, 3), np.nan) if energy_coefficients is None else energy_coefficients
    said = [*(warnings or []), *oddities(counts, live_time, real_time)]
    return SPECTRA.new(
        coords={"element": (("element",), np.arange(elements)), **(coords or {})},
        counts=counts,
        energy_coefficients=coefficients,
        two_theta=angles(two_theta, elements, options),
        live_time=live_time,
        real_time=real_time,
        start=start,
        end=ends(start, real_time),
        attrs={**(attrs or {}), "warnings": said},
        **optional,
    )


def _refuse_impossible(path: Path, counts: np.ndarray) -> None:
    if not counts.size:
        raise BrokenFileError(path, "it holds no counts", "leave the file out")
    if not np.isfinite(counts).all():
        raise BrokenFileError(path, "some counts are no finite numbers", "copy the file again")
    if counts.min() < 0:
        raise BrokenFileError(path, f"a channel holds {counts.min():g} counts", "give raw counts")


def angles(two_theta: np.ndarray | None, elements: int, options: ReadOptions) -> np.ndarray:
    """Diffraction angles of the elements: the file's, else the configured one, else NaN."""
    found = np.full(elements, np.nan) if two_theta is None else np.asarray(two_theta, float)
    given = np.nan if options.two_theta_deg is None else options.two_theta_deg
    return np.where(np.isfinite(found) & (found != 0), found, given)


def ends(start: np.ndarray, real_time: np.ndarray) -> np.ndarray:
    """End of counting of each spectrum: its start plus its longest real time, NaT if unknown."""
    known = np.where(np.isfinite(real_time), real_time, -np.inf).max(axis=1)
    return np.array([one_after(s, t if np.isfinite(t) else np.nan) for s, t in zip(start, known, strict=True)])


def oddities(counts: np.ndarray, live: np.ndarray, real: np.ndarray) -> list[str]:
    """Sentences that name elements which are dead, impossible (LIVE > REAL) or empty in single spectra."""
    spectra = counts.shape[0]
    said = []
    sums = counts.sum(axis=2)
    for element in range(counts.shape[1]):
        empty = sums[:, element] == 0
        if empty.all():
            said.append(f"element {element} is dead: no counts.")
        elif empty.any():
            said.append(f"element {element} is empty in spectra {_list(np.flatnonzero(empty))}.")
        over = np.flatnonzero(live[:, element] > real[:, element])
        if over.size:
            worst = over[np.argmax(live[over, element] - real[over, element])]
            where = "" if spectra == 1 else f" in {over.size} of {spectra} spectra"
            said.append(
                f"element {element}: LIVE > REAL{where} ({live[worst, element]:.3f} s of {real[worst, element]:.3f} s)."
            )
    return said


def _list(indices: np.ndarray) -> str:
    shown = ", ".join(str(i) for i in indices[:8])
    return shown if indices.size <= 8 else f"{shown}, … ({indices.size} in all)"
