"""How fast is the joint fit, and is it as good as the same model written in lmfit?

    python benchmarks/diffraction_speed.py [--most SPECTRA] [--chap PYTHON]

Writes docs/benchmarks/diffraction.md. 136 spectra of 2048 channels, five phases named and four present, on two
processes; longer series up to ``--most``; one fit against lmfit's least squares on the square roots of the same
Poisson deviance, with the same parameters, priors, bounds and start. ``--chap`` names an interpreter that has the
pipeline of CHESS (``pip install ChessAnalysisPipeline lmfit sympy joblib``); without it that comparison is left out.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# One thread for BLAS, as in the workers of a run.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np
import xarray as xr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "diffraction"))

from made import Phase, draw

from operando.diffraction.calibrate import calibrate
from operando.diffraction.correct import correct
from operando.diffraction.element import FitParameters, fit_spectrum
from operando.diffraction.geometry import energy_times_d
from operando.diffraction.pawley import movable, priors_of, solve
from operando.diffraction.problem import Problem, State, first_guess, place, smooth_part, split, start
from operando.diffraction.series import analyse
from operando.materials.catalogue import load
from operando.materials.structure import lines

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks" / "diffraction.md"
NAMES = ("In", "InLi", "Li2S", "steel304", "InLi2")
PRESENT = [Phase("In", 3000.0), Phase("InLi", 4000.0), Phase("Li2S", 1000.0), Phase("steel304", 1500.0)]
MATERIALS = tuple(load(name) for name in NAMES)
SERIES = 136
NEEDED_S, NEEDED_RATIO = 3.0, 30.0
OFF_BOUND = 0.1
"""How far from its bound lmfit starts a parameter: on it, its way of keeping bounds has no slope."""


def share(numbers: range) -> tuple[float, float, float]:
    """Analyse a share of a series, one spectrum after the other.

    Returns seconds of the analysis alone, CPU seconds of it, and the process's largest memory in MB.
    """
    shared = _calibration()
    lasted, used = 0.0, 0.0
    for number in numbers:
        one = draw(PRESENT, number, number)
        begin, cpu = time.perf_counter(), time.process_time()
        analyse([one], MATERIALS, calibration=shared)
        lasted += time.perf_counter() - begin
        used += time.process_time() - cpu
    return lasted, used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def _calibration() -> xr.Dataset:
    return calibrate(draw(PRESENT, 0, 0), MATERIALS, None)


def series(spectra: int) -> tuple[float, float, float]:
    """Seconds on two processes that have started already (the longer share), CPU seconds of both, largest MB."""
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(share, [range(2), range(2)]))
        both = list(pool.map(share, [range(0, spectra, 2), range(1, spectra, 2)]))
    return max(one[0] for one in both), sum(one[1] for one in both), max(one[2] for one in both)


def against_lmfit() -> list[str]:
    """Rows of a table: wall time, objective and deviance of the same fit by both."""
    import lmfit

    spectrum, shared = draw(PRESENT, 1, 1), _calibration()
    (one,) = fit_spectrum(correct(spectrum, shared), shared, MATERIALS, FitParameters())
    problem = one.problem
    begin_state = start(problem)
    begin_state.areas[:] = first_guess(problem, begin_state)
    begin_state.shapes[: len(problem.expected)] = problem.expected
    ours = min(_timed(lambda: solve(problem, begin_state)) for _ in range(10))
    fitted = solve(problem, begin_state)
    mean, precision = priors_of(problem, begin_state)
    free, lowest = movable(problem)
    theta = np.maximum(begin_state.joined(), lowest)
    parameters = lmfit.Parameters()
    for index in np.flatnonzero(free):
        inside = theta[index] if np.isinf(lowest[index]) else max(theta[index], lowest[index] + OFF_BOUND)
        parameters.add(f"p{index}", value=inside, min=lowest[index])

    def joined(values: "lmfit.Parameters") -> np.ndarray:
        now = theta.copy()
        now[free] = [values[f"p{index}"].value for index in np.flatnonzero(free)]
        return now

    def residual(values: "lmfit.Parameters") -> np.ndarray:
        now = joined(values)
        model = np.maximum(in_numpy(problem, split(problem, now)), 1e-9)
        seen = problem.counts
        terms = 2.0 * (model - seen + np.where(seen > 0, seen * np.log(np.maximum(seen, 1e-12) / model), 0.0))
        counting = np.sign(model - seen) * np.sqrt(np.maximum(terms, 0.0))
        return np.r_[counting, np.sqrt(precision) * (now - mean)]

    begin = time.perf_counter()
    theirs = lmfit.minimize(residual, parameters, method="least_squares", max_nfev=20_000)
    lasted = time.perf_counter() - begin
    return [
        f"| operando | {1e3 * ours:.1f} ms | {fitted.objective:.3f} | {fitted.deviance:.3f} |",
        f"| lmfit {lmfit.__version__} | {1e3 * lasted:.0f} ms | {theirs.chisqr:.3f} "
        f"| {float((theirs.residual[: len(problem.counts)] ** 2).sum()):.3f} |",
        f"{lasted / ours:.0f} times faster, {int(free.sum())} free parameters; "
        f"objective lower by {theirs.chisqr - fitted.objective:+.3f}.",
    ]


def in_numpy(problem: Problem, state: State) -> np.ndarray:
    """The model as one would write it by hand."""
    placed = place(problem, state.shapes)
    areas = state.areas[problem.layout.group[placed.order]] * problem.layout.share[placed.order]
    x = problem.energy[:, None] - placed.energy[None, :]
    peaks = np.exp(-0.5 * x**2 / placed.variance) / np.sqrt(2.0 * np.pi * placed.variance)
    return smooth_part(problem, state) + problem.channel_width * (peaks @ areas)


def _timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def against_chap(interpreter: str) -> str:
    """Seconds a spectrum that the pipeline of CHESS needs, for the strong lines of the four phases that are there."""
    product, window = float(energy_times_d(8.0)), 1.2
    one = correct(draw(PRESENT, 1, 1), _calibration())
    energy = one["energy"].values[0]
    centres = {}
    for known in MATERIALS[:4]:
        found = lines(known, product / 110.0, product / 30.0)
        strongest = max(line.intensity for line in found)
        centres[known.name] = np.array(sorted(product / line.d for line in found if line.intensity > 0.25 * strongest))
    every = np.concatenate(list(centres.values()))
    mask = (np.abs(energy[:, None] - every[None, :]) < window).any(axis=1)
    script = Path(__file__).resolve().with_name("diffraction_chap.py")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spectra.npz"
        named = {f"centres_{name}": values for name, values in centres.items()}
        np.savez(file, energy=energy, counts=one["counts"].values[:1], mask=mask, **named)
        done = subprocess.run([interpreter, str(script), str(file)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return (f"The fit of CHESS's pipeline (ChessAnalysisPipeline, one scale a phase, {len(every)} strong lines, least "
            f"squares, linear background) takes {found['seconds']:.0f} s for one spectrum of these.")  # fmt: skip


def main() -> int:
    """Write the page; exit status 1 if it is too slow or worse than lmfit."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--most", type=int, default=1000)
    asked.add_argument("--chap")
    given = asked.parse_args()
    share(range(2))
    sizes = [size for size in (SERIES, 1000, 3000, 10_000) if size <= given.most or size == SERIES]
    table = {size: series(size) for size in sizes}
    fits = against_lmfit()
    page = [
        "# How fast are spectra fitted?", "",
        f"`python benchmarks/diffraction_speed.py --most {given.most}`, {platform.machine()}, Python "
        f"{platform.python_version()}: made-up spectra of 2048 channels, five phases named and four of them there, one "
        "element; every spectrum from the same start, the free single-line fits included. Two processes.", "",
        "| spectra | seconds | CPU ms a spectrum | largest process, MB |", "|---|---|---|---|",
        *(f"| {size} | {wall:.1f} | {1e3 * cpu / size:.0f} | {memory:.0f} |"
          for size, (wall, cpu, memory) in table.items()),
        "", "One fit of the same model from the same start, written in numpy and minimised by lmfit (least squares on "
        "the signed square roots of the Poisson deviance, priors as residuals):", "",
        "| | time | objective (deviance + priors) | deviance |", "|---|---|---|---|", *fits[:2], "", fits[2],
    ]  # fmt: skip
    page += ["", against_chap(given.chap) if given.chap else "CHESS's pipeline was not timed in this run."]
    text = "\n".join(page)
    print(text)
    PAGE.write_text(text + "\n", encoding="utf-8")
    ratio = float(fits[2].split(" times")[0])
    lower = float(fits[2].rsplit(" ", 1)[1].rstrip("."))
    return 0 if table[SERIES][0] < NEEDED_S and ratio >= NEEDED_RATIO and lower > -0.01 else 1


if __name__ == "__main__":
    sys.exit(main())
