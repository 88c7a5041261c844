"""Flat fields that follow a beam that moves (Van Nieuwenhove et al. 2015, doi:10.1364/OE.23.027975)."""

import numpy as np

from operando.model.errors import OperandoError


def principal_flats(flats: np.ndarray, most: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Mean flat (row, column) and the principal components (component, row, column) that stand above the noise.

    ``flats`` (frame, row, column), dark subtracted. How many components: parallel analysis, that is those
    whose variance exceeds that of the same flats with their frames shuffled pixel by pixel (seeded).
    """
    mean = flats.mean(0)
    residual = (flats - mean).reshape(len(flats), -1).astype(np.float64)
    _, strength, components = np.linalg.svd(residual, full_matrices=False)
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(residual, axis=0)
    noise = np.linalg.svd(shuffled - shuffled.mean(0), compute_uv=False)
    above = int(np.argmin(np.append(strength > 1.05 * noise, False)))
    count = min(most, above)
    return mean, components[:count].reshape(count, *mean.shape)


def dynamic_flats(
    projections: np.ndarray, flats: np.ndarray, air: np.ndarray, most: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Transmission (angle, row, column) with a flat for each projection, and the weights (angle, component).

    ``projections`` and ``flats`` dark subtracted; ``air``: mask (row, column) of pixels that the sample never
    covers. There, each projection is a scale × mean flat + components; least squares finds the weights.
    """
    if not air.any():
        raise OperandoError("no pixel is always beside the sample, so flats can't follow the beam; interpolate them.")
    mean, components = principal_flats(flats, most)
    basis = np.concatenate([mean[None], components])
    seen = basis[:, air].T
    weights = np.linalg.lstsq(seen, projections[:, air].T.astype(np.float64), rcond=None)[0].T
    beam = np.einsum("ac,crk->ark", weights, basis)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (projections / beam).astype(np.float32), weights
