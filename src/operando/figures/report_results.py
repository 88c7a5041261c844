"""The report's results: each part takes the summary and returns markup, empty where nothing was measured."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from operando.figures import catalogue, markup
from operando.figures.markup import Markup, element
from operando.figures.numbers import NOT_KNOWN, number_text, quantity_text, time_text
from operando.figures.reading import reaction_text
from operando.figures.report_cells import EMPTY, Summary, quantity_cell
from operando.figures.report_diffraction import lattices, share_sentences, shares
from operando.figures.source import Source

ROWS_SHOWN = 12
ONE_STEP = re.compile(r"In the \w+ of cycle")


def short(summary: Summary) -> Markup:
    """The main findings, a sentence each."""
    sentences = [
        *_volume_sentences(summary),
        *_track_sentences(summary),
        *_cycle_sentences(summary),
        *share_sentences(summary),
        *_event_sentence(summary),
    ]
    if not sentences:
        sentences = ["Nothing could be compared yet: see what was measured, and the warnings, below."]
    note = element("p", "Every number stands with its 95 % interval in brackets, in the same unit.", class_="soft")
    return markup.joined([markup.items(sentences), note])


def _volume_sentences(summary: Summary) -> list[str]:
    entries = [entry for entry in summary["volume_balance"] if entry["morphological_um3"] is not None]
    if not entries:
        return []
    largest = max(entries, key=lambda entry: abs((entry["charge_mAh"] or {"value": 0.0})["value"]))
    seen = f"{_step_name(largest)}: the anode's volume changed by {quantity_text(largest['morphological_um3'])}"
    known = [candidate for candidate in largest["candidates"] if candidate["ratio"] is not None]
    if not known:
        return [f"{seen}."]
    first = f"{quantity_text(known[0]['ratio'])} of what {reaction_text(known[0]['reaction'])} would make"
    fitting = [reaction_text(one["reaction"]) for one in known if one["ratio"]["low"] <= 1 <= one["ratio"]["high"]]
    return [f"{seen}, {first}. It fits {', or '.join(fitting) or 'no candidate reaction'}."]


def _step_name(entry: Summary) -> str:
    if entry["cycle"] is None:
        return (
            f"From the first to the last scan ({entry['step']})"
            if entry["step"] != "all"
            else "From first to last scan"
        )
    return f"{str(entry['step']).capitalize()} of cycle {entry['cycle']}"


def _track_sentences(summary: Summary) -> list[str]:
    sentences = []
    for name in dict.fromkeys(name for scan in summary["scans"] for name in scan["tracks"]):
        known = [scan["tracks"][name] for scan in summary["scans"] if scan["tracks"].get(name)]
        if len(known) > 1:
            sentences.append(f"{name.capitalize()}: from {quantity_text(known[0])} to {quantity_text(known[-1])}.")
    return sentences


def _cycle_sentences(summary: Summary) -> list[str]:
    known = [cycle for cycle in summary["cycles"] if cycle["coulombic_efficiency"]]
    if not known:
        return []
    parts = [
        f"{quantity_text(cycle['coulombic_efficiency'])} in cycle {cycle['cycle']}" for cycle in (known[0], known[-1])
    ]
    return [f"Coulombic efficiency: {' and '.join(dict.fromkeys(parts))}."]


def _event_sentence(summary: Summary) -> list[str]:
    found = sorted((event for event in summary["events"] if event["time"]), key=lambda event: event["time"])
    if not found:
        return []
    order = ", then ".join(str(event["kind"]).replace("_", " ") for event in found)
    return [f"In the order of their most likely times: {order}."]


def measured(summary: Summary) -> Markup:
    """How much of what, and when."""
    rows = [
        _instrument("Tomography scans", summary["scans"], "start", "end"),
        _instrument("Diffraction spectra", summary["spectra"], "time", "time"),
    ]
    rows.append(("Full cycles", len(summary["cycles"]), "", ""))
    return markup.table(["", "Number", "First", "Last"], rows)


def _instrument(name: str, entries: Sequence[Summary], first: str, last: str) -> tuple[str, int, str, str]:
    starts = [entry[first] for entry in entries if entry.get(first)]
    ends = [entry[last] for entry in entries if entry.get(last)]
    absent = NOT_KNOWN if entries else ""
    return name, len(entries), time_text(min(starts)) if starts else absent, time_text(max(ends)) if ends else absent


def results(summary: Summary) -> Markup:
    """Tables of cycles, scans, lattices and phase shares."""
    parts = [_cycles(summary["cycles"]), _scans(summary["scans"]), lattices(summary["spectra"]), shares(summary)]
    return markup.joined(part for part in parts if part)


def _cycles(cycles: Sequence[Summary]) -> Markup:
    if not cycles:
        return EMPTY
    columns = ["Cycle", "C-rate", "Charge", "Discharge", "Coulombic efficiency", "Resistance"]
    keys = ("charge_mAh", "discharge_mAh", "coulombic_efficiency", "resistance_ohm")
    rows = [
        (cycle["cycle"], number_text(cycle["c_rate"], 3), *(quantity_cell(cycle.get(key)) for key in keys))
        for cycle in cycles
    ]
    return markup.joined([element("h3", "Cycles"), markup.table(columns, rows)])


def _scans(scans: Sequence[Summary]) -> Markup:
    if not scans:
        return EMPTY
    tracks = list(dict.fromkeys(name for scan in scans for name in scan["tracks"]))
    phases = list(dict.fromkeys(name for scan in scans for name in scan["phase_volume_um3"]))
    columns = ["Scan", "Start", "Step", "Charge", *phases, "contact area", *tracks]
    rows = [
        (
            scan["index"],
            time_text(scan["start"]),
            _cell_step(scan),
            number_text(scan["charge_mAh"], unit="mAh"),
            *(quantity_cell(scan["phase_volume_um3"].get(phase)) for phase in phases),
            quantity_cell(scan.get("contact_area_um2")),
            *(quantity_cell(scan["tracks"].get(track)) for track in tracks),
        )
        for scan in scans
    ]
    return markup.joined([element("h3", "Scans"), *_first_and_all(columns, rows, "scans")])


def _cell_step(scan: Summary) -> str:
    return NOT_KNOWN if scan["step"] is None else f"{scan['step']}, cycle {scan['cycle']}"


def _first_and_all(columns: Sequence[str], rows: Sequence[Sequence[Any]], what: str) -> list[Markup]:
    """A table; if it is long, some evenly chosen rows, and all of them folded."""
    if len(rows) <= ROWS_SHOWN:
        return [markup.table(columns, rows)]
    chosen = [rows[round(i * (len(rows) - 1) / (ROWS_SHOWN - 1))] for i in range(ROWS_SHOWN)]
    note = element("p", f"{ROWS_SHOWN} of {len(rows)} {what}; all of them below.", class_="soft")
    return [note, markup.table(columns, chosen), markup.folded(f"All {len(rows)} {what}", markup.table(columns, rows))]


def figures_section(figures: Mapping[str, bytes]) -> Markup:
    """All pictures with what they show."""
    return markup.joined(
        element(
            "figure",
            element("div", markup.picture(data, _caption(name)), class_="scroll", tabindex="0"),
            element("figcaption", element("b", name), ": ", _caption(name)),
        )
        for name, data in figures.items()
    )


def _caption(name: str) -> str:
    return catalogue.describe(name) if name in catalogue.names() else name.replace("_", " ")


def balance(source: Source) -> Markup:
    """Expected against seen for every step, with every candidate reaction, and what that rests on."""
    entries = source.summary["volume_balance"]
    if not entries:
        return EMPTY
    columns = ["Step", "Scans", "Charge", "Seen (net)", "Gain", "Loss", "Not accounted for"]
    keys = ("charge_mAh", "morphological_um3", "gross_gain_um3", "gross_loss_um3", "unaccounted_um3")
    rows = [
        (_step_name(entry), f"{entry['from_scan']} → {entry['to_scan']}", *(quantity_cell(entry[key]) for key in keys))
        for entry in entries
    ]
    parts = [
        *_conclusions(source),
        markup.table(columns, rows),
        element("h3", "Candidate reactions"),
        _candidates(entries),
    ]
    note = (
        "A ratio near 1 fits a reaction; it does not show that this reaction happens. That is for diffraction to say."
    )
    return markup.joined([*parts, element("p", note, class_="soft")])


def _conclusions(source: Source) -> list[Markup]:
    """What charge, volumes and phases say together, in sentences that state their assumptions."""
    said = source.summary.get("conclusion") or []
    sentences = [reaction_text(sentence) for sentence in ([said] if isinstance(said, str) else said)]
    whole = [element("p", sentence) for sentence in sentences if not ONE_STEP.match(sentence)]
    steps = [sentence for sentence in sentences if ONE_STEP.match(sentence)]
    return [*whole, markup.folded("Step by step, in words", markup.items(steps))] if steps else whole


def _candidates(entries: Sequence[Summary]) -> Markup:
    """One column a reaction: seen / expected; the expected volumes are folded away."""
    reactions = list(dict.fromkeys(candidate["reaction"] for entry in entries for candidate in entry["candidates"]))
    columns = ["Step", *(reaction_text(reaction) for reaction in reactions)]
    ratios, expected = (
        markup.table(columns, [(_step_name(entry), *_by_reaction(entry, reactions, key)) for entry in entries])
        for key in ("ratio", "electrochemical_um3")
    )
    return markup.joined([element("p", "Seen / expected:"), ratios, markup.folded("Expected volumes", expected)])


def _by_reaction(entry: Summary, reactions: Sequence[str], key: str) -> list[Markup]:
    known = {candidate["reaction"]: candidate[key] for candidate in entry["candidates"]}
    return [quantity_cell(known.get(reaction)) for reaction in reactions]


def causes(summary: Summary) -> Markup:
    """What may have made lines move."""
    found = summary.get("causes", [])
    if not found:
        return EMPTY
    rows = [
        (
            cause["phase"],
            f"{cause['from']} → {cause['to']}",
            quantity_cell(cause["shift"]) if isinstance(cause["shift"], Mapping) else number_text(cause["shift"]),
            ", ".join(cause["remaining"]) or "none",
            ", ".join(cause["excluded"]) or "none",
        )
        for cause in found
    ]
    texts = [element("p", cause["text"]) for cause in found]
    return markup.joined([*texts, markup.table(["Phase", "Spectra", "Δd/d", "Remaining", "Excluded"], rows)])


def events(summary: Summary) -> Markup:
    """What happened when."""
    rows = [
        (
            str(event["kind"]).replace("_", " "),
            time_text(event["time"]),
            f"{time_text(event['low'])} … {time_text(event['high'])}",
            quantity_cell(event["charge_mAh"]),
            element("span", event["text"]),
        )
        for event in summary["events"]
    ]
    if not rows:
        return EMPTY
    texts = markup.items(event["text"] for event in summary["events"])
    return markup.joined([
        texts,
        markup.table(["Event", "Most likely", "95 % interval", "Charge"], [row[:4] for row in rows]),
    ])
