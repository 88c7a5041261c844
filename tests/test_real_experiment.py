"""One experiment assembled from real files of different groups, through the whole way."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

CONFIGURATION = """
[experiment]
title = "three instruments of three groups"
[tomography]
files = "{data}/tomography/tooth.h5"
times = "scans.csv"
phases = ["void", "tooth"]
pixel_size_um = 5.0
[diffraction]
files = "{data}/diffraction/aps6bmb_MgO/COSI_022_*.med"
phases = ["MgO"]
time_zone = "America/Chicago"
[electrochemistry]
files = "{data}/joint/perex/*.mpt"
time_zone = "Europe/Paris"
"""


@pytest.fixture(scope="module")
def folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The experiment, run."""
    from operando.pipeline import experiment
    from operando.pipeline.events import Options

    folder = tmp_path_factory.mktemp("real")
    (folder / "operando.toml").write_text(CONFIGURATION.format(data=shared_data))
    (folder / "scans.csv").write_text("file,start,end\ntooth.h5,2022-07-27T10:00:00+02:00,2022-07-27T10:01:30+02:00\n")
    experiment.bring_up_to_date(folder, Options(workers=0), lambda event: None, "0.1.0")
    return folder


@pytest.fixture(scope="module")
def summary(folder: Path) -> dict:
    return json.loads((folder / "results" / "summary.json").read_text())


def test_the_schema_accepts_the_summary(summary: dict, summary_schema: dict) -> None:
    jsonschema.validate(summary, summary_schema)
    assert len(summary["spectra"]) == 25
    assert len(summary["scans"]) == 1


def test_the_tooth_turns_about_its_known_centre(summary: dict) -> None:
    centre = summary["scans"][0]["centre_px"]
    assert abs(centre["value"] - 295.7) <= 0.5


def test_the_scan_has_the_charge_of_its_exposure(summary: dict) -> None:
    scan = summary["scans"][0]
    assert scan["start"] == "2022-07-27T08:00:00Z"
    assert scan["charge_mAh"] is not None
    assert scan["cycle"] is not None


def test_spectra_of_another_year_get_no_charge_and_a_sentence(summary: dict) -> None:
    assert all(spectrum["charge_mAh"] is None for spectrum in summary["spectra"])
    assert any("outside the cycler's record" in warning["text"] for warning in summary["warnings"])


def test_magnesia_expands_as_published(summary: dict) -> None:
    """MgO (200) of element 0 runs from 2.0814 to 2.1101 Å (Continuous-Peak-Fit, example 2)."""
    d = [
        line["d_angstrom"]["value"]
        for spectrum in summary["spectra"]
        for line in spectrum["lines"]
        if line["hkl"] == [2, 0, 0] and line["element"] == 0
    ]
    assert abs(min(d) - 2.0814) < 0.002
    assert abs(max(d) - 2.1101) < 0.002
    assert np.all(np.diff(d) > -0.001), "the load only grows"


def test_the_dead_element_and_the_wrong_live_time_are_named(summary: dict) -> None:
    texts = [warning["text"] for warning in summary["warnings"]]
    assert any("element 4 is dead" in text for text in texts)
    assert any("element 0: LIVE > REAL" in text for text in texts)
    assert not any(line["element"] == 4 for spectrum in summary["spectra"] for line in spectrum["lines"])


def test_both_cycler_files_are_one_record_with_a_gap(folder: Path) -> None:
    from operando.pipeline.store import Results

    curve = Results(folder).table("curve")
    assert curve is not None
    hours = (curve["time"].values - curve["time"].values[0]) / np.timedelta64(1, "h")
    assert abs(hours[-1] - (38.9 + 9.6)) < 0.1
    gap = np.diff(curve["time"].values).max() / np.timedelta64(1, "s")
    assert abs(gap - 26.5) < 1.0 or gap > 26.5


def test_the_missing_time_zone_is_asked_for(shared_data: Path, tmp_path: Path) -> None:
    text = CONFIGURATION.format(data=shared_data).replace('time_zone = "Europe/Paris"', "")
    (tmp_path / "operando.toml").write_text(
        text[: text.index("[tomography]")] + text[text.index("[electrochemistry]") :]
    )
    done = subprocess.run(
        [sys.executable, "-m", "operando", "run", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode in {1, 2, 3}
    assert "time_zone" in done.stderr
    assert "C06.mpt" in done.stderr


def test_the_diffraction_command_says_how_the_elements_agree(shared_data: Path, tmp_path: Path) -> None:
    files = sorted(map(str, (shared_data / "diffraction" / "aps6bmb_MgO").glob("COSI_022_00[12]*.med")))[:2]
    command = [sys.executable, "-m", "operando", "diffraction", *files, "-o", str(tmp_path), "--phases", "MgO"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    elements = {line["element"] for line in said["spectra"][0]["lines"]}
    assert elements - {None} == set(range(10)) - {4}
    assert any("agree" in text or "differ" in text for text in said["warnings"])
