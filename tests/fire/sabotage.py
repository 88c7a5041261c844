"""Preloaded into a Dask worker: the first task of a step kills it, hangs it or finds no memory.

``OPERANDO_SABOTAGE`` says which, and for which step, as in ``kill:reconstruct``; without a step for any. A file in
``OPERANDO_STRUCK`` tells that it happened: the scheduler may give a worker nothing to do.
The signals and the limit are the operating system's own, nothing is pretended.
"""

import functools
import os
import resource
import signal
from pathlib import Path
from typing import Any

from operando.pipeline import worker

_call = getattr(worker.call, "__wrapped__", worker.call)  # Dask runs a preloaded file twice


@functools.wraps(_call)
def _sabotaged(step: Any, arguments: Any, rows: slice | None = None) -> Any:
    way, _, victim = os.environ["OPERANDO_SABOTAGE"].partition(":")
    if victim not in {step.name, ""}:
        return _call(step, arguments, rows)
    worker.call = _call
    Path(os.environ["OPERANDO_STRUCK"], way).touch()
    if way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "hang":
        os.kill(os.getpid(), signal.SIGSTOP)
    return _without_memory(step, arguments, rows) if way == "memory" else _call(step, arguments, rows)


def _without_memory(step: Any, arguments: Any, rows: slice | None) -> Any:
    """Call it with no more memory than the process has already."""
    import numpy as np

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**20, hard))
    try:
        np.ones(2**28)
        return _call(step, arguments, rows)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


worker.call = _sabotaged
