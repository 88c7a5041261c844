"""What the coordinator makes of workers that go, fall silent or never end."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from operando.pipeline import cluster, experiment
from operando.pipeline.cluster import ClusterLostError, OnDask, WorkerLostError
from operando.pipeline.events import Options
from operando.pipeline.executor import InProcess


class Pending:
    """A Dask future that is never done."""

    key, status = "work-1", "pending"
    cancelled = False

    def done(self) -> bool:
        return False

    def cancel(self, **how: Any) -> None:
        self.cancelled = True


class Client:
    """A cluster of which the test says what it looks like; ``restarted`` are the workers that were put away."""

    def __init__(self) -> None:
        self.last_seen = {"a": 1.0}
        self.working = {"a": ["work-1"]}
        self.restarted: list[str] = []
        self.scheduler = self
        self.future = Pending()

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        return {"workers": {address: {"last_seen": seen} for address, seen in self.last_seen.items()}}

    def processing(self) -> dict[str, list[str]]:
        return self.working

    def submit(self, work: Any, task: Any, pure: bool) -> Pending:
        return self.future

    def restart_workers(self, workers: list[str], **how: Any) -> None:
        self.restarted += workers

    def sync(self, function: Any, **how: Any) -> None:
        function(**how)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds; every wait lets one pass."""
    import distributed

    now = [0.0]

    def wait(futures: Any, **how: Any) -> None:
        now[0] += 1.1
        raise distributed.TimeoutError

    monkeypatch.setattr(cluster.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(distributed, "wait", wait)
    return now


def lost(client: Client, clock: list[float]) -> tuple[str, float]:
    """Why the task was given up, and after how long."""
    executor = OnDask(client, patience_s=10)
    (future,) = executor.wait([executor.submit(len, None)])
    error = future.exception()
    assert isinstance(error, WorkerLostError)
    assert client.future.cancelled
    return str(error), clock[0]


def test_a_silent_worker_is_given_up_after_the_patience(clock: list[float]) -> None:
    client = Client()
    sentence, after = lost(client, clock)
    assert sentence == "the worker a gave no sign of life for 10 s"
    assert 10 < after < 15
    assert client.restarted == ["a"]


def test_a_task_that_never_ends_is_given_up_although_its_worker_lives(clock: list[float]) -> None:
    client = Client()
    beats = iter(range(1000))
    client.scheduler_info = lambda n_workers: {"workers": {"a": {"last_seen": next(beats)}}}  # type: ignore[method-assign]
    sentence, after = lost(client, clock)
    assert sentence == "the worker a had not finished it after 300 s"
    assert 300 < after < 310
    assert client.restarted == ["a"]


def test_an_outcome_that_never_arrives_is_given_up(clock: list[float]) -> None:
    client = Client()
    beats = iter(range(1000))

    def look(n_workers: int) -> dict[str, Any]:
        client.working = {"a": ["work-1"]} if clock[0] < 3 else {"a": []}
        return {"workers": {"a": {"last_seen": next(beats)}}}

    client.scheduler_info = look  # type: ignore[method-assign]
    sentence, after = lost(client, clock)
    assert sentence == "the worker a ended it without a result that can be read"
    assert after < 20


def test_a_cluster_without_workers_says_what_to_do(clock: list[float]) -> None:
    client = Client()
    executor = OnDask(client, patience_s=10)
    client.last_seen, client.working = {}, {}
    with pytest.raises(ClusterLostError, match=r"no worker is left.*start workers and the same command again"):
        executor.wait([executor.submit(len, None)])


def test_a_scheduler_that_is_gone_says_what_to_do(clock: list[float]) -> None:
    client = Client()
    executor = OnDask(client, patience_s=10)

    def gone(n_workers: int) -> dict[str, Any]:
        raise OSError

    client.scheduler_info = gone  # type: ignore[method-assign]
    with pytest.raises(ClusterLostError, match="the Dask scheduler is gone; what is finished is kept"):
        executor.wait([executor.submit(len, None)])


class Deadly(InProcess):
    """Loses its worker whenever the last scan is reconstructed."""

    def submit(self, work: Any, task: Any) -> Any:
        def die(task: Any) -> Any:
            raise WorkerLostError("the worker tcp://far:1 is gone")

        victim = task.step == "reconstruct" and "scan_0003" in repr(task.arguments)
        return super().submit(die if victim else work, task)


def test_a_scan_that_kills_every_worker_is_reported_and_the_others_are_there(
    tiny_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def deadly(*how: Any) -> Iterator[Deadly]:
        yield Deadly()

    monkeypatch.setattr("operando.pipeline.run.open_executor", deadly)
    folder = Path(shutil.copytree(tiny_raw, tmp_path / "experiment"))
    report = experiment.bring_up_to_date(
        folder, Options(workers=1, only=("reconstruct",)), lambda event: None, "0.1.0"
    ).report
    assert report.exit_status == 3
    assert len([step for step, _ in report.computed if step == "reconstruct"]) == 3
    (failure,) = report.failures
    assert failure.text == (
        "raw/tomo/scan_0003.nxs: step reconstruct failed: the worker tcp://far:1 is gone, like in 2 tries before; "
        "start again with fewer --workers or more --memory."
    )
    summary = json.loads((folder / "results" / "summary.json").read_text())
    assert failure.text in [warning["text"] for warning in summary["warnings"]]
