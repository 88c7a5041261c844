"""Which voxels are the anode, and on which side it lies."""

import numpy as np
import xarray as xr

from operando.figures.reading import NothingToDrawError, anode_name, names_along
from operando.figures.source import Source
from operando.model.constants import OUTSIDE_LABEL, UNKNOWN_LABEL


def anode_label(source: Source, labels: xr.Dataset) -> int:
    """Label of the anode's voxels: phases are 1, 2, … in the order of the configuration."""
    volumes = source.table("phase_volumes")
    phases = labels.attrs.get("phases") or ([] if volumes is None else names_along(volumes, "phase"))
    if not len(phases):
        raise NothingToDrawError("The names of the phases are not known: run the step phase_volumes first.")
    return [str(phase) for phase in phases].index(anode_name([str(phase) for phase in phases])) + 1


def anode_above(source: Source) -> bool:
    """Whether the anode lies at smaller z than what is beside it: read from the middle column of the first labels.

    True if there is nothing to compare. The slits may light any part of the field, so that its middle says nothing.
    """
    frames = source.frames("labels")
    labels = source.labels(frames[0]) if frames else None
    if labels is None:
        return True
    middle = {name: labels.sizes[name] // 2 for name in ("y", "x")}
    column = labels["label"].isel(middle).values
    anode = column == anode_label(source, labels)
    others = ~anode & (column != OUTSIDE_LABEL) & (column != UNKNOWN_LABEL)
    if not (anode.any() and others.any()):
        return True
    return bool(np.flatnonzero(anode).mean() < np.flatnonzero(others).mean())
