"""What the steps need to know of a scan's frames: flats and darks in groups, gain, read noise, dead pixels."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from operando.model.errors import BrokenFileError
from operando.model.products.raw import DARK, FLAT, PROJECTION

UNLIT = 5.0
"""An open beam below this many times the read noise of one frame is none."""


@dataclass(frozen=True)
class Open:
    """The open beam over a slab of rows, as one mean image for each group of flats."""

    images: np.ndarray
    """Flat minus dark for each group, per mA where the ring current is known: (group, row, column), float32."""
    position: np.ndarray
    """Time (s) or frame number of each group."""
    dark: np.ndarray
    """Mean dark: (row, column), float32."""
    dark_std: np.ndarray
    """Read noise of one frame, one value a row: (row,)."""
    gain: np.ndarray
    """Counts per detected quantum, from the variance of the flats, one value a row; NaN with a single flat."""
    faulty: np.ndarray
    """True for dead and hot pixels: (row, column)."""


def file_of(product: xr.Dataset) -> str:
    """Name of the raw file, for sentences."""
    return str(product.attrs.get("file", "the scan"))


def row_coordinate(product: xr.Dataset) -> dict[Hashable, Any]:
    """Numbers of the detector rows, where the product knows them (a slab does)."""
    return {"row": product["row"].values} if "row" in product.coords else {}


def row_numbers(product: xr.Dataset) -> np.ndarray:
    """Numbers of the detector rows; counted from 0 where the product does not know them."""
    return product["row"].values if "row" in product.coords else np.arange(product.sizes["row"])


def select(scan: xr.Dataset, key: int) -> np.ndarray:
    """Indices of the frames of one kind."""
    return np.flatnonzero(scan["image_key"].values == key)


def frames(scan: xr.Dataset, indices: np.ndarray) -> np.ndarray:
    """Read these frames only: neighbouring frames as one slice, for lazy files are slow at single ones."""
    counts = scan["counts"]
    if indices.size and np.array_equal(indices, np.arange(indices[0], indices[-1] + 1)):
        return counts.isel(frame=slice(int(indices[0]), int(indices[-1]) + 1)).values
    return counts.isel(frame=indices).values


def positions(scan: xr.Dataset) -> np.ndarray:
    """Time of each frame in s since the first, or its number where the file has no times of frames."""
    if "frame_time" in scan and not np.isnat(scan["frame_time"].values).any():
        time = scan["frame_time"].values
        return (time - time[0]).astype("int64") * 1e-9
    return np.arange(scan.sizes["frame"], dtype=float)


def ring_current(scan: xr.Dataset) -> np.ndarray:
    """Beam current of each frame relative to the flats' mean; ones where it is not known."""
    if "ring_current" not in scan:
        return np.ones(scan.sizes["frame"])
    current = scan["ring_current"].values.astype(float)
    if not (np.isfinite(current) & (current > 0)).all():
        return np.ones(scan.sizes["frame"])
    return current / current[select(scan, FLAT)].mean()


def groups_of(indices: np.ndarray) -> list[np.ndarray]:
    """Split frame numbers where they are interrupted.

    >>> [g.tolist() for g in groups_of(np.array([0, 1, 7, 8]))]
    [[0, 1], [7, 8]]
    """
    return np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)


def open_beam(scan: xr.Dataset, faulty_share: float) -> Open:
    """Read flats and darks of these rows. Raises ``BrokenFileError`` where there are none."""
    file = file_of(scan)
    flats = select(scan, FLAT)
    if select(scan, PROJECTION).size == 0:
        raise BrokenFileError(file, "it holds no projections", "check its image_key")
    if flats.size == 0:
        raise BrokenFileError(file, "it holds no flat fields", "record some, or add them as frames with image_key 1")
    dark, dark_std = _dark(scan)
    time, current = positions(scan), ring_current(scan)
    groups = groups_of(flats)
    images, gains = [], []
    for group in groups:
        raw = frames(scan, group).astype(np.float32) - dark
        raw /= current[group].astype(np.float32)[:, None, None]
        images.append(robust_mean(raw))
        gains.append(_gain(raw, dark_std))
    stack = np.stack(images)
    faulty = faulty_pixels(stack, faulty_share)
    faulty[unlit_rows(stack, dark_std)] = True
    gain = np.nanmedian(np.stack(gains), axis=0) if np.isfinite(gains).any() else np.full(len(dark_std), np.nan)
    return Open(stack, np.array([time[g].mean() for g in groups]), dark, dark_std, gain, faulty)


def _dark(scan: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Mean dark and the read noise of each row (from its spread in time; one frame: from its spread in space)."""
    rows, columns = scan.sizes["row"], scan.sizes["column"]
    darks = select(scan, DARK)
    quantisation = 1 / np.sqrt(12) if np.issubdtype(scan["counts"].dtype, np.integer) else 0.0
    if darks.size == 0:
        return np.zeros((rows, columns), np.float32), np.full(rows, quantisation)
    raw = frames(scan, darks).astype(np.float32)
    if darks.size > 1:
        noise = np.sqrt(np.median(raw.var(0, ddof=1), axis=1))
    else:
        noise = np.median(np.abs(np.diff(raw[0], axis=1)), axis=1) / (0.6745 * np.sqrt(2))
    return robust_mean(raw), np.maximum(noise, quantisation)


def robust_mean(stack: np.ndarray, sigmas: float = 8.0) -> np.ndarray:
    """Mean over frames (frame, row, column) without what lies far off a pixel's median: zingers in flats and darks.

    The scatter is that of the row, for a pixel's own few values would hide its outlier.
    """
    return without_zingers(stack, sigmas).mean(0, dtype=np.float32)


def without_zingers(stack: np.ndarray, sigmas: float = 8.0) -> np.ndarray:
    """Frames (frame, row, column) with what lies far off a pixel's median replaced by it."""
    if len(stack) < 3:
        return stack
    middle = np.median(stack, axis=0)
    off = np.abs(stack - middle)
    usual = 1.4826 * np.median(off, axis=(0, 2))[None, :, None]
    kept = off <= np.maximum(sigmas * usual, 1e-6 * np.abs(middle))
    return np.where(kept, stack, middle)


def _gain(flats: np.ndarray, dark_std: np.ndarray) -> np.ndarray:
    """Counts per quantum of each row: variance over mean of the flats, after their common flicker is taken out."""
    if len(flats) < 2:
        return np.full(flats.shape[1], np.nan)
    level = flats.mean(2, keepdims=True)
    steady = flats * (level.mean(0) / np.where(level == 0, 1, level))
    variance = np.median(steady.var(0, ddof=1), axis=1) - dark_std**2
    return np.maximum(variance, 0) / np.maximum(np.median(flats.mean(0), axis=1), 1e-30)


def unlit_rows(images: np.ndarray, dark_std: np.ndarray) -> np.ndarray:
    """Rows whose usual open beam is not five times the read noise of one frame in any group of flats: (row,)."""
    return (np.median(images, axis=2) < UNLIT * np.maximum(dark_std, 1e-30)).any(0)


def faulty_pixels(images: np.ndarray, share: float) -> np.ndarray:
    """Pixels that see less than ``share`` or more than 1 / ``share`` of their row's usual open beam, or NaN."""
    faulty = ~np.isfinite(images).all(0)
    for image in images:
        usual = np.array([np.median(row[row > 0]) if (row > 0).any() else 0.0 for row in image])[:, None]
        faulty |= ~((image > share * usual) & (image * share < usual))
    return faulty
