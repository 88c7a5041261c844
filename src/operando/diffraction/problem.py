"""What one detector element's fit is given, where its lines stand for given parameters, and the likelihood there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from operando.diffraction.background import spline_basis
from operando.diffraction.phases import Pattern

FWHM_SQUARED = 8.0 * np.log(2.0)
"""FWHM² over variance of a Gaussian."""

Evaluation = tuple[float, np.ndarray, np.ndarray, np.ndarray]
"""Deviance, score, information, model."""


@dataclass(frozen=True)
class Priors:
    """Weak Gaussian knowledge that keeps a vanished phase from wandering; standard deviations.

    ``lattice``: relative, about where the phase was located. ``resolution``: relative, of both terms of FWHM².
    ``broadening``: relative FWHM of a phase's lines beyond the detector's. ``fluorescence``: relative shift of the
    fluorescence lines against the calibrated energy scale, 0 keeps them where they are. ``offset``: shift of the
    whole energy scale in keV, as dead time brings it, 0 keeps it.
    """

    lattice: float = 2.5e-3
    resolution: float = 0.15
    broadening: float = 3e-3
    fluorescence: float = 0.0
    offset: float = 0.0


@dataclass(frozen=True)
class Layout:
    """All lines of all phases and then the fluorescence, as arrays along lines.

    ``energy`` (keV, nominal), ``pull`` (lines, edges), ``fixed`` (1 for fluorescence), ``group``, ``share``,
    ``phase`` (-1 for fluorescence); ``area_slices`` and ``edge_slices`` of each phase.
    """

    energy: np.ndarray
    pull: np.ndarray
    fixed: np.ndarray
    group: np.ndarray
    share: np.ndarray
    phase: np.ndarray
    area_slices: tuple[slice, ...]
    edge_slices: tuple[slice, ...]
    groups: int
    edges: int


@dataclass(frozen=True)
class Problem:
    """Counts of one element in the fitted range and everything that does not change during the fit.

    Arrays along channels: ``counts``, ``energy`` (keV, middles), ``channel_width`` (keV), spline index and
    values (6, n): four splines, the escape lines and pile-up.
    ``fluorescence``: energy, group, share. ``resolution``: FWHM² = r0² + r1 E. ``expected``: stretch of each free edge
    (edges,) about which the lattices have their prior.
    """

    counts: np.ndarray
    energy: np.ndarray
    channel_width: np.ndarray
    spline_index: np.ndarray
    spline_values: np.ndarray
    patterns: tuple[Pattern, ...]
    energy_times_d: float
    resolution: tuple[float, float]
    fluorescence: tuple[np.ndarray, np.ndarray, np.ndarray]
    priors: Priors
    expected: np.ndarray
    layout: Layout
    knots: int

    @property
    def shapes(self) -> int:
        """Number of shape parameters."""
        return self.layout.edges + 2 + len(self.patterns) + 2

    @property
    def linear(self) -> int:
        """Number of areas and spline coefficients."""
        return self.layout.groups + self.knots


@dataclass(frozen=True)
class State:
    """Parameters: ``areas`` (groups,), ``smooth`` (knots,), ``shapes``: lattice stretches, logarithms of the two
    resolution terms, one broadening a phase (squared, in units of the prior), offset of the
    energy scale (keV), relative shift of the fluorescence."""

    areas: np.ndarray
    smooth: np.ndarray
    shapes: np.ndarray

    def joined(self) -> np.ndarray:
        """All parameters in the kernel's order."""
        return np.concatenate([self.areas, self.smooth, self.shapes])


def build(
    counts: np.ndarray,
    energy: np.ndarray,
    background: np.ndarray,
    escape: np.ndarray,
    piled: np.ndarray,
    patterns: Sequence[Pattern],
    energy_times_d: float,
    resolution: tuple[float, float],
    fluorescence: tuple[np.ndarray, np.ndarray, np.ndarray],
    priors: Priors,
    knot_spacing_kev: float,
) -> Problem:
    """Set up the fit of one element; counts, energy, background, escape lines and the shape of pile-up (n,),
    fluorescence: energy, group, share."""
    first, values = spline_basis(energy, knot_spacing_kev)
    after = np.full(len(first), first[-1] + 4)
    index = np.vstack([first + np.arange(4)[:, None], after, after + 1])
    floor = 0.02 + 1e-3 * float(counts.mean())
    layout = lay_out(patterns, energy_times_d, fluorescence)
    return Problem(
        counts=np.ascontiguousarray(counts, float),
        energy=np.ascontiguousarray(energy, float),
        channel_width=np.gradient(energy),
        spline_index=np.ascontiguousarray(index),
        spline_values=np.vstack([values.T * np.maximum(background, floor), escape, piled]),
        patterns=tuple(patterns),
        energy_times_d=energy_times_d,
        resolution=resolution,
        fluorescence=fluorescence,
        priors=priors,
        expected=np.zeros(layout.edges),
        layout=layout,
        knots=int(first[-1]) + 6,
    )


def lay_out(
    patterns: Sequence[Pattern], energy_times_d: float, fluorescence: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> Layout:
    """Join the lines of all phases and the fluorescence."""
    sizes = [int(one.group.max()) + 1 for one in patterns]
    area_ends = np.cumsum([0, *sizes])
    edge_ends = np.cumsum([0, *(one.free_edges for one in patterns)])
    edges, fixed = int(edge_ends[-1]), len(fluorescence[0])
    pull = np.zeros((sum(len(one.d) for one in patterns) + fixed, edges))
    row = 0
    for one, start_edge in zip(patterns, edge_ends[:-1], strict=True):
        pull[row : row + len(one.d), start_edge : start_edge + one.free_edges] = one.pull
        row += len(one.d)
    fixed_groups = int(fluorescence[1].max()) + 1 if fixed else 0
    return Layout(
        energy=np.concatenate([*(energy_times_d / one.d for one in patterns), fluorescence[0]]),
        pull=pull,
        fixed=np.r_[np.zeros(row), np.ones(fixed)],
        group=np.concatenate(
            [*(one.group + begin for one, begin in zip(patterns, area_ends[:-1], strict=True)),
             fluorescence[1] + area_ends[-1]]
        ).astype(np.int64),
        share=np.concatenate([*(shares(one) for one in patterns), fluorescence[2]]),
        phase=np.concatenate([*(np.full(len(one.d), n) for n, one in enumerate(patterns)), np.full(fixed, -1)]),
        area_slices=_slices(area_ends),
        edge_slices=_slices(edge_ends),
        groups=int(area_ends[-1]) + fixed_groups,
        edges=edges,
    )  # fmt: skip


def _slices(ends: np.ndarray) -> tuple[slice, ...]:
    return tuple(slice(int(a), int(b)) for a, b in pairwise(ends))


def shares(one: Pattern) -> np.ndarray:
    """Share (lines,) of each line in the area of its group."""
    total = np.bincount(one.group, weights=one.intensity)
    return np.asarray(one.intensity / total[one.group])


def start(problem: Problem) -> State:
    """No lines and no pile-up yet, the background as peeled off, every lattice nominal."""
    smooth = np.r_[np.ones(problem.knots - 1), 0.0]
    return State(np.zeros(problem.layout.groups), smooth, np.zeros(problem.shapes))


@dataclass(frozen=True)
class Placed:
    """Every line with its place, width and derivatives by the shape parameters; ``order`` into the layout."""

    order: np.ndarray
    energy: np.ndarray
    variance: np.ndarray
    energy_slope: np.ndarray
    variance_slope: np.ndarray


def place(problem: Problem, shapes: np.ndarray) -> Placed:
    """Put the lines where the shape parameters say, sorted by energy; energies in keV, variances in keV²."""
    layout, edges = problem.layout, problem.layout.edges
    squeezed = layout.pull @ (1.0 + shapes[:edges]) ** -2.0 + layout.fixed
    true = layout.energy * np.sqrt(squeezed) * (1.0 + shapes[-1] * layout.fixed)
    order = np.argsort(true, kind="stable")
    true, phase = true[order], layout.phase[order]
    energy = true + shapes[-2]
    slope = np.zeros((len(order), problem.shapes))
    slope[:, :edges] = -(true / squeezed[order])[:, None] * layout.pull[order] * (1.0 + shapes[:edges]) ** -3.0
    slope[:, -2] = 1.0
    slope[:, -1] = true * layout.fixed[order] / (1.0 + shapes[-1])
    constant, linear = _detector_terms(problem, shapes[edges : edges + 2])
    unit = np.where(phase >= 0, problem.priors.broadening**2 / FWHM_SQUARED, 0.0)
    squared = shapes[edges + 2 + phase] * unit
    variance_slope = (linear + 2.0 * squared * energy)[:, None] * slope
    variance_slope[:, edges] = constant
    variance_slope[:, edges + 1] = linear * energy
    diffracted = np.flatnonzero(phase >= 0)
    variance_slope[diffracted, edges + 2 + phase[diffracted]] = (unit * energy**2)[diffracted]
    return Placed(order, energy, constant + linear * energy + squared * energy**2, slope, variance_slope)


def _detector_terms(problem: Problem, terms: np.ndarray) -> tuple[float, float]:
    scale = np.exp(terms) / FWHM_SQUARED
    return float(problem.resolution[0] ** 2 * scale[0]), float(problem.resolution[1] * scale[1])


def detector_variance(problem: Problem, energy: np.ndarray) -> np.ndarray:
    """Variance in keV² of the detector's response as calibrated."""
    constant, linear = _detector_terms(problem, np.zeros(2))
    return np.asarray(constant + linear * energy)


def evaluate(
    problem: Problem, state: State, shapes_too: bool = True, placed: Placed | None = None, informed: bool = True
) -> Evaluation:
    """Deviance, score, information and model at a state, priors not included; of the linear parameters or of all.

    ``placed`` saves placing the lines again; without ``informed`` there is only the areas' score and no information.
    """
    from operando.diffraction._normal_equations import normal_equations

    placed = placed or place(problem, state.shapes)
    shapes = problem.shapes if shapes_too else 0
    deviance, score, information, model = normal_equations(
        problem.counts,
        problem.energy,
        problem.channel_width,
        problem.spline_index,
        problem.spline_values,
        placed.energy,
        placed.variance,
        problem.layout.group[placed.order],
        problem.layout.share[placed.order],
        placed.energy_slope[:, :shapes],
        placed.variance_slope[:, :shapes],
        state.areas,
        state.smooth,
        informed,
    )
    return deviance, score, information, model


def split(problem: Problem, theta: np.ndarray) -> State:
    """The state whose parameters are ``theta``."""
    groups, linear = problem.layout.groups, problem.linear
    return State(theta[:groups], theta[groups:linear], theta[linear:])


def first_guess(problem: Problem, state: State) -> np.ndarray:
    """Areas (groups,) from the counts above the background at each line, shared out where lines crowd."""
    placed = place(problem, state.shapes)
    group, share = problem.layout.group[placed.order], problem.layout.share[placed.order]
    base = smooth_part(problem, state)
    net = np.maximum(problem.counts - base, 0.0) / problem.channel_width
    height = np.interp(placed.energy, problem.energy, net, left=0.0, right=0.0)
    crowd = _crowding(placed.energy, placed.variance, share)
    guess = height * np.sqrt(2.0 * np.pi * placed.variance) * share / crowd
    return np.bincount(group, weights=guess, minlength=problem.layout.groups)


def smooth_part(problem: Problem, state: State) -> np.ndarray:
    """Background (n,) with the escape lines and pile-up."""
    return np.asarray(np.einsum("ij,ij->j", problem.spline_values, state.smooth[problem.spline_index]))


def _crowding(energy: np.ndarray, variance: np.ndarray, share: np.ndarray) -> np.ndarray:
    """How many lines' worth of height stand at each line; energies ascending."""
    total = np.zeros(len(energy))
    for offset in range(-6, 7):
        other = np.clip(np.arange(len(energy)) + offset, 0, len(energy) - 1)
        real = np.arange(len(energy)) + offset == other
        total += real * share[other] * np.exp(-0.5 * (energy - energy[other]) ** 2 / variance)
    return np.asarray(np.maximum(total, share))


def with_phases(problem: Problem, state: State, added: Sequence[Pattern]) -> tuple[Problem, State]:
    """The problem with more phases at its end, their areas zero and lattices nominal."""
    patterns = (*problem.patterns, *added)
    layout = lay_out(patterns, problem.energy_times_d, problem.fluorescence)
    old, edges = problem.layout, problem.layout.edges
    broad = edges + 2 + len(problem.patterns)
    new_edges, new_groups = np.zeros(layout.edges - edges), np.zeros(layout.groups - old.groups)
    named = old.area_slices[-1].stop if old.area_slices else 0
    shapes = [state.shapes[:edges], new_edges, state.shapes[edges:broad], np.zeros(len(added)), state.shapes[broad:]]
    wider = replace(problem, patterns=patterns, layout=layout, expected=np.r_[problem.expected, new_edges])
    areas = np.concatenate([state.areas[:named], new_groups, state.areas[named:]])
    return wider, State(areas, state.smooth, np.concatenate(shapes))


def without_phase(problem: Problem, state: State, number: int) -> tuple[Problem, State]:
    """The problem with one phase left out."""
    patterns = tuple(one for n, one in enumerate(problem.patterns) if n != number)
    layout = lay_out(patterns, problem.energy_times_d, problem.fluorescence)
    lost_edges = problem.layout.edge_slices[number]
    dropped = np.r_[np.arange(lost_edges.start, lost_edges.stop), problem.layout.edges + 2 + number]
    fewer = replace(problem, patterns=patterns, layout=layout, expected=np.delete(problem.expected, dropped[:-1]))
    areas = np.delete(state.areas, np.arange(*problem.layout.area_slices[number].indices(len(state.areas))))
    return fewer, State(areas, state.smooth, np.delete(state.shapes, dropped))
