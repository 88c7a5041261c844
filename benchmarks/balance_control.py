"""Does the balance close where all the charge makes volume, and is a staged side reaction found? Coarse voxels.

    python benchmarks/balance_control.py [SIDE_SHARE [SEED]]

The preset ``paper`` at binning 8 without voids out of sight, ten scans in the rests at the ends of its steps. Without
``SIDE_SHARE`` (0) the ratio of seen to expected should hold 1; with it, 1 - ratio of a charge should hold the share.
"""

import json
import re
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

from operando.pipeline import experiment
from operando.pipeline.events import Options
from operando.twin.experiment import simulate

SCANS = (0, 2, 5, 12, 18, 32, 45, 85, 119, 135)
BINNING = 8

Entry = dict[str, Any]


def recipe(side_share: float) -> str:
    """Settings of the twin: the paper's, but nothing is hidden and all steps share one side reaction."""
    text = (files("operando.twin.presets") / "paper.toml").read_text(encoding="utf-8")
    text = re.sub(r"\bhidden_share = [\d.]+", "hidden_share = 0.0", text)
    text = re.sub(r", side_share = [\d.]+", "", text)
    text = re.sub(r"\bside_share = [\d.]+", f"side_share = {side_share}", text)
    return text.replace("[spectrometer]", "[spectrometer]\nenabled = false")


def run(side_share: float, seed: int, folder: Path) -> tuple[list[Entry], list[Entry]]:
    """Staged and measured balance."""
    toml = folder.with_suffix(".toml")
    toml.write_text(recipe(side_share), encoding="utf-8")
    simulate(toml, folder, binning=BINNING, seed=seed, scans=SCANS)
    experiment.bring_up_to_date(folder, Options(workers=0), lambda event: None, "")
    truth, found = (
        json.loads((folder / part / "summary.json").read_text(encoding="utf-8")) for part in ("truth", "results")
    )
    return truth["volume_balance"], found["volume_balance"]


def told(staged: list[Entry], measured: list[Entry]) -> list[str]:
    """One line of a table for every pair of scans that a step lies between."""
    lines = ["| scans | step | staged, 10⁶ µm³ | measured | staged ratio | measured |", "|---|---|---|---|---|---|"]
    true = {(entry["from_scan"], entry["to_scan"]): entry for entry in staged}
    for entry in measured:
        place = entry["from_scan"], entry["to_scan"]
        if place not in true or entry["morphological_um3"] is None:
            continue
        there, ratio = true[place], entry["candidates"][0]["ratio"]
        expected = there["candidates"][0]["electrochemical_um3"]
        share = f"{there['morphological_um3'] / expected:.3f}" if expected else "–"
        lines.append(
            f"| {place[0]} → {place[1]} | {entry['step']} | {there['morphological_um3'] / 1e6:.1f} "
            f"| {_interval(entry['morphological_um3'], 1e-6)} | {share} | {_interval(ratio) if ratio else '–'} |"
        )
    return lines


def _interval(quantity: Entry, factor: float = 1.0) -> str:
    value, low, high = (quantity[name] * factor for name in ("value", "low", "high"))
    return f"{value:.2f} ({low:.2f} … {high:.2f})"


def main() -> None:
    """Stage, analyse and compare."""
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 2018
    with tempfile.TemporaryDirectory() as name:
        begun = time.process_time()
        lines = told(*run(share, seed, Path(name) / "cell"))
        print(f"side reaction {share}, seed {seed}, {time.process_time() - begun:.0f} s of CPU")
        print("\n".join(lines))


if __name__ == "__main__":
    main()
