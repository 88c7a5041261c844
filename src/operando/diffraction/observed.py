"""How sharply the likelihood really peaks: the observed information in place of the expected one.

The Fisher information of a lattice goes with the squares of the measured areas. Noise makes these larger on average
than the squares of the true ones, by their variance, so that with free areas a weak phase would be told too good a
lattice. The second derivatives at the maximum hold the noise of each line's slope and height with opposite sign, and
are right on average. Efron and Hinkley (1978), https://doi.org/10.1093/biomet/65.3.457.
"""

from dataclasses import replace

import numpy as np

from operando.diffraction.pawley import Fit, covariance_of, inflation
from operando.diffraction.problem import Problem, place


def observed(problem: Problem, fit: Fit) -> Fit:
    """The fit with observed information, and the covariance that follows.

    Second derivatives by areas and background are those of a linear model and stay. Where the fit did not end in a
    proper maximum (less than one in a hundred of even the weakest phases' fits), the expected information stays, too.
    """
    information = fit.information - _residual_curvature(problem, fit)
    if not _is_maximum(information[np.ix_(fit.free, fit.free)]):
        return fit
    covariance = covariance_of(information, fit.free) * inflation(fit.pearson, fit.freedom)
    return replace(fit, information=information, covariance=covariance)


def _residual_curvature(problem: Problem, fit: Fit) -> np.ndarray:
    """Σ (counts / model - 1) × second derivatives of the model by all parameters (P, P)."""
    from operando.diffraction._curvature import residual_curvature

    placed = place(problem, fit.state.shapes)
    by_area, by_shapes = residual_curvature(
        problem.counts,
        fit.model,
        problem.energy,
        problem.channel_width,
        placed.energy,
        placed.variance,
        problem.layout.group[placed.order],
        problem.layout.share[placed.order],
        placed.energy_slope,
        placed.variance_slope,
        fit.state.areas,
    )
    whole = np.zeros_like(fit.information)
    whole[: problem.layout.groups, problem.linear :] = by_area
    whole[problem.linear :, : problem.layout.groups] = by_area.T
    whole[problem.linear :, problem.linear :] = by_shapes
    return whole


def _is_maximum(information: np.ndarray) -> bool:
    """Whether the matrix is positive definite."""
    diagonal = np.diag(information)
    if not (diagonal > 0.0).all():
        return False
    scale = 1.0 / np.sqrt(diagonal)
    try:
        np.linalg.cholesky(information * scale * scale[:, None])
    except np.linalg.LinAlgError:
        return False
    return True
