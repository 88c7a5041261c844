"""Give every voxel its phase, in the first scan's frame."""

from dataclasses import dataclass
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
from operando.morphology.inside import Inside
from operando.morphology.labelling import (
    Recipe,
    automatic_edge,
    automatic_smoothing,
    first_labels,
    partial_volumes,
    regularised,
    uneven,
    without_false_middle,
)
from operando.morphology.placement import Placement
from operando.morphology.sampling import Box, Distrust, Lie, Source, around, blocks
from operando.morphology.shares import FULL

HALO = 40
"""Rows that a slab gets beyond its own: the motion along z plus what the filters see."""

_CUBIC = 2
"""Rows beside a point that its interpolation takes."""


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


@step(version=5, cut=Cut(halo=HALO, working_bytes=7.5))
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
    an edge also carry the second phase and the share of each, from their unsmoothed grey value; a phase whose mean is
    not the same everywhere (a hardened beam leaves rims brighter) is taken as it is nearby. Unknown is what the trust
    map does not trust and what lies beyond the scan's own field of view.

    Works on slabs: a slab needs ``HALO`` rows around it, which limits the motion along z (beyond, an error says so);
    called on a whole volume there is no limit. Of a slab only its own rows are read (with what filters and motion take
    of the rows beside them) and labelled: rows nearer than ``HALO`` to an end that is not the scan's come back as
    unknown and mean nothing. Labels are the same to the bit whatever the slabs.
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
    grid = _grid(volume)
    place = Placement.of(bore, motions, grid)
    recipe = recipe_of(levels, params, grid)
    _check_reach(volume, grid, place, recipe)
    rows = own_rows(grid, place)
    first = place.first_row(grid)
    out = Output.of(grid, rows, first)
    sight = _sight(volume, grid, place, recipe, rows, _wall_voxels(levels, params, grid), trust, probabilities)
    inside = Inside.of(bore, grid)
    axes = [place.origin[i] + grid.spacing[i] * np.arange(place.extent[i]) for i in range(3)]
    for box in blocks(rows, place.extent, recipe.reach, inside, axes):
        _label_block(sight, box, inside, axes, recipe, out)
    del sight
    out.label[: rows.start - first] = UNKNOWN_LABEL
    out.label[rows.stop - first :] = UNKNOWN_LABEL
    return LABELS.new(
        coords={"z": volume["z"].values, "y": volume["y"].values, "x": volume["x"].values},
        attrs={"phases": list(phases)},
        label=out.label,
        other=out.other,
        share=out.share,
    )


def _grid(volume: Volume) -> Grid:
    """The grid with spacings freed of rounding errors, which differ from slab to slab."""
    grid = grid_of(volume, "mu")
    return Grid(grid.origin, np.array([float(f"{spacing:.10g}") for spacing in grid.spacing]), grid.shape)


def own_rows(grid: Grid, place: Placement) -> slice:
    """Which rows, numbered in the whole scan, can be labelled: all but ``HALO`` at ends that are not the scan's."""
    first, count, total = place.first_row(grid), grid.shape[0], place.extent[0]
    start = first if first == 0 or count == total else first + HALO
    stop = first + count if first + count >= total else first + count - HALO
    if start >= stop:
        raise OperandoError(f"a slab of {count} rows has none of its own beside the {HALO} rows around it.")
    return slice(start, stop)


def recipe_of(levels: Levels, params: SegmentParameters, grid: Grid) -> Recipe:
    """What tells the phases apart; what is not given follows from noise and blur."""
    mean, noise = np.asarray(levels["mean"].values, float), float(levels["noise"])
    blur = float(levels["blur"]) / float(grid.spacing.min())
    smoothing = params.smoothing if params.smoothing is not None else automatic_smoothing(mean, noise)
    edge = params.edge_voxels if params.edge_voxels is not None else automatic_edge(blur, smoothing)
    wide = np.asarray(levels["width"].values, float) > 1.5 * noise
    varies = wide & uneven(mean, np.asarray(levels["mean_std"].values, float))
    return Recipe(mean, wide, varies, noise, smoothing, edge, params.coupling, params.rounds)


def _wall_voxels(levels: Levels, params: SegmentParameters, grid: Grid) -> float:
    blur = float(levels["blur"]) / float(grid.spacing.min())
    return params.wall_voxels if params.wall_voxels is not None else min(2.0 * blur, 4.0)


def _check_reach(volume: Volume, grid: Grid, place: Placement, recipe: Recipe) -> None:
    if grid.shape[0] == place.extent[0]:
        return
    reach, allowed = place.reach_um(grid.spacing) / grid.spacing[0], HALO - recipe.reach - _CUBIC
    if reach > allowed:
        file = volume.attrs.get("file", "this scan")
        raise OperandoError(
            f"{file}: it moved by {reach:.0f} voxels along z, and slabs allow {allowed}; "
            "align the scans roughly, or run with enough memory for whole volumes."
        )


@dataclass(frozen=True)
class Sight:
    """What is known of a scan's voxels: grey values, distrust, and perhaps the probabilities of the phases."""

    lie: Lie
    grey: Source
    distrust: Distrust | None
    probabilities: tuple[Source, ...]


def _sight(
    volume: Volume,
    grid: Grid,
    place: Placement,
    recipe: Recipe,
    rows: slice,
    wall: float,
    trust: Trust | None,
    probabilities: np.ndarray | None,
) -> Sight:
    if probabilities is not None and probabilities.shape[1:] != grid.shape:
        file = volume.attrs.get("file", "this scan")
        raise OperandoError(
            f"{file}: its probabilities have {probabilities.shape[1:]} voxels, the volume {grid.shape}; "
            "they must be of this very volume."
        )
    lie = Lie.of(place, grid, wall)
    seen = slice(max(rows.start - recipe.reach, 0), min(rows.stop + recipe.reach, place.extent[0]))
    first = place.first_row(grid)
    given = [] if probabilities is None else [volume["mu"].copy(data=values) for values in probabilities]
    return Sight(
        lie,
        Source.read(volume["mu"], first, lie, seen, place.scale),
        Distrust.of(trust, place, grid, lie, seen),
        tuple(Source.read(values, first, lie, seen, 1.0) for values in given),
    )


@dataclass(frozen=True)
class Output:
    """The arrays of ``Labels``, uint8 (z, y, x); their first row is ``first`` in the whole scan."""

    label: np.ndarray
    other: np.ndarray
    share: np.ndarray
    first: int

    @classmethod
    def of(cls, grid: Grid, rows: slice, first: int) -> "Output":
        """All outside. Rows of the halo are not written, so that they take no memory."""
        label, other, share = (np.zeros(grid.shape, np.uint8) for _ in range(3))
        share[rows.start - first : rows.stop - first] = FULL
        return cls(label, other, share, first)

    def write(self, box: Box, corner: Box, *found: np.ndarray) -> None:
        """Put in place what was found in the block ``box``; the arrays begin at the block ``corner``."""
        here = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, corner, strict=True))
        there = (slice(box[0].start - self.first, box[0].stop - self.first), *box[1:])
        for whole, part in zip((self.label, self.other, self.share), found, strict=True):
            whole[there] = part[here]


def _label_block(sight: Sight, box: Box, inside: Inside, axes: list[np.ndarray], recipe: Recipe, out: Output) -> None:
    seen = around(box, (len(axes[0]), len(axes[1]), len(axes[2])), recipe.reach)
    grey = sight.grey.sample(seen, sight.lie)
    unknown = np.isnan(grey)
    if sight.distrust is not None:
        unknown |= sight.distrust.at(seen)
    if sight.probabilities:
        label = likeliest(sight.probabilities, seen, sight.lie)
        label[unknown] = UNKNOWN_LABEL
    else:
        colour = sum(part.start for part in seen) % 2
        label = regularised(grey, first_labels(grey, unknown, recipe), recipe, colour)
        label = without_false_middle(grey, label, recipe)
    label[~inside.mask(*(axis[part] for axis, part in zip(axes, seen, strict=True)))] = OUTSIDE_LABEL
    other, share = label.copy(), np.full(label.shape, FULL, np.uint8)
    partial_volumes(grey, label, recipe, other, share)
    out.write(box, seen, label, other, share)


def likeliest(probabilities: tuple[Source, ...], box: Box, lie: Lie) -> np.ndarray:
    """The likeliest phase of the voxels of a block, uint8 (z, y, x); probabilities are interpolated."""
    best = probabilities[0].sample(box, lie)
    label = np.where(np.isnan(best), np.uint8(UNKNOWN_LABEL), np.uint8(1))
    for number, source in enumerate(probabilities[1:], start=2):
        here = source.sample(box, lie)
        more = here > best
        best[more], label[more] = here[more], number
    return label
