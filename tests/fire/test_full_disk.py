"""A results folder that can't be written: one sentence, exit status 1; what was finished stays."""

import errno
import logging
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operando.cli import main
from operando.pipeline import arrays, experiment, lock, logs, publish
from operando.pipeline.events import Options
from operando.pipeline.index import Index
from operando.pipeline.storage import StorageError

ONLY = Options(workers=0, only=("reconstruct",))


@pytest.fixture
def raw(tiny_raw: Path, tmp_path: Path) -> Path:
    """Raw files of its own: two scans."""
    ignored = shutil.ignore_patterns("truth", "scan_0002*", "scan_0003*")
    return Path(shutil.copytree(tiny_raw, tmp_path / "experiment", ignore=ignored))


def run(folder: Path) -> Any:
    return experiment.bring_up_to_date(folder, ONLY, lambda event: None, "0.1.0")


def failing(function: Callable[..., Any], number: int, when: Callable[..., bool]) -> Callable[..., Any]:
    """The function, but the system refuses to write when ``when`` says so of its arguments."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        if when(*args):
            raise OSError(number, os.strerror(number), str(args[0]))
        return function(*args, **kwargs)

    return refuse


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "it can't be written (No space left on device); free some space, then the same command"),
        (errno.EDQUOT, "it can't be written (Disk quota exceeded); ask for more quota or delete"),
    ],
)
def test_a_full_disk_stops_the_run_keeps_what_is_finished_and_goes_on_later(
    raw: Path, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    seen: set[Path] = set()

    def is_second_volume(path: Path, *rest: Any) -> bool:
        seen.update([path] if "volume" in path.name else [])
        return len(seen) > 1

    with monkeypatch.context() as patch:
        patch.setattr(arrays, "write_slab", failing(arrays.write_slab, number, is_second_volume))
        with pytest.raises(StorageError) as caught:
            run(raw)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{raw / 'results'}: ")
    assert caught.value.exit_status == 1
    done = [entry.key for entry in Index(raw / "results") if "volume" in entry.products]
    assert done == [("reconstruct", "raw/tomo/scan_0000.nxs")]
    computed = run(raw).report.computed
    assert [key for key in computed if key[0] == "reconstruct"] == [("reconstruct", "raw/tomo/scan_0001.nxs")]


@pytest.mark.parametrize("name", ["index line", "summary"])
def test_a_disk_that_fills_up_anywhere_is_one_sentence(
    raw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The journal and the published files are written by the coordinator itself."""
    with monkeypatch.context() as patch:
        if name == "summary":
            patch.setattr(publish, "write_summary", failing(publish.write_summary, errno.ENOSPC, lambda *a: True))
        else:
            patch.setattr(
                Index, "append", failing(Index.append, errno.ENOSPC, lambda index, entry: entry.step == "glare")
            )
        status, said = command(patch, capsys, "run", str(raw), "--workers", "0", "--only", "glare", "-q")
    assert status == 1
    assert said.count("\n") == 1
    assert "it can't be written (No space left on device); free some space" in said
    assert command(monkeypatch, capsys, "run", str(raw), "--workers", "0", "--only", "glare", "-q") == (0, "")


def command(patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit status and standard error of the command, run in this process."""
    patch.setattr(sys, "argv", ["operando", *words])
    patch.setattr(sys, "excepthook", sys.excepthook)
    status: Any = 0
    try:
        main()
    except SystemExit as ended:
        status = ended.code
    return status or 0, capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_read_only_folder_is_one_sentence(
    raw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    (raw / "results").mkdir()
    monkeypatch.setattr(lock, "_acquire", failing(lock._acquire, number, lambda path: True))
    status, said = command(monkeypatch, capsys, "run", str(raw), "-q")
    assert status == 1
    assert said.startswith(f"operando: {raw / 'results'}: it can't be written ({os.strerror(number)}); ")
    assert said.count("\n") == 1


def test_a_file_in_the_place_of_the_results_is_one_sentence(
    raw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (raw / "results").write_text("in the way")
    status, said = command(monkeypatch, capsys, "run", str(raw), "-q")
    assert status == 1
    assert "move the file that stands in its place" in said


def test_a_log_that_can_not_be_written_does_not_stop_the_run(
    raw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: logging.FileHandler, record: logging.LogRecord) -> None:
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError:
            self.handleError(record)

    monkeypatch.setattr(logging.FileHandler, "emit", full)
    with logs.written_to(raw / "log"):
        logging.getLogger("operando.test").warning("something")
    assert capsys.readouterr().err == ""
