"""Morphology through the whole chain, from simulated projections to numbers with intervals, against the truth.

    python benchmarks/morphology_chain.py FILE.json [SEEDS [FIRST_SEED [SCENARIO,…]]]

Each experiment is the preset ``demo`` without spectra and with half of its scans, under one scenario; about a minute
each. ``hidden`` is the whole demonstration with half of what the anode loses opening as voids out of sight. The
outcomes are added to FILE.json, which ``validate_morphology.py`` puts into its page.
"""

import json
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import numpy as np

from operando.cli.comparing import compare
from operando.pipeline import experiment
from operando.pipeline.events import Options
from operando.pipeline.store import Results
from operando.twin.experiment import simulate

HIDDEN = "hidden"
SCENARIOS = ("paper", "contact-loss", "static", "starved", "glare", HIDDEN)
SCANS = (0, 3, 4, 6, 8, 11)
KINDS = {
    "morphological": "net change",
    "phase_volume_um3 anode": "anode",
    "phase_volume_um3 void": "void",
    "protrusion": "protrusion",
    "particle": "particle",
    "unaccounted": "unaccounted",
}


def outcomes(scenario: str, seed: int) -> list[dict[str, float | str]]:
    """Simulate, run and compare one experiment: a row for each number."""
    text = (files("operando.twin.presets") / "demo.toml").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "cell"
        recipe = Path(name) / "demo.toml"
        text = text.replace("[spectrometer]", "[spectrometer]\nenabled = false")
        if scenario == HIDDEN:
            text = text.replace("[cell.anode]", "[cell.anode]\nhidden_share = 0.5")
        recipe.write_text(text, encoding="utf-8")
        simulate(recipe, folder, seed=seed, scans=SCANS, scenario="paper" if scenario == HIDDEN else scenario)
        experiment.bring_up_to_date(folder, Options(workers=0), lambda event: None, "")
        rows = [
            _row(kind, row.truth, (row.value, row.low, row.high))
            for row in compare(folder)
            for word, kind in KINDS.items()
            if word in row.name and row.value is not None
        ]
        return [one | {"scenario": scenario, "seed": seed} for one in rows + list(_gaps(folder))]


def _gaps(folder: Path) -> list[dict[str, float | str]]:
    """Cavity volume and contact loss of every scan."""
    truth = json.loads((folder / "truth" / "summary.json").read_text(encoding="utf-8"))["scans"]
    results, rows = Results(folder), []
    for scan in results.frames("interface"):
        found, true = results.product("interface", scan), truth[scan]
        loss = 1 - true["contact_area_um2"] / true["surface_area_um2"]
        for kind, name, value in (("cavity", "cavity_volume", true["cavity_um3"]), ("loss", "contact_loss", loss)):
            rows.append(_row(kind, value, [float(found[f"{name}{side}"]) for side in ("", "_low", "_high")]))
    return [row for row in rows if np.isfinite(row["value"])]


def _row(kind: str, truth: float, value: tuple[float, ...] | list[float]) -> dict[str, float | str]:
    return {"kind": kind, "truth": truth, "value": value[0], "low": value[1], "high": value[2]}


def main() -> None:
    """Add the outcomes of some seeds of each scenario to a file."""
    path = Path(sys.argv[1])
    count, first = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((2, 1), (3, 100)))
    scenarios = sys.argv[4].split(",") if len(sys.argv) > 4 else SCENARIOS
    for seed in range(first, first + count):
        for scenario in scenarios:
            known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
            path.write_text(json.dumps(known + outcomes(scenario, seed)), encoding="utf-8")
            print(scenario, seed, flush=True)


if __name__ == "__main__":
    main()
