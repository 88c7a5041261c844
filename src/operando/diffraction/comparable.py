"""The lines of phases that lie together, made comparable by one response: the fit, and what speaks against it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from operando.diffraction.fluorescence import elements_of
from operando.diffraction.intensities import CLEAR, Explained, explain, smooth_terms, terms_affordable
from operando.diffraction.known_response import ResponseParameters, between_edges, known_logarithm, missing
from operando.diffraction.strengths import Measured
from operando.model.material import Material

UNLIKELY = 1e-3
"""Probability below which a departure counts as one."""


@dataclass(frozen=True)
class Comparable:
    """The lines of the phases that lie together, one phase after the other.

    ``owner``, ``energy`` (keV), ``areas``, ``stds``, ``strength`` (all (lines,)); ``used`` where they enter the fit;
    ``edges``: edges of absorption in their range, in words; ``middle`` (keV): where the response is one.
    """

    phases: tuple[Measured, ...]
    materials: tuple[Material, ...]
    params: ResponseParameters
    owner: np.ndarray
    energy: np.ndarray
    areas: np.ndarray
    stds: np.ndarray
    strength: np.ndarray
    used: np.ndarray
    edges: tuple[str, ...]

    @property
    def limits(self) -> tuple[float, float]:
        """Energies (keV) between which lines stand clearly out. Raises ``ValueError`` where none does."""
        clear = self.energy[self.used & (self.areas > CLEAR * self.stds)]
        if not len(clear):
            raise ValueError("no line stands out of the noise.")
        return float(clear.min()), float(clear.max())

    @property
    def middle(self) -> float:
        """Geometric middle of this range, keV."""
        return float(np.sqrt(np.prod(self.limits)))

    @property
    def terms(self) -> int:
        """Smooth terms that the fit needs: none where everything is given, else as many as the lines can tell."""
        return self.affordable if missing(self.params) else 0

    @property
    def affordable(self) -> int:
        """Smooth terms that the lines can tell."""
        return terms_affordable(int(self.used.sum()), len(self.phases))

    def given(self, energy: np.ndarray) -> np.ndarray:
        """Logarithm (energies,) of what is given of the response, relative to the middle."""
        both = known_logarithm(self.params, np.r_[energy, self.middle], self.materials)
        return np.asarray(both[:-1] - both[-1])

    def smooth(self, energy: np.ndarray, terms: int) -> np.ndarray:
        """The smooth terms (energies, terms)."""
        return smooth_terms(energy, self.middle, terms)

    def design(self, terms: int) -> np.ndarray:
        """Columns of the lines in use: one for each phase, then the smooth terms."""
        owner = self.owner[self.used][:, None] == np.arange(len(self.phases))
        return np.hstack([owner.astype(float), self.smooth(self.energy[self.used], terms)])

    def explained(self, design: np.ndarray) -> Explained:
        """Fit the lines in use. Raises ``ValueError`` where they are too few."""
        known = np.log(self.strength[self.used]) + self.given(self.energy[self.used])
        return explain(self.areas[self.used], self.stds[self.used], known, design)


def comparable(phases: Sequence[Measured], materials: Sequence[Material], params: ResponseParameters) -> Comparable:
    """Gather the lines of phases that lie together; across an edge they stay out unless the way is known."""
    columns = [(one.energy, one.series.areas, one.series.stds, one.strength) for one in phases]
    energy, areas, stds, strength = (np.concatenate([np.zeros(0), *parts]) for parts in zip(*columns, strict=True))
    used = np.isfinite(areas + stds) & (stds > 0.0) & (strength > 0.0)
    edges: list[str] = []
    if used.any() and not params.sample_mm:
        inside, edges = between_edges(energy[used], elements_of(materials))
        used[np.flatnonzero(used)[~inside]] = False
    owner = np.repeat(np.arange(len(phases)), [len(one.energy) for one in phases])
    return Comparable(tuple(phases), tuple(materials), params, owner, energy, areas, stds, strength, used, tuple(edges))


def doubts(lines: Comparable) -> list[str]:
    """Sentences on what does not go with one response of all lines."""
    return _departure(lines) or _different_ways(lines)


def _departure(lines: Comparable) -> list[str]:
    """Whether the lines depart smoothly from a response that is given as complete."""
    terms = lines.affordable
    if missing(lines.params) or not terms:
        return []
    more = lines.explained(lines.design(terms))
    if _probability(more, slice(len(lines.phases), None)) > UNLIKELY:
        return []
    low, high = lines.limits
    off = lines.smooth(np.array([low, high]), terms) @ more.coefficients[-terms:]
    return [
        "the lines' intensities depart smoothly from the response that [steps.response] gives, by a factor "
        f"{np.exp(off[1] - off[0]):.2f} from {low:.0f} to {high:.0f} keV; check the beam's spectrum and the ways"
    ]


def _different_ways(lines: Comparable) -> list[str]:
    """Whether the phases' intensities follow different trends with energy."""
    count, design = len(lines.phases), lines.design(lines.terms)
    if count < 2 or lines.used.sum() < design.shape[1] + count + 2:
        return []
    slopes = design[:, 1:count] * np.log(lines.energy[lines.used] / lines.middle)[:, None]
    try:
        more = lines.explained(np.hstack([design, slopes]))
    except ValueError:
        return []
    if _probability(more, slice(design.shape[1], None)) > UNLIKELY:
        return []
    names = " and ".join(one.name for one in lines.phases)
    return [
        f"the intensities of {names} follow different trends with energy: they lie in different places, have other "
        "displacement parameters than listed, or another phase's lines count to them; their shares are not to be "
        "trusted (apart of [steps.response] names phases that lie elsewhere)"
    ]


def _probability(fit: Explained, part: slice) -> float:
    """That chance alone makes these coefficients so large (F test)."""
    value, covariance = fit.coefficients[part], fit.covariance[part, part]
    return float(fdtrc(len(value), fit.freedom, value @ np.linalg.solve(covariance, value) / len(value)))


def assumptions(lines: Comparable | None, fit: Explained | None) -> list[str]:
    """What the response and the shares rest on, in sentences."""
    if lines is None or fit is None:
        return []
    said = ["The atoms are those listed, with their displacement parameters; no extinction."]
    names = ", ".join(one.name for one in lines.phases)
    absent, terms = missing(lines.params), len(fit.coefficients) - len(lines.phases)
    if absent:
        said.append(
            f"Not given: {', '.join(absent)}. A smooth factor with {terms} terms, found from {int(lines.used.sum())} "
            f"lines of {names}, stands for it."
        )
    else:
        said.append("Beam, absorption and detector are as [steps.response] gives them.")
    if lines.edges and not lines.params.sample_mm:
        said.append(
            f"The way in the sample is not given, so that lines beyond the edges {', '.join(lines.edges)} are left out."
        )
    if len(lines.phases) > 1:
        said.append(f"{names} lie together, so that the same absorption holds for all; phases elsewhere have no share.")
    said.append(
        f"Line intensities scatter by {100 * fit.scatter:.1f} % about it beyond counting (texture, atoms, neighbours); "
        "the intervals hold this scatter, taken as independent from line to line."
    )
    return said
