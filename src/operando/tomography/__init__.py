"""From projections to attenuation in 1/cm: one module a verb."""

from importlib import import_module

_HOME = {
    "backproject": "backproject",
    "denoise_volume": "denoise",
    "hardening_curve": "hardening",
    "reconstruct_scan": "scan",
    "reconstruct_slabs": "scan",
    "reconstruct_sinograms": "gridding",
    "remove_stripes": "rings",
    "retrieve_phase": "paganin",
    "stitch_full_turn": "stitch",
}


def __getattr__(name: str) -> object:
    """Find a function in its module on first use, so that importing the room costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'operando.tomography' has no attribute {name!r}")
    return getattr(import_module(f"operando.tomography.{_HOME[name]}"), name)
