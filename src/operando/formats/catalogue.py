"""All known raw formats, found by scanning this package and the entry points ``operando.formats``."""

import functools
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import overload

import numpy as np
import xarray as xr

from operando import formats as _package
from operando.model.errors import BrokenFileError, ConfigurationError, UnknownFormatError
from operando.model.reading import Kind, ReadOptions

HEAD_BYTES = 4096

Reader = Callable[[Path, ReadOptions], xr.Dataset]


@dataclass(frozen=True)
class Format:
    """One raw format: what it is called, and how to recognise and read it.

    A ``fallback`` format is tried only when no other recognises the file. ``needs`` is the module of an optional
    extra without which ``read`` can't work.
    """

    name: str
    title: str
    kind: Kind
    extensions: tuple[str, ...]
    sniff: Callable[[Path, bytes], bool]
    read: Reader
    read_impedance: Reader | None = None
    fallback: bool = False
    needs: str | None = None


@cache
def formats() -> tuple[Format, ...]:
    """Every known format, by name; those that recognise anything of their shape come last."""
    modules = [
        importlib.import_module(f"{_package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(_package.__path__)
        if not module.name.startswith("_") and module.name != "catalogue"
    ]
    modules += [entry.load() for entry in entry_points(group="operando.formats")]
    return tuple(sorted(map(_format, modules), key=lambda f: (f.fallback, f.name)))


def _format(module: ModuleType) -> Format:
    return Format(
        name=module.NAME,
        title=module.TITLE,
        kind=module.KIND,
        extensions=tuple(module.EXTENSIONS),
        sniff=module.sniff,
        read=_quietly(module.read),
        read_impedance=_quietly(getattr(module, "read_impedance", None)),
        fallback=getattr(module, "FALLBACK", False),
        needs=getattr(module, "NEEDS", None),
    )


@overload
def _quietly(read: Reader) -> Reader: ...
@overload
def _quietly(read: None) -> None: ...
def _quietly(read: Reader | None) -> Reader | None:
    """Absurd numbers in a file become infinite or NaN, which every product knows, without a word of numpy's."""
    if read is None:
        return None

    @functools.wraps(read)
    def quiet(path: Path, options: ReadOptions) -> xr.Dataset:
        with np.errstate(all="ignore"):
            return read(path, options)

    return quiet


def is_hdf5(path: Path) -> bool:
    """Whether a file begins as HDF5 does; raises ``OSError`` for one that can't be read."""
    from operando.formats._hdf5 import SIGNATURE

    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def identify(path: Path | str) -> Format:
    """The format of a raw file or folder.

    Raises ``UnknownFormatError`` naming the formats with its extension, ``BrokenFileError`` for an empty file,
    ``ConfigurationError`` for one that is not there.
    """
    path = Path(path)
    if not path.exists():
        raise ConfigurationError(f"{path}: there is no such file; check the path.")
    head = _head(path)
    best = _recognised(path, head, fallback=False) or _recognised(path, head, fallback=True)
    if not best:
        raise UnknownFormatError(_unknown(path))
    by_extension = [known for known in best if path.suffix.lower() in known.extensions]
    return (by_extension or best)[0]


def _recognised(path: Path, head: bytes, *, fallback: bool) -> list[Format]:
    return [known for known in formats() if known.fallback == fallback and known.sniff(path, head)]


def open_raw(path: Path | str, options: ReadOptions | None = None) -> xr.Dataset:
    """Read any known raw file as its raw product; big arrays stay in the file until they are indexed."""
    known = identify(path)
    return known.read(Path(path), options or ReadOptions())


def _head(path: Path) -> bytes:
    if path.is_dir():
        return b""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise BrokenFileError(path, "the file is empty (0 bytes)", "copy it again or leave it out")
    return head


def _unknown(path: Path) -> str:
    suffix = path.suffix.lower()
    near = [f"{known.name} ({known.title})" for known in formats() if suffix and suffix in known.extensions]
    if near:
        return f"{path}: its extension suggests {' or '.join(near)}, but its content is none of these; check the file."
    return f"{path}: no known format recognises it; `operando formats` lists those that can be read."
