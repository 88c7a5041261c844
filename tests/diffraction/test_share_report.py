"""What the report says of the phases' shares."""

from operando.figures.report_diffraction import share_sentences, shares
from operando.figures.report_results import results, short

NOTHING = {"scans": [], "spectra": [], "cycles": [], "volume_balance": [], "events": []}


def share(value: float) -> dict[str, object]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01, "unit": "1"}


def summary(*shares_of_indium: float | None) -> dict[str, object]:
    spectra = []
    for index, value in enumerate(shares_of_indium):
        entry: dict[str, object] = {"index": index, "file": "", "time": None, "lines": [], "lattice": {}}
        if value is not None:
            pair = {"In": value, "InLi": 1.0 - value}
            entry["phase_shares"] = {name: {"volume": share(v), "mass": share(v)} for name, v in pair.items()}
        spectra.append(entry)
    return NOTHING | {"spectra": spectra, "phase_share_assumptions": ["No extinction <here>."]}


def test_the_course_of_the_shares_is_told_with_its_assumptions() -> None:
    found = summary(0.8, None, 0.2, 0.5)
    table = str(shares(found))
    assert "In, share of the volume" in table
    assert "InLi, share of the mass" in table
    assert "0 … 3" in table
    assert "No extinction &lt;here&gt;." in table
    assert table in str(results(found))
    (sentence,) = share_sentences(found)
    assert sentence == (
        "Of the volume of In and InLi that diffracts, In has 0.800 (0.790 … 0.810) in the first spectrum and "
        "0.500 (0.490 … 0.510) in the last."
    )
    assert sentence in str(short(found))


def test_without_shares_nothing_is_said() -> None:
    assert not shares(summary(None, None))
    assert share_sentences(summary(None, None)) == []
    assert share_sentences(summary(0.5)) == []
