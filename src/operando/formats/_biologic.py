"""What EC-Lab's columns mean, shared by its text and its binary files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from operando.formats._record import Columns
from operando.model.errors import BrokenFileError

TIME = "time/s"
_VOLTAGES = ("Ecell/V", "<Ecell>/V", "Ewe-Ece/V", "<Ewe-Ece>/V", "Ewe/V", "<Ewe>/V", "<Ewe/V>")
_CURRENTS = ("I/mA", "<I>/mA")
_CHARGE, _MOVED, _SEQUENCE = "(Q-Qo)/mA.h", "dq/mA.h", "Ns"


def wanted(labels: Sequence[str]) -> list[str]:
    """The columns that a record needs, of those that the file has."""
    voltage = next((name for name in _VOLTAGES if name in labels), None)
    current = next((name for name in _CURRENTS if name in labels), None)
    temperature = next((label for label in labels if label.startswith("Temperature/")), None)
    named = [TIME, voltage, current, _CHARGE, _MOVED, _SEQUENCE, temperature]
    return [name for name in named if name is not None and name in labels]


def columns(path: Path, read: dict[str, np.ndarray], technique: str, warnings: list[str]) -> Columns:
    """A record from EC-Lab's columns by their names; raises ``BrokenFileError`` without time, voltage or current."""
    voltage = next((name for name in _VOLTAGES if name in read), None)
    if voltage is None or TIME not in read:
        missing = "time" if TIME not in read else "voltage"
        raise BrokenFileError(path, f"it has no column of {missing}", "export it with time/s and Ewe/V")
    current = next((name for name in _CURRENTS if name in read), None)
    temperature = next((name for name in read if name.startswith("Temperature/")), None)
    extra = {"charge": _CHARGE, "segment": _SEQUENCE, "temperature": temperature}
    return Columns(
        elapsed=read[TIME],
        voltage=read[voltage],
        current=read[current] if current else _derived_current(path, read, technique, warnings),
        extra={ours: read[theirs] for ours, theirs in extra.items() if theirs is not None and theirs in read},
        current_kind="instantaneous" if current == "I/mA" else "mean",
        warnings=warnings,
        attrs={"voltage_column": voltage, "technique": technique},
    )


def _derived_current(path: Path, read: dict[str, np.ndarray], technique: str, warnings: list[str]) -> np.ndarray:
    """Current from the charge between rows; zero at open circuit."""
    charge = read.get(_CHARGE)
    moved = read.get(_MOVED)
    if moved is None and charge is not None:
        moved = np.diff(charge, prepend=charge[:1])
    if moved is not None:
        warnings.append("the file has no current; taken as dq/dt between its rows.")
        return rate(read[TIME], moved)
    if "Open Circuit" in technique:
        return np.zeros(read[TIME].size)
    raise BrokenFileError(path, "it has neither a column of current nor of charge", "export it with <I>/mA")


def rate(elapsed: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Mean current in mA since the row before, from the charge in mAh moved since then.

    Where no time passed, it is the row before's; the first row's, whose interval is unknown, is the second's if
    charge was moved and zero else: nothing of it enters a charge, but no rest is feigned.
    """
    lasting = np.diff(elapsed, prepend=elapsed[:1])
    passed = lasting > 0
    if not passed.any():
        return np.zeros_like(moved)
    current = np.divide(moved * 3600.0, lasting, out=np.zeros_like(moved), where=passed)
    latest = np.maximum.accumulate(np.where(passed, np.arange(moved.size), -1))
    first = current[np.argmax(passed)] if moved[0] else 0.0
    return np.where(latest >= 0, current[np.maximum(latest, 0)], first)
