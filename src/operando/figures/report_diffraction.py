"""The report's lattices and phase shares: parts of the results that take the summary and return markup."""

from collections.abc import Sequence

from operando.figures import markup
from operando.figures.markup import Markup, element
from operando.figures.numbers import quantity_text
from operando.figures.report_cells import EMPTY, Summary, quantity_cell

Known = list[tuple[Summary, Summary]]
"""Spectra with a quantity that they know."""


def lattices(spectra: Sequence[Summary]) -> Markup:
    """Every free edge of every phase in the first and in the last spectrum that has it."""
    rows = []
    for phase in dict.fromkeys(name for spectrum in spectra for name in spectrum["lattice"]):
        edges = dict.fromkeys(edge for spectrum in spectra for edge in spectrum["lattice"].get(phase, {}))
        for edge in edges:
            known = [(spectrum, spectrum["lattice"].get(phase, {}).get(edge)) for spectrum in spectra]
            known = [(spectrum, quantity) for spectrum, quantity in known if quantity]
            if known:
                (first, start), (last, end) = known[0], known[-1]
                rows.append((
                    f"{phase} {edge.split('_')[0]}",
                    len(known),
                    quantity_cell(start),
                    quantity_cell(end),
                    f"{first['index']} … {last['index']}",
                ))
    if not rows:
        return EMPTY
    columns = ["Lattice", "Spectra with it", "First", "Last", "From … to spectrum"]
    return markup.joined([element("h3", "Lattices"), markup.table(columns, rows)])


def shares(summary: Summary) -> Markup:
    """Each phase's share of the volume and of the mass, first, lowest, highest and last, and what they rest on."""
    rows = []
    for phase in _compared(summary):
        for amount in ("volume", "mass"):
            known = _known_shares(summary, phase, amount)
            if known:
                ordered = sorted((quantity for _, quantity in known), key=lambda quantity: float(quantity["value"]))
                shown = (known[0][1], ordered[0], ordered[-1], known[-1][1])
                rows.append((f"{phase}, share of the {amount}", len(known), *map(quantity_cell, shown), _span(known)))
    if not rows:
        return EMPTY
    columns = ["Phase", "Spectra with it", "First", "Lowest", "Highest", "Last", "From … to spectrum"]
    rests_on = markup.folded("What the shares rest on", markup.items(summary.get("phase_share_assumptions") or ()))
    note = element("p", "Shares of what diffracts in the gauge, not of the whole cell.", class_="soft")
    return markup.joined([element("h3", "Phase shares"), note, markup.table(columns, rows), rests_on])


def share_sentences(summary: Summary) -> list[str]:
    """From which share of the volume to which the phase went that changed the most."""
    courses = {phase: _known_shares(summary, phase, "volume") for phase in _compared(summary)}
    changes = {
        phase: abs(float(known[-1][1]["value"]) - float(known[0][1]["value"]))
        for phase, known in courses.items()
        if len(known) > 1
    }
    if not changes:
        return []
    phase = max(changes, key=lambda one: changes[one])
    (_, first), (_, last) = courses[phase][0], courses[phase][-1]
    return [
        f"Of the volume of {' and '.join(courses)} that diffracts, {phase} has {quantity_text(first)} in the first "
        f"spectrum and {quantity_text(last)} in the last."
    ]


def _compared(summary: Summary) -> list[str]:
    """Phases that have shares in any spectrum."""
    return list(dict.fromkeys(phase for spectrum in summary["spectra"] for phase in spectrum.get("phase_shares", {})))


def _known_shares(summary: Summary, phase: str, amount: str) -> Known:
    found = [(spectrum, spectrum.get("phase_shares", {}).get(phase)) for spectrum in summary["spectra"]]
    return [(spectrum, entry[amount]) for spectrum, entry in found if entry and entry[amount]]


def _span(known: Known) -> str:
    return f"{known[0][0]['index']} … {known[-1][0]['index']}"
