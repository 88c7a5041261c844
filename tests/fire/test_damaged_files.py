"""Damaged HDF5 files, found by fuzzing, that take the HDF5 library down: a run tells of them and goes on."""

import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from operando.pipeline import experiment, raw, settings, trial
from operando.pipeline.events import Options

DAMAGED = Path(__file__).parent.parent / "formats" / "damaged"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "PATIENCE_S", 3.0)


def fails(folder: Path) -> dict[str, str]:
    """Files that a look at an experiment finds bad, and what is said of them."""
    return {problem.file: problem.text for problem in experiment.check(folder) if problem.severe and problem.file}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("damaged", "found"),
    [
        ("nxtomo_circles.h5", "has not come to its end within 3 s"),
        ("data_exchange_circles.h5", "has not come to its end within 3 s"),
    ],
)
def test_a_scan_in_which_the_library_walks_in_circles_is_named(
    tiny_raw: Path, tmp_path: Path, damaged: str, found: str
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_raw, folder)
    shutil.copy(DAMAGED / damaged, folder / "raw/tomo/scan_0002.nxs")
    said = fails(folder)
    assert list(said) == ["raw/tomo/scan_0002.nxs"]
    assert found in said["raw/tomo/scan_0002.nxs"]
    assert said["raw/tomo/scan_0002.nxs"].endswith("copy it again or leave it out.")


def test_a_file_on_which_the_library_crashes_is_named_and_the_others_are_run(tiny_raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_raw, folder)
    shutil.copy(DAMAGED / "nexus_spectra_crash.h5", folder / "raw/tomo/scan_0002.nxs")
    done = experiment.bring_up_to_date(folder, Options(workers=0, only=("centre",)), lambda event: None, "0.1.0")
    (failure,) = done.report.failures
    assert failure.file == "raw/tomo/scan_0002.nxs"
    assert "the HDF5 library crashes on it" in failure.text
    assert {frame for step, frame in done.report.computed if step == "centre"} == {
        f"raw/tomo/scan_{number:04d}.nxs" for number in (0, 1, 3)
    }


def test_a_damaged_file_is_tried_once_and_remembered(
    tiny_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, tried = tmp_path / "tiny", list[int]()
    shutil.copytree(tiny_raw, folder)
    shutil.copy(DAMAGED / "nexus_spectra_crash.h5", folder / "raw/tomo/scan_0002.nxs")
    fates = trial.fates

    def counted(looks: Sequence[trial.Look]) -> dict[int, str]:
        tried.append(len(looks))
        return fates(looks)

    monkeypatch.setattr(trial, "fates", counted)
    memory: dict[str, dict[str, Any]] = {}
    configuration = settings.open_project(folder).configuration
    first, again = (raw.find(folder, configuration, memory) for _ in range(2))
    assert [failure.text for failure in first.failures] == [failure.text for failure in again.failures]
    assert "the HDF5 library crashes on it" in again.failures[0].text
    assert tried[0] == 4
    assert sum(tried) == 4


def test_what_befell_one_look_is_told_of_that_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ValueError("an error of its own is told elsewhere")

    def crash() -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    monkeypatch.setattr(trial, "PATIENCE_S", 0.5)
    looks = [lambda: None, crash, broken, lambda: time.sleep(60), crash, lambda: None]
    assert trial.fates(looks) == {
        1: "the HDF5 library crashes on it",
        3: "the HDF5 library has not come to its end within 0.5 s",
        4: "the HDF5 library crashes on it",
    }
    assert trial.fates([]) == {}
