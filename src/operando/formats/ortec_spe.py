"""ORTEC (and IAEA) ASCII ``.spe``: one spectrum of one detector in sections that start with ``$``."""

from pathlib import Path

import numpy as np
import xarray as xr

from operando.formats import _spectra, _text, _times
from operando.model.errors import BrokenFileError
from operando.model.reading import Kind, ReadOptions

NAME = "ortec_spe"
TITLE = "ORTEC and IAEA ASCII spectrum (.spe)"
KIND: Kind = "diffraction"
EXTENSIONS = (".spe",)

_SECTIONS = (b"$SPEC_ID:", b"$SPEC_REM:", b"$DATE_MEA:", b"$MEAS_TIM:", b"$DATA:")


def sniff(path: Path, head: bytes) -> bool:
    """Text that starts with a section and names ``$DATA:`` or ``$MEAS_TIM:``."""
    return head.lstrip().startswith(b"$") and any(section in head for section in _SECTIONS)


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the spectrum as a SPECTRA product of one spectrum and one element.

    A calibration whose slope is zero counts as none. Raises ``BrokenFileError`` for a truncated file,
    ``ConfigurationError`` for a date whose zone is unknown.
    """
    sections = _sections(_text.read_small(path))
    live, real = _measured(path, sections)
    warnings: list[str] = []
    date = " ".join(sections.get("DATE_MEA", [])[:1])
    moment = _times.parse_moment(date)
    if date and moment is None:
        warnings.append(f"its date {date!r} can't be read; the time is unknown.")
    return _spectra.build(
        path,
        _counts(path, sections)[np.newaxis, np.newaxis],
        options,
        live_time=np.array([[live]]),
        real_time=np.array([[real]]),
        start=np.array([_times.to_time(moment, options, str(path))]),
        energy_coefficients=_coefficients(sections, warnings)[np.newaxis],
        warnings=warnings,
        attrs={"format": NAME, **({} if moment is None else {"local_start": moment.isoformat()})},
    )


def _sections(content: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in content.split("\n"):
        if line.startswith("$"):
            lines = sections.setdefault(line[1:].strip().rstrip(":"), [])
        elif line.strip():
            lines.append(line.strip())
    return sections


def _counts(path: Path, sections: dict[str, list[str]]) -> np.ndarray:
    lines = sections.get("DATA", [])
    limits = [_text.number(field) for field in lines[0].split()] if lines else []
    if len(limits) != 2 or not all(0 <= limit < 1e7 for limit in limits) or limits[1] < limits[0]:
        raise BrokenFileError(path, "its $DATA: has no first and last channel", "copy the file again")
    fields = [field for line in lines[1:] for field in line.split()]
    expected = int(limits[1] - limits[0]) + 1
    if len(fields) != expected:
        found = f"$DATA: promises {expected} channels, {len(fields)} are there"
        raise BrokenFileError(path, found, "the file is truncated; copy it again or leave it out")
    if bad := next((field for field in fields if not field.isascii() or not field.isdigit() or len(field) > 15), None):
        raise BrokenFileError(path, f"a channel reads {bad[:40]!r}", "copy the file again")
    # Counts start at the first stored channel, so that energies of absolute channel numbers stay right.
    return np.concatenate([np.zeros(int(limits[0]), np.int64), np.array([int(f) for f in fields], np.int64)])


def _measured(path: Path, sections: dict[str, list[str]]) -> tuple[float, float]:
    """Live and real time, s."""
    fields = " ".join(sections.get("MEAS_TIM", [])).split()
    times = [_text.number(field) for field in fields]
    if not fields:
        return float("nan"), float("nan")
    if len(times) < 2 or not np.isfinite(times[:2]).all():
        raise BrokenFileError(path, f"its $MEAS_TIM: reads {' '.join(fields)[:40]!r}", "write live and real time")
    return times[0], times[1]


def _coefficients(sections: dict[str, list[str]], warnings: list[str]) -> np.ndarray:
    """Offset, slope, curvature in keV; NaN where the file has none."""
    unknown = np.full(3, np.nan)
    for name, skip in (("MCA_CAL", 1), ("ENER_FIT", 0)):
        words = " ".join(sections.get(name, [])[skip:]).split()
        values = [_text.number(word) for word in words if _text.is_number(word)]
        units = [word.lower() for word in words if not _text.is_number(word)]
        if len(values) < 2 or values[1] == 0:
            continue
        if units and units[0] not in {"kev", "mev", "ev"}:
            warnings.append(f"the calibration ${name} is in {units[0]!r}, which is no energy; not used.")
            continue
        factor = {"kev": 1.0, "mev": 1e3, "ev": 1e-3}[units[0] if units else "kev"]
        return factor * np.array([*values, 0.0][:3])
    return unknown
