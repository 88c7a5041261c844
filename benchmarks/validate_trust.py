"""Can the voxels that are trusted be trusted? Labels of simulated scans against the truth, voxel by voxel.

    python benchmarks/validate_trust.py [SEEDS [FIRST_SEED]]

The preset ``demo`` with a soft beam, with strong veiling glare and as it is: first and last scan from projections to
labels. Wrong: share of the trusted voxels of the bore that got another phase, away from edges (two voxels) and, second
number, of all. Flagged: share of the untrusted voxels among those whose grey value alone would be labelled right.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import ndimage

from operando.pipeline import experiment
from operando.pipeline.events import Options
from operando.pipeline.store import Results
from operando.twin.experiment import simulate

SCENARIOS = ("paper", "glare", "starved")
SCANS = (0, 11)
UNKNOWN, EDGE = 255, 2


def judged(results: Results, folder: Path, scan: int) -> tuple[float, float, float]:
    """Wrong share away from edges, wrong share of all trusted voxels, flagged share among those that are right."""
    truth = xr.open_dataset(folder / "truth" / f"labels_{scan:04d}.nc")["label"].values
    labels, volume, levels = results.labels(scan), results.volume(scan), results.product("levels", scan)
    if labels is None or volume is None or levels is None:
        raise SystemExit(f"{folder}: scan {scan} was not labelled; {results.warnings()}")
    label = labels["label"].values
    bore = (truth > 0) & (label != 0)
    steps = [np.abs(np.diff(truth, axis=axis, prepend=truth.take([0], axis))) > 0 for axis in range(3)]
    inside = bore & ~ndimage.binary_dilation(np.logical_or.reduce(steps), iterations=EDGE)
    trusted, wrong = label != UNKNOWN, label != truth
    quiet = ndimage.uniform_filter(volume["mu"].values, 3)
    right = inside & (1 + np.digitize(quiet, levels["threshold"].values) == truth)
    return (
        (wrong & trusted & inside).sum() / (trusted & inside).sum(),
        (wrong & trusted & bore).sum() / (trusted & bore).sum(),
        (right & ~trusted).sum() / right.sum(),
    )


def main() -> None:
    """Print a row for each scenario."""
    seeds, first = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 3), (2, 700)))
    print("| scenario | scans | wrong away from edges, largest | wrong of all, largest | flagged of right, largest |")
    print("|---|---|---|---|---|")
    for scenario in SCENARIOS:
        rows = []
        for seed in range(first, first + seeds):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name) / "cell"
                simulate("demo", folder, seed=seed, scans=SCANS, scenario=scenario)
                options = Options(workers=0, only=("segment",))
                experiment.bring_up_to_date(folder, options, lambda event: None, "")
                rows += [judged(Results(folder), folder, scan) for scan in range(len(SCANS))]
        print(
            f"| {scenario} | {len(rows)} | " + " | ".join(f"{100 * n:.2f} %" for n in np.max(rows, 0)) + " |",
            flush=True,
        )


if __name__ == "__main__":
    main()
