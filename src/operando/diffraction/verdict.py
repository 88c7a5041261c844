"""From explanations to the entry of summary.json: what remains, what is excluded, and what would decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from operando.diffraction.comparison import (
    Comparison,
    Moved,
    amount,
    naive_shifts,
    observed,
)
from operando.diffraction.explain import EXCLUDED_BELOW, Explanation, Shifts, explain, pairs, surviving
from operando.diffraction.stress import mean_strain, stress_sentence
from operando.model.interval import Quantity, from_std
from operando.model.material import Material

CLASSES = (
    "overlap",
    "strain",
    "composition",
    "temperature",
    "new-phase",
    "energy-drift",
    "theta-drift",
    "gauge-motion",
)
"""Every cause that is weighed. Overlap: a neighbour's amount changed. Gauge motion: all amounts changed, no lattice."""

_CLEAR = 4.5
"""Standard deviations from which an amount counts as changed."""

_APPARENT = 7.0
"""Standard deviations from which a single line counts as moved: such fits know nothing of neighbours and tails, so
that their scatter is larger than they say, and the most moved of several lines is taken."""

_DOUBT = 2.5
"""Standard deviations by which a lattice at rest may yet have moved."""

_WHOLE = 0.8
"""A moving lattice is excluded if it can't have given this share of a single line's shift."""

_EXPECTED = 4.0
"""The same where a neighbour's amount clearly changed and makes up most of the shift."""

_DECIDES = {
    frozenset({"strain", "composition"}): "azimuths (sin²ψ) or the charge passed would tell strain from composition",
    frozenset({"theta-drift", "energy-drift"}): "a fluorescence line would tell 2θ from the energy scale",
    frozenset({"theta-drift", "temperature"}): "a phase of other thermal expansion would tell temperature from 2θ",
    frozenset({"overlap", "gauge-motion"}): "tomography or the charge passed would tell reaction from motion",
    frozenset({"strain", "theta-drift"}): "a second phase at rest in the gauge would tell strain from 2θ",
}


@dataclass(frozen=True)
class Evidence:
    """All that is known of two states: comparison, lattice changes, explanations, newcomers."""

    comparison: Comparison
    shifts: Shifts
    explanations: Sequence[Explanation]
    expansion: Mapping[str, tuple[float, float]]
    new_phases: tuple[str, ...]
    new_lines: tuple[float, ...]
    pressed_mpa: float | None


@dataclass(frozen=True)
class Verdict:
    """One apparent shift with what may have made it."""

    phase: str
    shift: Quantity
    lattice_shift: Quantity
    remaining: tuple[str, ...]
    excluded: tuple[str, ...]
    text: str


def expansions(materials: Sequence[Material]) -> dict[str, tuple[float, float]]:
    """Linear expansion of each material in 1/K with its doubt; unknown ones may be anything common."""
    return {
        one.name: (one.thermal_expansion_per_k, 0.15 * one.thermal_expansion_per_k)
        if one.thermal_expansion_per_k is not None
        else (2.5e-5, 1.5e-5)
        for one in materials
    }


def weigh(
    comparison: Comparison, new_phases: tuple[str, ...], new_lines: tuple[float, ...], pressed_mpa: float | None
) -> Evidence:
    """Fit every cause to what changed between the two states."""
    shifts = observed(comparison)
    expansion = expansions(comparison.materials)
    alloys = [one.name for one in comparison.materials if one.composition_range is not None]
    explanations = explain(shifts, expansion, alloys) if len(shifts.values) else []
    return Evidence(comparison, shifts, explanations, expansion, new_phases, new_lines, pressed_mpa)


def judge(evidence: Evidence, phase: int) -> Verdict | None:
    """The verdict on one phase; ``None`` where nothing seems to move."""
    moved = max(naive_shifts(evidence.comparison, phase), key=lambda one: abs(one.shift) / one.std, default=None)
    change, covariance = evidence.shifts.of(evidence.comparison.materials[phase].name)
    known = bool(np.isfinite(change).all())
    lattice_moves = known and _improbable(change, covariance)
    apparent = moved is not None and _apparent(moved, bool(amounts_changed(evidence.comparison)))
    if not apparent and not lattice_moves:
        return None
    remaining = _of_moving_lattice(evidence, phase) if lattice_moves else _of_resting_lattice(evidence, phase, moved)
    lattice = from_std(float(change[0]), float(np.sqrt(covariance[0, 0])), "1")
    shift = from_std(moved.shift, moved.std, "1") if moved is not None and apparent else lattice
    material = evidence.comparison.materials[phase]
    excluded = tuple(cause for cause in CLASSES if cause not in remaining)
    text = " ".join(_sentences(evidence, phase, moved if apparent else None, (change, covariance), remaining))
    return Verdict(material.name, shift, lattice, remaining, excluded, text)


def _apparent(moved: Moved, amounts: bool) -> bool:
    """Whether a single line seems to move; less is needed where amounts changed and the model says that it should."""
    significance = abs(moved.shift) / moved.std
    expected = moved.by_neighbours / moved.shift > 0.5
    return bool(significance > _APPARENT or (amounts and expected and significance > _EXPECTED))


def _improbable(change: np.ndarray, covariance: np.ndarray) -> bool:
    chi_squared = float(change @ np.linalg.solve(covariance, change))
    return bool(chdtrc(len(change), chi_squared) < 0.1 * EXCLUDED_BELOW)


def _of_moving_lattice(evidence: Evidence, phase: int) -> tuple[str, ...]:
    name = evidence.comparison.materials[phase].name
    alive = [one for one in surviving(evidence.explanations) if one.cause != "none" and one.phase in {"", name}]
    causes = {one.cause for one in alive}
    if not causes:
        alloys = [one.name for one in evidence.comparison.materials if one.composition_range is not None]
        causes = {cause for pair in pairs(evidence.shifts, evidence.expansion, alloys) for cause in pair}
    if evidence.new_phases or evidence.new_lines:
        causes.add("new-phase")
    return tuple(cause for cause in CLASSES if cause in causes)


def _of_resting_lattice(evidence: Evidence, phase: int, moved: Moved | None) -> tuple[str, ...]:
    """The single line moves and the lattice does not: amounts did it, unless the lattice is too poorly known."""
    causes = set()
    material = evidence.comparison.materials[phase]
    assert moved is not None
    if _reach(evidence, phase, moved) > _WHOLE * abs(moved.shift):
        causes |= {"strain", "theta-drift", "energy-drift", "temperature"}
        causes |= {"composition"} if material.composition_range is not None else set()
    by_new = bool(evidence.new_phases or evidence.new_lines)
    unexplained = abs(moved.shift - moved.by_neighbours) > max(5.0 * moved.std, 0.5 * abs(moved.shift))
    if by_new or unexplained:
        causes.add("new-phase")
    if not by_new or not unexplained:
        causes.add("overlap")
        causes |= {"gauge-motion"} if amounts_changed(evidence.comparison) else set()
    return tuple(cause for cause in CLASSES if cause in causes)


def _reach(evidence: Evidence, phase: int, moved: Moved) -> float:
    """How far the lattice may have moved the line the way it seems to have moved, relative."""
    pattern = evidence.comparison.before[0].patterns[phase]
    change, covariance = evidence.shifts.of(pattern.name)
    if not np.isfinite(change).all():
        return np.inf
    pull = pattern.pull[pattern.hkl.tolist().index(list(moved.hkl))]
    std = float(np.sqrt(pull @ covariance @ pull))
    return float(np.sign(moved.shift) * (pull @ change)) + _DOUBT * std


def amounts_changed(comparison: Comparison) -> list[str]:
    """Phases whose summed area changed clearly, with by how much."""
    sentences = []
    for phase, material in enumerate(comparison.materials):
        (one, one_std), (two, two_std) = amount(comparison.before, phase), amount(comparison.after, phase)
        if abs(two - one) > _CLEAR * np.hypot(one_std, two_std) and one > 0:
            sentences.append(f"{material.name} {100 * (two / one - 1.0):+.0f} %")
    return sentences


def _sentences(
    evidence: Evidence,
    phase: int,
    moved: Moved | None,
    change: tuple[np.ndarray, np.ndarray],
    remaining: tuple[str, ...],
) -> list[str]:
    material = evidence.comparison.materials[phase]
    found = []
    if moved is not None:
        indices = "".join(str(index) for index in moved.hkl)
        found.append(
            f"A single-line fit of {material.name} ({indices}) moves by {moved.shift:+.2e} ± {moved.std:.1e} in d; "
            f"{moved.by_neighbours:+.2e} of it follows from its neighbours alone, with its own lattice held."
        )
    if np.isfinite(change[0]).all():
        edges = ", ".join(
            f"{value:+.2e} ± {std:.1e}" for value, std in zip(change[0], np.sqrt(np.diag(change[1])), strict=True)
        )
        found.append(f"All lines together give its lattice a change of {edges}.")
    found += _context(evidence)
    if "strain" in remaining and np.isfinite(change[0]).all():
        edges_of = evidence.comparison.before[0].patterns[phase].edges
        strain = mean_strain(change[0].tolist(), edges_of)
        found.append(stress_sentence(material, strain, evidence.pressed_mpa))
    found.append(_conclusion(remaining))
    return [sentence for sentence in found if sentence]


def _context(evidence: Evidence) -> list[str]:
    found = []
    changed = amounts_changed(evidence.comparison)
    if changed:
        found.append(f"Amounts changed: {', '.join(changed)}.")
    if evidence.new_phases:
        found.append(f"New is {', '.join(evidence.new_phases)}.")
    if evidence.new_lines:
        found.append(f"New lines without a phase: {', '.join(f'{one:.2f}' for one in evidence.new_lines)} keV.")
    shift, variance = evidence.shifts.of("fluorescence")
    if np.isfinite(shift[0]):
        found.append(f"Fluorescence lines move by {shift[0]:+.1e} ± {np.sqrt(variance[0, 0]):.1e} in energy.")
    return found


def _conclusion(remaining: tuple[str, ...]) -> str:
    if not remaining:
        return "No single cause and no pair of them explains this."
    if len(remaining) == 1:
        return f"What remains is {remaining[0]}."
    hints = [hint for both, hint in _DECIDES.items() if both <= set(remaining)]
    ending = f"; {hints[0]}" if hints else ""
    return f"The data can't tell {', '.join(remaining[:-1])} and {remaining[-1]} apart{ending}."
