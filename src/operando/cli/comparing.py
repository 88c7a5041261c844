"""Measured against true numbers, for a simulated experiment. The only place that opens ``truth/``."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One number: what is true and what was measured."""

    name: str
    unit: str
    truth: float
    value: float | None
    low: float | None
    high: float | None

    @property
    def inside(self) -> bool | None:
        """Whether the interval holds the truth; ``None`` where nothing was measured."""
        if self.low is None or self.high is None:
            return None
        return self.low <= self.truth <= self.high

    @property
    def truth_text(self) -> str:
        """The truth with as many digits as are useful."""
        return f"{self.truth:.5g}"

    @property
    def measured_text(self) -> str:
        """The measured value."""
        return "unknown" if self.value is None else f"{self.value:.5g}"

    @property
    def interval_text(self) -> str:
        """The interval."""
        return "" if self.low is None else f"{self.low:.5g} … {self.high:.5g}"

    @property
    def verdict(self) -> str:
        """In words."""
        return {None: "not measured", True: "", False: "outside"}[self.inside]


def compare(folder: Path) -> list[Row]:
    """Every number of ``truth/summary.json`` beside that of ``results/summary.json``."""
    truth = json.loads((folder / "truth" / "summary.json").read_text(encoding="utf-8"))
    measured = json.loads((folder / "results" / "summary.json").read_text(encoding="utf-8"))
    return list(_pairs(truth, measured))


def _pairs(truth: dict[str, Any], measured: dict[str, Any]) -> Iterator[Row]:
    for kind, keys in _KEYS.items():
        found = {tuple(entry.get(key) for key in keys): entry for entry in measured[kind]}
        for entry in truth.get(kind, []):
            there = found.get(tuple(entry.get(key) for key in keys), {})
            yield from _leaves(entry, there, _name(kind, entry))


_KEYS = {
    "scans": ("file",),
    "spectra": ("file",),
    "cycles": ("cycle",),
    "volume_balance": ("cycle", "step", "from_scan", "to_scan"),
}
"""What identifies an entry of each list."""


def _name(kind: str, entry: dict[str, Any]) -> str:
    if "file" in entry:
        return Path(entry["file"]).stem
    step = entry.get("step", "") if kind == "volume_balance" else ""
    return f"cycle {entry['cycle']} {step}".strip() if entry["cycle"] is not None else "all"


def _leaves(truth: Any, measured: Any, name: str) -> Iterator[Row]:
    """Every quantity of the measured object that has a true number at the same place of the other."""
    if not isinstance(measured, dict) or not isinstance(truth, dict | int | float):
        return
    if {"value", "low", "high", "unit"} <= set(measured):
        if isinstance(truth, int | float):
            yield Row(name, measured["unit"], truth, measured["value"], measured["low"], measured["high"])
    elif isinstance(truth, dict):
        for key, part in truth.items():
            if key in measured and measured[key] is None and isinstance(part, int | float) and key.endswith(_UNITS):
                yield Row(f"{name} {key}", key.rpartition("_")[2], part, None, None, None)
            else:
                yield from _leaves(part, measured.get(key), f"{name} {key}")


_UNITS = ("_um3", "_um2", "_ohm", "_angstrom")
"""Endings of the names of quantities that count as not measured where they are null."""
