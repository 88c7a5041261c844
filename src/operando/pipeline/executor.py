"""Where tasks run: in this process, in local worker processes, or on any Dask cluster."""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Protocol

from operando.model.errors import ConfigurationError
from operando.pipeline.cluster import ClusterLostError, OnDask

CONNECT_S = 30
FORGETFUL = {"distributed.worker.profile.enabled": False, "distributed.admin.low-level-log-length": 10}
"""Dask would keep what its profiler saw, half a megabyte a second in each worker, and the last thousand tasks."""
KEEPING = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(64 << 20)}
"""Dask lets its workers hand all memory back at once, and fetching it anew for every array cost a quarter of a run."""
Work = Callable[[Any], Any]


class Executor(Protocol):
    """Takes tasks, gives futures, says how many at a time."""

    slots: int

    def submit(self, work: Work, task: Any) -> Any:
        """Start one task."""
        ...

    def wait(self, futures: list[Any]) -> list[Any]:
        """Wait until at least one is done and return those that are."""
        ...

    def incidents(self) -> list[str]:
        """Sentences on what befell the workers."""
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

    def incidents(self) -> list[str]:
        """No worker, no incident."""
        return []


@contextmanager
def open_executor(workers: int | None, scheduler: str | None, patience_s: float) -> Iterator[Executor]:
    """Workers on ``scheduler``'s cluster, ``workers`` local processes, or this process for ``workers=0``.

    ``patience_s``: a worker silent for so long is taken as hung.
    """
    if scheduler is None and workers == 0:
        yield InProcess()
        return
    with _cluster(scheduler) if scheduler is not None else _local(workers or default_workers()) as client:
        yield OnDask(client, patience_s)


@contextmanager
def _cluster(scheduler: str) -> Iterator[Any]:
    """A client of somebody's cluster that has at least one worker."""
    from distributed import Client

    try:
        client = Client(scheduler, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"--scheduler {scheduler}: no Dask scheduler answers there ({str(error) or type(error).__name__}); "
            "start `dask scheduler` or correct the address."
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError:
            raise ClusterLostError(
                f"--scheduler {scheduler}: it has no workers; start `dask worker {scheduler} --nthreads 1`."
            ) from None
        yield client


@contextmanager
def _local(count: int) -> Iterator[Any]:
    """A client of ``count`` worker processes of our own."""
    import dask
    from distributed import Client, LocalCluster

    _share_threads(count)
    dask.config.set({"distributed.scheduler.allowed-failures": 0, **FORGETFUL})
    with (
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",  # None would open port 8787 to everybody
            memory_limit=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        client.run(_leave_interrupts_to_the_coordinator)
        yield client


def _leave_interrupts_to_the_coordinator() -> None:
    """A terminal sends Ctrl-C to the workers too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def default_workers() -> int:
    """One process a core, four at the most: more of them only divide the memory."""
    return min(4, len(os.sched_getaffinity(0)))


def _share_threads(workers: int) -> None:
    """Give each worker its share of the cores; BLAS gets one thread, for the steps bring their own."""
    import dask

    threads = max(1, len(os.sched_getaffinity(0)) // workers)
    environment = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment["NUMBA_NUM_THREADS"] = str(threads)
    environment |= KEEPING
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
