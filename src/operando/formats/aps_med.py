"""``.med``: the multi-element MCA text files of the APS (CARS, 6-BM-B), one spectrum of several detector elements.

The header is ``KEY: values`` with one value an element; ``DATE`` is the start of counting, without a zone.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.formats import _spectra, _text, _times
from operando.model.errors import BrokenFileError
from operando.model.reading import Kind, ReadOptions

NAME = "aps_med"
TITLE = "APS multi-element MCA text (.med)"
KIND: Kind = "diffraction"
EXTENSIONS = (".med", ".xrf", ".mca")

_KEY = re.compile(r"^([A-Z][A-Z0-9_]*):[ \t]*(.*)$")
_RING = re.compile(r"(ring|SR) ?_?-?current", re.IGNORECASE)
_ENVIRONMENT = re.compile(r'^(.*?)="(.*)"\s*(?:\((.*)\))?\s*$')


def sniff(path: Path, head: bytes) -> bool:
    """Text that starts with ``VERSION:`` and names ELEMENTS and CHANNELS in its header."""
    return head.lstrip().startswith(b"VERSION:") and b"\nELEMENTS:" in head and b"\nCHANNELS:" in head


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the spectrum of all elements as a SPECTRA product with one spectrum.

    Energy coefficients (offset, slope, quadratic) and 2θ are the file's, NaN for an element without any (its slope
    or angle is zero). Raises ``BrokenFileError`` for a truncated or inconsistent file, ``ConfigurationError`` for a
    DATE whose zone is unknown.
    """
    lines = _text.read_small(path).split("\n")
    header, data_line = _header(path, lines)
    elements = _count(path, header, "ELEMENTS")
    channels = _count(path, header, "CHANNELS")
    body = [line for line in lines[data_line + 1 :] if line.strip()]
    if len(body) != channels:
        found = f"the header promises {channels} channels, {len(body)} rows are there"
        raise BrokenFileError(path, found, "the file is truncated; copy it again or leave it out")
    counts = _text.matrix(path, body, elements, data_line + 2)
    date = " ".join(header.get("DATE", [""]))
    moment = _times.parse_moment(date)
    if moment is None:
        raise BrokenFileError(path, f"its DATE {date!r} can't be read", "write it as Nov 04, 2016 04:52:52.890")
    live = _per_element(path, header, "LIVE_TIME", elements)
    real = _per_element(path, header, "REAL_TIME", elements)
    return _spectra.build(
        path,
        _whole(counts.T)[np.newaxis],
        options,
        live_time=live[np.newaxis],
        real_time=real[np.newaxis],
        start=np.array([_times.to_time(moment, options, str(path))]),
        energy_coefficients=_coefficients(path, header, elements),
        two_theta=_per_element(path, header, "TWO_THETA", elements),
        **_ring_current(header),
        attrs={"format": NAME, "local_start": moment.isoformat(), "environment": _environment(header)},
    )


def _header(path: Path, lines: list[str]) -> tuple[dict[str, list[str]], int]:
    """The values of each key (a key may come several times), and the index of the line ``DATA:``."""
    header: dict[str, list[str]] = {}
    for i, line in enumerate(lines):
        found = _KEY.match(line)
        if found is None:
            continue
        if found[1] == "DATA":
            return header, i
        header.setdefault(found[1], []).append(found[2].strip())
    raise BrokenFileError(path, "it ends before DATA:", "the file is truncated; copy it again or leave it out")


def _count(path: Path, header: dict[str, list[str]], key: str) -> int:
    written = header.get(key, ["nothing"])[0]
    if not re.fullmatch(r"[1-9]\d{0,6}", written):
        raise BrokenFileError(path, f"its header has {written!r} for {key}", "repair the header or leave the file out")
    return int(written)


def _per_element(path: Path, header: dict[str, list[str]], key: str, elements: int) -> np.ndarray:
    """One number an element, NaN where the header lacks the key."""
    if key not in header:
        return np.full(elements, np.nan)
    values = np.array([_text.number(field) for field in header[key][0].split()])
    if values.size != elements or not np.isfinite(values).all():
        found = f"{key} should have {elements} numbers but reads {header[key][0][:60]!r}"
        raise BrokenFileError(path, found, "repair the header or leave the file out")
    return values


def _coefficients(path: Path, header: dict[str, list[str]], elements: int) -> np.ndarray:
    keys = ("CAL_OFFSET", "CAL_SLOPE", "CAL_QUAD")
    if "CAL_SLOPE" not in header:
        return np.full((elements, 3), np.nan)
    columns = np.stack([_per_element(path, header, key, elements) for key in keys], axis=1)
    columns[:, 2] = np.where(np.isnan(columns[:, 2]), 0.0, columns[:, 2])
    return np.where(columns[:, 1:2] == 0, np.nan, columns)


def _environment(header: dict[str, list[str]]) -> dict[str, str]:
    """The beamline's readings (temperatures, motors), by description, else by channel name."""
    read: dict[str, str] = {}
    for line in header.get("ENVIRONMENT", []):
        if found := _ENVIRONMENT.match(line):
            channel, value, description = found.groups()
            read[(description or "").strip() or channel.strip()] = value.strip()
    return read


def _ring_current(header: dict[str, list[str]]) -> dict[str, Any]:
    """The storage ring's current in mA, if a line of the environment is called so."""
    for line in header.get("ENVIRONMENT", []):
        found = _ENVIRONMENT.match(line)
        if found and _RING.search(f"{found[1]} {found[3] or ''}"):
            value = _text.number(found[2])
            return {"ring_current": np.array([value])} if np.isfinite(value) else {}
    return {}


def _whole(counts: np.ndarray) -> np.ndarray:
    """Counts as integers where they are."""
    whole = counts.astype(np.int64)
    return whole if np.array_equal(whole, counts) else counts
