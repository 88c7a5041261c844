"""Write docs/validation/paper.md from a staged and analysed experiment: python docs/tell_paper_again.py DIR

DIR comes from `operando simulate paper -o DIR` (with or without --binning) and `operando run DIR`. Every number of
the paper stands beside the staged truth and what was measured, with its 95 % interval.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "validation" / "paper.md"

Summary = dict[str, Any]
Value = dict[str, Any] | float | str | None
"""A quantity with its interval, a bare number, words, or nothing."""


def scan_at_end(found: Summary, cycle: int, step: str) -> Summary | None:
    """The last scan of a step."""
    inside = [scan for scan in found["scans"] if scan["cycle"] == cycle and scan["step"] == step]
    return inside[-1] if inside else None


def track(name: str, cycle: int | None, step: str = "discharge") -> Callable[[Summary], Value]:
    """A tracked length in the first scan (``cycle`` None) or at the end of a step."""

    def read(found: Summary) -> Value:
        scan = found["scans"][0] if cycle is None else scan_at_end(found, cycle, step)
        return None if scan is None else scan["tracks"].get(name)

    return read


def cycle_value(cycle: int, name: str) -> Callable[[Summary], Value]:
    """A value of one cycle."""
    return lambda found: next((row[name] for row in found["cycles"] if row["cycle"] == cycle), None)


def balance_value(name: str, cycle: int = 4, step: str = "charge") -> Callable[[Summary], Value]:
    """A value of the balance of one step; ``electrochemical_um3`` and ``ratio`` are those of the first candidate."""

    def read(found: Summary) -> Value:
        row = next((b for b in found["volume_balance"] if b["cycle"] == cycle and b["step"] == step), None)
        if row is None:
            return None
        first = row["candidates"][0] if row["candidates"] else {}
        return row.get(name, first.get(name))

    return read


def spacing(cycles: Sequence[int]) -> Callable[[Summary], Value]:
    """d(422) of InLi from its lattice, in the middle spectrum of these cycles."""

    def read(found: Summary) -> Value:
        state = {scan["index"]: scan["cycle"] for scan in found["scans"]}
        inside = [one for one in found["spectra"] if state.get(one["index"]) in cycles]
        edges = [one["lattice"].get("InLi", {}).get("a_angstrom") for one in inside]
        known = [edge for edge in edges if edge is not None]
        return scaled(known[len(known) // 2], 24**-0.5) if known else None

    return read


def event(kind: str) -> Callable[[Summary], Value]:
    """When something began."""

    def read(found: Summary) -> Value:
        one = next((one for one in found["events"] if one["kind"] == kind), None)
        if one is None or "low" not in one:
            return one and one["time"]
        return f"{one['time']} ({one['low']} … {one['high']})"

    return read


def scaled(value: Value, factor: float) -> Value:
    """A value in another unit."""
    if isinstance(value, dict):
        return {**value, **{name: value[name] * factor for name in ("value", "low", "high")}}
    return value * factor if isinstance(value, int | float) else value


def in_unit(read: Callable[[Summary], Value], factor: float) -> Callable[[Summary], Value]:
    """The same, in another unit."""
    return lambda found: scaled(read(found), factor)


ROWS: tuple[tuple[str, str, str, Callable[[Summary], Value]], ...] = (
    ("conditioning, 10 µA for 5 h", "µAh", "50", in_unit(lambda found: found["scans"][0]["charge_mAh"], 1e3)),
    *(
        (f"C-rate of cycle {cycle}", "1/h", rate, cycle_value(cycle, "c_rate"))
        for cycle, rate in ((1, "1"), (2, "0.5"), (3, "0.25"), (4, "0.1"))
    ),
    ("charge of cycle 4", "µAh", "154.4 (from 6.8 and 11.8)", in_unit(cycle_value(4, "charge_mAh"), 1e3)),
    ("coulombic efficiency of cycle 4", "1", "not given", cycle_value(4, "coulombic_efficiency")),
    ("protrusion, first scan", "µm", "93", track("protrusion", None)),
    ("protrusion after cycle 3", "µm", "120", track("protrusion", 3)),
    ("protrusion after the charge of cycle 4", "µm", "233", track("protrusion", 4, "charge")),
    ("particle to the bottom of the field, first scan", "µm", "123", track("particle", None)),
    ("particle, after cycle 3", "µm", "113", track("particle", 3)),
    ("particle, after cycle 4", "µm", "108", track("particle", 4)),
    ("d(422) of InLi, cycles 1 to 3", "Å", "1.384", spacing((1, 2, 3))),
    ("d(422) of InLi, cycle 4", "Å", "1.397", spacing((4,))),
    ("anode's change in the charge of cycle 4", "10⁷ µm³", "4.58", in_unit(balance_value("morphological_um3"), 1e-7)),
    (
        "expected for In + Li → InLi",
        "10⁷ µm³",
        "6.8 (with 11.8 cm³/mol)",
        in_unit(balance_value("electrochemical_um3"), 1e-7),
    ),
    ("seen / expected", "1", "0.67", balance_value("ratio")),
    ("unaccounted", "10⁷ µm³", "2.2", in_unit(balance_value("unaccounted_um3"), 1e-7)),
    ("cavities begin", "UTC", "discharge of cycle 4", event("void_onset")),
    ("resistance begins to rise", "UTC", "not given", event("resistance_rise_onset")),
)


def shown(value: Value) -> str:
    """A value with its interval, as far as it is known."""
    if value is None:
        return "–"
    if isinstance(value, dict):
        return f"{value['value']:.5g} ({value['low']:.5g} … {value['high']:.5g})"
    return value if isinstance(value, str) else f"{value:.5g}"


def table(measured: Summary, truth: Summary) -> str:
    """Rows of the page."""
    lines = ["| number | unit | paper | staged truth | measured (95 % interval) |", "|---|---|---|---|---|"]
    for name, unit, paper, read in ROWS:
        lines.append(f"| {name} | {unit} | {paper} | {shown(read(truth))} | {shown(read(measured))} |")
    return "\n".join(lines)


def page(folder: Path) -> str:
    """The whole page."""
    measured, truth = (
        json.loads((folder / part / "summary.json").read_text(encoding="utf-8")) for part in ("results", "truth")
    )
    said = "\n".join(f"- {sentence}" for sentence in measured.get("conclusion", []))
    return (
        "# The paper staged\n\n"
        f"`operando simulate paper`, `operando run`: {len(measured['scans'])} scans, {len(measured['spectra'])} "
        "spectra. The twin is built to the paper's cell and protocol, not fitted to its results; what has to agree is "
        "truth and measurement. Written by `docs/tell_paper_again.py`.\n\n"
        f"{table(measured, truth)}\n\n## What the program concludes\n\n{said}\n"
    )


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(Path(sys.argv[1])), encoding="utf-8")
    print(PAGE)
