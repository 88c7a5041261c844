"""Calibrations kept on disk, with where they come from."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.model.errors import BrokenFileError
from operando.model.products.diffraction import CALIBRATION

_VARIABLES = ("energy_coefficients", "two_theta", "two_theta_std", "good", "resolution", "reason")
_KINDS: dict[str, Any] = {"good": bool, "reason": str}
_OPTIONAL = ("two_theta_covariance", "energy_covariance", "known_lines", "chi_squared", "dead_time_scale")


def save(calibration: xr.Dataset, path: Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a calibration as JSON, with where it comes from."""
    content = {
        "format": "operando calibration 1",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "from": {**{key: value for key, value in calibration.attrs.items() if key != "warnings"}, **(provenance or {})},
        **{name: _plain(calibration[name].values) for name in (*_VARIABLES, *_OPTIONAL) if name in calibration},
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _plain(values: np.ndarray) -> Any:
    """Nested lists with ``None`` for what is not known."""
    plain: Any = values.astype(object)
    if values.dtype.kind == "f":
        plain[~np.isfinite(values)] = None
    return plain.tolist()


def load(path: Path) -> xr.Dataset:
    """Read a saved calibration. Raises ``BrokenFileError`` for anything else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = (*_VARIABLES, *(name for name in _OPTIONAL if name in content))
        arrays: dict[str, Any] = {name: np.array(content[name], _KINDS.get(name, float)) for name in known}
    except OSError as error:
        raise BrokenFileError(path, f"it can't be read ({error.strerror})", "correct the path") from None
    except (ValueError, KeyError, TypeError):
        raise BrokenFileError(path, "it is no saved calibration", "make one with `operando calibrate`") from None
    return CALIBRATION.new(attrs=dict(content["from"]), **arrays)
