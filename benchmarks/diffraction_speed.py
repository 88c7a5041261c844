"""How fast is the joint fit, and is it as good as the same model written in lmfit?

    python benchmarks/diffraction_speed.py [SPECTRA]

136 spectra (by default) of 2048 channels, five phases named and four present, on two processes; then one spectrum with
the same parameters, priors and bounds minimised by lmfit's least squares on the square roots of the Poisson deviance.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import xarray as xr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "diffraction"))

from made import Phase, draw

from operando.diffraction.calibrate import calibrate
from operando.diffraction.correct import correct
from operando.diffraction.element import FitParameters, fit_spectrum
from operando.diffraction.pawley import solve
from operando.diffraction.problem import Problem, State, first_guess, place, smooth_part, split, start
from operando.diffraction.series import analyse
from operando.materials.catalogue import load

NAMES = ("In", "InLi", "Li2S", "steel304", "InLi2")
PRESENT = [Phase("In", 3000.0), Phase("InLi", 4000.0), Phase("Li2S", 1000.0), Phase("steel304", 1500.0)]
MATERIALS = tuple(load(name) for name in NAMES)


def some(numbers: range) -> int:
    """Analyse a share of the series with the calibration of its first spectrum."""
    found = analyse([draw(PRESENT, number, number) for number in numbers], MATERIALS, calibration=_calibration())
    return len(found[0])


def _calibration() -> xr.Dataset:
    return calibrate(draw(PRESENT, 0, 0), MATERIALS, None)


def series(spectra: int) -> None:
    """Wall time of the whole series on two processes that have started already."""
    halves = [range(0, spectra, 2), range(1, spectra, 2)]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(some, [range(2), range(2)]))
        begin = time.perf_counter()
        list(pool.map(some, halves))
        lasted = time.perf_counter() - begin
    made = time.perf_counter()
    for number in range(10):
        draw(PRESENT, number, number)
    making = (time.perf_counter() - made) / 10 * spectra / 2
    print(
        f"{spectra} spectra × {len(NAMES)} phases: {lasted:.2f} s on 2 processes, of which {making:.2f} s making them"
    )


def against_lmfit() -> None:
    """The last fit of one spectrum from the same start: wall time and objective."""
    import lmfit

    spectrum = draw(PRESENT, 1, 1)
    shared = _calibration()
    (one,) = fit_spectrum(correct(spectrum, shared), shared, MATERIALS[:4], FitParameters())
    problem = one.problem
    begin_state = start(problem)
    begin_state.areas[:] = first_guess(problem, begin_state)
    ours = min(_timed(lambda: solve(problem, begin_state)) for _ in range(5))
    fitted = solve(problem, begin_state)
    free = np.r_[np.arange(problem.linear + problem.shapes - 2)]
    theta = begin_state.joined()
    parameters = lmfit.Parameters()
    for index in free:
        low = 0.02 if problem.layout.groups <= index < problem.linear - 2 else 0.0
        bound = low if index < problem.linear or index >= len(theta) - 2 - len(problem.patterns) else -np.inf
        parameters.add(f"p{index}", value=max(theta[index], bound + 1e-6) if np.isfinite(bound) else 0.0, min=bound)

    def residual(values: lmfit.Parameters) -> np.ndarray:
        now = theta.copy()
        now[free] = [values[f"p{index}"].value for index in free]
        model = np.maximum(_in_numpy(problem, split(problem, now)), 1e-9)
        seen = problem.counts
        terms = 2.0 * (model - seen + np.where(seen > 0, seen * np.log(np.maximum(seen, 1e-12) / model), 0.0))
        return np.sign(model - seen) * np.sqrt(np.maximum(terms, 0.0))

    begin = time.perf_counter()
    theirs = lmfit.minimize(residual, parameters, method="least_squares", max_nfev=100)
    lasted = time.perf_counter() - begin
    print(f"one fit, {len(free)} parameters: ours {1e3 * ours:.1f} ms, deviance {fitted.deviance:.2f}; "
          f"lmfit {lasted:.1f} s, deviance {theirs.chisqr:.2f}; {lasted / ours:.0f} times faster")  # fmt: skip


def _in_numpy(problem: Problem, state: State) -> np.ndarray:
    """The model as one would write it by hand."""
    placed = place(problem, state.shapes)
    areas = state.areas[problem.layout.group[placed.order]] * problem.layout.share[placed.order]
    x = problem.energy[:, None] - placed.energy[None, :]
    lines = np.exp(-0.5 * x**2 / placed.variance) / np.sqrt(2.0 * np.pi * placed.variance)
    return smooth_part(problem, state) + problem.channel_width * (lines @ areas)


def _timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


if __name__ == "__main__":
    series(int(sys.argv[1]) if len(sys.argv) > 1 else 136)
    against_lmfit()
