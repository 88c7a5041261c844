"""The page on the molar volume says what its code says; the numbers of the paper follow from primary inputs."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest
from joint_parts import difference, exposures, record

from operando.electrochemistry.curve import curve
from operando.electrochemistry.cycles import cycles
from operando.electrochemistry.theory import theoretical_capacity
from operando.joint.balance import balance
from operando.joint.composition import equilibrium
from operando.joint.conclusion import conclusion
from operando.joint.pairs import pairs
from operando.joint.scan_timeline import scan_timeline
from operando.materials.catalogue import load
from operando.materials.reactions import candidates

PAGES = sorted((Path(__file__).parents[2] / "docs" / "explanation").glob("*.md"))
MASSES, COMPOSITE, ACTIVE, SPECIFIC = {"In": 10.6, "Li": 1.5}, 0.4, 0.35, 1166.0
SEEN_UM3, STATED_UM3, STATED_CM3 = 4.58e7, 6.8e7, 11.8


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem in {"molar-volume"}], ids=lambda page: page.stem)
def test_the_page_says_what_its_code_says(page):
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```pycon\n(.*?)```", text, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(blocks, {}, page.name, str(page), 0)
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert result.attempted > 15
    assert result.failed == 0


def test_the_papers_currents_follow_from_the_cathodes_mass():
    theory = theoretical_capacity(COMPOSITE, ACTIVE, SPECIFIC)
    assert theory * 1e3 == pytest.approx(163.2, abs=0.05)
    assert [rate * theory * 1e3 for rate in (0.5, 0.25, 0.1)] == pytest.approx([81.6, 40.8, 16.3], abs=0.05)


def test_the_anodes_composition_follows_from_its_masses():
    phases, _ = equilibrium(MASSES, 70.0)
    assert phases[0].ratio == pytest.approx(2.341, abs=5e-4)
    assert {phase.name for phase in phases} == {"InLi2", "In3Li13"}
    assert sum(phase.host_share for phase in phases) == pytest.approx(1.0)


def test_the_papers_balance_closes_with_the_reaction_and_not_with_the_volume_per_atom():
    """The whole way through the steps: current, cycle, charge of the scans, expected volume, ratio."""
    theory = theoretical_capacity(COMPOSITE, ACTIVE, SPECIFIC)
    rate = 0.1 * theory
    reactions = candidates(load("InLi"), 70.0, "In + Li -> InLi")
    charge = STATED_UM3 / (STATED_CM3 * 1e12) * 96485.33212 / 3.6
    hours = charge / rate
    cell, protocol = curve([record([(0.5, 0.0), (hours, rate), (0.9 * hours, -rate)])])
    table = cycles(cell, protocol, COMPOSITE, ACTIVE, SPECIFIC)
    assert float(table["charge"][0]) * 1e3 == pytest.approx(154.5, abs=0.1)
    assert float(table["charge"][0]) / theory == pytest.approx(0.946, abs=1e-3)
    assert float(table["c_rate"][0]) == pytest.approx(0.1, rel=1e-6)

    timeline = scan_timeline(cell, protocol, exposures([0.0, 1700.0, 1800.0 + 3600 * hours - 45], 90.0))
    chosen = pairs(protocol, timeline)
    k = int(np.flatnonzero(chosen["step"].values == "charge")[0])
    scans = [int(chosen[name][k]) for name in ("from_scan", "to_scan")]
    found = balance(
        chosen,
        timeline,
        [difference(SEEN_UM3, 0.05 * SEEN_UM3, scans)],
        reactions=reactions,
        configured="In + Li -> InLi",
    ).isel(pair=k)
    assert 4.5e7 <= float(found["electrochemical"][0]) <= 4.6e7
    assert float(found["ratio_low"][0]) <= 1 <= float(found["ratio_high"][0])
    assert float(found["ratio"][0]) == pytest.approx(1.01, abs=0.01)
    assert float(found["unaccounted_low"]) <= 0 <= float(found["unaccounted_high"])
    assert float(found["ratio_high"][1]) < 1


def test_the_conclusion_names_the_contradiction_with_the_masses():
    theory = theoretical_capacity(COMPOSITE, ACTIVE, SPECIFIC)
    cell, protocol = curve([record([(9.0, 0.1 * theory), (8.0, -0.1 * theory)])])
    timeline = scan_timeline(cell, protocol, exposures(np.arange(0.0, 16 * 3600, 1800.0), 90.0))
    table = balance(
        pairs(protocol, timeline),
        timeline,
        reactions=candidates(load("InLi"), 70.0, "In + Li -> InLi"),
        configured="In + Li -> InLi",
    )
    texts = " ".join(str(text) for text in conclusion(table, None, MASSES, 70.0)["text"].values)
    assert "Li:In = 2.34" in texts
    assert "is lithium for 5.9 % of the In" in texts
