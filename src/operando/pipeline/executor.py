"""Where tasks run: in this process, in local worker processes, or on any Dask cluster."""

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Protocol

from operando.model.errors import OperandoError


class WorkerLostError(OperandoError):
    """A worker died, most often for lack of memory, or could not be reached any more."""


Work = Callable[[Any], Any]


class Executor(Protocol):
    """Takes tasks, gives futures, says how many at a time."""

    slots: int

    def submit(self, work: Work, task: Any) -> "Future[Any]":
        """Start one task."""
        ...

    def wait(self, futures: list["Future[Any]"]) -> list["Future[Any]"]:
        """Wait until at least one is done and return those that are."""
        ...


class InProcess:
    """Runs each task at once, here; for small work, where starting workers costs more than they save."""

    slots = 1

    def submit(self, work: Work, task: Any) -> "Future[Any]":
        """Run the task; its error is kept in the future."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(work, task)

    def wait(self, futures: list["Future[Any]"]) -> list["Future[Any]"]:
        """All are done already."""
        return futures


class _OnDaskFuture:
    """A Dask future whose lost worker is our own error."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def exception(self) -> BaseException | None:
        """What the task raised."""
        from distributed import KilledWorker

        error = self.inner.exception()
        if isinstance(error, KilledWorker | MemoryError):
            return WorkerLostError("the worker that made it died, most likely for lack of memory")
        return error if isinstance(error, BaseException | None) else RuntimeError(str(error))

    def result(self) -> Any:
        """What the task returned."""
        return self.inner.result()


class OnDask:
    """Runs tasks on a Dask client's workers, one heavy task at a time on each."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.slots = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))

    def submit(self, work: Work, task: Any) -> Any:
        """Start a task; ``pure=False`` since the digest, not Dask, decides what is the same."""
        return _OnDaskFuture(self.client.submit(work, task, pure=False))

    def wait(self, futures: list[Any]) -> list[Any]:
        """Wait for the first."""
        from distributed import wait

        done = wait([future.inner for future in futures], return_when="FIRST_COMPLETED").done
        return [future for future in futures if future.inner in done]


@contextmanager
def open_executor(workers: int | None, scheduler: str | None) -> Iterator[Executor]:
    """Workers on ``scheduler``'s cluster, ``workers`` local processes, or this process for ``workers=0``."""
    if scheduler is None and workers == 0:
        yield InProcess()
        return
    from distributed import Client, LocalCluster

    if scheduler is not None:
        with Client(scheduler, timeout="30s") as client:
            yield OnDask(client)
        return
    count = workers or default_workers()
    _share_threads(count)
    with (
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            memory_limit=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield OnDask(client)


def default_workers() -> int:
    """One process a core, four at the most: more of them only divide the memory."""
    return min(4, len(os.sched_getaffinity(0)))


def _share_threads(workers: int) -> None:
    """Give each worker its share of the cores; BLAS gets one thread, for the steps bring their own."""
    import dask

    threads = max(1, len(os.sched_getaffinity(0)) // workers)
    environment = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment["NUMBA_NUM_THREADS"] = str(threads)
    dask.config.set({"distributed.nanny.pre-spawn-environ": environment})


def available_memory_bytes() -> int:
    """Memory that the machine or the control group allows, whichever is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as file:
                total = min(total, int(file.read()))
        except (OSError, ValueError):
            continue
    return total
