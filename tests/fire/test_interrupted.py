"""Ctrl-C: exit status 130, one sentence, and the same command goes on from there."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ENVIRONMENT = {**os.environ, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """A shell's background jobs ignore Ctrl-C, and what they start would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_an_interrupted_run_says_so_and_is_resumed(tiny_raw: Path, tmp_path: Path, workers: str) -> None:
    folder = shutil.copytree(tiny_raw, tmp_path / "experiment", ignore=shutil.ignore_patterns("truth"))
    words = ["run", str(folder), "--only", "reconstruct", "--workers", workers]
    command = [sys.executable, "-m", "operando", *words]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, start_new_session=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("reconstruct"):
            break
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the workers too
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "interrupted; what is finished is kept, the same command goes on from there." in said
    assert "Traceback" not in said
    assert not (folder / "results" / "lock.json").exists()
    resumed = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    told = json.loads(resumed.stdout)
    assert told["up_to_date"] >= 1
    assert told["failed"] == []
