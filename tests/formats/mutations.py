"""Ways to spoil a raw file: bytes and lines of a text, and the tree of an HDF5 file. Seeded, so that all come again."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import format_files
import h5py
import numpy as np

NUMBERS = (
    b"0", b"-1", b"1e308", b"-1e308", b"1e99999", b"nan", b"inf", b"-inf", b"99999999999999999999", b"2147483648",
    b"1e9", b"-0", b"0x10", b"1.5.5", b"1,5", b"--1", b"1e", b"", b"\xb2", b"\xd9\xa3", b"1_000", b"9" * 400,
)  # fmt: skip
WORDS = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\n" * 50,
    b"\r",
    b"\t",
    b";",
    b",",
    b'"',
    b"\\",
    b"#",
    b"%s",
    b" " * 300,
)


def spoil_text(content: bytes, draw: random.Random) -> bytes:
    """The content after one to six mutations."""
    for _ in range(draw.randint(1, 6)):
        content = draw.choice(TEXT_WAYS)(content, draw)
    return content[:200_000]


def _span(content: bytes, draw: random.Random, longest: int = 40) -> tuple[int, int]:
    start = draw.randint(0, len(content))
    return start, min(len(content), start + draw.randint(1, longest))


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randint(0, len(content))]


def _noise(content: bytes, draw: random.Random) -> bytes:
    start, stop = _span(content, draw, 8)
    return content[:start] + draw.randbytes(stop - start) + content[stop:]


def _drop(content: bytes, draw: random.Random) -> bytes:
    start, stop = _span(content, draw)
    return content[:start] + content[stop:]


def _repeat(content: bytes, draw: random.Random) -> bytes:
    start, stop = _span(content, draw)
    return content[:stop] + content[start:stop] * draw.randint(1, 100) + content[stop:]


def _word(content: bytes, draw: random.Random) -> bytes:
    at = draw.randint(0, len(content))
    return content[:at] + draw.choice(WORDS) + content[at:]


def _number(content: bytes, draw: random.Random) -> bytes:
    found = list(re.finditer(rb"-?\d[\d.,eE+-]*", content))
    if not found:
        return content
    chosen = draw.choice(found)
    return content[: chosen.start()] + draw.choice(NUMBERS) + content[chosen.end() :]


def _lines(content: bytes, draw: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    if len(lines) < 2:
        return content
    one, two = draw.randrange(len(lines)), draw.randrange(len(lines))
    way = draw.randrange(4)
    if way == 0:
        lines[one], lines[two] = lines[two], lines[one]
    elif way == 1:
        del lines[one]
    elif way == 2:
        lines[one:one] = [lines[two]] * draw.randint(1, 200)
    else:
        lines = lines[one:] + lines[:one]
    return b"".join(lines)


TEXT_WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut, _noise, _drop, _repeat, _word, _number, _number, _number, _lines, _lines,
)  # fmt: skip


def hdf5_samples(folder: Path) -> dict[str, Path]:
    """A small valid file of each HDF5 format, by the format's name."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.h5" for name in ("nxtomo", "data_exchange", "nexus_spectra", "hdf5_volume")}
    format_files.nxtomo(paths["nxtomo"], **{"instrument/detector/x_pixel_size": 2.5, "control/data": np.ones(8)})
    format_files.data_exchange(paths["data_exchange"], np.linspace(0, 180, 6))
    with h5py.File(paths["nexus_spectra"], "w") as file:
        detector = file.create_group("entry/instrument/detector")
        detector["data"] = np.arange(24, dtype=np.uint32).reshape(2, 12)
        detector["live_time"], detector["real_time"] = np.full(2, 9.0), np.full(2, 10.0)
        file["entry/start_time"] = "2018-05-04T08:00:00+02:00"
    with h5py.File(paths["hdf5_volume"], "w") as file:
        file["data"] = np.ones((4, 5, 6), np.float32)
    return paths


def spoil_bytes(path: Path, draw: random.Random) -> None:
    """Noise, a cut or a repeat anywhere in the file, its structure included."""
    content = path.read_bytes()
    for _ in range(draw.randint(1, 4)):
        content = draw.choice((_cut, _noise, _noise, _noise, _drop, _repeat))(content, draw)
    path.write_bytes(content)


def spoil_tree(path: Path, draw: random.Random) -> None:
    """One to three changes of the tree: other shapes, types, units, links to nowhere, groups for datasets."""
    with h5py.File(path, "r+") as file:
        for _ in range(draw.randint(1, 3)):
            names: list[str] = []
            file.visit(names.append)
            if names:
                draw.choice(TREE_WAYS)(file, draw.choice(names), draw)


def _replace(file: h5py.File, name: str, value: Any) -> None:
    attrs = dict(file[name].attrs) if name in file else {}
    del file[name]
    file[name] = value
    file[name].attrs.update(attrs)


def _values(draw: random.Random) -> Any:
    shape = tuple(draw.choice((0, 1, 2, 3, 5, 8)) for _ in range(draw.randint(0, 4)))
    kind = draw.choice(("u1", "i8", "f4", "f8", "S5", "b1", "c16"))
    return np.full(shape, draw.choice((0, 1, 3)), kind)


def _other_values(file: h5py.File, name: str, draw: random.Random) -> None:
    _replace(file, name, _values(draw))


def _odd_value(file: h5py.File, name: str, draw: random.Random) -> None:
    odd = (
        float("nan"),
        float("inf"),
        -1,
        1e308,
        2**62,
        "",
        "nonsense",
        "2018-13-45",
        b"\xff\xfe",
        "2018-05-04T08:00:00",
    )
    _replace(file, name, draw.choice(odd))


def _odd_numbers(file: h5py.File, name: str, draw: random.Random) -> None:
    if _is_small_array(file[name]) and file[name].dtype.kind in "uif":
        values = np.array(file[name][()], np.float64).reshape(-1)
        values[draw.randrange(values.size)] = draw.choice((np.nan, np.inf, -1.0, 1e300))
        _replace(file, name, values.reshape(file[name].shape))


def _cut_short(file: h5py.File, name: str, draw: random.Random) -> None:
    if _is_small_array(file[name]):
        _replace(file, name, file[name][: draw.randint(0, file[name].shape[0])])


def _remove(file: h5py.File, name: str, draw: random.Random) -> None:
    del file[name]


def _group_for_dataset(file: h5py.File, name: str, draw: random.Random) -> None:
    del file[name]
    file.create_group(name)


def _link_to_nowhere(file: h5py.File, name: str, draw: random.Random) -> None:
    del file[name]
    ways = (h5py.SoftLink("/nowhere"), h5py.SoftLink("/" + name), h5py.ExternalLink("no.h5", "/x"), h5py.SoftLink("/"))
    file[name] = draw.choice(ways)


def _huge(file: h5py.File, name: str, draw: random.Random) -> None:
    """A dataset that claims petabytes of which none was written."""
    del file[name]
    shape = tuple(draw.choice((2**20, 2**31, 2**40, 3)) for _ in range(draw.randint(1, 3)))
    file.create_dataset(name, shape=shape, dtype="f8", chunks=tuple(min(64, size) for size in shape))


def _odd_attribute(file: h5py.File, name: str, draw: random.Random) -> None:
    values = ("", "furlong", "mm", "degree", "s", 3.5, np.arange(3), b"\xff", "NXtomo", "NXdata")
    file[name].attrs[draw.choice(("units", "NX_class", "signal", "start", "definition"))] = draw.choice(values)


MOST_ELEMENTS = 100_000
"""Larger arrays are left as they are: those that claim petabytes were never written."""


def _is_small_array(item: Any) -> bool:
    return isinstance(item, h5py.Dataset) and bool(item.ndim) and 0 < item.size <= MOST_ELEMENTS


TREE_WAYS: tuple[Callable[[h5py.File, str, random.Random], None], ...] = (
    _other_values, _odd_value, _odd_value, _odd_numbers, _odd_numbers, _cut_short, _cut_short, _remove,
    _group_for_dataset, _link_to_nowhere, _huge, _odd_attribute, _odd_attribute,
)  # fmt: skip
