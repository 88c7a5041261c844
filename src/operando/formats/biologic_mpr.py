"""BioLogic EC-Lab ``.mpr``, binary; read by galvani (GPL-3), which is installed only with the extra ``biologic``."""

import warnings as python_warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.formats import _biologic, _impedance, _record, _times
from operando.formats._foreign import DAMAGE, reason
from operando.model.errors import BrokenFileError, ConfigurationError
from operando.model.reading import Kind, ReadOptions

NAME = "biologic_mpr"
TITLE = "BioLogic EC-Lab binary (.mpr), with impedance; needs operando[biologic]"
KIND: Kind = "electrochemistry"
EXTENSIONS = (".mpr",)
NEEDS = "galvani"

_MAGIC = b"BIO-LOGIC MODULAR FILE\x1a"


def sniff(path: Path, head: bytes) -> bool:
    """BioLogic's magic bytes."""
    return head.startswith(_MAGIC)


def read(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the file as a RECORD product; without a column of the current it is dq/dt.

    An unfinished file has no start: then ``options.start_time`` is needed. Raises ``BrokenFileError`` for a damaged
    file or unknown columns, ``ConfigurationError`` without galvani or for a start whose zone is unknown.
    """
    file = _open(path)
    columns = _columns(file)
    warnings: list[str] = []
    record = _biologic.columns(path, columns, "", warnings)
    moment = getattr(file, "timestamp", None)
    if moment is None:
        warnings.append("the file has no start of acquisition: it was not finished.")
    record.start = _times.to_time(moment, options, str(path))
    record.attrs |= {"format": NAME, **({} if moment is None else {"local_start": moment.isoformat()})}
    return _record.build(path, record, options)


def read_impedance(path: Path, options: ReadOptions) -> xr.Dataset:
    """Read the impedance spectra as an IMPEDANCE product, with no spectrum if the file holds none."""
    file = _open(path)
    columns = _columns(file)
    start = _times.to_time(getattr(file, "timestamp", None), options, str(path))
    impedance = _complex(columns)
    if impedance is None or "freq/Hz" not in columns or _biologic.TIME not in columns:
        return _impedance.build(path, np.empty((0, 4)), start, options, NAME)
    points = [columns["freq/Hz"], impedance.real, impedance.imag, columns[_biologic.TIME]]
    return _impedance.build(path, np.stack(points, axis=1), start, options, NAME)


def _complex(columns: dict[str, np.ndarray]) -> np.ndarray | None:
    if "Re(Z)/Ohm" in columns and "-Im(Z)/Ohm" in columns:
        return np.asarray(columns["Re(Z)/Ohm"] - 1j * columns["-Im(Z)/Ohm"])
    if "|Z|/Ohm" in columns and "Phase(Z)/deg" in columns:
        return np.asarray(columns["|Z|/Ohm"] * np.exp(1j * np.deg2rad(columns["Phase(Z)/deg"])))
    return None


def _columns(file: Any) -> dict[str, np.ndarray]:
    data = file.data
    return {name: np.asarray(data[name], float) for name in data.dtype.names}


def _open(path: Path) -> Any:
    try:
        from galvani.BioLogic import MPRfile
    except ImportError:
        raise ConfigurationError(
            f"{path}: .mpr files are read by galvani (GPL-3); install operando[biologic], or export the file as .mpt."
        ) from None
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            file = MPRfile(str(path))
    except DAMAGE as error:
        found = f"galvani can't read it ({reason(error)})"
        raise BrokenFileError(path, found, "export it with EC-Lab as .mpt") from None
    if getattr(file, "data", None) is None or not file.data.dtype.names:
        raise BrokenFileError(path, "it holds no data module", "the file was not finished; export it as .mpt")
    return file
