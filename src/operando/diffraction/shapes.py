"""What a fit knows of lattices and widths once areas and background are fitted along: all that a series needs of it."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.linalg.lapack import dposv

from operando.diffraction.element import ElementFit
from operando.diffraction.pawley import inflation
from operando.diffraction.phases import Pattern
from operando.diffraction.problem import Priors
from operando.model.products.diffraction import SHAPES

EDGE, RESOLUTION, BROADENING = "edge", "resolution", "broadening"


def shapes(fits: Sequence[ElementFit], elements: int, there: np.ndarray, attrs: dict[str, object]) -> xr.Dataset:
    """The ``shapes`` product of one spectrum's fits; zero information for what an element does not see."""
    patterns = fits[0].patterns if fits else ()
    priors = fits[0].problem.priors if fits else Priors()
    labels, kinds, nominal, std, unit = _parameters(patterns, priors)
    count, edges = len(labels), kinds.count(EDGE)
    estimate, score = np.zeros((2, elements, count))
    information = np.zeros((elements, count, count))
    prior = np.zeros(count)
    for one in fits:
        rows, columns = _places(one, edges)
        found = reduced(one, columns)
        estimate[one.element, rows], score[one.element, rows] = found[:2]
        information[one.element][np.ix_(rows, rows)] = found[2]
        prior[:edges] = np.concatenate(one.found)
    return SHAPES.new(
        coords={
            "parameter": ("parameter", np.array(labels, dtype=str), "text"),
            "kind": ("parameter", np.array(kinds, dtype=str), "text"),
        },
        attrs={key: attrs[key] for key in ("frame", "file") if key in attrs},
        estimate=estimate,
        score=score,
        information=information,
        prior=prior,
        prior_std=np.array(std, float),
        unit=np.array(unit, float),
        nominal=np.array(nominal, float),
        there=np.array(there, bool),
    )


def _parameters(
    patterns: Sequence[Pattern], priors: Priors
) -> tuple[list[str], list[str], list[float], list[float], list[float]]:
    """Label, kind, nominal edge (Å), standard deviation of the prior and unit of every parameter."""
    edges = [(one, edge) for one in patterns for edge in range(one.free_edges)]
    names = [f"{one.name} {'abc'[one.edges.index(edge)]}" for one, edge in edges]
    lengths = [one.cell[one.edges.index(edge)] for one, edge in edges]
    rest = 2 + len(patterns)
    return (
        [*names, "electronics", "charges", *(one.name for one in patterns)],
        [*(EDGE for _ in edges), RESOLUTION, RESOLUTION, *(BROADENING for _ in patterns)],
        [*lengths, *(float("nan") for _ in range(rest))],
        [*(priors.lattice for _ in edges), priors.resolution, priors.resolution, *(1.0 for _ in patterns)],
        [*(1.0 for _ in edges), 1.0, 1.0, *(priors.broadening**2 for _ in patterns)],
    )


def _places(one: ElementFit, edges: int) -> tuple[np.ndarray, np.ndarray]:
    """Which parameters of the product this element has (k,), and where they stand in its fit (k,)."""
    layout, linear = one.problem.layout, one.problem.linear
    rows: list[int] = []
    columns: list[int] = []
    row = 0
    for pattern, at in zip(one.patterns, one.place_of, strict=True):
        if at >= 0:
            rows += range(row, row + pattern.free_edges)
            columns += range(linear + layout.edge_slices[at].start, linear + layout.edge_slices[at].stop)
        row += pattern.free_edges
    rows += [edges, edges + 1]
    columns += [linear + layout.edges, linear + layout.edges + 1]
    for phase, at in enumerate(one.place_of):
        if at >= 0:
            rows.append(edges + 2 + phase)
            columns.append(linear + layout.edges + 2 + at)
    return np.array(rows, int), np.array(columns, int)


def reduced(one: ElementFit, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimates (k,) of the fit's parameters ``kept``, the slope of their likelihood (k,) and its curvature (k, k).

    All other fitted parameters are maximised over (Schur complement); the priors of the kept ones are taken out.
    Misfit beyond chance makes both smaller, as it makes the intervals wider.
    """
    fit, problem = one.fit, one.problem
    theta = fit.state.joined()
    others = fit.free.copy()
    others[kept] = False
    at_rest = np.where((theta <= 0.0) & (np.arange(len(theta)) < problem.layout.groups), 0.0, fit.score)
    cross = fit.information[np.ix_(others, kept)]
    solved = _solved(fit.information[np.ix_(others, others)], np.column_stack([cross, at_rest[others]]))
    curvature = fit.information[np.ix_(kept, kept)] - cross.T @ solved[:, :-1]
    slope = fit.score[kept] - cross.T @ solved[:, -1]
    mean, precision = _prior(one, kept - problem.linear)
    curvature[np.diag_indices_from(curvature)] -= precision
    slope += precision * (theta[kept] - mean)
    wider = inflation(fit.pearson, fit.freedom)
    return theta[kept], slope / wider, 0.5 * (curvature + curvature.T) / wider


def _prior(one: ElementFit, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and precision (k,) of the prior of the shape parameters ``shape`` (k,)."""
    edges, priors = one.problem.layout.edges, one.problem.priors
    precision = np.select([shape < edges, shape < edges + 2], [priors.lattice**-2.0, priors.resolution**-2.0], 1.0)
    return np.r_[one.problem.expected, np.zeros(one.problem.shapes - edges)][shape], precision


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    scale = 1.0 / np.sqrt(np.maximum(matrix.diagonal(), 1e-12))
    scaled = matrix * scale * scale[:, None]
    scaled.flat[:: len(scale) + 1] = 1.0 + 1e-12
    _, solved, failed = dposv(scaled, right * scale[:, None])
    if failed:
        solved = np.linalg.pinv(scaled, hermitian=True) @ (right * scale[:, None])
    return np.asarray(solved * scale[:, None])
