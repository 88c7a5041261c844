"""Outputs of a fixed experiment: who changes what a step gives must raise the step's version.

``python tests/joint/test_golden.py`` writes golden.json anew.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from joint_parts import paper_curve
from test_balance import REACTION, presence, staged
from test_events import surfaces

from operando.electrochemistry.curve import curve
from operando.electrochemistry.cycles import cycles
from operando.electrochemistry.derivatives import derivatives
from operando.electrochemistry.resistances import resistances
from operando.joint.balance import balance
from operando.joint.conclusion import conclusion
from operando.joint.events import events
from operando.joint.pairs import pairs
from operando.joint.scan_timeline import scan_timeline

FILE = Path(__file__).with_name("golden.json")


def products():
    """Step and product of one experiment with all that these rooms make of it."""
    cell, protocol = paper_curve(noise_v=1e-4)
    chosen, timeline, seen, reactions = staged()
    table = balance(chosen, timeline, seen, reactions=reactions, configured=REACTION)
    growing = surfaces(np.maximum(timeline["charge"].values.max() * 0.5 - timeline["charge"].values, 0)[::-1] * 1e7)
    found = events(scan_timeline=timeline, interfaces=growing, curve=cell, protocol=protocol)
    return {
        "curve": (curve, cell),
        "protocol": (curve, protocol),
        "cycles": (cycles, cycles(cell, protocol, 0.4, 0.35, 1166.0, 3.0)),
        "resistances": (resistances, resistances(cell, protocol)),
        "derivatives": (derivatives, derivatives(cell, protocol)),
        "scan_timeline": (scan_timeline, timeline),
        "pairs": (pairs, chosen),
        "balance": (balance, table),
        "conclusion": (conclusion, conclusion(table, presence(In=0.9, InLi=1.0), {"In": 10.6, "Li": 1.5}, 70.0)),
        "events": (events, found),
    }


def fingerprint(dataset):
    """Mean and root mean square of every number (six digits), how many there are, and every word's count."""
    found = {}
    for name, variable in dataset.data_vars.items():
        values = np.asarray(variable.values)
        if values.dtype.kind == "O":
            found[name] = sorted(str(value) for value in values.ravel())[:5]
            continue
        if values.dtype.kind == "M":
            values = (values - np.datetime64("2018-05-04T06:00:00", "ns")).astype("int64") * 1e-9
        values = values.astype(float).ravel()
        known = values[np.isfinite(values)]
        moments = (known.mean(), np.sqrt((known**2).mean())) if known.size else (0.0, 0.0)
        found[name] = [values.size, known.size, *(float(f"{moment:.5g}") for moment in moments)]
    return found


def written():
    """The contents of golden.json."""
    return {name: {"version": step.version, **fingerprint(found)} for name, (step, found) in products().items()}


def test_outputs_change_only_with_the_version():
    golden = json.loads(FILE.read_text(encoding="utf-8"))
    for name, now in written().items():
        if now["version"] != golden[name]["version"]:
            continue
        for variable, values in now.items():
            expected = golden[name][variable]
            if isinstance(values, list) and values and isinstance(values[0], int):
                assert values == pytest.approx(expected, rel=1e-3, abs=1e-9), f"{name}.{variable}: raise its version"
            else:
                assert values == expected, f"{name}.{variable}: raise its version"


if __name__ == "__main__":
    FILE.write_text(json.dumps(written(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
