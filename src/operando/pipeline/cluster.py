"""Workers on a Dask cluster, watched: one that dies, falls silent or never ends loses its task to the others.

Dask alone hands the task of a dead worker to the next one, which may die of it too, and waits for a hung one for
ever. Here the coordinator hears of it, so that it can try again with less memory and say so.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from operando.model.errors import OperandoError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
TASK_PATIENCE = 30.0
"""A task may take so many times the patience with a silent worker before it counts as hung …"""
TASK_FACTOR = 20.0
"""… and so many times what the longest task of its step has taken."""
RESTART_S = 10.0
UNSEEN_S = 10.0
"""A task that no worker has and that has no outcome either after so long was lost on the way back."""


class WorkerLostError(OperandoError):
    """A worker died, ran out of memory, or could not be reached any more."""


class ClusterLostError(OperandoError):
    """The scheduler or all workers are gone: the run can't go on, but its results stay."""


class DaskFuture:
    """A Dask future that knows where it runs and whether its worker was lost."""

    def __init__(self, inner: Any, kind: str) -> None:
        self.inner, self.kind = inner, kind
        self.place: str | None = None
        self.since = self.seen = time.monotonic()
        self.lost = ""

    @property
    def settled(self) -> bool:
        """Whether there is a result, an error or no worker any more."""
        return bool(self.lost) or self.inner.done()

    def exception(self) -> BaseException | None:
        """What the task raised; a lost worker is a ``WorkerLostError``."""
        from distributed import KilledWorker

        if self.lost:
            return WorkerLostError(self.lost)
        if self.inner.status == "cancelled":
            raise ClusterLostError(_GONE)
        error = self.inner.exception()
        if isinstance(error, KilledWorker):
            return WorkerLostError(f"the worker {error.last_worker.address} died")
        if isinstance(error, MemoryError):
            return WorkerLostError(f"its worker ran out of memory ({error or type(error).__name__})")
        return error if isinstance(error, BaseException | None) else RuntimeError(str(error))

    def result(self) -> Any:
        """What the task returned."""
        return self.inner.result()


_GONE = "the Dask scheduler is gone; what is finished is kept, start it and the same command again."


class OnDask:
    """Runs tasks on a Dask client's workers, one heavy task at a time on each.

    ``patience_s``: a worker that sends no heartbeat for so long is taken as hung.
    """

    def __init__(self, client: Any, patience_s: float) -> None:
        self.client, self.patience_s = client, patience_s
        self._beats: dict[str, tuple[float, float]] = {}
        self._missing: set[str] = set()
        self._incidents: list[str] = []
        self._longest: dict[str, float] = defaultdict(float)
        self._looked = self._last_worker = time.monotonic()
        self._silent(self._heartbeats(), self._looked)
        self.slots = max(1, len(self._beats))

    def submit(self, work: Callable[[Any], Any], task: Any) -> DaskFuture:
        """Start a task; ``pure=False`` since the digest, not Dask, decides what is the same."""
        return DaskFuture(self.client.submit(work, task, pure=False), str(getattr(task, "step", "")))

    def wait(self, futures: list[DaskFuture]) -> list[DaskFuture]:
        """Wait for the first to be settled, and look after the workers meanwhile."""
        from distributed import CancelledError, TimeoutError, wait

        while True:
            if time.monotonic() - self._looked > LOOK_EVERY_S:
                self._look([future for future in futures if not future.settled])
            settled = [future for future in futures if future.settled]
            if settled:
                self._learn(settled)
                return settled
            try:
                wait([future.inner for future in futures], timeout=LOOK_EVERY_S, return_when="FIRST_COMPLETED")
            except TimeoutError:
                continue
            except CancelledError:
                raise ClusterLostError(_GONE) from None

    def incidents(self) -> list[str]:
        """What befell the workers, after a last look: one may have died just before the end."""
        with suppress(ClusterLostError):  # nothing is left to be done there
            self._look([])
            self._look([])
        return self._incidents

    def _learn(self, futures: list[DaskFuture]) -> None:
        for future in futures:
            if not future.lost:
                self._longest[future.kind] = max(self._longest[future.kind], time.monotonic() - future.since)

    def _look(self, futures: list[DaskFuture]) -> None:
        """Find out which workers are gone, silent or stuck, and take their tasks from them."""
        try:
            beats = self._heartbeats()
            processing = self.client.processing()
        except OSError:
            raise ClusterLostError(_GONE) from None
        now = self._looked = time.monotonic()
        silent = self._silent(beats, now)
        places = {key: address for address, keys in processing.items() for key in keys}
        for future in futures:
            self._follow(future, places.get(future.inner.key), silent, now)
        bad = silent | {future.place for future in futures if future.lost and future.place in beats}
        if bad:
            self._put_away(sorted(address for address in bad if address))

    def _heartbeats(self) -> dict[str, float]:
        """When the scheduler last heard of each worker, by its own clock."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        return {address: about["last_seen"] for address, about in workers.items()}

    def _silent(self, seen: dict[str, float], now: float) -> set[str]:
        """Take note of all heartbeats; the clocks of other machines are not trusted, only that they move."""
        missing = set(self._beats) - set(seen)
        for address in missing & self._missing:  # not at the first look: a list may be made anew just now
            self._incidents.append(f"the worker {address} is gone; others took over what it had")
            log.warning(self._incidents[-1])
            del self._beats[address]
        self._missing = missing
        for address, beat in seen.items():
            if address not in self._beats or self._beats[address][0] != beat:
                self._beats[address] = (beat, now)
        if seen:
            self._last_worker = now
        elif now - self._last_worker > self.patience_s:
            raise ClusterLostError(
                "no worker is left on the cluster; what is finished is kept, start workers and the same command again."
            )
        return {address for address, (_, moved) in self._beats.items() if now - moved > self.patience_s}

    def _follow(self, future: DaskFuture, place: str | None, silent: set[str], now: float) -> None:
        """Note where a task runs; give it up where its worker is gone, silent, or works far too long."""
        if future.place is None and place is not None:
            future.place, future.since = place, now
        if place is not None:
            future.seen = now
        if future.place is None:
            return
        limit = max(TASK_PATIENCE * self.patience_s, TASK_FACTOR * self._longest[future.kind])
        if future.place not in self._beats:
            future.lost = f"the worker {future.place} is gone"
        elif future.place in silent:
            future.lost = f"the worker {future.place} gave no sign of life for {self.patience_s:g} s"
        elif place is not None and place != future.place:
            future.place, future.since = place, now
        elif now - future.seen > UNSEEN_S:
            future.lost = f"the worker {future.place} ended it without a result that can be read"
        elif now - future.since > limit:
            future.lost = f"the worker {future.place} had not finished it after {limit:.0f} s"
        if future.lost:
            future.inner.cancel(force=True, msg=future.lost)

    def _put_away(self, addresses: list[str]) -> None:
        """Start hung workers again where a nanny can, else send them off, so that nobody waits for them."""
        log.warning("the worker %s is taken as hung and is started again or left out", ", ".join(addresses))
        self.client.sync(
            self.client.scheduler.restart_workers,
            workers=addresses,
            timeout=RESTART_S,
            wait_for_workers=False,
            on_error="return",
            stimulus_id="hung",
        )
        for address in addresses:
            self._beats.pop(address, None)
