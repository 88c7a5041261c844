"""First looks in a process of its own: a damaged HDF5 file can crash the library, or keep it for ever."""

import faulthandler
import os
import select
import signal
from collections.abc import Callable, Sequence

PATIENCE_S = 60.0
"""So long a file may take to be opened and its headers read, from a slow disk too."""
Look = Callable[[], object]
_DONE, _RAISED = b".", b"!"


def fates(looks: Sequence[Look]) -> dict[int, str]:
    """Do all ``looks`` in a forked process; what befell it in which of them. Errors of their own do not count.

    Where a system can't fork nothing is tried.
    """
    found: dict[int, str] = {}
    begin = 0
    while hasattr(os, "fork") and begin < len(looks):
        ends, befell = _try(looks[begin:])
        if befell:
            found[begin + len(ends)] = befell
        begin += len(ends) + 1
    return found


def outcome(look: Look) -> tuple[bool, str | None]:
    """Whether a look came to its end without an error, and what befell the forked process that did it."""
    if not hasattr(os, "fork"):
        look()
        return True, None
    ends, befell = _try([look])
    return ends == _DONE, befell


def _try(looks: Sequence[Look]) -> tuple[bytes, str | None]:
    """How the looks ended that did, and what befell the next one."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _do(looks, writer)
        finally:  # whatever happens, this process must not go on as a second coordinator
            os._exit(0)
    os.close(writer)
    done = b""
    with open(reader, "rb", buffering=0) as told:
        while patient := bool(select.select([told], [], [], PATIENCE_S)[0]):
            news = told.read(4096)
            if not news:
                break
            done += news
    if not patient:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not patient:
        return done, f"the HDF5 library has not come to its end within {PATIENCE_S:g} s"
    return done, "the HDF5 library crashes on it" if status < 0 else None


def _do(looks: Sequence[Look], writer: int) -> None:
    faulthandler.disable()
    for look in looks:
        try:
            look()
        except Exception:  # noqa: BLE001 - it is told when the file is read in earnest
            os.write(writer, _RAISED)
        else:
            os.write(writer, _DONE)
