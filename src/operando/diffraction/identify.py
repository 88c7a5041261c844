"""Step ``identify``: which phases are there in which spectrum, and how much of each relative to its own most."""

from typing import Annotated

import numpy as np
import xarray as xr

from operando.diffraction.amounts import phase_areas
from operando.model.material import Material
from operando.model.products.diffraction import PHASE_PRESENCE, Lattice, Lines, PhasePresence
from operando.model.step import Series, Setting, step


@step(version=1)
def identify(
    lines: Series[Lines],
    lattices: Series[Lattice],
    phases: Annotated[tuple[Material, ...] | None, Setting("diffraction.phases", resolve="material")],
) -> PhasePresence:
    """Say when each named phase appears and vanishes, at the false-alarm rate that the fit was asked for.

    The fraction is the phase's summed area over the largest of the series: no weight share, since absorption and
    texture are not known.
    """
    names = [one.name for one in phases or ()]
    by_frame = {int(one.attrs["frame"]): one for one in lattices}
    frames = [int(one.attrs["frame"]) for one in lines]
    areas = np.array([[phase_areas(one, name) for name in names] for one in lines], float)
    areas = areas.reshape(len(lines), len(names), 2)
    largest = np.nanmax(areas[:, :, 0], axis=0, initial=0.0, where=np.isfinite(areas[:, :, 0]))
    scale = np.where(largest > 0.0, largest, np.nan)
    present = np.array([_present(by_frame.get(frame), names) for frame in frames], bool)
    return PHASE_PRESENCE.new(
        coords={"spectrum": np.array(frames, int), "phase": ("phase", np.array(names, dtype=str), "text")},
        attrs={"false_alarm_rate": float(lattices[0].attrs["false_alarm_rate"]) if lattices else None},
        present=present.reshape(len(lines), len(names)),
        fraction=areas[:, :, 0] / scale,
        fraction_std=areas[:, :, 1] / scale,
    )


def _present(lattice: xr.Dataset | None, names: list[str]) -> list[bool]:
    if lattice is None:
        return [False] * len(names)
    known = dict(zip(lattice["phase"].values.tolist(), lattice["there"].values.tolist(), strict=True))
    return [bool(known.get(name, False)) for name in names]
