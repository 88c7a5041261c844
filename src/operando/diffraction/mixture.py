"""A second look without any phase named: non-negative factors of the whole series."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Factors:
    """``spectra`` (factors, channels), each of sum one, and ``amounts`` (spectra, factors) in counts.

    ``deviance`` is the Poisson deviance per count value, near 1 when enough factors are taken.
    """

    spectra: np.ndarray
    amounts: np.ndarray
    deviance: float


def factorise(counts: np.ndarray, factors: int, iterations: int = 500) -> Factors:
    """Non-negative factors of a series of counts (spectra, channels) by the Poisson likelihood.

    Lee and Seung (1999), https://doi.org/10.1038/44565, with the Kullback-Leibler divergence; the start is fixed, so
    that the same series gives the same factors. Factors are mixtures of phases wherever phases change together.
    """
    from sklearn.decomposition import NMF

    counts = np.asarray(counts, float)
    model = NMF(
        n_components=factors, init="nndsvda", solver="mu", beta_loss="kullback-leibler", max_iter=iterations, tol=1e-5
    )
    amounts = model.fit_transform(counts)
    total = model.components_.sum(axis=1)
    spectra = model.components_ / np.where(total > 0.0, total, 1.0)[:, None]
    amounts = amounts * total
    expected = np.maximum(amounts @ spectra, 1e-12)
    terms = expected - counts + np.where(counts > 0.0, counts * np.log(np.maximum(counts, 1e-12) / expected), 0.0)
    return Factors(spectra, amounts, float(2.0 * terms.sum() / counts.size))
