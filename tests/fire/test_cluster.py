"""A real Dask cluster on loopback: workers die, hang and run out of memory, and the bits stay those of a serial run."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from operando.model.errors import ConfigurationError
from operando.pipeline import experiment
from operando.pipeline.events import Options, Report
from operando.pipeline.store import Results

SABOTAGE = Path(__file__).with_name("sabotage.py")
PATIENCE_S = 5.0
ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@contextmanager
def process(name: str, *words: str, **environment: str) -> Iterator[None]:
    """A process of its own that is gone afterwards, even if it was stopped."""
    command = [sys.executable, "-m", f"distributed.cli.{name}", *words, "--no-dashboard"]
    surroundings = {**os.environ, **ONE_THREAD, **environment}
    started = subprocess.Popen(command, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()


@contextmanager
def workers(address: str, folder: Path, *ways: str) -> Iterator[None]:
    """One worker process for each way to go wrong; ``none`` does not."""
    from distributed import Client

    options = ("--nthreads", "1", "--no-nanny", "--memory-limit", "0", "--preload", str(SABOTAGE))
    with ExitStack() as stack, Client(address, timeout=60) as client:
        there = len(client.scheduler_info()["workers"])
        for number, way in enumerate(ways):
            place = ("--local-directory", str(folder / f"worker{number}"))
            sabotage = {"OPERANDO_SABOTAGE": way, "OPERANDO_STRUCK": str(folder)}
            stack.enter_context(process("dask_worker", address, *options, *place, **sabotage))
        client.wait_for_workers(there + len(ways), timeout=120)
        yield


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler with one sound worker."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with process("dask_scheduler", "--host", place), workers(place, tmp_path_factory.mktemp("sound"), "none"):
        yield place


@pytest.fixture
def raw(tiny_raw: Path, tmp_path: Path) -> Path:
    """Raw files of its own."""
    return Path(shutil.copytree(tiny_raw, tmp_path / "experiment", ignore=shutil.ignore_patterns("truth")))


@pytest.fixture(scope="module")
def serial(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run in one process."""
    folder = tmp_path_factory.mktemp("serial") / "experiment"
    shutil.copytree(tiny_raw, folder, ignore=shutil.ignore_patterns("truth"))
    run(folder, Options(workers=0, only=("reconstruct",)))
    return folder


def run(folder: Path, options: Options) -> Report:
    return experiment.bring_up_to_date(folder, options, lambda event: None, "0.1.0").report


def assert_same_volumes(folder: Path, other: Path) -> None:
    ours, theirs = Results(folder), Results(other)
    assert ours.frames("volume") == theirs.frames("volume") == [0, 1, 2, 3]
    for product in ("volume", "trust"):
        for frame in range(4):
            one, two = ours.product(product, frame), theirs.product(product, frame)
            assert one is not None
            assert two is not None
            assert all(np.array_equal(one[name].values, two[name].values) for name in two.data_vars)


def told(folder: Path) -> str:
    """All sentences of the summary's warnings, and after them the log."""
    summary = json.loads((folder / "results" / "summary.json").read_text())
    return "\n".join(warning["text"] for warning in summary["warnings"])


def log_of(folder: Path) -> str:
    return "\n".join(path.read_text() for path in (folder / "results" / "log").iterdir())


TOLD = {
    "kill": "is gone",
    "hang": "gave no sign of life for 5 s; done again with half the memory",
    "memory": "its worker ran out of memory (Unable to allocate",
}


@pytest.mark.parametrize(
    "ways",
    [["kill:reconstruct"], ["hang:reconstruct"], ["memory:reconstruct"], ["kill:", "hang:", "memory:"]],
    ids=["killed", "hung", "out of memory", "all three"],
)
def test_a_lost_worker_costs_no_bit_and_is_told(
    address: str, raw: Path, serial: Path, tmp_path: Path, ways: list[str]
) -> None:
    """Two workers with one of them sabotaged, and four with three."""
    with workers(address, tmp_path, *ways):
        report = run(raw, Options(scheduler=address, only=("reconstruct",), patience_s=PATIENCE_S))
    assert report.exit_status == 0
    assert_same_volumes(raw, serial)
    struck = [sentence for way, sentence in TOLD.items() if (tmp_path / way).exists()]
    assert struck, "the scheduler gave no sabotaged worker anything to do"
    for sentence in struck:
        assert sentence in told(raw)
        assert sentence.partition(";")[0] in log_of(raw)


def test_an_address_where_nobody_listens_is_wrong_use(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operando.pipeline.executor.CONNECT_S", 1)
    with pytest.raises(ConfigurationError, match=r"no Dask scheduler answers there.*start `dask scheduler`"):
        run(raw, Options(scheduler="tcp://127.0.0.1:9"))
