"""Clocks that disagree: every oddity is told, and no scan is dropped for it."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from operando.pipeline import experiment
from operando.pipeline.events import Options, Report
from operando.pipeline.store import Results


def start_at(path: Path, start: str) -> None:
    with h5py.File(path, "r+") as file:
        for name in ("start_time", "stop_time"):
            file[f"entry/instrument/detector/{name}"].attrs["start"] = start
        for name in ("start_time", "end_time"):
            del file[f"entry/{name}"]
            file[f"entry/{name}"] = start


@pytest.fixture(scope="module")
def done(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Results]:
    """Two scans at one time, one a year late, and a cycler whose clock jumped back by two hours."""
    folder = tmp_path_factory.mktemp("times") / "experiment"
    shutil.copytree(tiny_raw, folder, ignore=shutil.ignore_patterns("truth"))
    tomography = folder / "raw" / "tomo"
    start_at(tomography / "scan_0001.nxs", "2018-05-04T07:25:00Z")
    start_at(tomography / "scan_0002.nxs", "2018-05-04T07:25:00Z")
    start_at(tomography / "scan_0003.nxs", "2019-05-04T09:00:00Z")
    (record,) = (folder / "raw" / "echem").glob("*.csv")
    set_back(record)
    options = Options(workers=0, only=("scan_timeline",))
    report = experiment.bring_up_to_date(folder, options, lambda event: None, "0.1.0").report
    return report, Results(folder)


def set_back(record: Path) -> None:
    """Let the last quarter of a record start two hours early."""
    lines = record.read_text().splitlines()
    column = lines[0].split(",").index("unix_time_second")
    for number in range(len(lines) * 3 // 4, len(lines)):
        cells = lines[number].split(",")
        cells[column] = str(float(cells[column]) - 7200.0)
        lines[number] = ",".join(cells)
    record.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "sentence",
    [
        "raw/tomo/scan_0002.nxs: starts at 2018-05-04T07:25:07.5Z like raw/tomo/scan_0001.nxs; one of the two scans "
        "has a wrong time.",
        "raw/tomo/scan_0003.nxs: this scan (2019-05-04T09:00:07.5Z) lies outside the cycler's record "
        "(2018-05-04T06:00:00Z … 2018-05-04T09:13:00Z); it gets no charge.",
        "raw/echem/cell.csv: absolute times go back 1 times: the cycler's clock was set.",
        "raw/echem/cell.csv: 132 of 525 samples go back in time and were left out.",
    ],
)
def test_a_clock_that_disagrees_is_told(sentence: str, done: tuple[Report, Results]) -> None:
    assert sentence in [warning["text"] for warning in done[1].summary["warnings"]]


def test_no_scan_is_dropped_for_its_time_and_none_gets_a_charge_that_nobody_measured(
    done: tuple[Report, Results],
) -> None:
    report, results = done
    assert report.exit_status == 0
    timeline = results.table("scan_timeline")
    assert timeline is not None
    charge = timeline["charge"].values
    assert np.isfinite(charge).tolist() == [True, True, True, False]
    assert charge[1] == charge[2]
