"""Planes for the screen: 8-bit copies of volumes, labels and trust, written so that any plane is one read.

Every image is a folder ``results/display/<name>-<key>`` with ``about.json`` and raw files ``<axis><factor>.u8``:
planes across that axis, binned by that factor, one after the other. The key names what it was made from, so what
is there is never made again. All images of an experiment lie on the first scan's grid, so that nothing jumps
when time is scrubbed; volumes and trust are moved there by the scan's rigid motion.
"""

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from operando.pipeline import codec, digest
from operando.pipeline.store import Results
from operando.tomography._threads import over_pieces

FOLDER = "display"
VERSION = 2
AXES = "zyx"
SMALL_VOXELS = 2**23
"""Up to this size full resolution is kept across all three axes; above it only across z, half across all."""
BOX_EDGE = 256
"""The longest edge of the copy for the view in three dimensions."""
SLAB_BYTES = 48e6
QUANTILES = (0.0005, 0.9995)
MOST_AT_ONCE = 2
"""Images written at the same time, each from slabs of ``SLAB_BYTES``."""
STILL_VOXELS = 0.25
"""A motion that moves no voxel further than this is not interpolated."""


@dataclass(frozen=True)
class Image:
    """One image: 8-bit planes on a grid. Value of byte b: ``low + b (high - low) / 255``; ends may be clipped.

    ``shape``, ``spacing_um`` and ``origin_um`` are those of factor 1, along z, y, x. ``sharpness`` (1/mm) is how
    steep the steepest edges are, relative to ``high - low``.
    """

    name: str
    key: str
    scan: int
    shape: tuple[int, int, int]
    spacing_um: tuple[float, float, float]
    origin_um: tuple[float, float, float]
    low: float
    high: float
    unit: str
    moved: bool
    planes: tuple[tuple[str, int], ...]
    sharpness: float

    def shape_at(self, factor: int) -> tuple[int, int, int]:
        """Shape when binned by ``factor``."""
        z, y, x = (-(-n // factor) for n in self.shape)
        return z, y, x

    def plane_shape(self, axis: str, factor: int) -> tuple[int, int]:
        """Rows and columns of a plane across ``axis``."""
        rows, columns = (n for a, n in zip(AXES, self.shape_at(factor), strict=True) if a != axis)
        return rows, columns

    def factor_for(self, axis: str, factor: int) -> int:
        """The finest binning kept across ``axis`` that is at least ``factor``, or else the coarsest."""
        kept = sorted(f for a, f in self.planes if a == axis)
        return next((f for f in kept if f >= factor), kept[-1])


@dataclass(frozen=True)
class _Source:
    """Where an image comes from: a function that reads rows as bytes, and its grid."""

    read: Callable[[int, int], np.ndarray]
    image: Image
    mean: bool


def write_display(results: Results) -> list[Path]:
    """Write the images that are missing, remove those that nothing refers to; returns the folders made."""
    folder = results.path / FOLDER
    wanted = dict(_wanted(results))
    missing = [name for name in wanted if not (folder / name / "about.json").exists()]
    with ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_AT_ONCE)) as pool:
        made = list(pool.map(lambda name: _write(folder, name, wanted[name]()), missing))
    _write_catalogue(folder, wanted)
    return made


def catalogue(results: Results) -> dict[str, dict[int, Image]]:
    """The images that are there: by name, then by scan."""
    found: dict[str, dict[int, Image]] = {}
    path = results.path / FOLDER / "catalogue.json"
    for name in json.loads(path.read_text(encoding="utf-8")) if path.exists() else []:
        about = results.path / FOLDER / name / "about.json"
        if about.exists():
            image = _image(json.loads(about.read_text(encoding="utf-8")))
            found.setdefault(image.name, {})[image.scan] = image
    return found


def read_plane(results: Results, image: Image, axis: str, factor: int, number: int) -> bytes:
    """Bytes of plane ``number`` (counted at ``factor``) across ``axis``, rows after rows.

    Raises ``IndexError`` where there is no such plane.
    """
    count = image.shape_at(factor)[AXES.index(axis)]
    if (axis, factor) not in image.planes or not 0 <= number < count:
        raise IndexError(f"no plane {number} across {axis} at 1/{factor}")
    size = math.prod(image.plane_shape(axis, factor))
    return _read(results.path / FOLDER / _folder(image) / f"{axis}{factor}.u8", number * size, size)


def read_box(results: Results, image: Image) -> tuple[tuple[int, int, int], bytes]:
    """Shape and bytes (z, y, x) of the small copy for three dimensions."""
    shape = image.shape_at(box_factor(image.shape))
    return shape, _read(results.path / FOLDER / _folder(image) / "box.u8", 0, math.prod(shape))


def box_factor(shape: tuple[int, int, int]) -> int:
    """Binning that brings the longest edge to at most ``BOX_EDGE``.

    >>> box_factor((100, 2016, 2016))
    8
    """
    return max(1, -(-max(shape) // BOX_EDGE))


def _read(path: Path, offset: int, size: int) -> bytes:
    """Plain reads, not a memory map: a map would count as memory of the server."""
    with path.open("rb") as file:
        return os.pread(file.fileno(), size, offset)


def _folder(image: Image) -> str:
    return f"{image.name}-{image.key}"


def _image(content: dict[str, object]) -> Image:
    fixed = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
    fixed["planes"] = tuple((str(axis), int(factor)) for axis, factor in fixed["planes"])  # type: ignore[attr-defined]
    return Image(**fixed)  # type: ignore[arg-type]


def _wanted(results: Results) -> Iterator[tuple[str, Callable[[], _Source]]]:
    """Folder of every image that should be there, and how to make it."""
    motions = results.table("motions")
    for name, prepare in (("volume", _volume), ("labels", _labels), ("trust", _trust)):
        for scan in results.frames(name):
            motion = None if name == "labels" else _motion(motions, scan)
            made_of = [VERSION, results.digest(name, scan), None if motion is None else np.round(motion, 4).tolist()]
            key = digest.of_object(made_of)[:16]
            yield f"{name}-{key}", _deferred(prepare, results, scan, key, motion)


def _deferred(
    prepare: Callable[[xr.Dataset, int, str, np.ndarray | None], _Source],
    results: Results,
    scan: int,
    key: str,
    motion: np.ndarray | None,
) -> Callable[[], _Source]:
    name = prepare.__name__.removeprefix("_")

    def source() -> _Source:
        product = results.product(name, scan)
        assert product is not None
        return prepare(product, scan, key, motion)

    return source


def _motion(motions: xr.Dataset | None, scan: int) -> np.ndarray | None:
    """Translation (µm) and rotation vector (rad) of a scan along z, y, x; ``None`` where unknown or nothing."""
    if motions is None or scan not in motions["scan"].values:
        return None
    row = motions.sel(scan=scan)
    motion = np.concatenate([row["translation"].values, row["rotation"].values]).astype(float)
    return motion if np.isfinite(motion).all() and motion.any() else None


def _volume(product: xr.Dataset, scan: int, key: str, motion: np.ndarray | None) -> _Source:
    array = product["mu"]
    low, high = _grey_range(array)
    scale = 255.0 / max(high - low, 1e-12)

    def to_bytes(start: int, stop: int) -> np.ndarray:
        from operando.pipeline import _array_kernels

        values = np.asarray(array.isel(z=slice(start, stop)).values, np.float32)
        grey = np.empty(values.shape, np.uint8)
        over_pieces(lambda row: _array_kernels.to_bytes(values[row], low, scale, grey[row]), len(values))
        return grey

    return _source("volume", array, scan, key, to_bytes, motion, (low, high, array.attrs.get("units", "")), mean=True)


def _labels(product: xr.Dataset, scan: int, key: str, motion: np.ndarray | None) -> _Source:
    array = product["label"]

    def to_bytes(start: int, stop: int) -> np.ndarray:
        return np.asarray(array.isel(z=slice(start, stop)).values, np.uint8)

    return _source("labels", array, scan, key, to_bytes, motion, (0.0, 255.0, "1"), mean=False)


def _trust(product: xr.Dataset, scan: int, key: str, motion: np.ndarray | None) -> _Source:
    array = product["starved_share"]

    def to_bytes(start: int, stop: int) -> np.ndarray:
        values = array.isel(z_coarse=slice(start, stop)).values
        return np.rint(np.clip(np.nan_to_num(values, nan=1.0), 0, 1) * 255).astype(np.uint8)

    return _source("trust", array, scan, key, to_bytes, motion, (0.0, 1.0, "1"), mean=True)


def _source(
    name: str,
    array: xr.DataArray,
    scan: int,
    key: str,
    to_bytes: Callable[[int, int], np.ndarray],
    motion: np.ndarray | None,
    scale: tuple[float, float, str],
    *,
    mean: bool,
) -> _Source:
    z, y, x = array.shape
    axes = [np.asarray(array[dim].values, float) for dim in array.dims]
    spacing = [float(axis[1] - axis[0]) if axis.size > 1 else float(axes[-1][1] - axes[-1][0]) for axis in axes]
    placed = None if motion is None else _affine(np.array(spacing), (z, y, x), motion)
    image = Image(
        name, key, scan, (z, y, x), (spacing[0], spacing[1], spacing[2]),
        (float(axes[0][0]), float(axes[1][0]), float(axes[2][0])), *scale, moved=placed is not None,
        planes=_planes((z, y, x), name), sharpness=_sharpness(to_bytes, (z, y, x), spacing),
    )  # fmt: skip
    outside = 255 if name == "trust" else 0
    return _Source(to_bytes if placed is None else _moved(to_bytes, (z, y, x), *placed, outside), image, mean)


def _sharpness(read: Callable[[int, int], np.ndarray], shape: tuple[int, int, int], spacing_um: list[float]) -> float:
    """How steep the steepest edges of five planes are, in 1/mm; smoothed over three voxels against noise."""
    from scipy import ndimage

    if min(shape[1:]) < 2:
        return float("nan")
    steepest = []
    for row in np.linspace(0, shape[0] - 1, 7).astype(int)[1:-1]:
        smooth = ndimage.uniform_filter(read(int(row), int(row) + 1)[0].astype(np.float32) / 255, 3)
        along_y, along_x = np.gradient(smooth, *spacing_um[1:])
        steepest.append(np.quantile(np.hypot(along_y, along_x), 0.999))
    return float(1000 * max(steepest))


def _planes(shape: tuple[int, int, int], name: str) -> tuple[tuple[str, int], ...]:
    """Which planes are kept, at which binning."""
    halves = tuple((axis, 2) for axis in AXES)
    if math.prod(shape) <= SMALL_VOXELS:
        return (*((axis, 1) for axis in AXES), *halves)
    return (("z", 1), *halves) if name == "volume" else halves


def _grey_range(array: xr.DataArray) -> tuple[float, float]:
    """Range that holds nearly all voxels of a few planes spread over the volume."""
    rows = np.unique(np.linspace(0, array.sizes["z"] - 1, 9).astype(int))
    values = np.concatenate([np.asarray(array.isel(z=int(row)).values, np.float32)[::2, ::2].ravel() for row in rows])
    low, high = np.quantile(values[np.isfinite(values)], QUANTILES)
    margin = 0.1 * max(float(high - low), 1e-6)
    return float(low) - margin, float(high) + margin


def _affine(
    spacing: np.ndarray, shape: tuple[int, int, int], motion: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Matrix and offset (voxels) that find a voxel of the first scan's grid in this scan; ``None`` if all stay."""
    from operando.morphology.rigid import rotation_matrix

    matrix = rotation_matrix(motion[3:]) * spacing[None, :] / spacing[:, None]
    middle = (np.array(shape) - 1) / 2
    offset = middle + motion[:3] / spacing - matrix @ middle
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij")).reshape(3, -1)
    furthest = np.abs(matrix @ corners + offset[:, None] - corners).max()
    return (matrix, offset) if furthest > STILL_VOXELS else None


def _moved(
    read: Callable[[int, int], np.ndarray],
    shape: tuple[int, int, int],
    matrix: np.ndarray,
    offset: np.ndarray,
    outside: int,
) -> Callable[[int, int], np.ndarray]:
    """Reader of rows on the first scan's grid, linearly interpolated; ``outside`` the scan a fixed byte."""
    from scipy import ndimage

    def moved(start: int, stop: int) -> np.ndarray:
        corners = np.array(np.meshgrid((start, stop - 1), (0, shape[1] - 1), (0, shape[2] - 1), indexing="ij"))
        reach = (matrix @ corners.reshape(3, -1) + offset[:, None])[0]
        first = int(np.clip(math.floor(reach.min()) - 1, 0, shape[0] - 1))
        last = int(np.clip(math.ceil(reach.max()) + 2, first + 1, shape[0]))
        shift = offset + matrix @ np.array([start, 0, 0]) - np.array([first, 0, 0])
        placed: np.ndarray = ndimage.affine_transform(
            read(first, last), matrix, shift, (stop - start, *shape[1:]), order=1, mode="grid-constant", cval=outside
        )
        return placed

    return moved


def _write(folder: Path, name: str, source: _Source) -> Path:
    """Write an image under a temporary name, then rename it."""
    partial = folder / f".{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _write_planes(partial, source)
    codec.write_bytes(json.dumps(asdict(source.image)).encode(), partial / "about.json")
    final = folder / name
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    return final


def _write_planes(folder: Path, source: _Source) -> None:
    image = source.image
    factor = box_factor(image.shape)
    box = np.zeros(image.shape_at(factor), np.uint8)
    step = math.lcm(2, factor)
    rows = max(1, int(SLAB_BYTES / (image.shape[1] * image.shape[2])) // step) * step
    with ExitStack() as stack:
        files = {
            (axis, by): stack.enter_context((folder / f"{axis}{by}.u8").open("wb", buffering=0))
            for axis, by in image.planes
        }
        for start, block in _one_ahead(source.read, image.shape[0], rows):
            levels = {1: block, 2: binned(block, 2, mean=source.mean)}
            for (axis, by), file in files.items():
                _put(file.fileno(), levels[by], axis, start // by, image.shape_at(by)[0])
            small = binned(block, factor, mean=source.mean)
            box[start // factor : start // factor + len(small)] = small
    (folder / "box.u8").write_bytes(box.tobytes())


def _one_ahead(read: Callable[[int, int], np.ndarray], height: int, rows: int) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of ``rows`` with where they start; the next one is read while one is worked on."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(read, 0, min(rows, height))
        for start in range(0, height, rows):
            block = waiting.result()
            if start + rows < height:
                waiting = pool.submit(read, start + rows, min(start + 2 * rows, height))
            yield start, block


def _put(file: int, block: np.ndarray, axis: str, start: int, height: int) -> None:
    """Write a block of rows into the file of planes across ``axis``; the volume has ``height`` rows.

    Plain writes, not a memory map: a map of a large volume would count as memory of the run.
    """
    if axis == "z":
        os.pwrite(file, block.tobytes(), start * block[0].size)
        return
    for number, plane in enumerate(np.moveaxis(block, AXES.index(axis), 0)):
        os.pwrite(file, plane.tobytes(), (number * height + start) * plane.shape[1])


def binned(block: np.ndarray, factor: int, *, mean: bool) -> np.ndarray:
    """Bytes binned by ``factor`` along all axes, rests at the end included: means, or for labels every n-th voxel.

    >>> binned(np.array([[[1, 3, 9]]], np.uint8), 2, mean=True).tolist()
    [[[2, 9]]]
    """
    if factor == 1:
        return block
    if not mean:
        return np.ascontiguousarray(block[::factor, ::factor, ::factor])
    from operando.pipeline._array_kernels import mean_of_blocks

    small = np.empty([-(-size // factor) for size in block.shape], np.uint8)
    over_pieces(lambda z: mean_of_blocks(block[z * factor : (z + 1) * factor], factor, small[z]), len(small))
    return small


def _write_catalogue(folder: Path, wanted: dict[str, Callable[[], _Source]]) -> None:
    """Name the images that count, then remove the others."""
    if not wanted and not folder.exists():
        return
    folder.mkdir(exist_ok=True)
    codec.write_bytes(json.dumps(list(wanted)).encode(), folder / "catalogue.json")
    for item in folder.iterdir():
        if item.is_dir() and item.name not in wanted:
            shutil.rmtree(item, ignore_errors=True)
