"""Neware ``.nda`` and ``.ndax``; read by fastnda (BSD), which is installed with the extra ``neware``."""

import importlib
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.formats import _record, _times
from operando.formats._foreign import DAMAGE, reason
from operando.model.clock import NOT_A_TIME
from operando.model.errors import BrokenFileError, ConfigurationError
from operando.model.reading import Kind, ReadOptions

NAME = "neware"
TITLE = "Neware (.nda, .ndax); needs operando[neware]"
KIND: Kind = "electrochemistry"
EXTENSIONS = (".nda", ".ndax")
NEEDS = "fastnda"

_ZIP, _NDA = b"PK\x03\x04", b"NEWARE"
_QUARTER_HOUR = 900.0


def sniff(path: Path, head: bytes) -> bool:
    """Neware's magic bytes, or a zip file that holds ``data.ndc``."""
    if head.startswith(_NDA):
        return True
    if not head.startswith(_ZIP):
        return False
    if b"data.ndc" in head or path.suffix.lower() == ".ndax":
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return "data.ndc" in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the file as a RECORD product, current positive while charging.

    The times of Neware's computers are often local times counted as if they were UTC: only where the start written
    as a date differs from them by whole quarter hours are they believed to be UTC, else ``options.time_zone`` is
    needed. Raises ``BrokenFileError`` for a damaged file, ``ConfigurationError`` without fastnda.
    """
    table, metadata = _open(path)
    warnings: list[str] = []
    columns = {name: _numbers(table, name) for name in ("total_time_s", "voltage_V", "current_mA", "step_count")}
    missing = [name for name in ("total_time_s", "voltage_V", "current_mA") if columns[name] is None]
    if missing:
        raise BrokenFileError(path, f"fastnda gives no {', '.join(missing)}", "export it as CSV with BTSDA")
    moment = _start(_numbers(table, "unix_time_s"), metadata)
    if moment is None:
        warnings.append("the file has no start time.")
    segment = columns["step_count"]
    record = _record.Columns(
        elapsed=_known(columns["total_time_s"]),
        voltage=_known(columns["voltage_V"]),
        current=_known(columns["current_mA"]),
        start=NOT_A_TIME if moment is None else _times.to_time(moment, options, str(path)),
        extra={} if segment is None else {"segment": segment},
        warnings=warnings,
        attrs={"format": NAME, **({} if moment is None else {"local_start": moment.isoformat()})},
    )
    return _record.build(path, record, options)


def _known(values: np.ndarray | None) -> np.ndarray:
    return np.empty(0) if values is None else values


def _numbers(table: Any, name: str) -> np.ndarray | None:
    """A column as float64 without float32's noise in the decimals; ``None`` if it is not there."""
    if name not in table.columns:
        return None
    values = table[name].to_numpy()
    if values.dtype == np.float32:
        return np.array([float(str(value)) for value in values])
    return np.asarray(values, float)


def _start(unix: np.ndarray | None, metadata: Any) -> datetime | None:
    """The first sample's time: zoned only where date and count of seconds show that the count is UTC."""
    written = next((m for text in _find(metadata, "starttime") if (m := _times.parse_moment(text))), None)
    if unix is None or not unix.size or not np.isfinite(unix[0]) or not 0 < unix[0] < 1e11:
        return written
    counted = _times.from_unix(float(unix[0]))
    if written is None or written.tzinfo is not None:
        return counted.replace(tzinfo=None)
    offset = (written - counted.replace(tzinfo=None)).total_seconds()
    quarters = round(offset / _QUARTER_HOUR)
    is_utc = quarters != 0 and abs(quarters) <= 56 and abs(offset - quarters * _QUARTER_HOUR) < 60
    return counted.astimezone(UTC) if is_utc else counted.replace(tzinfo=None)


def _find(metadata: Any, key: str) -> Iterator[str]:
    """Texts anywhere in the metadata whose key is ``key`` but for case and underscores."""
    if isinstance(metadata, dict):
        for name, value in metadata.items():
            if isinstance(value, str) and str(name).lower().replace("_", "") == key:
                yield value
            yield from _find(value, key)


def _open(path: Path) -> tuple[Any, Any]:
    """fastnda's table and metadata; anything that goes wrong with the file's bytes is a ``BrokenFileError``."""
    try:
        import fastnda
        from polars.exceptions import PolarsError
    except ImportError:
        raise ConfigurationError(
            f"{path}: Neware files are read by fastnda (BSD); install operando[neware], or export the file as CSV."
        ) from None
    damage: tuple[type[Exception], ...] = (PolarsError, *_decompression_errors(), *DAMAGE)
    try:
        return fastnda.read(path), fastnda.read_metadata(path)
    except damage as error:
        found = f"fastnda can't read it ({reason(error)})"
        raise BrokenFileError(path, found, "copy it again, or export it as CSV") from None


def _decompression_errors() -> tuple[type[Exception], ...]:
    """fastnda may replace zlib inside zipfile by isal, whose errors are its own."""
    try:
        return (importlib.import_module("isal.igzip_lib").error,)
    except ImportError:
        return ()
