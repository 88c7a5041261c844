"""Files are taken when they are whole, and the watch outlives what beamlines do to files."""

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
import pytest
import xarray as xr

from operando.formats._hdf5 import SIGNATURE
from operando.model.configuration import Configuration, Watch
from operando.model.errors import ConfigurationError
from operando.pipeline import arrivals as arrivals_room
from operando.pipeline import quality, raw, trial, watch
from operando.pipeline.arrivals import Arrivals
from operando.pipeline.events import Event, Options
from operando.pipeline.store import Results

CONFIGURATION = Configuration.model_validate({
    "tomography": {"files": "tomo/*.nxs"},
    "diffraction": {"files": ["edd/*.med"]},
})


DAMAGED = Path(__file__).parent.parent / "formats" / "damaged"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tomo").mkdir()
    (tmp_path / "edd").mkdir()
    return tmp_path


def write_scan(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["data"] = np.arange(20_000)
    return path


def write_spectrum(path: Path) -> Path:
    path.write_text("VERSION: 3.1\n")
    return path


def test_a_file_is_taken_when_it_did_not_change_between_two_looks(folder: Path):
    scan, spectrum = write_scan(folder / "tomo" / "a.nxs"), write_spectrum(folder / "edd" / "a.med")
    arrivals = Arrivals(folder)
    assert arrivals.look(CONFIGURATION) == []
    assert arrivals.take() is None
    assert arrivals.look(CONFIGURATION) == [scan]
    assert set(arrivals.take() or ()) == {scan, spectrum}
    arrivals.look(CONFIGURATION)
    assert arrivals.take() is None


def test_a_truncated_hdf5_file_waits_until_it_is_whole(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(arrivals_room, "PATIENCE_S", 60.0)
    write_spectrum(folder / "edd" / "a.med")
    scan = write_scan(folder / "tomo" / "a.nxs")
    content = scan.read_bytes()
    scan.write_bytes(content[: len(content) // 2])
    arrivals = Arrivals(folder)
    for _ in range(3):
        assert arrivals.look(CONFIGURATION) == []
    assert arrivals.waiting == {scan: "can't be opened yet"}
    assert arrivals.take() is None
    scan.write_bytes(content)
    arrivals.look(CONFIGURATION)
    assert arrivals.look(CONFIGURATION) == [scan]
    assert scan in (arrivals.take() or ())


@pytest.mark.parametrize("damaged", ["nxtomo_circles.h5", "nexus_spectra_crash.h5"])
def test_a_file_that_takes_the_library_down_is_left_to_the_run_which_names_it(
    folder: Path, damaged: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(trial, "PATIENCE_S", 3.0)
    scan = write_scan(folder / "tomo" / "a.nxs")
    deadly = Path(shutil.copy(DAMAGED / damaged, folder / "tomo" / "b.nxs"))
    arrivals = Arrivals(folder)
    arrivals.look(CONFIGURATION)
    assert arrivals.look(CONFIGURATION) == [scan], "nobody makes a quick look of the other"
    assert set(arrivals.take() or ()) == {scan, deadly}


def test_whole_files_wait_for_a_writer_only_so_long(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(arrivals_room, "PATIENCE_S", 0.05)
    spectrum = write_spectrum(folder / "edd" / "a.med")
    growing = folder / "tomo" / "a.nxs"
    arrivals = Arrivals(folder)
    for size in range(3):
        growing.write_bytes(SIGNATURE + b"x" * size)
        arrivals.look(CONFIGURATION)
    time.sleep(0.06)
    assert set(arrivals.take() or ()) == {spectrum}


def test_a_file_written_again_is_taken_again(folder: Path):
    scan, _ = write_scan(folder / "tomo" / "a.nxs"), write_spectrum(folder / "edd" / "a.med")
    arrivals = Arrivals(folder)
    for _ in range(2):
        arrivals.look(CONFIGURATION)
    arrivals.take()
    os.utime(scan, (1, 1))  # a clock that jumped back to 1970
    for _ in range(2):
        arrivals.look(CONFIGURATION)
    assert set(arrivals.take() or ()) == {scan}


def test_a_file_that_disappears_is_forgotten(folder: Path):
    scan, spectrum = write_scan(folder / "tomo" / "a.nxs"), write_spectrum(folder / "edd" / "a.med")
    arrivals = Arrivals(folder)
    for _ in range(2):
        arrivals.look(CONFIGURATION)
    extra = write_scan(folder / "tomo" / "b.nxs")
    arrivals.look(CONFIGURATION)
    extra.unlink()
    arrivals.look(CONFIGURATION)
    assert set(arrivals.take() or ()) == {scan, spectrum}


def test_a_section_without_files_does_not_hold_up_the_others(folder: Path):
    scan = write_scan(folder / "tomo" / "a.nxs")
    arrivals = Arrivals(folder)
    for _ in range(2):
        arrivals.look(CONFIGURATION)
    assert arrivals.missing == ["edd/*.med"]
    assert set(arrivals.take() or ()) == {scan}
    found = raw.find(folder, CONFIGURATION, {}, arrivals.accepts)
    assert [failure.file for failure in found.failures] == ["tomo/a.nxs"]
    with pytest.raises(ConfigurationError, match=r"no file matches 'edd/\*\.med'"):
        raw.find(folder, CONFIGURATION, {})


def test_a_scan_that_is_still_written_stays_out_of_the_run_and_a_growing_table_does_not(folder: Path):
    scan, growing = write_scan(folder / "tomo" / "a.nxs"), folder / "tomo" / "b.nxs"
    spectrum = write_spectrum(folder / "edd" / "a.med")
    arrivals = Arrivals(folder)
    for size in range(3):
        growing.write_bytes(SIGNATURE + b"x" * size)
        spectrum.write_text("VERSION: 3.1\n" * (size + 1))
        arrivals.look(CONFIGURATION)
    assert [arrivals.accepts(path) for path in (scan, growing, spectrum)] == [True, False, True]
    arrivals.look(CONFIGURATION)
    assert arrivals.waiting[growing] == "can't be opened yet"
    assert not arrivals.accepts(growing)
    assert not [f for f in raw.find(folder, CONFIGURATION, {}, arrivals.accepts).failures if f.file == "tomo/b.nxs"]


def test_a_failed_run_gives_its_files_back(folder: Path):
    scan, spectrum = write_scan(folder / "tomo" / "a.nxs"), write_spectrum(folder / "edd" / "a.med")
    arrivals = Arrivals(folder)
    for _ in range(2):
        arrivals.look(CONFIGURATION)
    arrivals.put_back(arrivals.take() or ())
    arrivals.look(CONFIGURATION)
    assert set(arrivals.take() or ()) == {scan, spectrum}


def test_a_wrong_configuration_is_said_at_once(tmp_path: Path):
    (tmp_path / "operando.toml").write_text("[tomography]\nfile = 'x'\n")
    with pytest.raises(ConfigurationError):
        watch.watch(tmp_path, Options(workers=0), lambda event: None, "0", every=0.1, duration=5)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from click.testing import CliRunner

    from operando.cli import cli

    folder = tmp_path_factory.mktemp("live") / "tiny"
    done = CliRunner().invoke(cli, ["simulate", "tiny", "-o", str(folder), "--scans", "2", "-q"])
    assert done.exit_code == 0, done.output
    return folder


def watch_until(volumes: list[int], folder: Path, options: Options, events: list[Event], **settings: Any):
    """Watch for two seconds at a time until these volumes are there; a busy machine may take longer."""
    for _ in range(30):
        watch.watch(folder, options, events.append, "0.1.0", **settings)
        if (folder / "results" / "frames.json").exists() and Results(folder).frames("volume") == volumes:
            return
    pytest.fail("the volumes did not come within a minute")


def test_a_scan_that_was_cut_short_comes_right_after_a_restart(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder, told = tmp_path / "experiment", tmp_path / "told.txt"
    shutil.copytree(simulated, folder, ignore=shutil.ignore_patterns("truth"))
    monkeypatch.setattr(arrivals_room, "PATIENCE_S", 0.3)
    last = sorted((folder / "raw" / "tomo").iterdir())[-1]
    content = last.read_bytes()
    last.write_bytes(content[: len(content) // 3])
    command = tmp_path / "command.py"
    command.write_text(f"import sys; open({str(told)!r}, 'a').write(sys.argv[-1] + '\\n')")
    options, events = Options(workers=0, only=("reconstruct",)), list[Event]()
    settings = {"every": 0.2, "duration": 2.0, "notify": f"{sys.executable} {command}"}
    watch_until([0], folder, options, events, **settings)
    last.write_bytes(content)
    events.clear()
    watch_until([0, 1], folder, options, events, **settings)
    assert {event.frame for event in events if event.step == "reconstruct"} == {last.relative_to(folder).as_posix()}
    assert not any(entry.error for entry in Results(folder).index)
    state = watch.read_state(folder)
    assert state is not None
    assert state["state"] == "stopped"
    assert told.exists() == bool(state["alarms"])
    quick = quality.read_quick_look(folder)
    assert quick is not None
    assert quick.unit == "1/cm"
    assert quick.contrast_to_noise > 3


def test_limits_of_an_alarm_come_from_the_configuration(tmp_path: Path):
    assert quality.limits_of(tmp_path).disk_left_gb == 20
    (tmp_path / "operando.toml").write_text("[watch]\ndisk_left_gb = 500\n")
    assert quality.limits_of(tmp_path).disk_left_gb == 500
    (tmp_path / "operando.toml").write_text("[watch]\ndisk_left = 500\n")
    with pytest.raises(ConfigurationError, match="disk_left_gb"):
        quality.limits_of(tmp_path)


def test_a_clock_that_the_data_would_rather_have_shifted_is_told() -> None:
    sentence = "The tomography data would fit the current best if the cycler's clock were shifted by 3600 s."

    class Checked:
        def table(self, name: str) -> xr.Dataset | None:
            return xr.Dataset(attrs={"warnings": [sentence]}) if name == "clock_check" else None

    assert list(quality.notices(cast(Results, Checked()), Watch())) == [sentence]
