"""operando: see inside a working battery.

X-ray tomography, energy-dispersive diffraction and electrochemical cycling of one cell on one clock,
reduced to numbers with 95 % intervals.
"""

from importlib import import_module

__version__ = "0.1.0"
__all__ = ["__version__", "load", "open", "reconstruct", "show"]


def __getattr__(name: str) -> object:
    """Forward to ``operando.api`` and to the rooms on first use, so that importing costs nothing."""
    if name in {"load", "open", "reconstruct", "show"}:
        return getattr(import_module("operando.api"), name)
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return import_module(f"operando.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"operando.{name}":
            raise
        raise AttributeError(f"module 'operando' has no attribute {name!r}") from None
