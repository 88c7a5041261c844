"""Publication figures, the movie and the report. The only room that knows matplotlib.

Figures take a ``Source``, a read-only view of the results, and return matplotlib figures; nothing here opens
the results folder.
"""

from importlib import import_module

_HOME = {"save": "saving", "script": "catalogue"}


def __getattr__(name: str) -> object:
    """Find a function in its module on first use, so that importing the room costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'operando.figures' has no attribute {name!r}")
    return getattr(import_module(f"operando.figures.{_HOME[name]}"), name)
