"""Counts over open beam: transmission, with the rays that can't be trusted kept track of."""

import numpy as np
import xarray as xr
from pydantic import Field

from operando.model.errors import BrokenFileError
from operando.model.parameters import Parameters
from operando.model.products.raw import PROJECTION, Scan
from operando.model.products.tomography import TRANSMISSION, Glare, Transmission
from operando.model.step import Cut, step
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

STARVED_FACTOR = 3.0
"""A ray is starved below this many times (noise + glare level): interface, section 4."""

ZINGER_LIMIT = 1e-3
"""More zingers than this share of the pixels are no zingers."""


class NormaliseParameters(Parameters):
    """How projections become transmissions."""

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
def normalise(scan: Scan, glare: Glare | None, params: NormaliseParameters) -> Transmission:
    """Divide projections by flat fields interpolated in time, dark subtracted, scaled with the ring current.

    Nothing is clipped: a transmission may be negative or above one. A ray is starved where its transmission
    is not above 3 × (noise + glare level); the level counts relative to the row's own open beam, so that rows
    which the slits shade, lit by glare alone, are starved as a whole. Dead and hot pixels are bridged from their
    row, zingers replaced; how many is said in the warnings.
    """
    file = file_of(scan)
    projections = select(scan, PROJECTION)
    beam = open_beam(scan, params.faulty_share)
    angles = scan["rotation_angle"].values[projections].astype(float)
    if not np.isfinite(angles).all():
        lost = int(np.count_nonzero(~np.isfinite(angles)))
        raise BrokenFileError(file, f"{lost} of {len(angles)} projections have no rotation angle", "write them into it")
    bound = _glare_bound(glare, scan)
    beam.faulty[STARVED_FACTOR * bound >= 1] = True
    noise = dark_noise(beam, bound)
    limit = (STARVED_FACTOR * (noise + bound[:, None])).astype(np.float32)
    transmission, starved, lost = _divide(scan, projections, beam, limit)
    warnings = list(scan.attrs.get("warnings", ()))
    warnings += _mend(transmission, starved, beam, noise, lost, params)
    sizes = {"pixel_size": scan["pixel_size"].values} if "pixel_size" in scan else {}
    return TRANSMISSION.new(
        coords=row_coordinate(scan),
        attrs={**_identity(scan), "warnings": warnings},
        transmission=transmission,
        starved=starved,
        noise=noise.astype(np.float32),
        shot=shot_noise(beam).astype(np.float32),
        rotation_angle=angles,
        **sizes,
    )


def _identity(product: xr.Dataset) -> dict[str, object]:
    return {key: product.attrs[key] for key in ("file", "frame") if key in product.attrs}


def _glare_bound(glare: xr.Dataset | None, scan: xr.Dataset) -> np.ndarray:
    """Highest glare level that the scan allows, relative to each row's own open beam: (row,)."""
    if glare is None:
        return np.zeros(scan.sizes["row"])
    return float(glare["bound"]) * surround_of(glare, row_numbers(scan))


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
    return np.where(level > 0, np.nan_to_num(beam.gain) / np.where(level > 0, level, 1.0), np.inf)


def _divide(
    scan: xr.Dataset, projections: np.ndarray, beam: Open, limit: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    from operando.tomography._normalise_kernels import transmission_of

    counts = frames(scan, projections)
    time, current = positions(scan)[projections], ring_current(scan)[projections]
    early, share = between(beam.position, time)
    late = np.minimum(early + 1, len(beam.images) - 1)
    transmission = np.empty(counts.shape, np.float32)
    starved = np.empty(counts.shape, np.bool_)
    pieces = split(len(counts), 16)
    lost = np.zeros(len(pieces), int)

    def work(piece: int) -> None:
        for i in range(*pieces[piece]):
            lost[piece] += transmission_of(
                counts[i], beam.dark, beam.images[early[i]], beam.images[late[i]],
                share[i], current[i], limit, transmission[i], starved[i],
            )  # fmt: skip

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
        found = remove_zingers(
            transmission, noise, shot, params.zinger_sigmas, params.zinger_least, 0, len(transmission)
        )
        if found > ZINGER_LIMIT * transmission.size:
            said.append(
                "More than one pixel in a thousand was replaced as a zinger; see steps.normalise.zinger_sigmas."
            )
    return said
