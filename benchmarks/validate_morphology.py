"""Do the intervals of morphology hold the truth? Bias, coverage and width over many realisations.

    python benchmarks/validate_morphology.py [COUNT [FIRST_SEED]] [--chain FILE.json] [--page FILE.md]

COUNT (0: none) cheap volume-level realisations (random surface, growth, blur, noise, a motion known with an error)
and a quarter as many at rest; 200 take a few minutes. ``--chain`` adds what ``morphology_chain.py`` measured on whole
experiments. ``--page`` replaces these two sections of a page and leaves what else stands there.
It passes if the bias of the net change is below 2 % of the effect and 0.02 voxel × area, the coverage of the 95 %
intervals is not rejected by a binomial test at 1 %, and the median half-width is at most 1.5 × 1.96 × the error's RMS.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "morphology"))

from realisations import Outcome, realise
from sections import put_section

NAMES = {
    "paper": "whole demonstration",
    "starved": "starved beam",
    "static": "nothing happens",
    "hidden": "half of the loss hidden",
}
Row = dict[str, Any]
INTERVALS, CHAIN = "<!-- intervals -->", "<!-- whole chain -->"


def row(title: str, outcomes: list[Outcome]) -> tuple[str, bool]:
    """A line of the table, and whether it passes."""
    truth, net, low, high, area = (
        np.array([getattr(o, n) for o in outcomes]) for n in ("truth", "net", "low", "high", "area")
    )
    error, half = net - truth, float(np.median(high - low)) / 2
    covered = sum(o.covered for o in outcomes)
    chance = binomtest(covered, len(outcomes), 0.95).pvalue
    ratio = half / (1.96 * float(np.sqrt(np.mean(error**2))))
    of_area, effect = float(np.mean(error / area)), float(np.mean(truth))
    share = f"{100 * float(np.mean(error)) / effect:+.2f} %" if effect else "-"
    width = f"{100 * half / effect:.1f} %" if effect else "-"
    good = abs(of_area) < 0.02 and chance > 0.01 and ratio < 1.5
    cells = (title, len(outcomes), share, f"{of_area:+.4f}", f"{100 * covered / len(outcomes):.1f} %", f"{chance:.2f}")
    return "| " + " | ".join(str(cell) for cell in (*cells, width, f"{ratio:.2f}")) + " |", good


def chain_rows(path: Path) -> list[str]:
    """A line for each scenario and number of the whole chain."""
    return [line for title, some in _by_scenario(path) for line in _scenario_rows(title, some)]


def _by_scenario(path: Path) -> list[tuple[str, list[Row]]]:
    known = json.loads(path.read_text(encoding="utf-8"))
    groups = []
    for scenario in dict.fromkeys(one["scenario"] for one in known):
        here = [one for one in known if one["scenario"] == scenario]
        seeds = len({one["seed"] for one in here})
        groups.append((f"{NAMES.get(scenario, scenario)} ({seeds})", here))
    return groups


def _scenario_rows(title: str, some: list[Row]) -> list[str]:
    kinds = [one for one in CRITERIA if any(row["kind"] == one.kind for row in some)]
    return [_criterion_row(title, one, [row for row in some if row["kind"] == one.kind]) for one in kinds]


@dataclass(frozen=True)
class Criterion:
    """What is asked of a number: the limit of its error, in a unit that is one for an absolute limit."""

    kind: str
    unit: str
    limit: float
    size: Callable[[np.ndarray], np.ndarray]
    least_truth: float = -np.inf
    of_mean: bool = False
    """The limit is one for the mean error, not for nine errors in ten."""


def _constant(value: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda truth: np.full(len(truth), value)


VOXEL_UM = 2.5
AREA_UM2 = np.pi * 160.0**2
CRITERIA = (
    Criterion("net change", "voxel × area", 0.02, _constant(VOXEL_UM * AREA_UM2), of_mean=True),
    Criterion("unaccounted", "voxel × area", 0.02, _constant(VOXEL_UM * AREA_UM2), of_mean=True),
    Criterion("protrusion", "voxels", 0.5, _constant(VOXEL_UM)),
    Criterion("displacement", "voxels", 0.1, _constant(VOXEL_UM)),
    Criterion("cavity", "% of it", 5.0, lambda truth: truth / 100, 500 * VOXEL_UM**3),
    Criterion("loss", "points", 3.0, _constant(0.01), 1e-6),
    Criterion("void_onset", "scans", 1.0, _constant(1.0)),
    Criterion("contact_loss_onset", "scans", 1.0, _constant(1.0)),
)


def _criterion_row(title: str, asked: Criterion, some: list[Row]) -> str:
    truth, value, low, high = (np.array([one[n] for one in some]) for n in ("truth", "value", "low", "high"))
    chosen = truth >= asked.least_truth
    truth, value, low, high = truth[chosen], value[chosen], low[chosen], high[chosen]
    if not len(truth):
        return f"| {title} | {asked.kind} | 0 | | | | | | | |"
    error = (value - truth) / asked.size(truth)
    covered = int(np.sum((low <= truth) & (truth <= high)))
    within, rms = int(np.sum(np.abs(error) <= asked.limit)), float(np.sqrt(np.mean(error**2)))
    half = float(np.median((high - low) / 2 / asked.size(truth)))
    good = abs(np.mean(error)) <= asked.limit if asked.of_mean else within >= 0.9 * len(error)
    wanted = f"{'bias ≤' if asked.of_mean else f'{within} within'} {asked.limit:g}: {'met' if good else 'missed'}"
    cells = (
        f"{np.mean(error):+.3g}", f"{np.median(np.abs(error)):.2g}", f"{rms:.2g}", f"{np.max(np.abs(error)):.2g}",
        wanted,
        f"{half / 1.96 / rms:.2f}" if rms > 0 else "-",
        f"{covered} of {len(error)}", f"{binomtest(covered, len(error), 0.95).pvalue:.2g}",
    )  # fmt: skip
    return f"| {title} | {asked.kind} ({asked.unit}) | " + " | ".join(cells) + " |"


def intervals_text(count: int, first: int, rows: list[str]) -> str:
    """The section on volume-level realisations."""
    lines = [
        f"`python benchmarks/validate_morphology.py {count} {first}`: small made-up cells at the level of volumes,",
        "with random surfaces, growth, blur, noise, and a motion known with an error; the anode's net change. Bias in",
        "parts of the effect and in voxels × area; p is the binomial test of the coverage against 95 %; the ratio is",
        "the median half-width over 1.96 × the error's root mean square.",
        "",
        "| pairs | number | bias | voxel × area | covers | p | half-width | ratio |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def chain_text(rows: list[str]) -> str:
    """The section on whole experiments."""
    lines = [
        "## Through the whole chain",
        "",
        "`python benchmarks/morphology_chain.py`: the preset `demo` from projections to numbers (four scans, no",
        "spectra), by scenario (number of seeds). Errors (measured - true) in the unit named: voxels of 2.5 µm, voxel",
        "× area of the bore; cavities above 500 voxels in percent of themselves; contact loss, where there is some, in",
        "points; onsets in scans. What is asked: the mean error (bias) below the limit, or nine of ten errors. The",
        "ratio is the median half-width over 1.96 × the error's root mean square; p is the binomial test of the",
        "coverage against 95 %, as if all were independent (those of one experiment are not). What can't be",
        "measured has no row.",
        "",
        "| scenario | number | bias | median error | RMS | largest | asked | ratio | holds the truth | p |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run both series, print, and write their sections of the page; what else stands there is left alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", nargs="?", type=int, default=200)
    parser.add_argument("first", nargs="?", type=int, default=0)
    parser.add_argument("--chain", type=Path)
    parser.add_argument("--page", type=Path)
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.count)
    sections, good = {}, True
    if arguments.count:
        tables = [
            row("growing", [realise(seed) for seed in seeds]),
            row("at rest", [realise(seed, growth=0.0) for seed in seeds[: max(1, arguments.count // 4)]]),
        ]
        sections[INTERVALS] = intervals_text(arguments.count, arguments.first, [line for line, _ in tables])
        good = all(passed for _, passed in tables)
    if arguments.chain and arguments.chain.exists():
        sections[CHAIN] = chain_text(chain_rows(arguments.chain))
    for mark, text in sections.items():
        print(text)
        if arguments.page:
            put_section(arguments.page, mark, text)
    if not good:
        sys.exit("an interval does not keep its word")


if __name__ == "__main__":
    main()
