"""Cutting planes out of volumes, with the cell's own motion taken out."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from operando.figures.source import Source

FLAT = 1 / 12
"""A volume with fewer rows than this share of its columns is shown from above."""

WIDEST = 3.0
FEWEST_ROWS = 8
"""With fewer rows that can be trusted, all are shown."""


@dataclass(frozen=True)
class Cut:
    """A vertical plane: ``image`` (z, x) in 1/cm; left, right, bottom, top edges in µm of the first scan's frame."""

    image: np.ndarray
    extent: tuple[float, float, float, float]
    horizontal: bool = False


@dataclass(frozen=True)
class Window:
    """Part of the plane at ``y``: z and x from … to, all in µm of the first scan's frame; ``None`` is the whole."""

    y: float | None = None
    z: tuple[float, float] | None = None
    x: tuple[float, float] | None = None


def vertical_cut(source: Source, scan: int, window: Window) -> Cut | None:
    """Read one vertical plane of a scan's volume; only this part is loaded.

    A volume of a few rows only is shown by its middle horizontal plane (y, x) instead. The plane follows the
    cell's translation; its rotation, some 0.01 rad at most, is left in.
    """
    volume = source.volume(scan)
    if volume is None:
        return None
    shift = translation(source, scan)
    z, y, x = (volume[name].values for name in ("z", "y", "x"))
    if z.size < FLAT * x.size:
        image = volume["mu"].isel(z=z.size // 2).values
        return Cut(image, _extent(y - shift[1], x - shift[2]), horizontal=True)
    middle = (y[0] + y[-1]) / 2 if window.y is None else window.y
    row = int(np.abs(y - (middle + shift[1])).argmin())
    rows, columns = _inside(z, window.z, shift[0]), _inside(x, window.x, shift[2])
    image = volume["mu"].isel(y=row, z=rows, x=columns).values
    return Cut(image, _extent(z[rows] - shift[0], x[columns] - shift[2]))


def translation(source: Source, scan: int) -> np.ndarray:
    """Translation of the cell in this scan (z, y, x) in µm, zero where it was not measured."""
    motions = source.table("motions")
    if motions is None or scan not in motions["scan"].values:
        return np.zeros(3)
    place = int(np.flatnonzero(motions["scan"].values == scan)[0])
    moved: np.ndarray = np.nan_to_num(motions["translation"].isel(scan=place).values)
    return moved


def _inside(coordinate: np.ndarray, limits: tuple[float, float] | None, shift: float) -> slice:
    if limits is None:
        return slice(0, coordinate.size)
    first, last = np.searchsorted(coordinate - shift, limits)
    first = min(int(first), coordinate.size - 1)
    return slice(first, max(int(last), first + 1))


def _extent(z: np.ndarray, x: np.ndarray) -> tuple[float, float, float, float]:
    half_z, half_x = _half(z), _half(x)
    return float(x[0] - half_x), float(x[-1] + half_x), float(z[-1] + half_z), float(z[0] - half_z)


def _half(coordinate: np.ndarray) -> float:
    return float(coordinate[1] - coordinate[0]) / 2 if coordinate.size > 1 else 0.5


def round_length(largest: float) -> float:
    """Largest of 1, 2, 5 × 10ⁿ that is not over ``largest``: the length of a scale bar.

    >>> round_length(340.0)
    200.0
    """
    power = 10.0 ** np.floor(np.log10(largest))
    return float(max(step * power for step in (1, 2, 5) if step * power <= largest))


def grey_limits(cuts: list[Cut]) -> tuple[float, float]:
    """One grey scale for all slices: from the 0.5 to the 99.5 percentile of what they show, 1/cm."""
    values = np.concatenate([cut.image[np.isfinite(cut.image)].ravel() for cut in cuts])
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, [0.5, 99.5])
    return float(low), float(max(high, low + 1e-6))


def whole_height(source: Source) -> tuple[float, float]:
    """Outer faces of the first volume along z, µm."""
    frames = source.frames("volume")
    first = source.volume(frames[0]) if frames else None
    if first is None:
        return 0.0, 0.0
    bottom, top = _extent(first["z"].values, first["x"].values)[2:]
    return top, bottom


def cell_window(source: Source, tracks: xr.Dataset | None) -> Window:
    """The plane of the first followed feature, cut to the tube's inside and to rows that can be trusted at all.

    A flat field of view is cut to ``WIDEST`` times its height about that feature.
    """
    place, z, x = first_place(tracks), _trusted_height(source), _tube_width(source)
    y = None if place is None else float(place[1])
    if z is None or x is None:
        return Window(y, z, x)
    half = min(x[1] - x[0], WIDEST * (z[1] - z[0])) / 2
    middle = float(np.clip(sum(x) / 2 if place is None else place[2], x[0] + half, x[1] - half))
    return Window(y, z, (middle - half, middle + half))


def _tube_width(source: Source) -> tuple[float, float] | None:
    bore = source.table("bore")
    if bore is None or not np.isfinite(float(bore["radius"])):
        return None
    middle, reach = float(bore["centre"].values[2]), 1.1 * float(bore["radius"])
    return middle - reach, middle + reach


def _trusted_height(source: Source) -> tuple[float, float] | None:
    """Where the rows lie between those, at the first scan's top and bottom, that can't be trusted (slits)."""
    frames = source.frames("phase_volumes")
    volumes = source.product("phase_volumes", frames[0]) if frames else None
    first = source.volume(frames[0]) if frames else None
    if volumes is None or first is None:
        return None
    z = first["z"].values
    low, high = 0, z.size - 1
    for start, stop in volumes["untrusted_rows"].values.astype(int):
        low = stop + 1 if start == 0 else low
        high = start - 1 if stop == z.size - 1 else high
    return (float(z[low]), float(z[high])) if high - low >= FEWEST_ROWS else None


def cavity_window(source: Source, scan: int) -> Window:
    """The plane through the thickest part of the gap, the middle plane where there is none."""
    interface = source.product("interface", scan)
    gap = None if interface is None else np.nan_to_num(interface["gap"].values)
    if interface is None or gap is None or not gap.any():
        return Window()
    return Window(y=float(interface["y_map"].values[int(np.unravel_index(gap.argmax(), gap.shape)[0])]))


def track_window(tracks: xr.Dataset | None) -> Window:
    """The plane through the first tracked feature, or the middle one."""
    place = first_place(tracks)
    return Window() if place is None else Window(y=float(place[1]))


def first_place(tracks: xr.Dataset | None) -> np.ndarray | None:
    """Position (z, y, x), µm, of the first followed feature in the first scan; ``None`` if there is none."""
    if tracks is None or tracks.sizes.get("track", 0) == 0:
        return None
    position = tracks["position"].isel(track=0)
    place: np.ndarray = (position.isel(scan=0) if "scan" in position.dims else position).values
    return place if np.isfinite(place[1:]).all() else None
