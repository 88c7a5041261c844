"""What the HDF5 readers share: opening with errors for people, looking into groups, units of attributes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from operando.formats._angles import to_radians
from operando.formats._foreign import reason
from operando.model.errors import BrokenFileError
from operando.model.units import convert

if TYPE_CHECKING:
    import h5py

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MOST_BYTES = 2**26
"""Angles, times and the like of any real scan are far smaller."""
MOST_FRAMES = 10_000_000
SUFFIXES = (".nxs", ".nx", ".h5", ".hdf5", ".hdf")


@contextmanager
def open_hdf5(path: Path) -> Iterator["h5py.File"]:
    """Open for reading; ``BrokenFileError`` for a file that is truncated, damaged or still being written."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise BrokenFileError(path, "there is no such file", "check the path") from None
    except OSError as error:
        raise BrokenFileError(path, _what_failed(str(error), path), "copy it again or leave it out") from None
    with file:
        try:
            yield file
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            # What h5py raises, one or the other, where the bytes of the file's structure are wrong.
            found = f"the HDF5 file is damaged ({reason(error)})"
            raise BrokenFileError(path, found, "copy it again or leave it out") from error


def datasets(file: "h5py.File") -> Iterator["h5py.Dataset"]:
    """Every dataset of a file, each once; links to elsewhere are not followed.

    The library's own walk never ends in some damaged files.
    """
    import h5py

    waiting, known = [file["/"]], set()
    while waiting:
        group = waiting.pop()
        for name in sorted(group, reverse=True):
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in known:
                continue
            known.add(address)
            if isinstance(item, h5py.Dataset):
                yield item
            elif isinstance(item, h5py.Group):
                waiting.append(item)


def _what_failed(message: str, path: Path) -> str:
    if "truncated" in message:
        return f"the HDF5 file is truncated ({path.stat().st_size} bytes are there)"
    if "lock" in message or "already open for write" in message:
        return "the HDF5 file is still open for writing"
    return f"HDF5 can't open it ({message.splitlines()[0] if message else 'no reason given'})"


def top_groups(path: Path, head: bytes) -> set[str] | None:
    """Names and NeXus definitions at the top of an HDF5 file; ``None`` if it is HDF5 but can't be opened.

    Of an entry, its definition (``NXtomo``) and its direct children (``entry/instrument``) are listed as well.
    """
    if not head.startswith(SIGNATURE):
        return set()
    try:
        with open_hdf5(path) as file:
            return set(_names(file))
    except BrokenFileError:
        return None


def _names(file: "h5py.File") -> Iterator[str]:
    for name, entry in groups(file):
        yield name
        yield from (f"{name}/{child}" for child in entry)
        for group in (entry, *(child for _, child in groups(entry))):
            if (definition := first(group, "definition")) is not None:
                yield text(definition)


def groups(parent: Any) -> Iterator[tuple[str, Any]]:
    """The groups directly below ``parent`` that can be reached."""
    for name in parent:
        child = node(parent, name) if isinstance(name, str) else None
        if child is not None and hasattr(child, "keys"):
            yield name, child


def node(group: Any, name: str) -> Any:
    """The dataset or group ``name``, or ``None``: also for a link whose target is not there."""
    try:
        return group.get(name)
    except (KeyError, OSError, AttributeError):  # a dataset in the place of a group has no members
        return None


def required(group: Any, name: str, path: Path) -> Any:
    """The dataset or group ``name``; raises ``BrokenFileError`` naming a broken external link's target."""
    import h5py

    found = node(group, name)
    if found is not None:
        return found
    where = f"{group.name.rstrip('/')}/{name}"
    link = _link(group, name)
    if isinstance(link, h5py.ExternalLink):
        raise BrokenFileError(
            path, f"{where} is linked to {link.filename}, which can't be read", "bring this file along"
        )
    raise BrokenFileError(path, f"{where} is missing", "write it, or leave the file out")


def _link(group: Any, name: str) -> Any:
    try:
        return group.get(name, getlink=True)
    except (KeyError, OSError, AttributeError):
        return None


def required_array(group: Any, name: str, path: Path) -> Any:
    """The same, and it must be an array."""
    found = required(group, name, path)
    if not hasattr(found, "shape"):
        raise BrokenFileError(path, f"{group.name.rstrip('/')}/{name} is no array", "leave the file out")
    return found


def first(group: Any, *names: str) -> Any:
    """The first of ``names`` that is there as a dataset, or ``None``."""
    for name in names:
        found = node(group, name)
        if found is not None and hasattr(found, "shape"):
            return found
    return None


def values(dataset: Any) -> Any:
    """All values of a dataset beside the frames; ``BrokenFileError`` for one that claims more than any of them has."""
    if dataset.size is not None and dataset.size * dataset.dtype.itemsize > MOST_BYTES:
        found = f"{dataset.name} of shape {dataset.shape} is too big to be what it is called"
        raise BrokenFileError(dataset.file.filename, found, "mend it or leave the file out")
    return dataset[()]


def frame_count(dataset: Any, path: Path) -> int:
    """Number of frames of a stack; ``BrokenFileError`` for one that claims more than anybody ever took."""
    count = int(dataset.shape[0])
    if count > MOST_FRAMES:
        raise BrokenFileError(path, f"{dataset.name} claims {count} frames", "mend it or leave the file out")
    return count


def text(dataset: Any) -> str:
    """A dataset or attribute of any string type, or a one-element array of it, as ``str``."""
    value = values(dataset) if hasattr(dataset, "shape") and hasattr(dataset, "id") else dataset
    while isinstance(value, np.ndarray):
        if not value.size:
            return ""
        value = value.flat[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def unit(dataset: Any) -> str | None:
    """The ``units`` attribute without blanks, or ``None``."""
    given = dataset.attrs.get("units")
    return (text(given).strip() or None) if given is not None else None


def length_um(dataset: Any, path: Path) -> float:
    """A length in µm; without a unit NeXus means metres.  Raises ``BrokenFileError`` for a unit that is no length."""
    value, named = float(np.ravel(values(dataset))[0]), unit(dataset)
    spelled = {"micron": "um", "microns": "um", "µm": "um", "μm": "um"}.get(named or "m", named or "m")
    try:
        return float(convert(value, spelled, "length"))
    except (TypeError, AttributeError, ValueError):
        raise BrokenFileError(
            path, f"{dataset.name} is in {named!r}, which is no length", "correct its units"
        ) from None


def angles_rad(dataset: Any, path: Path) -> tuple[np.ndarray, list[str]]:
    """Rotation angles in radians, and a sentence where the unit is missing or can't be right."""
    return to_radians(np.asarray(values(dataset), float).ravel(), unit(dataset), dataset.name, path)


def check_sources(dataset: Any, path: Path) -> None:
    """Refuse a virtual dataset whose source files are missing: HDF5 would silently give fill values."""
    if not dataset.is_virtual:
        return
    folder = Path(dataset.file.filename).resolve().parent
    for source in dataset.virtual_sources():
        name = source.file_name
        if name in {".", ""} or "%" in name:
            continue
        if not (folder / name).exists() and not Path(name).exists():
            raise BrokenFileError(
                path, f"{dataset.name} takes its data from {name}, which is not there", "bring this file along"
            )
