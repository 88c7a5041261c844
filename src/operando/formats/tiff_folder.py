"""A folder of TIFF projections with separate flat and dark fields.

Either sub-folders (``projections/ flats/ darks/``, ``Tomo/ Flat_Before/ Flat_After/ Dark_Before/``) or one folder whose
file names begin so (``proj_0001.tif``, ``flat_0001.tif``, ``dark_0001.tif``). Angles are read from ``angles.txt``.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.formats import _lazy, _text, _tiff
from operando.formats._angles import to_radians
from operando.model.clock import NOT_A_TIME
from operando.model.errors import BrokenFileError
from operando.model.products.raw import DARK, FLAT, PROJECTION, SCAN
from operando.model.reading import Kind, ReadOptions

NAME = "tiff_folder"
TITLE = "folder of TIFF projections with flats and darks (angles.txt)"
KIND: Kind = "tomography"
EXTENSIONS = ()

_WORDS = {
    DARK: ("dark", "darks", "bias", "df", "di", "dk"),
    FLAT: ("flat", "flats", "white", "whites", "open", "ob", "ff", "gain", "empty"),
    PROJECTION: ("projections", "projection", "proj", "projs", "tomo", "radios", "radiographs", "sample", "radio"),
}
_SKIPPED = re.compile(r"180[ _-]?deg|^180$")
_ANGLE_FILES = ("angles.txt", "angles.csv", "theta.txt", "angles.dat")

Group = tuple[int, bool]
"""Image key, and whether taken after the projections."""


def sniff(path: Path, head: bytes) -> bool:
    """A folder with TIFF projections and flat or dark fields, by their names."""
    if not path.is_dir():
        return False
    keys = {key for key, _ in _groups(path)}
    return PROJECTION in keys and len(keys) > 1


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the folder as a SCAN product; images stay in their files until they are indexed.

    Frames come in the order: darks and flats before, projections, flats and darks after. Without ``angles.txt``
    (degrees, one a projection) they are equally spaced over 180°, the last one short of it, and a warning says so.
    Times of files are no times of exposure: start and end are NaT. Raises ``BrokenFileError`` for images that don't
    fit together.
    """
    warnings: list[str] = []
    groups = _groups(path)
    if not any(key == PROJECTION for key, _ in groups):
        raise BrokenFileError(path, "the folder has no projections", "name them projections/ or proj_0001.tif")
    stacks: list[_lazy.Part] = []
    keys: list[np.ndarray] = []
    for group in sorted(groups, key=_order):
        for stack in _tiff.parts(groups[group]):
            stacks.append(stack)
            keys.append(np.full(stack.shape[0], group[0], np.int8))
    _check(path, stacks)
    image_key = np.concatenate(keys)
    for key, kind in ((FLAT, "flat"), (DARK, "dark")):
        if key not in image_key:
            warnings.append(f"the scan has no {kind} field.")
    angles = np.full(image_key.size, np.nan)
    angles[image_key == PROJECTION] = _angles(path, int((image_key == PROJECTION).sum()), warnings)
    optional: dict[str, Any] = {} if options.pixel_size_um is None else {"pixel_size": options.pixel_size_um}
    scan = SCAN.new(
        counts=_lazy.lazy(stacks),
        image_key=image_key,
        rotation_angle=angles,
        start=NOT_A_TIME,
        end=NOT_A_TIME,
        attrs={"format": NAME, "warnings": warnings},
        **optional,
    )
    return _lazy.described(scan, "counts", stacks)


def _order(group: Group) -> tuple[bool, int]:
    """Before, projections, after; darks outside."""
    key, after = group
    rank = {DARK: 0, FLAT: 1, PROJECTION: 2}[key]
    return (after, -rank if after else rank)


def _groups(path: Path) -> dict[Group, list[Path]]:
    """The files of each kind: from sub-folders by their names, and from the folder itself by file names."""
    groups: dict[Group, list[Path]] = {}
    own = _tiff.tiff_files(path)
    unnamed: list[list[Path]] = []
    for folder in sorted(p for p in path.iterdir() if p.is_dir() and not _SKIPPED.search(p.name.lower())):
        group, files = _kind(folder.name), _tiff.tiff_files(folder)
        if group is not None and files:
            groups.setdefault(group, []).extend(files)
        elif files:
            unnamed.append(files)
    named = [(_kind(file.stem), file) for file in own if not _SKIPPED.search(file.stem.lower())]
    fields = any(group is not None and group[0] != PROJECTION for group, _ in named) or bool(groups)
    for group, file in named:
        if group is not None or fields:
            groups.setdefault(group or (PROJECTION, False), []).append(file)
    if groups and len(unnamed) == 1 and (PROJECTION, False) not in groups:
        groups[PROJECTION, False] = unnamed[0]  # The only folder without a telling name, beside fields.
    return groups


def _kind(name: str) -> Group | None:
    """Image key that a name tells by its words, and whether it says after."""
    if _SKIPPED.search(name.lower()):
        return None
    words = re.split(r"[^a-z]+", name.lower())
    after = "after" in words or "post" in words
    for key, known in _WORDS.items():
        if any(word in known for word in words):
            return key, after
    return None


def _check(path: Path, stacks: Iterable[_lazy.Part]) -> None:
    sizes = {tuple(stack.shape[1:]) for stack in stacks}
    if len(sizes) > 1:
        found = f"its images have sizes {' and '.join(map(str, sorted(sizes)))}"
        raise BrokenFileError(path, found, "flat, dark and projections must be of one size")


def _angles(path: Path, count: int, warnings: list[str]) -> np.ndarray:
    file = next((path / name for name in _ANGLE_FILES if (path / name).is_file()), None)
    if file is None:
        warnings.append(f"no angles.txt: {count} projections taken as equally spaced, {180 / count:.6g} deg apart.")
        return np.arange(count) * (np.pi / count)
    lines = [line.strip() for line in _text.read_small(file).split("\n")]
    head = " ".join(line for line in lines if line.startswith("#"))
    rows = [re.split(r"[,;\s]+", line) for line in lines if line and not line.startswith("#")]
    rows = rows[1:] if rows and not _text.is_number(rows[0][-1]) else rows
    values = np.array([_text.number(row[-1]) for row in rows])
    if values.size != count or not np.isfinite(values).all():
        found = f"it has {int(np.isfinite(values).sum())} angles for {count} projections"
        raise BrokenFileError(file, found, "write one angle in degrees a line")
    angles, said = to_radians(values, "rad" if re.search(r"\brad", head.lower()) else "deg", file.name, file)
    warnings += said
    return angles
