"""Morphology through the whole chain, from simulated projections to numbers with intervals, against the truth.

    python benchmarks/morphology_chain.py FILE.json [SEEDS [FIRST_SEED [SCENARIO,…]]] [--keep DIR]

Each experiment is the preset ``demo`` without spectra and with four of its scans (before, at the top of the first
charge, after the discharge, in the second charge), under one scenario; half a minute of processor time each. ``hidden``
is the whole demonstration with half of what the anode loses opening as voids out of sight. The outcomes go to
FILE.json, which ``validate_morphology.py`` puts into its page; an experiment that is already there is replaced. With
``--keep`` the folders stay in DIR, so that after a change of the program only what it touches is computed again.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np

from operando.cli.comparing import compare
from operando.pipeline import experiment, publish
from operando.pipeline.events import Options
from operando.pipeline.store import Results
from operando.twin.experiment import simulate

HIDDEN = "hidden"
SCENARIOS = ("paper", "contact-loss", "static", "starved", "glare", HIDDEN)
SCANS = (0, 3, 4, 6)
KINDS = {
    "morphological": "net change",
    "phase_volume_um3 anode": "anode",
    "phase_volume_um3 void": "void",
    "protrusion": "protrusion",
    "particle": "particle",
    "unaccounted": "unaccounted",
}

Outcome = dict[str, float | str]


def staged(scenario: str, seed: int, folder: Path) -> None:
    """Simulate one experiment, if it is not there."""
    if (folder / "truth" / "summary.json").exists():
        return
    text = (files("operando.twin.presets") / "demo.toml").read_text(encoding="utf-8")
    text = text.replace("[spectrometer]", "[spectrometer]\nenabled = false")
    if scenario == HIDDEN:
        text = text.replace("[cell.anode]", "[cell.anode]\nhidden_share = 0.5")
    folder.parent.mkdir(parents=True, exist_ok=True)
    recipe = folder.parent / f"{folder.name}.toml"
    recipe.write_text(text, encoding="utf-8")
    simulate(recipe, folder, seed=seed, scans=SCANS, scenario="paper" if scenario == HIDDEN else scenario)


def outcomes(folder: Path) -> list[Outcome]:
    """Compute one experiment and compare: a row for each number that could be told."""
    options = Options(workers=0, only=("summary",), publish=False)
    experiment.bring_up_to_date(folder, options, lambda event: None, "")
    publish.write_summary(Results(folder), "", "", [])
    rows = [*_numbers(folder), *_gaps(folder), *_displacements(folder), *_onsets(folder)]
    told = [row for row in rows if np.isfinite(row["value"])]
    return [row for place, row in enumerate(told) if row not in told[:place] or row["kind"] != "net change"]


def _numbers(folder: Path) -> Iterator[Outcome]:
    """What stands in summary.json under the same name as in the truth."""
    for row in compare(folder):
        for word, kind in KINDS.items():
            if word in row.name and row.value is not None:
                yield _row(kind, row.truth, (row.value, row.low, row.high))


def _gaps(folder: Path) -> Iterator[Outcome]:
    """Cavity volume and contact loss of every scan."""
    truth, results = _truth(folder)["scans"], Results(folder)
    for scan in results.frames("interface"):
        found, true = results.product("interface", scan), truth[scan]
        loss = 1 - true["contact_area_um2"] / true["surface_area_um2"]
        for kind, name, value in (("cavity", "cavity_volume", true["cavity_um3"]), ("loss", "contact_loss", loss)):
            yield _row(kind, value, [float(found[f"{name}{side}"]) for side in ("", "_low", "_high")])


def _displacements(folder: Path) -> Iterator[Outcome]:
    """How far the particle has moved since the first scan."""
    measured = json.loads((folder / "results" / "summary.json").read_text(encoding="utf-8"))["scans"]
    tracks = [scan["tracks"].get("particle") for scan in measured]
    truth = [scan["tracks"]["particle"] for scan in _truth(folder)["scans"]]
    first = tracks[0]
    for one, true in zip(tracks[1:], truth[1:], strict=True):
        if first and one and one["value"] is not None and first["value"] is not None:
            moved = one["value"] - first["value"]
            half = float(np.hypot(*((each["high"] - each["low"]) / 2 for each in (one, first))))
            yield _row("displacement", true - truth[0], (moved, moved - half, moved + half))


def _onsets(folder: Path) -> Iterator[Outcome]:
    """The first scan after cavities began to open, by its number; what is not found, or is none, is -1."""
    found, true = (
        json.loads((folder / place / "summary.json").read_text(encoding="utf-8")) for place in ("results", "truth")
    )
    middles = np.array([np.mean([_instant(scan[end]) for end in ("start", "end")]) for scan in true["scans"]])
    for kind in ("void_onset", "contact_loss_onset"):
        times = [_first(one["events"], kind) for one in (true, found)]
        numbers = [[-1.0] * 3 if t is None else [float(np.sum(middles < end)) for end in t] for t in times]
        numbers[0] = [-1.0] if numbers[0][0] >= len(middles) else numbers[0]
        yield _row(kind, numbers[0][0], numbers[1])


def _first(events: list[dict[str, str]], kind: str) -> list[float] | None:
    """Time and bounds of the first event of a kind, s."""
    for event in events:
        if event["kind"] == kind:
            return [_instant(event.get(name, event["time"])) for name in ("time", "low", "high")]
    return None


def _instant(text: str) -> float:
    return float(np.datetime64(text.removesuffix("Z"), "ms").astype(float)) / 1000


def _truth(folder: Path) -> dict:
    return json.loads((folder / "truth" / "summary.json").read_text(encoding="utf-8"))


def _row(kind: str, truth: float, value: tuple[float | None, ...] | list[float]) -> Outcome:
    return {"kind": kind, "truth": truth, "value": value[0], "low": value[1], "high": value[2]}


def main() -> None:
    """Add the outcomes of some seeds of each scenario to a file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("seeds", nargs="?", type=int, default=1)
    parser.add_argument("first", nargs="?", type=int, default=100)
    parser.add_argument("scenarios", nargs="?", default=",".join(SCENARIOS))
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    for seed in range(given.first, given.first + given.seeds):
        for scenario in given.scenarios.split(","):
            with tempfile.TemporaryDirectory() as name:
                folder = (given.keep or Path(name)) / f"{scenario}_{seed}"
                staged(scenario, seed, folder)
                new = [row | {"scenario": scenario, "seed": seed} for row in outcomes(folder)]
            known = json.loads(given.file.read_text(encoding="utf-8")) if given.file.exists() else []
            others = [row for row in known if (row["scenario"], row["seed"]) != (scenario, seed)]
            given.file.write_text(json.dumps(others + new), encoding="utf-8")
            print(scenario, seed, flush=True)


if __name__ == "__main__":
    main()
