"""Amptek ``.mca``: one spectrum of one detector, as PMCA, ADMCA and DppMCA write it."""

import re
from pathlib import Path

import numpy as np
import xarray as xr

from operando.formats import _spectra, _text, _times
from operando.model.errors import BrokenFileError
from operando.model.reading import Kind, ReadOptions

NAME = "amptek_mca"
TITLE = "Amptek PMCA spectrum (.mca)"
KIND: Kind = "diffraction"
EXTENSIONS = (".mca",)

_MAGIC = b"<<PMCA SPECTRUM>>"
_SECTION = re.compile(r"^<<(.+)>>\s*$")


def sniff(path: Path, head: bytes) -> bool:
    """Text that starts with ``<<PMCA SPECTRUM>>``."""
    return head.startswith(_MAGIC)


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the spectrum as a SPECTRA product of one spectrum and one element.

    The energy scale is a straight line through the calibration points if they are in keV. Raises
    ``BrokenFileError`` for a truncated file, ``ConfigurationError`` for a start whose zone is unknown.
    """
    sections = _sections(_text.read_small(path))
    counts = _counts(path, sections)
    header = dict(re.split(r"\s+-\s+", line, maxsplit=1) for line in sections["PMCA SPECTRUM"] if " - " in line)
    warnings: list[str] = []
    moment = _times.parse_moment(header.get("START_TIME", ""))
    return _spectra.build(
        path,
        counts[np.newaxis, np.newaxis],
        options,
        live_time=np.array([[_text.number(header.get("LIVE_TIME", header.get("ACCUMULATION_TIME", "")))]]),
        real_time=np.array([[_text.number(header.get("REAL_TIME", ""))]]),
        start=np.array([_times.to_time(moment, options, str(path))]),
        energy_coefficients=_line(sections.get("CALIBRATION", []), warnings)[np.newaxis],
        warnings=warnings,
        attrs={"format": NAME, **({} if moment is None else {"local_start": moment.isoformat()})},
    )


def _sections(content: str) -> dict[str, list[str]]:
    """Lines of each ``<<SECTION>>``."""
    sections: dict[str, list[str]] = {"PMCA SPECTRUM": []}
    lines: list[str] = []
    for line in content.split("\n"):
        if found := _SECTION.match(line):
            lines = sections[found[1].strip()] = []
        elif line.strip():
            lines.append(line.strip())
    return sections


def _counts(path: Path, sections: dict[str, list[str]]) -> np.ndarray:
    lines = sections.get("DATA", [])
    if "END" not in sections:
        found = f"it has {len(lines)} channels and then ends without <<END>>"
        raise BrokenFileError(path, found, "the file is truncated; copy it again or leave it out")
    if bad := next((line for line in lines if not re.fullmatch(r"\d{1,15}", line)), None):
        raise BrokenFileError(path, f"a channel reads {bad[:40]!r}", "copy the file again")
    return np.array([int(line) for line in lines], np.int64)


def _line(lines: list[str], warnings: list[str]) -> np.ndarray:
    """Offset, slope and zero curvature of the line through the calibration points; NaN without two of them."""
    unknown = np.full(3, np.nan)
    points = [tuple(map(_text.number, line.split()[:2])) for line in lines if not line.startswith("LABEL")]
    finite = np.array([p for p in points if len(p) == 2 and np.isfinite(p).all()])
    label = next((line.split("-", 1)[-1].strip() for line in lines if line.startswith("LABEL")), "")
    if len(finite) < 2 or np.ptp(finite[:, 0]) == 0:
        return unknown
    factor = {"kev": 1.0, "ev": 1e-3, "mev": 1e3, "energy": 1.0, "channel": 1.0, "": 1.0}.get(label.lower())
    if factor is None:
        warnings.append(f"the calibration is labelled {label!r}, not keV; not used.")
        return unknown
    if label.lower() != "kev":
        warnings.append(f"the calibration is labelled {label!r}; taken as {'keV' if factor == 1 else label}.")
    slope, offset = np.polyfit(finite[:, 0], finite[:, 1], 1)
    return np.array([offset * factor, slope * factor, 0.0])
