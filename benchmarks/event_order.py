"""Which came first, through the whole chain: two experiments in which things begin at known times, an hour apart.

    python benchmarks/event_order.py [SEED]

Both are the preset ``demo``. In the first the foil has no alloy before: InLi appears with the first charge, and
cavities open when the cell is discharged. In the second cavities open first, and the second charge uses up the indium
that the beam sees. What begins at one instant by construction (cavities, loss of contact, resistance) has no order to
be told.
"""

import json
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from operando.pipeline import experiment
from operando.pipeline.events import Options
from operando.twin.experiment import simulate

EVERY_MIN = 20.0
GONE = 0.005
"""A phase of less than this share of what diffracts is gone."""
USED_UP = """step = [
  { kind = "rest", hours = 0.25 },
  { kind = "charge", c_rate = 0.5, share = 0.3 },
  { kind = "rest", hours = 0.35 },
  { kind = "discharge", c_rate = 0.5, of_charge = 0.93 },
  { kind = "rest", hours = 0.25 },
  { kind = "charge", c_rate = 0.5, share = 0.6 },
  { kind = "rest", hours = 1.5 },
]"""
EXPERIMENTS: Mapping[str, Sequence[tuple[str, str]]] = {
    "a phase before cavities": (
        (r"alloyed_share = [\d.]+", "alloyed_share = 0.0"),
        (r"\bscans = \d+", "scans = 17"),
    ),
    "cavities before a phase": (
        (r"alloyed_share = [\d.]+", "alloyed_share = 0.4\nactive_share = 0.344"),
        (r"\bscans = \d+", "scans = 14"),
        (r"step = \[.*?\n\]", USED_UP),
    ),
}

Event = dict[str, Any]


def recipe(changes: Sequence[tuple[str, str]]) -> str:
    """Settings of the twin: the demonstration's with these changes."""
    text = (files("operando.twin.presets") / "demo.toml").read_text(encoding="utf-8")
    for pattern, replacement in ((r"\bevery_min = [\d.]+", f"every_min = {EVERY_MIN}"), *changes):
        text = re.sub(pattern, replacement, text, count=1, flags=re.DOTALL)
    return text


def run(changes: Sequence[tuple[str, str]], seed: int, folder: Path) -> tuple[Event, Event]:
    """Truth and results."""
    toml = folder.with_suffix(".toml")
    toml.write_text(recipe(changes), encoding="utf-8")
    simulate(toml, folder, seed=seed)
    experiment.bring_up_to_date(folder, Options(workers=0), lambda event: None, "")
    truth, found = (
        json.loads((folder / part / "summary.json").read_text(encoding="utf-8")) for part in ("truth", "results")
    )
    return truth, found


def staged(truth: Event) -> dict[str, np.datetime64]:
    """When each kind of event was staged, with the first spectrum in which a phase is gone."""
    when = {event["kind"]: event["time"] for event in reversed(truth["events"])}
    for spectrum in reversed(truth["spectra"]):
        if min(spectrum["phase_share"][phase] for phase in ("In", "InLi")) < GONE and "phase_onset" not in when:
            when["phase_end"] = spectrum["start"]
    return {kind: np.datetime64(text.removesuffix("Z"), "s") for kind, text in when.items()}


def told(truth: Event, found: Event) -> list[str]:
    """Every event as staged and as found, then every two that begin more than a scan apart."""
    when, seen = staged(truth), {event["kind"]: event for event in reversed(found["events"])}
    lines = [f"{kind}: staged {at}, found {_interval(seen.get(kind))}" for kind, at in when.items()]
    lines += [f"{kind}: not staged, found {_interval(event)}" for kind, event in seen.items() if kind not in when]
    for pair in found.get("event_order", []):
        first, second = pair["first"], pair["second"]
        if {first, second} <= set(when):
            lag = float((when[second] - when[first]) / np.timedelta64(60, "s"))
            if abs(lag) > EVERY_MIN:
                verdict = "right" if (pair["probability"] > 0.5) == (lag > 0) else "WRONG"
                lines.append(f"{first} before {second}: {pair['probability']:.4f}, staged {lag:+.0f} min: {verdict}")
    return lines


def _interval(event: Event | None) -> str:
    return f"{event['time']} ({event['low']} … {event['high']})" if event else "nothing"


def main() -> None:
    """Stage, analyse and compare both experiments."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 700
    for name, changes in EXPERIMENTS.items():
        with tempfile.TemporaryDirectory() as place:
            begun = time.process_time()
            lines = told(*run(changes, seed, Path(place) / "cell"))
            print(f"{name}, seed {seed}, {time.process_time() - begun:.0f} s of CPU")
            print("\n".join(f"  {line}" for line in lines), flush=True)


if __name__ == "__main__":
    main()
