"""The whole series at once: every spectrum has its own lattices, all share widths and each element's scale.

One Gauss-Newton step from the fits of the single spectra: lattices then stand within a tenth or so of their standard
deviation from those of one fit of everything; widths, less linear, within some half of theirs, and where resolution and
broadening can't be told apart up to a few. Its normal equations have the shape of an arrow: blocks of
one spectrum each, joined only by what is shared, so that each block is solved alone (Schur complement). Triggs et al.
(2000), https://doi.org/10.1007/3-540-44480-7_21, section 6.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtrc

REFUSED_BELOW = 1e-4
"""What the spectra contradict each other about with less than this probability is not shared."""

_SCALE_DOUBT = 1e-3
"""First guess of how far the elements' scales (2θ, energy) are off, relative."""

_LEAST_DOUBT = 1e-8


@dataclass(frozen=True)
class Spectra:
    """What the fits of a series know, per spectrum and element (s, e, …) and parameter (n).

    The first ``edges`` parameters are stretches of lattices, the others widths. ``information`` and ``score`` are of
    the likelihood alone; ``prior`` (s, n) and ``prior_std`` (n,) are what each fit took for likely.
    """

    estimate: np.ndarray
    score: np.ndarray
    information: np.ndarray
    prior: np.ndarray
    prior_std: np.ndarray
    edges: int

    @property
    def elements(self) -> int:
        """Number of detector elements."""
        return int(self.estimate.shape[1])


@dataclass(frozen=True)
class Tested:
    """How well the spectra agree about each shared parameter (k,); NaN where none tells."""

    chi_squared: np.ndarray
    freedom: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True)
class Refined:
    """Stretches of the edges (s, m) with their covariance (s, m, m), and what is shared (k,) with its covariance.

    ``by_shared`` (s, m, k): how much each stretch follows an error of what is shared. ``held`` (k,): false where the
    spectra contradict each other. Shared are the elements' scales and then each element's widths.
    """

    stretch: np.ndarray
    own_covariance: np.ndarray
    by_shared: np.ndarray
    shared: np.ndarray
    shared_covariance: np.ndarray
    held: np.ndarray
    tested: Tested

    def covariance(self) -> np.ndarray:
        """Of the stretches (s, m, m), with what is not known of the shared values."""
        through = self.by_shared @ self.shared_covariance @ self.by_shared.transpose(0, 2, 1)
        return np.asarray(self.own_covariance + through)

    def change(self, spectrum: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Difference of each edge (k,) between ``spectrum`` (k,) and ``first`` (k,), and its standard deviation."""
        edge = np.arange(self.stretch.shape[1])
        apart = self.by_shared[spectrum, edge] - self.by_shared[first, edge]
        own = self.own_covariance[spectrum, edge, edge] + self.own_covariance[first, edge, edge]
        variance = own + np.einsum("ki,ij,kj->k", apart, self.shared_covariance, apart)
        variance[spectrum == first] = 0.0
        return self.stretch[spectrum, edge] - self.stretch[first, edge], np.sqrt(variance)


@dataclass(frozen=True)
class _Arrow:
    """Normal equations after each spectrum's own unknowns are solved for."""

    inverse: np.ndarray
    own: np.ndarray
    by_shared: np.ndarray
    information: np.ndarray
    pull: np.ndarray


def refine_series(spectra: Spectra) -> Refined:
    """Refine all spectra together; what they contradict each other about is given back to the single spectra."""
    count = spectra.elements * (1 + spectra.estimate.shape[2] - spectra.edges)
    held, doubt, tested = np.ones(count, bool), np.full(spectra.elements, _SCALE_DOUBT), None
    matrix, right = _joined(spectra)
    while True:
        arrow = _eliminated(spectra, matrix, right, held, doubt)
        if held[: spectra.elements].any():
            doubt[held[: spectra.elements]] = _scale_doubt(arrow, _precision(spectra, doubt)[held], held, spectra)
        shared, covariance = _solve_shared(arrow, _precision(spectra, doubt)[held], spectra, held)
        now = _agreement(arrow, shared, spectra, held)
        tested = now if tested is None else _updated(tested, now, held)
        worst = _worst(now, held, spectra)
        if not len(worst):
            break
        doubt[worst[worst < spectra.elements]] = _wandering(arrow, shared, held, worst, doubt)
        held[worst] = False
        rest = _outvoted(spectra, held)
        if len(rest):
            doubt[rest] = np.median(doubt[~held[: spectra.elements]])
            held[rest] = False
    return _packed(spectra, arrow, shared, covariance, held, tested)


def _joined(spectra: Spectra) -> tuple[np.ndarray, np.ndarray]:
    """Information (s, w, w) and pull (s, w) about edges, scales and widths of all elements, priors left out."""
    count, elements, size = spectra.estimate.shape
    edges, widths = spectra.edges, size - spectra.edges
    total = edges + elements * (1 + widths)
    matrix, right = np.zeros((count, total, total)), np.zeros((count, total))
    natural = np.einsum("seij,sej->sei", spectra.information, spectra.estimate) + spectra.score
    for element in range(elements):
        spread = np.zeros((size, total))
        spread[np.arange(edges), np.arange(edges)] = 1.0
        spread[:edges, edges + element] = 1.0
        begin = edges + elements + element * widths
        spread[np.arange(edges, size), np.arange(begin, begin + widths)] = 1.0
        matrix += spread.T @ spectra.information[:, element] @ spread
        right += natural[:, element] @ spread
    return matrix, right


def _precision(spectra: Spectra, doubt: np.ndarray) -> np.ndarray:
    """Of the prior of everything that may be shared (k,); a lone element's scale is taken as it is."""
    widths = np.tile(spectra.prior_std[spectra.edges :] ** -2.0, spectra.elements)
    seen = (np.abs(spectra.information).sum(axis=(0, 2, 3)) > 0.0).sum()
    return np.concatenate([np.maximum(doubt if seen > 1 else 0.0 * doubt, _LEAST_DOUBT) ** -2.0, widths])


def _eliminated(spectra: Spectra, matrix: np.ndarray, right: np.ndarray, held: np.ndarray, doubt: np.ndarray) -> _Arrow:
    edges = spectra.edges
    own = np.r_[np.ones(edges, bool), ~held]
    precision = np.r_[spectra.prior_std[:edges] ** -2.0, _precision(spectra, doubt)[~held]]
    pull = right[:, own].copy()
    pull[:, :edges] += precision[:edges] * spectra.prior[:, :edges]
    inner = matrix[:, own][:, :, own] + np.diag(precision)
    scale = 1.0 / np.sqrt(np.einsum("sii->si", inner))
    inverse = np.linalg.inv(inner * scale[:, None] * scale[:, :, None]) * scale[:, None] * scale[:, :, None]
    cross = matrix[:, own][:, :, ~own]
    by_shared = -inverse @ cross
    return _Arrow(
        inverse,
        np.einsum("sij,sj->si", inverse, pull),
        by_shared,
        matrix[:, ~own][:, :, ~own] + cross.transpose(0, 2, 1) @ by_shared,
        right[:, ~own] + np.einsum("sji,sj->si", by_shared, pull),
    )


def _scale_doubt(arrow: _Arrow, precision: np.ndarray, held: np.ndarray, spectra: Spectra) -> float:
    """How far the elements' scales are off, from how they scatter (maximum likelihood by expectation maximisation)."""
    count = int(held[: spectra.elements].sum())
    information, pull = arrow.information.sum(axis=0), arrow.pull.sum(axis=0)
    rest = information[count:, count:] + np.diag(precision[count:])
    cross = np.linalg.solve(rest, np.column_stack([information[count:, :count], pull[count:]]))
    inner = information[:count, :count] - information[:count, count:] @ cross[:, :-1]
    push = pull[:count] - information[:count, count:] @ cross[:, -1]
    seen = np.diag(inner) > 0.0
    if seen.sum() < 2:
        return _LEAST_DOUBT
    inner, push, doubt = inner[np.ix_(seen, seen)], push[seen], _SCALE_DOUBT
    for _ in range(200):
        covariance = np.linalg.inv(inner + np.eye(len(push)) * doubt**-2.0)
        doubt = float(np.sqrt(((covariance @ push) ** 2 + np.diag(covariance)).mean()))
    return max(doubt, _LEAST_DOUBT)


def _solve_shared(
    arrow: _Arrow, precision: np.ndarray, spectra: Spectra, held: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shared values and their covariance; a broadening that would be negative is nothing, the others follow."""
    information = arrow.information.sum(axis=0) + np.diag(precision)
    covariance = np.linalg.inv(information)
    pull = arrow.pull.sum(axis=0)
    bounded = _is_broadening(spectra)[held]
    fixed = np.zeros(len(pull), bool)
    shared = np.zeros(len(pull))
    for _ in range(len(pull) + 1):
        shared[:] = 0.0
        shared[~fixed] = np.linalg.solve(information[np.ix_(~fixed, ~fixed)], pull[~fixed])
        below = bounded & (shared < 0.0)
        if not below.any():
            break
        fixed |= below
    return shared, covariance


def _is_broadening(spectra: Spectra) -> np.ndarray:
    widths = np.arange(spectra.estimate.shape[2] - spectra.edges) >= 2
    return np.r_[np.zeros(spectra.elements, bool), np.tile(widths, spectra.elements)]


def _groups(spectra: Spectra) -> np.ndarray:
    """Group (k,) of everything that may be shared: the two terms of a resolution are judged together."""
    widths = spectra.estimate.shape[2] - spectra.edges
    inside = np.maximum(np.arange(widths) - 1, 0)
    begins = spectra.elements + np.arange(spectra.elements)[:, None] * widths
    return np.r_[np.arange(spectra.elements), (begins + inside).ravel()]


def _agreement(arrow: _Arrow, shared: np.ndarray, spectra: Spectra, held: np.ndarray) -> Tested:
    """Score test of every group: would a value of their own explain the spectra better than chance?

    Directions count as far as a spectrum knows more of them than the prior does; the weighted sum of chi-squared laws
    that follows is matched by one law with the same mean and variance (Satterthwaite 1946,
    https://doi.org/10.2307/3002019).
    """
    found = np.full((3, len(held)), np.nan)
    groups, precision = _groups(spectra), _precision(spectra, np.full(spectra.elements, _SCALE_DOUBT))
    left = arrow.pull - np.einsum("sij,j->si", arrow.information, shared)
    for group in np.unique(groups[held]):
        members = held & (groups == group)
        at = np.flatnonzero(members[held])
        inner = arrow.information[:, at][:, :, at]
        total = inner.sum(axis=0)
        if not (np.diag(total) > 0.0).all():
            continue
        weight = np.linalg.inv(inner + np.diag(precision[members]))
        share = inner @ weight
        fitted = np.linalg.pinv(total, hermitian=True) @ (share @ inner).sum(axis=0)
        mean = float(np.trace(share, axis1=1, axis2=2).sum() - np.trace(fitted))
        square = float(np.einsum("sij,sji->", share, share) - np.trace(fitted @ fitted))
        if mean > 0.5 and square > 0.0:
            statistic = float(np.einsum("si,sij,sj->", left[:, at], weight, left[:, at]))
            chi_squared, freedom = statistic * mean / square, mean**2 / square
            found[:, members] = np.array([chi_squared, freedom, chdtrc(freedom, chi_squared)])[:, None]
    return Tested(found[0], found[1], found[2])


def _updated(before: Tested, now: Tested, held: np.ndarray) -> Tested:
    """What is still shared is judged anew, the rest keeps what it was refused with."""
    return Tested(*(np.where(held, getattr(now, key), getattr(before, key)) for key in before.__dict__))


def _worst(tested: Tested, held: np.ndarray, spectra: Spectra) -> np.ndarray:
    """What is to be refused next: of each element the group that agrees least, if it can't be chance."""
    widths = spectra.estimate.shape[2] - spectra.edges
    owner = np.r_[np.arange(spectra.elements), np.repeat(np.arange(spectra.elements), widths)]
    groups, refused = _groups(spectra), []
    probability = np.where(held & np.isfinite(tested.probability), tested.probability, 1.0)
    excess = np.where(held, tested.chi_squared / np.maximum(tested.freedom, 1.0), 0.0)
    for element in range(spectra.elements):
        own = np.flatnonzero((owner == element) & (probability < REFUSED_BELOW))
        if len(own):
            refused += np.flatnonzero(groups == groups[own[np.argmax(excess[own])]]).tolist()
    return np.array(refused, int)


def _wandering(arrow: _Arrow, shared: np.ndarray, held: np.ndarray, worst: np.ndarray, doubt: np.ndarray) -> np.ndarray:
    """How far each refused scale strays (DerSimonian and Laird 1986, doi:10.1016/0197-2456(86)90046-2)."""
    strays = []
    for one in worst[worst < len(doubt)]:
        at = int(held[:one].sum())
        weight = arrow.information[:, at, at]
        left = arrow.pull[:, at] - arrow.information[:, at] @ shared
        seen = weight > 0.0
        excess = (left[seen] ** 2 / weight[seen]).sum() - (seen.sum() - 1)
        variance = max(excess, 0.0) / max(weight.sum() - (weight**2).sum() / weight.sum(), 1e-300)
        strays.append(np.sqrt(doubt[one] ** 2 + variance))
    return np.array(strays)


def _outvoted(spectra: Spectra, held: np.ndarray) -> np.ndarray:
    """Elements whose scale is still shared where that of most others strays: one of them would decide for all."""
    seen = np.abs(spectra.information).sum(axis=(0, 2, 3)) > 0.0
    shared = held[: spectra.elements]
    return np.flatnonzero(seen & shared & ((seen & ~shared).sum() > (seen & shared).sum()))


def _packed(
    spectra: Spectra, arrow: _Arrow, shared: np.ndarray, covariance: np.ndarray, held: np.ndarray, tested: Tested
) -> Refined:
    edges = spectra.edges
    values, wide = np.full(len(held), np.nan), np.full((len(held), len(held)), np.nan)
    values[held] = shared
    wide[np.ix_(held, held)] = covariance
    found = Refined(
        stretch=arrow.own[:, :edges] + arrow.by_shared[:, :edges] @ shared,
        own_covariance=arrow.inverse[:, :edges, :edges],
        by_shared=arrow.by_shared[:, :edges],
        shared=shared,
        shared_covariance=covariance,
        held=held,
        tested=tested,
    )
    return replace(found, shared=values, shared_covariance=np.where(np.isfinite(wide), wide, 0.0),
                   by_shared=_widened(found.by_shared, held))  # fmt: skip


def _widened(by_shared: np.ndarray, held: np.ndarray) -> np.ndarray:
    """With columns of nothing for what is not shared."""
    wide = np.zeros((*by_shared.shape[:2], len(held)))
    wide[:, :, held] = by_shared
    return wide
