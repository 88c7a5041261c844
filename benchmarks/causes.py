"""Which cause does the program name when only one thing happens, and what does a naive single-peak fit conclude?

    python benchmarks/causes.py [SEEDS] [PROCESSES] [SCENARIO…]

Every scenario of the simulated cell is staged at several sizes, from strong to invisible, on spectra alone (no
tomography). ``right``: the staged cause remains and so do only causes that cannot be told from it by these data;
``wrong``: something was concluded without it; ``none``: nothing was claimed. The naive analysis calls every clear
shift of the InLi (422) single line strain.
"""

import json
import sys
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import xarray as xr

from operando.diffraction.calibrate import calibrate
from operando.diffraction.causes import CausesParameters, causes
from operando.diffraction.correct import correct
from operando.diffraction.element import FitParameters
from operando.diffraction.fit import fit
from operando.materials.catalogue import load
from operando.model.products.raw import SPECTRUM
from operando.twin.presets import load as preset
from operando.twin.scenarios import seen
from operando.twin.spectrometer import Conditions
from operando.twin.world import World

PHASES = ("In", "InLi")
SIZES = {
    "overlap": (0.95, 0.5, 0.2, 0.05),
    "strain": (5e-3, 1e-3, 3e-4, 3e-5),
    "composition": (2e-3, 1e-3, 3e-4, 3e-5),
    "new-phase": (0.6, 0.3, 0.1, 0.02),
    "energy-drift": (5e-4, 3e-4, 1e-4, 1e-5),
    "theta-drift": (4e-3, 2e-3, 1e-3, 1e-4),
    "temperature": (45.0, 20.0, 10.0, 1.0),
    "static": (0.0,),
}
INSEPARABLE = {
    "strain": {"strain", "composition"},
    "composition": {"strain", "composition"},
    "overlap": {"overlap", "gauge-motion"},
    "new-phase": {"new-phase", "overlap", "gauge-motion"},
    "energy-drift": {"energy-drift"},
    "theta-drift": {"theta-drift", "temperature"},
    "temperature": {"theta-drift", "temperature"},
    "static": set(),
}


def staged(name: str, size: float, seed: int, spectra: int = 6) -> list[xr.Dataset]:
    """Spectra of a scenario: the gauge on its pristine content, one thing changed in steps."""
    settings = preset("demo", name)
    settings = settings.model_copy(update={"scenario_size": size, "seed": 2})
    world = World(settings)
    phases = world.pristine[0]
    found = []
    for index in range(spectra):
        progress = float(index >= spectra // 2)
        changed, state = seen(settings, phases, Conditions(), progress)
        measured = world.instrument.measure(changed, 90.0, state, (seed, index))
        start = world.epoch + np.timedelta64(15 * index, "m")
        found.append(
            SPECTRUM.new(
                attrs={"frame": index, "file": f"{name}_{index}.med"},
                counts=measured.counts,
                energy_coefficients=world.instrument.coefficients(),
                two_theta=world.instrument.two_theta(),
                live_time=measured.live_s,
                real_time=measured.real_s,
                start=start,
                end=start + np.timedelta64(90, "s"),
            )
        )
    return found


def concluded(case: tuple[str, float, int]) -> tuple[str, float, str, str, float, list[str]]:
    """Outcome of the joint and of the naive analysis of one case."""
    name, size, seed = case
    spectra = staged(name, size, seed)
    materials = tuple(load(one) for one in PHASES)
    shared = calibrate(spectra[0], materials, None)
    corrected = [correct(one, shared) for one in spectra]
    fits = [fit(one, shared, materials, FitParameters()) for one in corrected]
    found = causes(corrected, [pair[1] for pair in fits], shared, materials, "first", None, CausesParameters(window=3))
    entries = [json.loads(text) for text in found["verdict"].values]
    remaining = {cause for entry in entries for cause in entry["remaining"]}
    significance = max(
        (abs(float(a / b)) for a, b in zip(found["shift"], found["shift_std"], strict=True)), default=0.0
    )
    return name, size, _outcome(name, size, entries), _naive(fits), significance, sorted(remaining)


def _outcome(name: str, size: float, entries: list[dict]) -> str:
    if not entries:
        return "none"
    mine = [entry for entry in entries if entry["phase"] == "InLi"] or entries
    remaining = set(mine[0]["remaining"])
    if name != "static" and name in remaining:
        return "right" if remaining <= INSEPARABLE[name] else "cannot tell"
    return "wrong"


def _naive(fits: list[tuple[xr.Dataset, xr.Dataset]]) -> str:
    """InLi (422) as a single line before and after; a shift of over 5 standard deviations is called strain."""
    spacings = []
    for lines, _ in fits:
        row = np.flatnonzero(
            (lines["phase"].values == "InLi")
            & (lines["h"].values == 4)
            & (lines["k"].values == 2)
            & (lines["l"].values == 2)
        )[0]
        spacings.append((float(lines["d_free"][row]), float(lines["d_free_std"][row])))
    table = np.array(spacings)
    half = len(table) // 2
    shift = table[half:, 0].mean() - table[:half, 0].mean()
    std = float(np.sqrt((table[:, 1] ** 2).sum())) / half
    return "strain" if abs(shift) > 5.0 * std else "none"


def main() -> int:
    """Print the table; exit status 1 if more than 3 % are wrong or an overlap was ever called strain."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    names = sys.argv[3:] or list(SIZES)
    cases = [(name, size, seed) for name in names for size in SIZES[name] for seed in range(seeds)]
    if processes > 1:
        with ProcessPoolExecutor(processes) as pool:
            results = list(pool.map(concluded, cases))
    else:
        results = [concluded(case) for case in cases]
    table: dict[tuple[str, float], list] = defaultdict(list)
    for name, size, *rest in results:
        table[name, size].append(rest)
    print(f"{'scenario':14s} {'size':>8s}  right  cannot  none  wrong   shift/std   naive: strain   remaining")
    for (name, size), rows in table.items():
        joint = Counter(row[0] for row in rows)
        naive = sum(row[1] == "strain" for row in rows)
        common = Counter(", ".join(row[3]) for row in rows).most_common(1)[0][0]
        right, cannot, none, bad = (joint[outcome] for outcome in ("right", "cannot tell", "none", "wrong"))
        print(
            f"{name:14s} {size:8.1e}  {right:5d} {cannot:6d} {none:6d} {bad:5d}"
            f"   {np.median([row[2] for row in rows]):8.1f}   {naive:4d}/{len(rows)}          {common}"
        )
    wrong = sum(row[0] == "wrong" for rows in table.values() for row in rows)
    strained = [
        row
        for (name, _), rows in table.items()
        for row in rows
        if name == "overlap" and row[0] == "wrong" and "strain" in row[3]
    ]
    print(f"wrong: {wrong} of {len(results)}; overlaps called strain: {len(strained)}")
    return 1 if wrong > 0.03 * len(results) or strained else 0


if __name__ == "__main__":
    sys.exit(main())
