"""Give every voxel its phase, in the first scan's frame."""

from dataclasses import replace
from typing import Annotated

import numpy as np
import xarray as xr
from pydantic import Field

from operando.model.constants import OUTSIDE_LABEL, UNKNOWN_LABEL
from operando.model.errors import OperandoError
from operando.model.parameters import Parameters
from operando.model.products.morphology import LABELS, Bore, Labels, Levels, Motions
from operando.model.products.tomography import Trust, Volume
from operando.model.step import Cut, Own, Setting, step
from operando.morphology.blocks import Grid, grid_of
from operando.morphology.coarse_trust import CoarseTrust
from operando.morphology.inside import Inside
from operando.morphology.placement import Placement
from operando.morphology.shares import FULL

HALO = 40
"""Rows that a slab gets beyond its own: the motion along z plus what the filters see."""

_FILTER_ROWS = 14


class SegmentParameters(Parameters):
    """How voxels are told apart."""

    smoothing: float | None = Field(
        None,
        ge=0,
        le=4,
        description="standard deviation in voxels of the filter before thresholds; null: from the noise",
    )
    coupling: float = Field(0.7, ge=0, le=10, description="how strongly neighbouring voxels want the same phase")
    rounds: int = Field(2, ge=0, le=4, description="rounds of regularisation")
    edge_voxels: int | None = Field(
        None, ge=0, le=6, description="partial volumes are counted so near to an edge; null: from the blur; 0: not"
    )
    wall_voxels: float | None = Field(
        None,
        ge=0,
        le=6,
        description="so near to the wall the grey value is taken from further inside; null: from the blur",
    )


_DEFAULTS = SegmentParameters()


@step(version=3, cut=Cut(halo=HALO, working_bytes=40))
def segment(
    volume: Volume,
    bore: Bore,
    levels: Levels,
    motions: Own[Motions] | None = None,
    trust: Trust | None = None,
    phases: Annotated[tuple[str, ...], Setting("tomography.phases")] = ("void", "electrolyte", "anode"),
    params: SegmentParameters = _DEFAULTS,
) -> Labels:
    """Segment a scan in the first scan's frame: 1… the phases in the configured order, 0 outside, 255 unknown.

    Thresholds lie half-way between the means that the phases have in this scan.

    The scan is interpolated once (Keys' cubic convolution, https://doi.org/10.1109/TASSP.1981.1163711), or
    not at all where it did not move. Thresholds on a slightly smoothed image are followed by a few rounds of a
    Potts model. A phase that is only the blurred edge between a darker and a brighter one is removed. Voxels near
    an edge also carry the second phase and the share of each, from their unsmoothed grey value. Unknown is what
    the trust map does not trust and what lies beyond the scan's own field of view.

    Works on slabs: a slab needs ``HALO`` rows around it, so motions along z are limited to 26 voxels (beyond, an
    error says so); called on a whole volume there is no limit. Rows of the halo are returned too.
    """
    return segmented(volume, bore, levels, motions, trust, phases, params)


def segmented(
    volume: Volume,
    bore: Bore,
    levels: Levels,
    motions: xr.Dataset | None,
    trust: Trust | None,
    phases: tuple[str, ...],
    params: SegmentParameters = _DEFAULTS,
    probabilities: np.ndarray | None = None,
) -> Labels:
    """As ``segment``; with ``probabilities`` (phase, z, y, x) of the scan's own voxels the likeliest phase is taken.

    Shares of edge voxels are from grey values in either case: a probability is no share.
    """
    grid = grid_of(volume, "mu")
    place = Placement.of(bore, motions, grid)
    blur = float(levels["blur"]) / float(grid.spacing.min())
    wall = (params.wall_voxels if params.wall_voxels is not None else min(2.0 * blur, 4.0)) * float(grid.spacing[1])
    _check_reach(volume, grid, place)
    grey = placed(volume, grid, place, wall)
    mean = np.asarray(levels["mean"].values, float)
    noise = float(levels["noise"])
    smoothing = params.smoothing if params.smoothing is not None else automatic_smoothing(mean, noise)
    unknown = np.isnan(grey) | _untrusted(trust, grid, place)
    edge = params.edge_voxels if params.edge_voxels is not None else automatic_edge(blur, smoothing)
    if probabilities is None:
        label = first_labels(grey, unknown, mean, smoothing)
        label = regularised(grey, label, mean, noise, params.coupling, params.rounds)
        label = without_false_middle(grey, label, mean, edge + 1 if edge else 0)
    else:
        label = likeliest(volume, probabilities, grid, place, wall)
        label[unknown] = UNKNOWN_LABEL
    label[_outside(bore, grid, place)] = OUTSIDE_LABEL
    wide = np.asarray(levels["width"].values, float) > 1.5 * noise
    other, share = partial_volumes(grey, label, mean, wide, edge)
    return LABELS.new(
        coords={"z": volume["z"].values, "y": volume["y"].values, "x": volume["x"].values},
        attrs={"phases": list(phases)},
        label=label,
        other=other,
        share=share,
    )


def likeliest(volume: Volume, probabilities: np.ndarray, grid: Grid, place: Placement, wall: float) -> np.ndarray:
    """The likeliest phase of every voxel in the first scan's frame, uint8 (z, y, x); probabilities are interpolated."""
    if probabilities.shape[1:] != grid.shape:
        file = volume.attrs.get("file", "this scan")
        raise OperandoError(
            f"{file}: its probabilities have {probabilities.shape[1:]} voxels, the volume {grid.shape}; "
            "they must be of this very volume."
        )
    best, label = np.full(grid.shape, -np.inf, np.float32), np.full(grid.shape, UNKNOWN_LABEL, np.uint8)
    for number, values in enumerate(probabilities, start=1):
        here = placed(volume.assign(mu=(("z", "y", "x"), values)), grid, replace(place, scale=1.0), wall)
        more = here > best
        best[more], label[more] = here[more], number
    return label


def _check_reach(volume: Volume, grid: Grid, place: Placement) -> None:
    if grid.shape[0] == place.extent[0]:
        return
    reach = place.reach_um(grid.spacing) / grid.spacing[0]
    if reach > HALO - _FILTER_ROWS:
        file = volume.attrs.get("file", "this scan")
        raise OperandoError(
            f"{file}: it moved by {reach:.0f} voxels along z, and slabs allow {HALO - _FILTER_ROWS}; "
            "align the scans roughly, or run with enough memory for whole volumes."
        )


def placed(volume: Volume, grid: Grid, place: Placement, wall: float) -> np.ndarray:
    """The scan's grey values in the first scan's frame, float32 (z, y, x); NaN beyond its field of view."""
    from operando.morphology._kernels import resample

    source = np.ascontiguousarray(volume["mu"].values, dtype=np.float32)
    if place.scale != 1.0:
        source = source * np.float32(place.scale)
    has_tube = place.tube[5] < 1e300
    if place.motion.is_still and not (has_tube and wall > 0):
        return source
    first = place.first_row(grid)
    rows = np.arange(first, first + grid.shape[0])
    out = np.empty(source.shape, np.float32)
    geometry = (grid.spacing, place.centre, place.matrix, place.translation, place.tube, wall)
    return resample(source, first, place.extent[0], rows, *geometry, out, np.zeros(1, np.int64))


def _untrusted(trust: Trust | None, grid: Grid, place: Placement) -> np.ndarray:
    """Where the scan can't be trusted, seen from the first scan's frame; bool (z, y, x)."""
    if trust is None:
        return np.zeros(grid.shape, bool)
    axes = grid.coordinates()
    reach = place.reach_um(grid.spacing)
    coarse = CoarseTrust.between(trust, axes["z"][0] - reach, axes["z"][-1] + reach)
    assert coarse is not None
    if place.motion.is_still:
        return coarse.at(axes["z"], axes["y"], axes["x"])
    result = np.empty(grid.shape, bool)
    plane = np.stack(np.broadcast_arrays(0.0, axes["y"][:, None], axes["x"][None]), axis=-1)
    for i, height in enumerate(axes["z"]):
        plane[..., 0] = height
        result[i] = coarse.at_points(place.motion(plane))
    return result


def _outside(bore: Bore, grid: Grid, place: Placement) -> np.ndarray:
    axes = grid.coordinates()
    return ~Inside.of(bore, grid).mask(axes["z"], axes["y"], axes["x"])


def automatic_smoothing(mean: np.ndarray, noise: float) -> float:
    """Width of the filter, voxels: none where single voxels are clear, up to 1.2 where they are not."""
    contrast = np.diff(mean[np.isfinite(mean)])
    if contrast.size == 0:
        return 0.0
    ratio = noise / float(contrast.min())
    return 0.0 if ratio < 0.08 else float(np.clip(2.5 * ratio, 0.5, 1.2))


def automatic_edge(blur: float, smoothing: float) -> int:
    """How far from an edge voxels share two phases: twice the blur; nothing in a label image."""
    return 0 if blur < 0.05 else int(np.clip(np.ceil(2.0 * np.hypot(blur, 0.5 * smoothing)), 1, 4))


def first_labels(grey: np.ndarray, unknown: np.ndarray, mean: np.ndarray, smoothing: float) -> np.ndarray:
    """Thresholds half-way between the known classes on the smoothed grey values; 255 where unknown.

    What is unknown has no part in the smoothing of what is known.
    """
    from scipy import ndimage

    smooth = grey
    if smoothing > 0:
        valid = (~unknown).astype(np.float32)
        filled = np.where(valid > 0, grey, np.float32(0))
        weight = ndimage.gaussian_filter(valid, smoothing, truncate=3.0, mode="nearest")
        smooth = ndimage.gaussian_filter(filled, smoothing, truncate=3.0, mode="nearest")
        smooth /= np.maximum(weight, np.float32(1e-6))
    phases = np.flatnonzero(np.isfinite(mean))
    if len(phases) == 0:
        raise OperandoError("no grey class is known, so that nothing can be segmented; set steps.classify.means.")
    thresholds = (mean[phases][1:] + mean[phases][:-1]) / 2
    label = (phases + 1).astype(np.uint8)[np.searchsorted(thresholds.astype(np.float32), smooth)]
    label[unknown] = UNKNOWN_LABEL
    return label


def regularised(
    grey: np.ndarray, label: np.ndarray, mean: np.ndarray, noise: float, coupling: float, rounds: int
) -> np.ndarray:
    """A few rounds of iterated conditional modes of a Potts model (Besag, https://doi.org/10.1111/j.2517-6161.1986.tb01412.x)."""
    from operando.morphology._kernels import smooth_labels

    if noise <= 0 or rounds == 0 or coupling == 0:
        return label
    return smooth_labels(grey, label, mean, noise**2, coupling, rounds)


def _extremes(label: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Darkest and brightest phase within ``reach`` voxels of each voxel (a cube)."""
    from scipy import ndimage

    none = (label == OUTSIDE_LABEL) | (label == UNKNOWN_LABEL)
    size = 2 * reach + 1
    darkest = ndimage.minimum_filter(np.where(none, np.uint8(254), label), size=size, mode="nearest")
    brightest = ndimage.maximum_filter(np.where(none, np.uint8(0), label), size=size, mode="nearest")
    return darkest, brightest


def without_false_middle(grey: np.ndarray, label: np.ndarray, mean: np.ndarray, reach: int) -> np.ndarray:
    """Remove the middle phase that a blurred edge between a darker and a brighter phase pretends."""
    from operando.morphology._kernels import remove_false_middle, settle_false_middle

    if reach == 0 or np.isfinite(mean).sum() < 3:
        return label
    darkest, brightest = _extremes(label, reach)
    marked = remove_false_middle(label, darkest, brightest)
    return settle_false_middle(grey, marked, darkest, brightest, mean)


def partial_volumes(
    grey: np.ndarray, label: np.ndarray, mean: np.ndarray, wide: np.ndarray, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Second phase and coded share of each voxel, uint8; see ``shares``."""
    from operando.morphology._kernels import edge_shares

    other, share = label.copy(), np.full(label.shape, FULL, np.uint8)
    if reach > 0:
        edge_shares(grey, label, *_extremes(label, reach), mean, wide, reach, other, share)
    return other, share
