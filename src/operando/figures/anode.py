"""Which voxels are the anode, and on which side it lies."""

import numpy as np
import xarray as xr

from operando.figures.reading import NothingToDrawError, anode_name, names_along
from operando.figures.source import Source


def anode_label(source: Source, labels: xr.Dataset) -> int:
    """Label of the anode's voxels: phases are 1, 2, … in the order of the configuration."""
    volumes = source.table("phase_volumes")
    phases = labels.attrs.get("phases") or ([] if volumes is None else names_along(volumes, "phase"))
    if not len(phases):
        raise NothingToDrawError("The names of the phases are not known: run the step phase_volumes first.")
    return [str(phase) for phase in phases].index(anode_name([str(phase) for phase in phases])) + 1


def anode_above(source: Source) -> bool:
    """Whether the anode lies at small z: read from the middle column of the first labels, true if there are none."""
    frames = source.frames("labels")
    labels = source.labels(frames[0]) if frames else None
    if labels is None:
        return True
    middle = {name: labels.sizes[name] // 2 for name in ("y", "x")}
    column = labels["label"].isel(middle).values
    places = np.flatnonzero(column == anode_label(source, labels))
    return bool(places.size == 0 or places.mean() < (column.size - 1) / 2)
