"""TIFF stacks that are read piecewise: one file with many pages, or many files with one page each."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from operando.formats._foreign import DAMAGE, reason
from operando.formats._lazy import Key, Part
from operando.model.errors import BrokenFileError

if TYPE_CHECKING:
    import tifffile

SUFFIXES = (".tif", ".tiff")
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_REMEDY = "copy it again or leave it out"


def is_tiff(head: bytes) -> bool:
    """Whether the first bytes are those of TIFF or BigTIFF."""
    return head.startswith(_MAGIC)


@contextmanager
def open_tiff(path: Path) -> Iterator["tifffile.TiffFile"]:
    """Open for reading; whatever goes wrong inside with the file's bytes becomes a ``BrokenFileError``."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            yield tif
    except FileNotFoundError:
        raise BrokenFileError(path, "there is no such file", "check the path") from None
    except DAMAGE as error:
        raise BrokenFileError(path, f"the TIFF file can't be read ({reason(error)})", _REMEDY) from None


@dataclass(frozen=True)
class TiffPart:
    """The pages of one TIFF file as (page, row, column).

    ``offset`` is where plain pixels start if all pages lie one after the other; then only the bytes that are asked
    for are read.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int | None

    @property
    def whole_frames(self) -> bool:
        """Pages that are no plain pixels are decoded whole."""
        return self.offset is None

    def read(self, key: Key) -> np.ndarray:
        """Values at ``key``; raises ``BrokenFileError`` for a truncated file."""
        if self.offset is not None:
            return self._mapped(self.offset)[key].astype(self.dtype.newbyteorder("="))
        with open_tiff(self.path) as tif:
            pages = tif.series[0].pages
            return _gather(key, self.shape[0], lambda index: _pixels(self.path, pages[index]))

    def _mapped(self, offset: int) -> np.ndarray:
        try:
            return np.memmap(self.path, self.dtype, "r", offset, self.shape)
        except (ValueError, OSError) as error:
            raise BrokenFileError(self.path, f"the TIFF file is truncated ({reason(error)})", _REMEDY) from None


def _pixels(path: Path, page: Any) -> np.ndarray:
    if page is None:
        raise BrokenFileError(path, "one of its pages is missing", _REMEDY)
    return np.asarray(page.asarray())


@dataclass(frozen=True)
class TiffSeriesPart:
    """Many files with one page each as (file, row, column); each must be as the first."""

    paths: tuple[Path, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def whole_frames(self) -> bool:
        """Opening a file takes longer than reading it."""
        return True

    def read(self, key: Key) -> np.ndarray:
        """Values at ``key``; raises ``BrokenFileError`` naming a file that is not as the others."""
        return _gather(key, len(self.paths), lambda i: self._page(self.paths[i], key[1:]), rest_done=True)

    def _page(self, path: Path, rest: Key) -> np.ndarray:
        page = part(path)
        if page.shape != (1, *self.shape[1:]) or page.dtype.newbyteorder("=") != self.dtype:
            found = f"it is {page.shape[1:]} {page.dtype}, the first of its folder is {self.shape[1:]} {self.dtype}"
            raise BrokenFileError(path, found, "all images must be of one size and type")
        return page.read((0, *rest))


def _gather(key: Key, count: int, page: Any, rest_done: bool = False) -> np.ndarray:
    """Read pages one by one and stack those that the first index names."""
    first, rest = key[0], key[1:]
    indices = np.arange(count)[first]
    if np.ndim(indices) == 0:
        values = page(int(indices))
        return values if rest_done else np.asarray(values[rest])
    pages = [page(int(i)) if rest_done else page(int(i))[rest] for i in indices]
    return np.stack(pages) if pages else np.asarray(page(0) if rest_done else page(0)[rest])[np.newaxis][:0]


def part(path: Path) -> TiffPart:
    """The file's only image series of grey values; raises ``BrokenFileError`` for colour or damaged files."""
    with open_tiff(path) as tif:
        if not tif.series:
            raise BrokenFileError(path, "the TIFF file has no image", _REMEDY)
        series = tif.series[0]
        shape = (*(int(n) for n in series.shape[:-2] if n > 1 or series.ndim == 3), *map(int, series.shape[-2:]))
        if len(shape) == 1 or series.dtype is None or series.dtype.kind not in "uif":
            found = f"its image is {series.dtype} of shape {series.shape}"
            raise BrokenFileError(path, found, "give grey values in two or three dimensions")
        shape = (1, *shape) if len(shape) == 2 else shape
        if len(shape) != 3 or series.keyframe.samplesperpixel != 1:
            found = f"its image has shape {series.shape} with axes {series.axes}"
            raise BrokenFileError(path, found, "give grey values in two or three dimensions")
        whole = series.dataoffset is not None and series.keyframe.is_memmappable
        dtype = np.dtype(series.dtype).newbyteorder(tif.byteorder)
        _check_size(path, shape, dtype, series.dataoffset if whole else None)
        return TiffPart(path, shape, dtype if whole else np.dtype(series.dtype), series.dataoffset if whole else None)


def _check_size(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int | None) -> None:
    if offset is None:
        return
    needed, there = offset + int(np.prod(shape)) * dtype.itemsize, path.stat().st_size
    if there < needed:
        raise BrokenFileError(path, f"the TIFF file ends after {there} of {needed} bytes", _REMEDY)


def parts(paths: Sequence[Path]) -> list[Part]:
    """Files in their order as one stack: single images are joined, files with several pages stand alone."""
    for path in paths:
        if path.stat().st_size == 0:
            raise BrokenFileError(path, "the file is empty (0 bytes)", _REMEDY)
    first = part(paths[0])
    if first.shape[0] == 1:
        native = first.dtype.newbyteorder("=")
        return [TiffSeriesPart(tuple(paths), (len(paths), *first.shape[1:]), native)]
    return [first, *(part(path) for path in paths[1:])]


def tiff_files(folder: Path) -> list[Path]:
    """The TIFF files of a folder, numbers in their names in the order of their value."""
    files = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    return sorted(files, key=natural)


def natural(path: Path) -> list[tuple[int, str]]:
    """Sorting key in which ``proj_9`` comes before ``proj_10``."""
    pieces = re.split(r"(\d+)", path.name)
    return [(int(piece), "") if piece.isdigit() and piece.isascii() else (-1, piece) for piece in pieces]
