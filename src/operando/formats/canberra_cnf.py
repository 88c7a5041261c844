"""Canberra (Mirion) Genie ``.cnf``: binary, one spectrum of one detector.

The layout is not published by its maker; offsets are those of the public cnfconv reader
(https://github.com/messguy/cnfconv), and results are compared with SpecUtils in the tests. Times are the
acquisition machine's local time in 100 ns since 1858-11-17; floats are PDP-11's.
"""

import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import xarray as xr

from operando.formats import _spectra, _times
from operando.model.errors import BrokenFileError
from operando.model.reading import Kind, ReadOptions

NAME = "canberra_cnf"
TITLE = "Canberra Genie spectrum (.cnf)"
KIND: Kind = "diffraction"
EXTENSIONS = (".cnf",)

_ACQUISITION, _CHANNELS = 0x00012000, 0x00012005
_FIRST_SECTION, _SECTION_BYTES, _MAX_SECTIONS = 0x70, 0x30, 60
_EPOCH = datetime(1858, 11, 17)
_TICKS_PER_SECOND = 10_000_000
_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True)
class _File:
    path: Path
    content: bytes

    def unpack(self, kind: str, at: int) -> int:
        """One little-endian number; raises ``BrokenFileError`` beyond the end."""
        size = struct.calcsize("<" + kind)
        if at < 0 or at + size > len(self.content):
            found = f"it ends after {len(self.content)} bytes, byte {at} is needed"
            raise BrokenFileError(self.path, found, "the file is truncated; copy it again or leave it out")
        return int(struct.unpack_from("<" + kind, self.content, at)[0])

    def pdp11_float(self, at: int) -> float:
        """PDP-11's F format: 16-bit words swapped, exponent two higher than in IEEE 754."""
        high, low = self.unpack("H", at), self.unpack("H", at + 2)
        return float(struct.unpack("<f", struct.pack("<HH", low, high))[0]) / 4.0


def sniff(path: Path, head: bytes) -> bool:
    """A list of sections of which the first are Genie's acquisition parameters."""
    if len(head) < 0x200 or b"\0" not in head[:16]:
        return False
    ids = [struct.unpack_from("<I", head, _FIRST_SECTION + i * _SECTION_BYTES)[0] for i in range(4)]
    return _ACQUISITION in ids and all(0x00012000 <= i < 0x00013000 for i in ids if i)


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the spectrum as a SPECTRA product of one spectrum and one element.

    Raises ``BrokenFileError`` for a truncated file, ``ConfigurationError`` for a start whose zone is unknown.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise BrokenFileError(path, f"it has {path.stat().st_size} bytes, too many for one spectrum", "check the file")
    file = _File(path, path.read_bytes())
    sections = _sections(file)
    for needed, name in ((_ACQUISITION, "acquisition parameters"), (_CHANNELS, "channel data")):
        if needed not in sections:
            raise BrokenFileError(path, f"it has no section of {name}", "copy it again or leave it out")
    parameters = sections[_ACQUISITION]
    moment, live, real = _times_of(file, parameters)
    return _spectra.build(
        path,
        _counts(file, parameters, sections[_CHANNELS])[np.newaxis, np.newaxis],
        options,
        live_time=np.array([[live]]),
        real_time=np.array([[real]]),
        start=np.array([_times.to_time(moment, options, str(path))]),
        energy_coefficients=_coefficients(file, parameters)[np.newaxis],
        attrs={"format": NAME, **({} if moment is None else {"local_start": moment.isoformat()})},
    )


def _sections(file: _File) -> dict[int, int]:
    """Where each kind of section starts; of several of a kind the first."""
    sections: dict[int, int] = {}
    for i in range(_MAX_SECTIONS):
        entry = _FIRST_SECTION + i * _SECTION_BYTES
        kind = file.unpack("I", entry)
        if kind == 0:
            break
        sections.setdefault(kind, file.unpack("I", entry + 0x0A))
    return sections


def _counts(file: _File, parameters: int, channels: int) -> np.ndarray:
    count = file.unpack("B", parameters + 0xBA) * 256
    begin = channels + 0x200
    if count == 0 or begin + 4 * count > len(file.content):
        found = f"its {count} channels would end at byte {begin + 4 * count} of {len(file.content)}"
        raise BrokenFileError(file.path, found, "the file is truncated; copy it again or leave it out")
    return np.frombuffer(file.content, "<u4", count, begin).astype(np.int64)


def _times_of(file: _File, parameters: int) -> tuple[datetime | None, float, float]:
    """Local start, live and real time in s. Durations are stored negated."""
    block = parameters + 0x30 + file.unpack("H", parameters + 0x24)
    ticks = file.unpack("Q", block + 0x01)
    real, live = (
        (~file.unpack("Q", block + offset) & 0xFFFFFFFFFFFFFFFF) / _TICKS_PER_SECOND for offset in (0x09, 0x11)
    )
    if max(real, live) > 1e8:
        raise BrokenFileError(file.path, f"its real time of {max(real, live):.3g} s is impossible", "copy it again")
    try:
        return (_EPOCH + timedelta(microseconds=ticks // 10) if ticks else None), live, real
    except OverflowError:
        raise BrokenFileError(file.path, f"its start is {ticks} ticks after 1858", "copy the file again") from None


def _coefficients(file: _File, parameters: int) -> np.ndarray:
    block = parameters + 0x30 + file.unpack("H", parameters + 0x22)
    values = np.array([file.pdp11_float(block + 0x44 + 4 * i) for i in range(3)])
    return values if np.isfinite(values).all() and values[1] != 0 else np.full(3, np.nan)
