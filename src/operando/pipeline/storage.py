"""A results folder that can't be written: full, over quota, read-only. Nothing can go on, so the run stops at once."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from operando.model.errors import OperandoError

REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "ask for more quota or delete what you don't need",
    errno.EROFS: "mount it so that it can be written, or copy the experiment elsewhere",
    errno.EACCES: "get the permission to write there, or copy the experiment elsewhere",
    errno.EPERM: "get the permission to write there, or copy the experiment elsewhere",
    errno.ENOTDIR: "move the file that stands in its place",
    errno.EEXIST: "move the file that stands in its place",
}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""What no reading of a raw file can raise."""


class StorageError(OperandoError):
    """The results can't be written."""


@contextmanager
def explained(results: Path) -> Iterator[None]:
    """Turn the system's errors about the results folder into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL or (error.errno in REMEDIES and _below(error.filename, results)):
            raise StorageError(_sentence(error, results)) from error
        raise


def refuse(error: BaseException | None, results: Path) -> None:
    """Stop the run where a task could not write its result."""
    with explained(results):
        if isinstance(error, OSError) and (error.errno in FULL or _below(error.filename, results)):
            raise error


def _below(name: object, results: Path) -> bool:
    return isinstance(name, str) and Path(name).absolute().is_relative_to(results.absolute())


def _sentence(error: OSError, results: Path) -> str:
    remedy = REMEDIES[error.errno or 0]
    return f"{results}: it can't be written ({error.strerror}); {remedy}, then the same command goes on from there."
