"""Step ``common_axis``: the counts of all good elements of a spectrum on one axis of lattice spacings."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import xarray as xr

from operando.diffraction.element import FitParameters
from operando.diffraction.geometry import energy_times_d
from operando.diffraction.rounding import without_last_bits
from operando.model.contract import warnings_of
from operando.model.products.diffraction import MERGED, Calibration, Corrected, Merged
from operando.model.step import Setting, step


@step(version=1)
def common_axis(
    corrected: Corrected,
    calibration: Calibration,
    fitting: Annotated[Mapping[str, Any] | None, Setting("steps.fit")] = None,
) -> Merged:
    """Add the elements up on bins of equal ratio of d, which are the same for the whole series.

    A channel that meets an edge is split there in proportion, so that no count is lost and no line moves: its centre
    of mass stays. Neighbouring bins then share counts, so that their standard deviation is an upper bound. For
    pictures and factors; lattices are fitted element by element, on the raw channels.
    """
    params = FitParameters(**(fitting or {}))
    good = np.flatnonzero(corrected["good"].values & np.isfinite(calibration["two_theta"].values))
    edges = bin_edges(corrected, calibration, params)
    totals = np.zeros((2, len(edges) - 1))
    for element in good:
        energy, product = corrected["energy"].values[element], energy_times_d(calibration["two_theta"].values[element])
        for row, name in enumerate(("counts", "background")):
            totals[row] += onto_bins(corrected[name].values[element], energy, float(product), edges)
    live = corrected["live_time"].values[good] if "live_time" in corrected else np.ones(len(good))
    return without_last_bits(
        MERGED.new(
            coords={"d": ("bin", np.sqrt(edges[1:] * edges[:-1]), "angstrom")},
            attrs={
                **{key: corrected.attrs[key] for key in ("frame", "file") if key in corrected.attrs},
                "warnings": list(warnings_of(corrected)),
            },
            counts=totals[0],
            counts_std=np.sqrt(totals[0]),
            background=totals[1],
            exposure=np.float64(live.sum() / float(corrected["current"])),
        )
    )


def bin_edges(corrected: xr.Dataset, calibration: xr.Dataset, params: FitParameters) -> np.ndarray:
    """Edges (bins + 1,) in Å, ascending, about as wide as a channel; all that depends on is the same in a series."""
    energy = corrected["energy"].values
    products = energy_times_d(calibration["two_theta"].values)
    used = np.flatnonzero(calibration["good"].values & np.isfinite(products))
    if not len(used):
        return np.geomspace(1.0, 2.0, 3)
    low = max(params.energy_min_kev, float(energy[used, 0].max()))
    high = min(params.energy_max_kev, float(energy[used, -1].min()))
    first, last = float(products[used].max()) / high, float(products[used].min()) / low
    step_kev = float(np.diff(energy[used[0]]).mean())
    bins = max(2, round(np.log(last / first) * 0.5 * (low + high) / step_kev))
    return np.geomspace(first, last, bins + 1)


def onto_bins(values: np.ndarray, energy: np.ndarray, product: float, edges: np.ndarray) -> np.ndarray:
    """Values of the channels (n,) of one element summed over bins of d (bins,).

    ``energy`` (n,) keV, ``product`` E × d of the element in keV Å, ``edges`` (bins + 1,) Å, ascending.
    """
    halves = np.diff(energy) / 2.0
    boundaries = np.r_[energy[0] - halves[0], energy[:-1] + halves, energy[-1] + halves[-1]]
    cumulative = np.interp(product / edges, boundaries, np.r_[0.0, np.cumsum(values)])
    return np.asarray(cumulative[:-1] - cumulative[1:])
