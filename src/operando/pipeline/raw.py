"""The raw files of an experiment: which there are, whether they are the same as before, and how to open them."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.formats import catalogue
from operando.model.clock import NOT_A_TIME, parse_time
from operando.model.configuration import Configuration
from operando.model.contract import Frame
from operando.model.errors import BrokenFileError, ConfigurationError, OperandoError
from operando.model.reading import ReadOptions
from operando.pipeline import digest, trial
from operando.pipeline.unpack import unpacked

Times = tuple[str, str]

READ_IN_PIECES = {"scan", "raw_volume"}
"""Products of which a slab at a time is read; the others are read at once."""
PRODUCT_OF_KIND = {
    "tomography": "scan",
    "diffraction": "spectrum",
    "electrochemistry": "record",
    "volume": "raw_volume",
}


@dataclass(frozen=True)
class RawFrame:
    """One raw product of one file, and how to read it. ``index`` counts within its product."""

    product: str
    file: str
    path: Path
    index: int
    item: int
    identity: str
    options: ReadOptions
    times: Times | None = None
    unpacked: Path | None = None
    """Where a copy may lie of a scan whose frames can only be read whole."""

    @property
    def key(self) -> str:
        """Name of the frame in the results: the file, with the item where a file has several."""
        return f"{self.file}#{self.item}" if self.item else self.file

    def digest(self) -> str:
        """What the product depends on."""
        return digest.of_object([self.identity, self.item, self.options, self.times])


@dataclass(frozen=True)
class Failure:
    """A raw file that can't be used, and why."""

    product: str
    file: str
    text: str


@dataclass(frozen=True)
class RawFiles:
    """All raw frames of an experiment in the order of their names, and the files that can't be used."""

    frames: tuple[RawFrame, ...]
    failures: tuple[Failure, ...]

    def of(self, product: str) -> tuple[RawFrame, ...]:
        """The frames of one product."""
        return tuple(frame for frame in self.frames if frame.product == product)

    def keys(self) -> dict[Frame, list[str]]:
        """Keys of the frames of each kind, in order."""
        scans = self.of("scan") or self.of("raw_volume")
        spectra = self.of("spectrum") or self.of("pattern")
        records = (*self.of("record"), *self.of("impedance"))
        return {
            "scan": [frame.key for frame in scans],
            "spectrum": [frame.key for frame in spectra],
            "record": list(dict.fromkeys(frame.key for frame in records)),
        }


Accept = Callable[[Path], bool]


def find(
    folder: Path, configuration: Configuration, memory: dict[str, dict[str, Any]], accept: Accept | None = None
) -> RawFiles:
    """List the raw frames; ``memory`` remembers by identity what was found in a file before, and is updated.

    With ``accept`` only the files that it accepts count, and a pattern may match none yet.
    """
    frames: list[RawFrame] = []
    failures: list[Failure] = []
    for product, names, options, times in _sections(folder, configuration):
        files = _expand(folder, names, product, accept)
        _try_out(files, options, memory)
        for file, path in files:
            try:
                found = _frames_of(product, file, path, options, _times_of(times, file), memory)
            except OperandoError as error:
                failures.append(Failure(product, file, str(error).replace(str(path), file)))
                continue
            count = sum(frame.product == found[0].product for frame in frames) if found else 0
            frames += [replace(frame, index=count + offset) for offset, frame in enumerate(found)]
    return RawFiles(tuple(frames), tuple(failures))


def _sections(
    folder: Path, configuration: Configuration
) -> Iterator[tuple[str, tuple[str, ...], ReadOptions, Mapping[str, Times]]]:
    """Product, file names, read options and times table of every instrument that is there."""
    tomography, diffraction = configuration.tomography, configuration.diffraction
    cycler = configuration.electrochemistry
    if tomography is not None:
        options = ReadOptions(time_zone=tomography.time_zone, pixel_size_um=tomography.pixel_size_um)
        times = _read_times(folder, tomography.times, tomography.time_zone)
        names = ("scan", tomography.files) if tomography.files else ("raw_volume", tomography.volumes)
        yield (*names, replace(options, require_time=not times), times)
    if diffraction is not None:
        options = ReadOptions(time_zone=diffraction.time_zone, two_theta_deg=diffraction.two_theta_deg)
        times = _read_times(folder, diffraction.times, diffraction.time_zone)
        yield "spectrum", diffraction.files, replace(options, require_time=not times), times
    if cycler is not None:
        options = ReadOptions(
            time_zone=cycler.time_zone,
            start_time=cycler.start_time,
            columns=dict(cycler.columns),
            positive_current=cycler.positive_current,
        )
        yield "record", cycler.files, options, {}


def _expand(folder: Path, names: tuple[str, ...], product: str, accept: Accept | None) -> list[tuple[str, Path]]:
    """Files of globs and names, in natural order, relative to ``folder`` where they lie below it."""
    found: list[Path] = []
    for name in names:
        matches = sorted(_glob(folder, name), key=_natural)
        if accept is not None:
            matches = [match for match in matches if match.exists() and accept(match)]
        elif not matches:
            raise ConfigurationError(
                f"operando.toml: no file matches {name!r}; correct `files` or copy the {product}s."
            )
        found += [match for match in matches if match not in found]
    return [(_relative(path, folder), path) for path in found]


def _glob(folder: Path, name: str) -> list[Path]:
    path = Path(name)
    if not any(mark in name for mark in "*?["):
        return [path if path.is_absolute() else folder / path]
    if path.is_absolute():
        return list(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    start = folder
    while path.parts and path.parts[0] == "..":
        start, path = start.parent, Path(*path.parts[1:])
    return list(start.glob(str(path)))


def _relative(path: Path, folder: Path) -> str:
    import os

    return Path(os.path.relpath(path, folder)).as_posix()


def _natural(path: Path) -> list[Any]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", str(path))]


def _read_times(folder: Path, name: str | None, time_zone: str | None) -> dict[str, Times]:
    """The table ``file,start,end`` as UTC texts."""
    if name is None:
        return {}
    path = folder / name
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: the table of times can't be read ({error}); write file,start,end.") from None
    if rows and not {"file", "start", "end"} <= set(rows[0]):
        raise ConfigurationError(f"{path}: columns are {', '.join(rows[0])}; a table of times needs file,start,end.")
    return {
        row["file"]: (
            str(parse_time(row["start"], time_zone, str(path))),
            str(parse_time(row["end"], time_zone, str(path))),
        )
        for row in rows
    }


def _times_of(table: Mapping[str, Times], file: str) -> Times | None:
    if not table:
        return None
    found = table.get(file) or table.get(Path(file).name)
    if found is None:
        raise BrokenFileError(file, "the table of times has no row for it", "add file,start,end")
    return found


def _frames_of(
    product: str, file: str, path: Path, options: ReadOptions, times: Times | None, memory: dict[str, dict[str, Any]]
) -> list[RawFrame]:
    if not path.exists():
        raise BrokenFileError(file, "there is no such file", "correct operando.toml or copy it there")
    try:
        identity = digest.of_file(path)
    except OSError as error:
        raise BrokenFileError(file, f"it can't be read ({error.strerror})", "copy it again or leave it out") from None
    about = memory.get(identity)
    if about is None:
        about = memory[identity] = _look_into(file, path, options)
    if "damaged" in about:
        raise BrokenFileError(file, f"the HDF5 file is damaged ({about['damaged']})", "copy it again or leave it out")
    made = about["products"]
    if product == "spectrum" and "pattern" in made:
        product = "pattern"
    if product not in made:
        raise BrokenFileError(
            file, f"it is {about['title']}, which gives no {product}", "put it into the right section"
        )
    frames = [RawFrame(product, file, path, 0, item, identity, options, times) for item in range(made[product])]
    if product == "record" and "impedance" in made:
        frames.append(RawFrame("impedance", file, path, 0, 0, identity, options, times))
    return frames


def _try_out(files: list[tuple[str, Path]], options: ReadOptions, memory: dict[str, dict[str, Any]]) -> None:
    """Look at HDF5 files never seen before where no harm is done; ``memory`` remembers those that do some."""
    unknown = [(path, identity) for path, identity in map(_identified, files) if identity and identity not in memory]
    lenient = replace(options, require_time=False)
    befallen = trial.fates([partial(read_once, path, lenient) for path, _ in unknown])
    memory.update({unknown[number][1]: {"damaged": befell} for number, befell in befallen.items()})


def _identified(file: tuple[str, Path]) -> tuple[Path, str]:
    """Path and identity of an HDF5 file; no identity for any other file, or one that is gone by now."""
    path = file[1]
    try:
        return path, digest.of_file(path) if catalogue.is_hdf5(path) else ""
    except OSError:
        return path, ""


def read_once(path: Path, options: ReadOptions) -> object:
    """Read all of a file but the big arrays."""
    return catalogue.identify(path).read(path, options)


def _look_into(file: str, path: Path, options: ReadOptions) -> dict[str, Any]:
    """Format of a file and how many products of which kind it gives."""
    found = catalogue.identify(path)
    product = PRODUCT_OF_KIND.get(found.kind, found.kind)
    items = 1
    if product == "spectrum":
        items = found.read(path, replace(options, require_time=False)).sizes["spectrum"]
    products = {product: items}
    if found.read_impedance is not None and _has_impedance(found, path, options):
        products["impedance"] = 1
    return {"format": found.name, "title": found.title, "products": products}


def _has_impedance(found: Any, path: Path, options: ReadOptions) -> bool:
    try:
        return bool(found.read_impedance(path, replace(options, require_time=False)).sizes["spectrum"])
    except OperandoError:
        return False


_opened: dict[str, xr.Dataset] = {}
MOST_OPENED = 4
"""Scans whose headers are kept: a slab asks for its scan dozens of times."""


def open_frame(frame: RawFrame) -> xr.Dataset:
    """Read a raw product lazily and complete it with what the configuration says."""
    if frame.product not in READ_IN_PIECES:
        return _open(frame)
    key = digest.of_object([frame.product, str(frame.path), frame.index, frame.file, frame.digest()])
    found = _opened.get(key)
    if found is None:
        found = _open(frame)
        for old in list(_opened)[: len(_opened) - MOST_OPENED + 1]:
            _opened.pop(old, None)
        _opened[key] = found
    return found.copy()


def _open(frame: RawFrame) -> xr.Dataset:
    found = catalogue.identify(frame.path)
    reader = found.read_impedance if frame.product == "impedance" else found.read
    if reader is None:
        raise BrokenFileError(frame.file, "it holds no impedance", "take it out of the section")
    if frame.product == "spectrum":
        spectra = _spectra(frame.path, frame.identity, frame.options.time_zone, frame.options.require_time)
        dataset = spectra.isel(spectrum=frame.item).copy()
    else:
        dataset = reader(frame.path, frame.options)
    dataset = _complete(dataset if frame.unpacked is None else unpacked(dataset, frame.unpacked), frame)
    dataset.attrs.update(frame=frame.index, file=frame.file)
    return dataset


@lru_cache(maxsize=1)
def _spectra(path: Path, identity: str, time_zone: str | None, require_time: bool) -> xr.Dataset:
    """The file of spectra read last: one file may hold thousands, which are asked for one by one."""
    return catalogue.identify(path).read(path, ReadOptions(time_zone=time_zone, require_time=require_time))


def _complete(dataset: xr.Dataset, frame: RawFrame) -> xr.Dataset:
    """Fill in times, pixel size and diffraction angle where the file has none."""
    if frame.times is not None:
        start, end = (np.datetime64(text, "ns") for text in frame.times)
        dataset = dataset.assign(start=start, end=end)
    if frame.product == "scan":
        rows = np.arange(dataset.sizes["row"])
        dataset = dataset.assign_coords(row=("row", rows, {"units": "1"}))
        if "pixel_size" not in dataset and frame.options.pixel_size_um is not None:
            dataset = dataset.assign(pixel_size=((), frame.options.pixel_size_um, {"units": "um"}))
    if frame.product == "raw_volume":
        dataset = dataset.assign_coords(z=("z", np.arange(dataset.sizes["z"]), {"units": "1"}))
    if frame.product == "spectrum" and frame.options.two_theta_deg is not None:
        known = dataset["two_theta"]
        dataset["two_theta"] = known.fillna(frame.options.two_theta_deg).assign_attrs(known.attrs)
    return dataset


def refuse_changed(frame: RawFrame) -> None:
    """Raise ``BrokenFileError`` where a raw file is not what it was when the run began."""
    try:
        now = digest.of_file(frame.path)
    except OSError as error:
        raise BrokenFileError(
            frame.file, f"it can't be read any more ({error.strerror})", "copy it there and run again"
        ) from None
    if now != frame.identity:
        raise BrokenFileError(frame.file, "it changed while it was read", "run again when it is whole")


def has_time(dataset: xr.Dataset) -> bool:
    """Whether a raw product knows when it was taken."""
    return "start" in dataset and bool((dataset["start"].values != NOT_A_TIME).all())
