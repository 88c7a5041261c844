"""One coordinator a results folder. A second one says who holds it and stops."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from operando.model.errors import OperandoError


class LockedError(OperandoError):
    """Another process works on this results folder."""


@contextmanager
def held(folder: Path) -> Iterator[str | None]:
    """Hold the folder's lock; yields a sentence if a stale lock was taken over.

    Raises ``LockedError`` naming host, process and since when.
    """
    path = folder / "lock.json"
    taken_over = _acquire(path)
    try:
        yield taken_over
    finally:
        path.unlink(missing_ok=True)


def _acquire(path: Path) -> str | None:
    mine = {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "started": _started(os.getpid()),
        "since": time.time(),
    }
    for _ in range(5):
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            other = _holder(path)
            if other is not None and _alive(other):
                raise LockedError(
                    f"{path.parent}: process {other['process']} on {other['host']} has worked on it "
                    f"since {_since(other)}; "
                    f"wait for it, or delete {path} if it is gone."
                ) from None
            sentence = _taken_over(other)
            path.unlink(missing_ok=True)
            _write(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY), mine)
            return sentence
        _write(descriptor, mine)
        return None
    raise LockedError(f"{path}: the lock keeps changing hands; try again.")


def _taken_over(other: dict[str, Any] | None) -> str:
    if other is None:
        return "took over a lock that names nobody"
    hours = (time.time() - other.get("since", time.time())) / 3600
    age = f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"
    who = f"process {other['process']} on {other['host']}"
    return f"took over the lock of {who}, which is gone: it held it since {_since(other)}, for {age}"


def _since(other: dict[str, Any]) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(other.get("since", 0)))


def _write(descriptor: int, content: dict[str, Any]) -> None:
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())


def _holder(path: Path) -> dict[str, Any] | None:
    """Who holds the lock; a moment's patience for one that is just being written."""
    for _ in range(10):
        try:
            content = json.loads(path.read_text())
            return content if {"host", "process"} <= set(content) else None
        except FileNotFoundError:
            return None
        except ValueError:
            time.sleep(0.05)
    return None


def _alive(other: dict[str, Any]) -> bool:
    """On another host nobody can tell, so it counts as alive."""
    if other["host"] != socket.gethostname():
        return True
    started = _started(other["process"])
    return started is not None and started == other.get("started", started)


def _started(process: int) -> str | None:
    """A mark that tells a process from a later one with the same number; ``None`` if there is none."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "running"
