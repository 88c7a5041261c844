"""Counts over open beam: transmission, with the rays that can't be trusted kept track of."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from operando.model.errors import BrokenFileError
from operando.model.products.raw import PROJECTION
from operando.model.products.tomography import TRANSMISSION, Flats, Glare, Transmission, Uncut
from operando.model.step import Cut, Setting, step
from operando.tomography._frames import (
    Open,
    file_of,
    frames,
    open_beam,
    positions,
    ring_current,
    row_coordinate,
    row_numbers,
    select,
)
from operando.tomography._threads import over_pieces, split
from operando.tomography.crossing import Crossing, CrossingParameters, crossing_of, surrounded
from operando.tomography.flats import followed

STARVED_FACTOR = 3.0
"""A ray is starved below this many times (noise + glare level): interface, section 4."""

ZINGER_LIMIT = 1e-3
"""More zingers than this share of the pixels are no zingers."""


BLOCK = 64
"""Projections worked on at once where frames are corrected beyond their slab."""


class NormaliseParameters(CrossingParameters):
    """How projections become transmissions."""

    beam_current: Literal["recorded", "ignored"] = Field(
        default="recorded", description="scale every frame with the ring current that the file records, or don't"
    )
    faulty_share: float = Field(
        default=0.1,
        description="a pixel that sees less than this share of its row's usual open beam is dead",
        gt=0,
        lt=1,
    )
    zingers: bool = Field(
        default=True, description="replace single bright pixels that neither neighbour in angle or column has"
    )
    zinger_sigmas: float = Field(
        default=8.0, description="how far a zinger stands above its neighbours, in noise", ge=3
    )
    zinger_least: float = Field(default=0.02, description="and at least by this transmission", ge=0)


@step(version=2, stored=False, cut=Cut(working_bytes=16))
def normalise(
    scan: Uncut,
    glare: Glare | None,
    params: NormaliseParameters,
    flats: Flats | None = None,
    pixel_size_um: Annotated[float | None, Setting("tomography.pixel_size_um")] = None,
) -> Transmission:
    """Divide projections by the open beam, dark subtracted, scaled with the ring current.

    The open beam is interpolated in time between the flats, or follows the beam (step ``flats``). Nothing is
    clipped: a transmission may be negative or above one. A ray is starved where its transmission is not above
    3 × (noise + glare level); the level counts relative to the row's own open beam, so that rows which the slits
    shade, lit by glare alone, are starved as a whole. Dead and hot pixels are bridged from their row, zingers
    replaced; the warnings say so. Then phase retrieval and a tilt, where asked for.
    """
    if params.beam_current == "ignored":
        scan = scan.drop_vars("ring_current", errors="ignore")
    angles = _angles(scan)
    crossing = crossing_of(scan, params, pixel_size_um)
    if crossing.reach == 0:
        lit = _lit(scan, glare, flats, params)
        transmission, starved, said = _flattened(scan, lit, slice(0, len(angles)), params)
    else:
        transmission, starved, said, lit = _across(scan, glare, flats, params, crossing)
    sizes = {"pixel_size": scan["pixel_size"].values} if "pixel_size" in scan else {}
    return TRANSMISSION.new(
        coords=row_coordinate(scan),
        attrs={**_identity(scan), "warnings": [*scan.attrs.get("warnings", ()), *said]},
        transmission=transmission,
        starved=starved,
        noise=lit.noise.astype(np.float32),
        shot=shot_noise(lit.beam).astype(np.float32),
        rotation_angle=angles,
        **sizes,
    )


@dataclass(frozen=True)
class Lit:
    """The open beam over some rows and what follows from it."""

    beam: Open
    noise: np.ndarray
    """Standard deviation of the darkest rays' transmission: (row, column)."""
    limit: np.ndarray
    """Transmission below which a ray is starved: (row, column), float32."""
    components: np.ndarray | None
    """Of an open beam that follows each projection: (component, row, column)."""
    weights: np.ndarray
    """Of the components in each projection: (angle, component)."""

    def of_rows(self, rows: slice) -> "Lit":
        """The same for some of the rows; without the components, which are used up by then."""
        own = self.beam
        beam = Open(
            own.images[:, rows], own.position, own.dark[rows], own.dark_std[rows], own.gain[rows], own.faulty[rows]
        )
        return Lit(beam, self.noise[rows], self.limit[rows], None, self.weights)


def _lit(scan: xr.Dataset, glare: xr.Dataset | None, flats: xr.Dataset | None, params: NormaliseParameters) -> Lit:
    beam = open_beam(scan, params.faulty_share)
    bound = _glare_of(glare, scan, "bound")
    beam.faulty[STARVED_FACTOR * np.maximum(bound, _glare_of(glare, scan, "level")) >= 1] = True
    noise = dark_noise(beam, bound)
    limit = (STARVED_FACTOR * (noise + bound[:, None])).astype(np.float32)
    weights = np.zeros((0, 0)) if flats is None else flats["weights"].values
    return Lit(beam, noise, limit, followed(scan, flats, beam.dark), weights)


def _flattened(
    scan: xr.Dataset, lit: Lit, part: slice, params: NormaliseParameters
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Transmission and starved flags (angle, row, column) of some projections, mended, and what is said of them."""
    transmission, starved, lost = _divide(scan, part, lit)
    return transmission, starved, _mend(transmission, starved, lit.beam, lit.noise, lost, params)


def _across(
    scan: xr.Dataset,
    glare: xr.Dataset | None,
    flats: xr.Dataset | None,
    params: NormaliseParameters,
    crossing: Crossing,
) -> tuple[np.ndarray, np.ndarray, list[str], Lit]:
    """The same for all projections, corrected with the rows around them; a block of projections at a time."""
    wide, own, middle = surrounded(scan, crossing.reach)
    lit = _lit(wide, glare, flats, params)
    count, dark = select(scan, PROJECTION).size, np.asarray(lit.beam.faulty.all(1))
    shape = (count, scan.sizes["row"], scan.sizes["column"])
    transmission, starved, said = np.empty(shape, np.float32), np.empty(shape, np.bool_), dict[str, None]()
    for first in range(0, count, BLOCK):
        # One projection more on either side, for zingers are judged by the neighbours in angle.
        low, last = max(0, first - 1), min(count, first + BLOCK)
        values, flags, words = _flattened(wide, lit, slice(low, min(count, last + 1)), params)
        inner = slice(first - low, last - low)
        transmission[first:last] = crossing.corrected(values[inner], dark, middle)[:, own]
        starved[first:last] = crossing.moved(flags[inner], middle)[:, own]
        said.update(dict.fromkeys(words))
    transmission[:, dark[own]], starved[:, dark[own]] = 0, True
    return transmission, starved, list(said), lit.of_rows(own)


def _angles(scan: xr.Dataset) -> np.ndarray:
    """Angles of the projections (rad); raises ``BrokenFileError`` where some are missing."""
    angles = scan["rotation_angle"].values[select(scan, PROJECTION)].astype(float)
    if not np.isfinite(angles).all():
        lost = f"{np.count_nonzero(~np.isfinite(angles))} of {len(angles)} projections have no rotation angle"
        raise BrokenFileError(file_of(scan), lost, "write them into it")
    return angles


def _identity(product: xr.Dataset) -> dict[str, object]:
    return {key: product.attrs[key] for key in ("file", "frame") if key in product.attrs}


def _glare_of(glare: xr.Dataset | None, scan: xr.Dataset, what: str) -> np.ndarray:
    """The glare's level or its bound, relative to each row's own open beam: (row,)."""
    if glare is None:
        return np.zeros(scan.sizes["row"])
    return float(glare[what]) * surround_of(glare, row_numbers(scan))


def surround_of(glare: xr.Dataset, rows: np.ndarray) -> np.ndarray:
    """What the open beam spreads to these detector rows over what it sends there."""
    return np.interp(rows, glare["detector_row"].values, glare["surround"].values)


def dark_noise(beam: Open, glare: np.ndarray) -> np.ndarray:
    """Standard deviation of the darkest rays' transmission (row, column): read noise, and shot noise of the glare."""
    mean = beam.images.mean(0)
    shot = np.nan_to_num(beam.gain)[:, None] * glare[:, None] * np.maximum(mean, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = np.sqrt(beam.dark_std[:, None] ** 2 + shot) / mean
    usual = np.median(noise[~beam.faulty]) if not beam.faulty.all() else 1.0
    return np.where(beam.faulty | ~np.isfinite(noise), usual, noise)


def shot_noise(beam: Open) -> np.ndarray:
    """Variance of a transmission of one by counting quanta (row,).

    0 where a single flat does not tell it, infinite in rows without beam.
    """
    level = np.median(beam.images.mean(0), axis=1)
    lit = (level > 0) & ~beam.faulty.all(1)
    return np.where(lit, np.nan_to_num(beam.gain) / np.where(lit, level, 1.0), np.inf)


def _divide(scan: xr.Dataset, part: slice, lit: Lit) -> tuple[np.ndarray, np.ndarray, int]:
    from operando.tomography._normalise_kernels import transmission_of

    projections, beam = select(scan, PROJECTION)[part], lit.beam
    counts = frames(scan, projections)
    time, current = positions(scan)[projections], ring_current(scan)[projections]
    early, share = between(beam.position, time)
    late = np.minimum(early + 1, len(beam.images) - 1)
    transmission = np.empty(counts.shape, np.float32)
    starved = np.empty(counts.shape, np.bool_)
    pieces = split(len(counts), 16)
    lost = np.zeros(len(pieces), int)

    def open_beams(i: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        if lit.components is None:
            return beam.images[early[i]], beam.images[late[i]], float(share[i]), float(current[i])
        one = np.tensordot(lit.weights[part][i].astype(np.float32), lit.components, 1)
        return one, one, 0.0, 1.0

    def work(piece: int) -> None:
        for i in range(*pieces[piece]):
            lost[piece] += transmission_of(counts[i], beam.dark, *open_beams(i), lit.limit, transmission[i], starved[i])

    over_pieces(work, len(pieces))
    return transmission, starved, int(lost.sum())


def between(groups: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each time the group before it and the share of the next; held constant beyond the ends.

    >>> [x.tolist() for x in between(np.array([0.0, 10.0]), np.array([-1.0, 2.5, 12.0]))]
    [[0, 0, 0], [0.0, 0.25, 1.0]]
    """
    if len(groups) == 1:
        return np.zeros(len(time), int), np.zeros(len(time), np.float32)
    early = np.clip(np.searchsorted(groups, time, side="right") - 1, 0, len(groups) - 2)
    share = (time - groups[early]) / (groups[early + 1] - groups[early])
    return early, np.clip(share, 0, 1).astype(np.float32)


def _spread_of_rows(transmission: np.ndarray) -> np.ndarray:
    """Usual noise of each row, from how far rays lie off the mean of their two neighbours: (row,)."""
    some = transmission[:: max(1, len(transmission) // 64)]
    off = some[..., 1:-1] - 0.5 * (some[..., :-2] + some[..., 2:])
    return 1.4826 * np.median(np.abs(off), axis=(0, 2)) / np.sqrt(1.5) if off.size else np.zeros(some.shape[1])


def _mend(
    transmission: np.ndarray,
    starved: np.ndarray,
    beam: Open,
    noise: np.ndarray,
    lost: int,
    params: NormaliseParameters,
) -> list[str]:
    """Bridge what the detector did not see and say how much that was."""
    from operando.tomography._normalise_kernels import bridge, bridge_frames, remove_zingers

    said = []
    dark = beam.faulty.all(1)
    if dark.any():
        transmission[:, dark] = 0
        starved[:, dark] = True
        said.append("Some rows have no beam (slits?); all their rays are flagged as starved.")
    if beam.faulty[~dark].any():
        bridge(transmission, beam.faulty)
        said.append("Dead or hot pixels were bridged from their neighbours in the row.")
    lost = bridge_frames(transmission, starved) if lost else 0
    if lost:
        said.append("Some counts are not finite; their rays are flagged as starved.")
    negative = transmission < 0
    if negative.mean() > 0.01 and transmission[negative].mean() < -3 * float(noise.mean()):
        said.append(
            f"{100 * negative.mean():.1f} % of the transmissions are negative: the dark fields do not belong to it."
        )
    if params.zingers:
        shot = shot_noise(beam)
        noise = np.maximum(noise, _spread_of_rows(transmission)[:, None])
        rows = split(transmission.shape[1], 16)
        found = np.zeros(len(rows), int)

        def work(piece: int) -> None:
            found[piece] = remove_zingers(
                transmission, noise, shot, params.zinger_sigmas, params.zinger_least, *rows[piece]
            )

        over_pieces(work, len(rows))
        if found.sum() > ZINGER_LIMIT * transmission.size:
            said.append(
                "More than one pixel in a thousand was replaced as a zinger; see steps.normalise.zinger_sigmas."
            )
    return said
