"""The series refined together: the same as one simultaneous fit, never worse than single fits, refused where untrue."""

import numpy as np
import xarray as xr
from made import Phase, expected, spectrum, true_cell

from operando.diffraction.calibrate import calibrate
from operando.diffraction.correct import correct
from operando.diffraction.element import ElementFit, FitParameters, fit_spectrum
from operando.diffraction.fit import fit
from operando.diffraction.pawley import bounded_step, movable, priors_of
from operando.diffraction.problem import evaluate, split
from operando.diffraction.refine import refine
from operando.diffraction.refinement import Spectra, refine_series
from operando.diffraction.shapes import shapes
from operando.materials.catalogue import load

MATERIALS = (load("In"), load("InLi"))
PARAMS = FitParameters(free_lines=False)
ANGLES = (7.996, 8.001, 8.007, 7.993)


def series(count: int, elements: int, seed: int, counts: float = 1500.0) -> tuple[list[xr.Dataset], np.ndarray]:
    """Spectra whose InLi grows and whose In fades, elements at other angles than told, and the true free edges."""
    random = np.random.default_rng(seed)
    spectra, truth = [], []
    for frame in range(count):
        indium, alloy = random.normal(0.0, 5e-4, 2)
        share = frame / max(count - 1, 1)
        phases = [
            Phase("In", counts * (1.2 - share), (indium, indium, -indium)),
            Phase("InLi", counts * (0.3 + share), (alloy,) * 3),
        ]
        angles = ANGLES[:elements] if elements > 1 else (8.0,)
        mean = np.array([expected(phases, angle)[0] for angle in angles])
        spectra.append(spectrum(random.poisson(mean), frame, live=100.0))
        cells = [true_cell(one) for one in phases]
        truth.append([cells[0][0], cells[0][2], cells[1][0]])
    return spectra, np.array(truth)


def fitted(spectra: list[xr.Dataset]) -> tuple[list[xr.Dataset], list[xr.Dataset], xr.Dataset]:
    """Lattices and shapes of the single fits, and the calibration."""
    shared = calibrate(spectra[0], MATERIALS, None)
    results = [fit(correct(one, shared), shared, MATERIALS, PARAMS) for one in spectra]
    return [one[1] for one in results], [one[3] for one in results], shared


def test_it_is_the_step_of_a_simultaneous_fit() -> None:
    spectra, _ = series(4, 1, 1)
    calibration = calibrate(spectra[0], MATERIALS, None)
    fits = [fit_spectrum(correct(one, calibration), calibration, MATERIALS, PARAMS)[0] for one in spectra]
    products = [shapes([one], 1, np.array([True, True]), {"frame": n}) for n, one in enumerate(fits)]
    found = refine_series(_known(products))
    stretch, shared = _simultaneous(fits)
    std = np.sqrt(np.einsum("sii->si", found.covariance()))
    off = np.abs(found.stretch - stretch) / std
    alone = np.abs(np.array([one.fit.state.shapes[:3] for one in fits]) - stretch) / std
    assert off.max() < 0.1
    assert off.mean() < 0.5 * alone.mean()
    widths = np.sqrt(np.diag(found.shared_covariance))[1:]
    assert (np.abs(found.shared[1:] - shared) / widths).max() < 0.5


def _known(products: list[xr.Dataset]) -> Spectra:
    arrays = [np.stack([one[name].values for one in products]) for name in ("estimate", "score", "information")]
    prior = np.stack([one["prior"].values for one in products])
    return Spectra(*arrays, prior, products[0]["prior_std"].values, 3)


def _simultaneous(fits: list[ElementFit]) -> tuple[np.ndarray, np.ndarray]:
    """Every parameter of every spectrum in one fit, the widths only once: stretches (s, 3) and widths (4,)."""
    width = slice(3, 7)
    rows, total = [], 4
    for one in fits:
        count = one.problem.linear + one.problem.shapes
        own = np.arange(total, total + count)
        own[one.problem.linear :][width] = np.arange(4)
        rows.append(own)
        total += count
    theta, lowest, free = np.zeros(total), np.full(total, -np.inf), np.zeros(total, bool)
    for one, own in zip(fits, rows, strict=True):
        theta[own] = one.fit.state.joined()
        free[own], lowest[own] = movable(one.problem)
    for _ in range(12):
        score, information = np.zeros(total), np.zeros((total, total))
        for number, (one, own) in enumerate(zip(fits, rows, strict=True)):
            found = evaluate(one.problem, split(one.problem, theta[own]))
            mean, precision = (part.copy() for part in priors_of(one.problem, one.fit.state))
            precision[one.problem.linear :][width] *= number == 0
            score[own] += found[1] - precision * (theta[own] - mean)
            information[np.ix_(own, own)] += found[2] + np.diag(precision)
        theta = np.maximum(theta + bounded_step(score, information, theta, lowest, free, 1e-8)[0], lowest)
    stretch = [theta[own[one.problem.linear :][:3]] for one, own in zip(fits, rows, strict=True)]
    return np.array(stretch), theta[:4]


def test_elements_that_disagree_cost_nothing_where_only_changes_count() -> None:
    spectra, truth = series(10, 4, 2)
    lattices, known, _ = fitted(spectra)
    refined, shared = refine(known)
    cells = np.array([
        [one["cell"].values[0, 0], one["cell"].values[0, 2], one["cell"].values[1, 0]] for one in lattices
    ])
    stds = np.array([
        [one["cell_std"].values[0, 0], one["cell_std"].values[0, 2], one["cell_std"].values[1, 0]] for one in lattices
    ])
    true_change = truth[1:] / truth[0] - 1.0
    off = refined["change"].values[1:] - true_change
    assert np.abs(off / refined["change_std"].values[1:]).max() < 4.5
    assert 0.7 < (off / refined["change_std"].values[1:]).std() < 1.3
    alone = np.hypot(stds[1:] / cells[1:], stds[0] / cells[0])
    assert np.median(refined["change_std"].values[1:] / alone) < 0.7
    scales = shared.isel(shared=np.flatnonzero(shared["parameter"].values == "scale"))
    theta = np.radians(np.array(ANGLES)) / 2.0
    true_scale = np.sin(theta) ** -1.0 * np.sin(np.radians(4.0)) - 1.0
    apart = scales["value"].values - scales["value"].values.mean() + (true_scale - true_scale.mean())
    assert np.abs(apart).max() < 1e-4
    assert refined.attrs["warnings"] == []


def test_lattices_scatter_no_more_than_in_single_fits() -> None:
    off, single = [], []
    for seed in range(3):
        spectra, truth = series(8, 1, 10 + seed, 500.0)
        lattices, known, _ = fitted(spectra)
        refined, _ = refine(known)
        off.append((refined["cell"].values - truth) / refined["cell_std"].values)
        cells = np.array([one["cell"].values[[0, 0, 1], [0, 2, 0]] for one in lattices])
        single.append((cells - truth) / refined["cell_std"].values)
    known_pulls = np.isfinite(np.array(off)) & np.isfinite(np.array(single))
    pulls, before = np.array(off)[known_pulls], np.array(single)[known_pulls]
    assert pulls.std() < 1.02 * before.std()
    assert 0.75 < pulls.std() < 1.25
    assert (np.abs(pulls) < 1.96).mean() > 0.85


def test_what_changes_is_not_shared_and_named() -> None:
    spectra, _ = series(6, 1, 3, 6000.0)
    _, known, _ = fitted(spectra)
    swollen = [
        one.assign(estimate=one["estimate"] + np.where(one["parameter"].values == "InLi", 3.0 * (frame % 2), 0.0))
        for frame, one in enumerate(known)
    ]
    refined, shared = refine(swollen)
    (note,) = refined.attrs["warnings"]
    assert note.startswith("element 0: the broadening of InLi changes along the series")
    held = dict(zip(shared["parameter"].values.tolist(), shared["held"].values.tolist(), strict=True))
    assert held == {
        "resolution electronics": True,
        "resolution charges": True,
        "broadening In": True,
        "broadening InLi": False,
    }


def test_a_series_of_nothing_has_nothing_to_share() -> None:
    empty = [spectrum(np.zeros(2048), frame) for frame in range(2)]
    _, known, _ = fitted(empty)
    refined, shared = refine(known)
    assert refined.sizes["edge"] == 0
    assert shared.sizes["shared"] == 0
    one, _ = refine(fitted([series(1, 1, 4)[0][0]])[1])
    assert np.isfinite(one["cell"].values).all()


def test_a_spectrum_that_could_not_be_fitted_stays_unknown_and_spoils_no_other() -> None:
    spectra, _ = series(3, 1, 6)
    spectra[1] = spectrum(np.zeros_like(spectra[1]["counts"].values), 1)
    refined, shared = refine(fitted(spectra)[1])
    assert refined["spectrum"].values.tolist() == [0, 1, 2]
    assert np.isnan(refined["cell"].values[1]).all()
    assert np.isfinite(refined["cell_std"].values[[0, 2]]).all()
    assert shared.sizes["shared"] > 0
    nothing, _ = refine([fitted(spectra)[1][1]])
    assert nothing.sizes["edge"] == 0
