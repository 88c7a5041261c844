"""Which cause does the program name when only one thing happens, and what does a naive single-peak fit conclude?

    python benchmarks/causes.py [SEEDS] [PROCESSES] [SCENARIO…]

Every scenario of the simulated cell is staged at several strengths, from strong to invisible, on spectra alone (no
tomography). The table goes to docs/validation/causes.md when all scenarios are run.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from operando.diffraction.calibrate import calibrate
from operando.diffraction.causes import CausesParameters, causes
from operando.diffraction.comparison import compare, naive_shifts, summed
from operando.diffraction.corrections import corrected
from operando.diffraction.element import GERMANIUM_RESOLUTION, FitParameters
from operando.diffraction.explain import Shifts, patterns
from operando.diffraction.geometry import energy_times_d, spacing_per_angle
from operando.diffraction.verdict import weigh
from operando.materials.catalogue import load
from operando.materials.structure import at_temperature, lines
from operando.model.products.raw import SPECTRUM
from operando.twin.presets import load as preset
from operando.twin.scenarios import seen
from operando.twin.spectrometer import Conditions
from operando.twin.world import World

PAGE = Path(__file__).resolve().parent.parent / "docs" / "validation" / "causes.md"
FIRST_SEED = 1000
PHASES = ("In", "InLi")
SPECTRA = 6
NEEDED_SD = 5.0
SIZES = {
    "overlap": (0.95, 0.5, 0.2, 0.1, 0.05, 0.01),
    "strain": (5e-3, 1e-3, 3e-4, 2e-4, 1e-4, 3e-5),
    "composition": (2e-3, 1e-3, 3e-4, 2e-4, 1e-4, 3e-5),
    "new-phase": (0.6, 0.3, 0.2, 0.1, 0.02),
    "energy-drift": (5e-4, 3e-4, 2e-4, 1e-4, 1e-5),
    "theta-drift": (4e-3, 3e-3, 2e-3, 1e-3, 1e-4),
    "temperature": (45.0, 20.0, 10.0, 5.0, 1.0),
    "static": (0.0,),
}
UNITS = {
    "overlap": "of In lost", "strain": "δa/a", "composition": "δa/a", "new-phase": "of InLi turned to InLi2",
    "energy-drift": "δE/E", "theta-drift": "deg 2θ", "temperature": "K", "static": "",
}  # fmt: skip
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
"""What positions and amounts can't tell apart in principle: these stay together in the right verdict."""


TRUE = {"new-phase": {"new-phase", "overlap"}}
"""Where more than the named cause is staged: the host shrinks as the new phase grows."""


@dataclass(frozen=True)
class Case:
    """What one realisation gave. ``staged_sd``: the staged displacement over its standard error;
    ``apart_sd``: the same from the nearest cause outside the class; ``near``: causes nearer than 5."""

    joint: str
    naive: str
    remaining: tuple[str, ...]
    strain_claimed: bool
    staged_sd: float
    apart_sd: float
    near: frozenset[str]
    lines: dict[str, float]
    new_lines: tuple[float, ...]
    lattice_std: float


def staged(name: str, size: float, seed: int, spectra: int = SPECTRA) -> list[xr.Dataset]:
    """Spectra of a scenario: the gauge on its pristine content, one thing changed half-way."""
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


def displacement(name: str, size: float, shifts: Shifts, expansion: Mapping[str, tuple[float, float]]) -> np.ndarray:
    """What the staged cause does to the observables: relative changes of lattices and fluorescence."""
    lattice = np.array([owner != "fluorescence" for owner in shifts.owner])
    if name in {"strain", "composition"}:
        return np.array([size * (owner == "InLi") for owner in shifts.owner])
    if name == "energy-drift":
        return np.where(lattice, -size, size)
    if name == "theta-drift":
        return -float(spacing_per_angle(8.0)) * size * lattice
    if name == "temperature":
        return np.array([expansion.get(owner, (0.0, 0.0))[0] for owner in shifts.owner]) * size
    return np.zeros(len(lattice))


def separations(name: str, staged_change: np.ndarray, shifts: Shifts, expansion: Mapping) -> dict[str, float]:
    """Standard deviations between the staged displacement and the best that every cause outside the class does."""
    weight = np.linalg.inv(shifts.covariance)
    found: dict[str, float] = {"overlap": float(np.sqrt(staged_change @ weight @ staged_change))}
    for cause, _, columns in patterns(shifts, expansion, ["InLi"]):
        if cause not in INSEPARABLE[name]:
            fitted = columns @ np.linalg.pinv(columns.T @ weight @ columns) @ columns.T @ weight @ staged_change
            off = staged_change - fitted
            found[cause] = min(found.get(cause, np.inf), float(np.sqrt(off @ weight @ off)))
    return found


def concluded(case: tuple[str, float, int]) -> tuple[str, float, Case]:
    """Outcome of the joint and of the naive analysis of one case."""
    name, size, seed = case
    spectra = staged(name, size, seed)
    materials = tuple(load(one) for one in PHASES)
    shared = calibrate(spectra[0], materials, None)
    each = [corrected(one, shared) for one in spectra]
    half = SPECTRA // 2
    found = causes(each, [], shared, materials, "first", None, CausesParameters(window=half))
    entries = [json.loads(text) for text in found["verdict"].values]
    mine = [entry for entry in entries if entry["phase"] == "InLi"] or entries
    remaining = tuple(mine[0]["remaining"]) if mine else ()
    plain = compare(summed(each[:half]), summed(each[half:]), shared, materials, FitParameters())
    evidence = weigh(plain, (), (), None)
    change = displacement(name, size, evidence.shifts, evidence.expansion)
    apart = separations(name, change, evidence.shifts, evidence.expansion)
    shifts = {f"{PHASES[phase]} {one.hkl}": one for phase in (0, 1) for one in naive_shifts(plain, phase)}
    single = shifts.get("InLi (4, 2, 2)")
    naive = "strain" if single is not None and abs(single.shift) > NEEDED_SD * single.std else "none"
    moved = {key: one.shift for key, one in shifts.items()}
    lattice_std = float(np.sqrt(evidence.shifts.of("InLi")[1][0, 0]))
    near = frozenset(cause for cause, distance in apart.items() if distance < NEEDED_SD)
    outcome = _outcome(name, entries, remaining)
    claimed = any("strain" in entry["remaining"] and "overlap" not in entry["remaining"] for entry in entries)
    return name, size, Case(
        outcome, naive, remaining, claimed, apart["overlap"], min(apart.values()), near, moved,
        _new_lines(each), lattice_std,
    )  # fmt: skip


def _outcome(name: str, entries: list[dict], remaining: tuple[str, ...]) -> str:
    if not entries:
        return "none"
    if any(not _true(name, entry["phase"]) & set(entry["remaining"]) for entry in entries):
        return "wrong"
    if name not in remaining:
        return "cannot tell"
    return "right" if set(remaining) <= INSEPARABLE[name] else "cannot tell"


def _true(name: str, phase: str) -> set[str]:
    """What may have moved this phase's lines: the staged cause, or a neighbour that the staged cause changed."""
    if name == "static":
        return set()
    return TRUE.get(name, {name}) | ({"overlap"} if phase != "InLi" else set())


def _new_lines(each: list[xr.Dataset]) -> tuple[float, ...]:
    """Surplus of the later spectra at every InLi2 line that stands apart from In and InLi, over its standard error."""
    counts = np.array([one["counts"].values[0] for one in each])
    energy = each[0]["energy"].values[0]
    before, after = counts[: SPECTRA // 2].sum(axis=0), counts[SPECTRA // 2 :].sum(axis=0)
    known = np.concatenate([_energies(name) for name in PHASES])
    width = np.sqrt(GERMANIUM_RESOLUTION[0] ** 2 + GERMANIUM_RESOLUTION[1] * _energies("InLi2"))
    found = []
    for at, fwhm in zip(_energies("InLi2"), width, strict=True):
        if np.abs(known - at).min() > 1.2 * fwhm:
            near = np.abs(energy - at) < 0.6 * fwhm
            found.append(float((after - before)[near].sum() / np.sqrt(max((after + before)[near].sum(), 1.0))))
    return tuple(found)


def _energies(name: str) -> np.ndarray:
    product = float(energy_times_d(8.0))
    warm = at_temperature(load(name), 70.0)
    return np.array([product / line.d for line in lines(warm, product / 110.0, product / 30.0)])


@dataclass(frozen=True)
class Row:
    """All realisations of one scenario at one strength."""

    name: str
    size: float
    cases: list[Case]

    @property
    def staged_sd(self) -> float:
        """The staged displacement over its standard error."""
        if self.name == "overlap":
            return max(abs(mean) / std for mean, std in self._lines())
        if self.name == "new-phase":
            return float(np.mean([case.new_lines for case in self.cases], axis=0).max())
        return float(np.median([case.staged_sd for case in self.cases]))

    @property
    def apart_sd(self) -> float:
        """The same against the nearest cause outside the class; an apparent shift against a moving lattice."""
        if self.name in {"overlap", "new-phase"}:
            lattice = float(np.median([case.lattice_std for case in self.cases]))
            return min(self.staged_sd, max(abs(mean) for mean, _ in self._lines()) / lattice)
        return float(np.median([case.apart_sd for case in self.cases]))

    def _lines(self) -> list[tuple[float, float]]:
        """Mean shift of every single line that most realisations see, and the scatter of one."""
        names = {name for case in self.cases for name in case.lines}
        each = [np.array([case.lines[name] for case in self.cases if name in case.lines]) for name in sorted(names)]
        return [
            (float(one.mean()), float(one.std(ddof=1)))
            for one in each
            if 2 * len(one) > len(self.cases) and len(one) > 1
        ]

    def count(self, outcome: str) -> int:
        """How many realisations ended so."""
        return sum(case.joint == outcome for case in self.cases)

    @property
    def fitting(self) -> int:
        """Verdicts that hold the staged cause and none that the data exclude by over 5 standard deviations."""
        return sum(
            case.joint == "right"
            or (case.joint == "cannot tell" and set(case.remaining) <= INSEPARABLE[self.name] | self._near(case))
            for case in self.cases
        )

    def _near(self, case: Case) -> set[str]:
        """Causes that the data could not exclude at this strength."""
        if self.name in {"overlap", "new-phase"}:
            return set() if self.apart_sd > NEEDED_SD else {"strain", "composition", "temperature", "theta-drift",
                                                           "energy-drift"}  # fmt: skip
        return set(case.near)

    def line(self) -> str:
        """The row of the table."""
        naive = sum(case.naive == "strain" for case in self.cases)
        common = Counter(", ".join(case.remaining) for case in self.cases).most_common(1)[0][0] or "—"
        size = f"{self.size:g} {UNITS[self.name]}".strip()
        numbers = " | ".join(str(self.count(outcome)) for outcome in ("right", "cannot tell", "none", "wrong"))
        return (f"| {self.name} | {size} | {self.staged_sd:.1f} | {self.apart_sd:.1f} | {numbers} | {naive} "
                f"| {common} |")  # fmt: skip


def rows_of(results: list[tuple[str, float, Case]]) -> list[Row]:
    """The table's rows in the order of the cases."""
    table: dict[tuple[str, float], list[Case]] = defaultdict(list)
    for name, size, case in results:
        table[name, size].append(case)
    return [Row(name, size, cases) for (name, size), cases in table.items()]


def rates(rows: list[Row]) -> list[str]:
    """Right, cannot tell, nothing claimed, wrong: of the joint analysis and of the naive single line."""
    staged_rows = [row for row in rows if row.name != "static"]
    clear = [row for row in staged_rows if row.staged_sd > NEEDED_SD]
    told = []
    for part, which in ((staged_rows, "All staged causes"), (clear, "Effects of over 5 standard deviations")):
        total = max(sum(len(row.cases) for row in part), 1)
        joint = [100 * sum(row.count(outcome) for row in part) / total for outcome in OUTCOMES]
        claims = [(row.name, case.naive == "strain") for row in part for case in row.cases]
        right, wrong = (sum(c and (name == "strain") == yes for name, c in claims) for yes in (True, False))
        naive = [100 * right / total, 0.0, 100 * (total - right - wrong) / total, 100 * wrong / total]
        told += [
            f"{which} ({total}): {how}: "
            + ", ".join(f"{name} {share:.1f} %" for name, share in zip(OUTCOMES, shares, strict=True))
            for how, shares in (("joint analysis", joint), ("naive single line", naive))
        ]
    return [f"{one}." for one in told]


OUTCOMES = ("right", "cannot tell", "none", "wrong")


def summary(rows: list[Row]) -> tuple[list[str], bool]:
    """Sentences that say whether the table keeps what is asked of it."""
    total = sum(len(row.cases) for row in rows)
    wrong = sum(row.count("wrong") for row in rows)
    strained = sum(case.strain_claimed for row in rows if row.name == "overlap" for case in row.cases)
    far = [row for row in rows if row.apart_sd > NEEDED_SD]
    strong = [row for row in rows if row.staged_sd > NEEDED_SD]
    least_far = min((row.count("right") / len(row.cases) for row in far), default=1.0)
    least_strong = min((row.fitting / len(row.cases) for row in strong), default=1.0)
    naive_wrong = sum(case.naive == "strain" for row in rows for case in row.cases if row.name != "strain")
    others = sum(len(row.cases) for row in rows if row.name != "strain")
    told = [
        *rates(rows),
        f"Wrong: {wrong} of {total} ({100 * wrong / total:.1f} %); the naive reading calls {naive_wrong} of {others} "
        f"experiments without strain a strain ({100 * naive_wrong / max(others, 1):.0f} %).",
        f"Strain claimed on an overlap: {strained} times.",
        f"Where every cause outside the class is over 5 standard deviations away ({len(far)} rows): the right class "
        f"alone in {sum(row.count('right') for row in far)} of {sum(len(row.cases) for row in far)}, "
        f"in the worst row {100 * least_far:.0f} %.",
        f"Where the staged displacement is over 5 standard deviations ({len(strong)} rows): the staged cause, "
        f"with nothing that the data exclude by 5, in {sum(row.fitting for row in strong)} of "
        f"{sum(len(row.cases) for row in strong)}, in the worst row {100 * least_strong:.0f} %.",
    ]
    return told, wrong < 0.03 * total and not strained and least_far >= 0.9 and least_strong >= 0.9


HEAD = """# Which cause does the program name?

`python benchmarks/causes.py {seeds}` stages every scenario of the simulated cell on six spectra of 90 s (6000 counts/s
on one element; In, InLi and a little electrolyte in the gauge, of which only In and InLi are named), with one thing
changed half-way. {seeds} realisations a row; the strengths go from strong to invisible.

- **effect** is the staged displacement over its standard error, in standard deviations: of all lattices and the
  fluorescence together; on `overlap`, of the single line that moves most clearly (mean over its scatter); on
  `new-phase`, of the counts of the new phase's clearest line that stands apart.
- **apart** is the distance from the nearest cause outside the class: what no other cause can mimic. Strain and
  composition are one class (both change only *a* of a cubic phase), 2θ and temperature are one (In and InLi expand
  alike), overlap and gauge motion are one. A new phase is staged with its host shrinking, so overlap is true there
  too; a verdict that names only the overlap counts as cannot tell.
- **right**: the class alone remains for InLi; **cannot tell**: it remains with others; **none**: nothing was claimed;
  **wrong**: for either phase something was concluded that leaves out what happened (for In, the neighbour that moved
  or grew is true as well).
- **naive**: how often a free fit of the single line InLi (422) moves by over 5 standard deviations, which the naive
  reading calls strain.

| scenario | strength | effect | apart | right | cannot tell | none | wrong | naive: strain | most common verdict |
|---|---|---|---|---|---|---|---|---|---|
"""


def main() -> int:
    """Print the table; exit status 1 if it does not keep what is asked of it."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    names = sys.argv[3:] or list(SIZES)
    cases = [(name, size, FIRST_SEED + seed) for name in names for size in SIZES[name] for seed in range(seeds)]
    if processes > 1:
        with ProcessPoolExecutor(processes) as pool:
            results = list(pool.map(concluded, cases, chunksize=5))
    else:
        results = [concluded(case) for case in cases]
    rows = rows_of(results)
    told, kept = summary(rows)
    page = HEAD.format(seeds=seeds) + "\n".join(row.line() for row in rows) + "\n\n" + "\n".join(f"- {s}" for s in told)
    print(page)
    if not sys.argv[3:]:
        PAGE.write_text(page + "\n", encoding="utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
