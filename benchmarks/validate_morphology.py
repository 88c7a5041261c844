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
from pathlib import Path

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
    known = json.loads(path.read_text(encoding="utf-8"))
    lines = []
    for scenario in dict.fromkeys(one["scenario"] for one in known):
        here = [one for one in known if one["scenario"] == scenario]
        seeds = len({one["seed"] for one in here})
        for kind in dict.fromkeys(one["kind"] for one in here):
            lines.append(
                _chain_row(f"{NAMES.get(scenario, scenario)} ({seeds})", [o for o in here if o["kind"] == kind])
            )
    return lines


def _chain_row(title: str, some: list[dict[str, float]]) -> str:
    truth, value, low, high = (np.array([one[n] for one in some]) for n in ("truth", "value", "low", "high"))
    error, covered = value - truth, int(np.sum((low <= truth) & (truth <= high)))
    numbers = (float(np.mean(np.abs(truth))), float(np.mean(error)), float(np.sqrt(np.mean(error**2))))
    text = " | ".join(f"{number:.3g}" for number in (*numbers, float(np.median(high - low)) / 2))
    return f"| {title} | {some[0]['kind']} | {text} | {covered} of {len(some)} |"


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
        "`python benchmarks/morphology_chain.py`: the preset `demo` from projections to numbers (six scans, no",
        "spectra), by scenario (number of seeds). µm, µm³; loss is a share. What can't be measured (a gap beside a",
        "starved anode) has no row.",
        "",
        "| scenario | number | mean truth | bias | RMS error | median half-width | intervals that hold the truth |",
        "|---|---|---|---|---|---|---|",
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
