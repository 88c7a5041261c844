"""What other people's parsers raise on damaged bytes: anything but one kind of error."""

import struct
import zipfile
import zlib

DAMAGE: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def reason(error: BaseException) -> str:
    """The first line of an error's message, for a sentence."""
    lines = str(error).splitlines()
    return lines[0][:120] if lines and lines[0].strip() else type(error).__name__
