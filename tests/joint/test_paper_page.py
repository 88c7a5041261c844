"""The page that tells the paper again: paper, truth and measurement side by side."""

import importlib.util
from pathlib import Path

from test_summary import everything

from operando.joint.summary import read, summary

SCRIPT = Path(__file__).parents[2] / "docs" / "tell_paper_again.py"


def script():
    spec = importlib.util.spec_from_file_location("tell_paper_again", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_row_reads_from_summary_and_truth():
    page = script()
    measured = read(summary(**everything(True, True, True)))
    truth = {
        "scans": [{"index": 0, "cycle": 4, "step": "charge", "charge_mAh": 0.05, "tracks": {"protrusion": 93.0}}],
        "spectra": [],
        "cycles": [{"cycle": 4, "c_rate": 0.1, "charge_mAh": 0.1544, "coulombic_efficiency": 0.85}],
        "volume_balance": [],
        "events": [{"time": "2018-05-04T07:45:00Z", "kind": "void_onset"}],
    }
    rows = page.table(measured, truth).splitlines()
    assert len(rows) == 2 + len(page.ROWS)
    by_name = {row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:-1]] for row in rows}
    assert by_name["conditioning, 10 µA for 5 h"][2] == "50"
    assert by_name["charge of cycle 4"][2] == "154.4"
    assert by_name["charge of cycle 4"][3].startswith("153.45 (")
    assert by_name["protrusion, first scan"][2:] == ["93", "93 (90 … 95)"]
    assert by_name["d(422) of InLi, cycles 1 to 3"][3].startswith("1.386")
    assert by_name["cavities begin"][2] == "2018-05-04T07:45:00Z"
