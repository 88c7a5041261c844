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
    for kind in ("scans", "spectra"):
        found = {entry["file"]: entry for entry in measured[kind]}
        for entry in truth.get(kind, []):
            name = Path(entry["file"]).stem
            yield from _leaves(entry, found.get(entry["file"], {}), name, skip={"lines"})
    cycles = {entry["cycle"]: entry for entry in measured["cycles"]}
    for entry in truth.get("cycles", []):
        yield from _leaves(entry, cycles.get(entry["cycle"], {}), f"cycle {entry['cycle']}")
    balance = {(entry["cycle"], entry["step"]): entry for entry in measured["volume_balance"]}
    for entry in truth.get("volume_balance", []):
        where = "all" if entry["cycle"] is None else f"cycle {entry['cycle']} {entry['step']}"
        yield from _leaves(entry, balance.get((entry["cycle"], entry["step"]), {}), where, skip={"candidates"})


def _leaves(truth: Any, measured: Any, name: str, skip: frozenset[str] | set[str] = frozenset()) -> Iterator[Row]:
    """Quantities at the same place of both objects."""
    if isinstance(truth, dict) and "unit" in truth and "value" in truth:
        there = measured if isinstance(measured, dict) else {}
        yield Row(name, truth["unit"], truth["value"], there.get("value"), there.get("low"), there.get("high"))
    elif isinstance(truth, dict):
        for key, part in truth.items():
            if key not in skip:
                yield from _leaves(part, measured.get(key) if isinstance(measured, dict) else None, f"{name} {key}")
