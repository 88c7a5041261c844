"""BDF, the Battery Data Format: CSV with agreed labels (https://github.com/battery-data-alliance/battery-data-format).

Both spellings are read: machine-readable ``test_time_second`` and preferred ``Test Time / s``.
"""

import csv
import re
from pathlib import Path

import numpy as np
import xarray as xr

from operando.formats import _record, _text
from operando.model.errors import BrokenFileError
from operando.model.reading import Kind, ReadOptions

NAME = "bdf_csv"
TITLE = "Battery Data Format (CSV)"
KIND: Kind = "electrochemistry"
EXTENSIONS = (".csv", ".bdf", ".txt")

_LABELS: dict[str, dict[str, float]] = {
    "elapsed": {"test_time_second": 1.0, "test time / s": 1.0, "test_time_millisecond": 1e-3, "test time / ms": 1e-3},
    "unix": {"unix_time_second": 1.0, "unix time / s": 1.0, "unix_time_millisecond": 1e-3, "unix time / ms": 1e-3},
    "voltage": {"voltage_volt": 1.0, "voltage / v": 1.0, "voltage_millivolt": 1e-3, "voltage / mv": 1e-3},
    "current": {
        "current_ampere": 1e3,
        "current / a": 1e3,
        "current_milliampere": 1.0,
        "current / ma": 1.0,
        "current_microampere": 1e-3,
        "current / ua": 1e-3,
    },
    "charge": {"net_capacity_ah": 1e3, "net capacity / ah": 1e3},
    "temperature": {
        "surface_temperature_t1_celsius": 1.0,
        "surface_temperature_celsius": 1.0,
        "surface temperature t1 / degc": 1.0,
        "cell_temperature_celsius": 1.0,
        "cell temperature / degc": 1.0,
        "ambient_temperature_celsius": 1.0,
        "ambient temperature / degc": 1.0,
    },
    "segment": {
        "step_count": 1.0,
        "step count / 1": 1.0,
        "step_index": 1.0,
        "step index / 1": 1.0,
        "step_id": 1.0,
        "step id": 1.0,
    },
}
_OPTIONAL = ("temperature", "segment")


def sniff(path: Path, head: bytes) -> bool:
    """A first line with BDF's labels of time, voltage and current."""
    if not _text.looks_like_text(head):
        return False
    found = _columns(_header(head)[0])
    return {"voltage", "current"} <= found.keys() and bool({"elapsed", "unix"} & found.keys())


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the file as a RECORD product.

    Absolute times come from ``unix_time_second``, else from ``options.start_time``. Raises ``BrokenFileError`` for a
    table that can't be read, ``ConfigurationError`` where an absolute time is needed and unknown.
    """
    with path.open("rb") as file:
        labels, delimiter = _header(file.read(65536))
    found = _columns(labels)
    missing = [name for name in ("voltage", "current") if name not in found]
    if missing or not {"elapsed", "unix"} & found.keys():
        named = " and ".join(missing) or "time"
        raise BrokenFileError(path, f"its header has no {named}", "use BDF's labels, for example test_time_second")
    decimal = "," if delimiter == ";" else "."
    layout = _text.Layout(1, [i for i, _ in found.values()], len(labels), delimiter, decimal, "utf-8-sig")
    table = _text.read_table(path, layout)
    columns = {name: table.values[:, k] * factor for k, (name, (_, factor)) in enumerate(found.items())}
    return _record.build(path, _assembled(columns, table.warnings), options)


def _assembled(columns: dict[str, np.ndarray], warnings: list[str]) -> _record.Columns:
    unix = columns.get("unix")
    if unix is not None and np.isnan(unix).all():
        unix = None
    elapsed = columns.get("elapsed")
    if elapsed is None and unix is not None:
        elapsed = unix - np.nanmin(unix)
    extra = {name: columns[name] for name in _OPTIONAL if name in columns and np.isfinite(columns[name]).any()}
    if "temperature" in extra and not extra["temperature"].any():
        del extra["temperature"]
        warnings.append("its temperature is 0 in every row; taken as not measured.")
    charge = columns.get("charge")
    if charge is not None and np.isfinite(charge).all():
        extra["charge"] = charge
    return _record.Columns(
        elapsed=elapsed if elapsed is not None else np.full(columns["voltage"].size, np.nan),
        voltage=columns["voltage"],
        current=columns["current"],
        unix=unix,
        extra=extra,
        warnings=warnings,
        attrs={"format": NAME},
    )


def _header(head: bytes) -> tuple[list[str], str]:
    """The labels of the first line and the delimiter between them."""
    line = re.split(r"[\r\n]", head.decode("utf-8-sig", "replace"), maxsplit=1)[0]
    delimiter = max(",;\t", key=line.count)
    try:
        return next(csv.reader([line], delimiter=delimiter), []), delimiter
    except csv.Error:
        return [], delimiter


def _columns(labels: list[str]) -> dict[str, tuple[int, float]]:
    """Column and factor to our unit of each quantity that the labels name; the first label of ours wins."""
    plain = [" ".join(label.strip().lower().split()) for label in labels]
    return {
        name: next((plain.index(label), factor) for label, factor in known.items() if label in plain)
        for name, known in _LABELS.items()
        if any(label in plain for label in known)
    }
