"""Centre of rotation of one scan, sub-pixel, with its own uncertainty."""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import xarray as xr
from pydantic import Field
from scipy import fft

from operando.model.errors import OperandoError
from operando.model.parameters import Parameters
from operando.model.products.tomography import CENTRE, Attenuation, Centre
from operando.model.step import Setting, step
from operando.tomography._frames import file_of
from operando.tomography.angles import check_angles, coverage, is_full_turn
from operando.tomography.padding import is_truncated, overhang
from operando.tomography.tilt import estimate_tilt

TAPER = 0.1
"""Share of the half width over which the window falls to 0: what it touches is no longer the same at all angles."""
LEAST_STD = 0.01
"""No centre is known better than this (px): interpolation and the detector's own distortion."""
MOST_STARVED = 0.5
"""Rows of which more rays are starved say nothing of the container."""


class CentreParameters(Parameters):
    """How the centre of rotation is found."""

    groups: int = Field(
        default=12, description="groups of neighbouring rows spread over the detector, each judged alone", ge=1
    )
    rows: int = Field(default=4, description="rows averaged in each group", ge=1)
    search: float = Field(
        default=0.25, description="largest distance from the middle column, as share of the columns", gt=0, le=0.5
    )


@step(version=3)
def centre(
    attenuation: Attenuation,
    setting: Annotated[Literal["auto"] | float, Setting("tomography.centre")],
    params: CentreParameters,
) -> Centre:
    """Find the column that the axis of rotation is seen in, or take it from the configuration.

    Stripes do not harm, for they do not turn with the sample; so the rows are taken before ring removal.

    A projection and its mirror image half a turn later must continue each other. Each group of rows gives an
    estimate; the result is their weighted median, its standard deviation comes from their scatter. How far a round
    container reaches beyond the field is found from the same rows, once for the whole scan.
    """
    attrs = {key: attenuation.attrs[key] for key in ("file", "frame") if key in attenuation.attrs}
    value, std, said = (float(setting), 0.0, []) if setting != "auto" else _found(attenuation, params)
    rows = attenuation.sizes["row"]
    reach, cut = find_overhang(lambda group: attenuation.isel(row=group), rows, value, params)
    return CENTRE.new(
        attrs={**attrs, "warnings": said},
        centre=value,
        centre_std=std,
        overhang=np.int64(reach),
        truncated=np.bool_(cut),
    )


def _found(attenuation: xr.Dataset, params: CentreParameters) -> tuple[float, float, list[str]]:
    return find_centre(
        lambda rows: np.moveaxis(attenuation["attenuation"].isel(row=rows).values, 1, 0),
        attenuation.sizes["row"],
        attenuation["rotation_angle"].values,
        params,
        file_of(attenuation),
    )


def find_overhang(
    read: Callable[[slice], xr.Dataset], rows: int, centre: float, params: CentreParameters
) -> tuple[int, bool]:
    """Columns that a round container reaches beyond the field, and whether the field cuts it at all.

    The median over single rows of the scan, those that see next to nothing left out; ``read`` gives the line
    integrals of some rows.
    """
    found = []
    for group in row_groups(rows, params):
        row = read(slice(group.start, group.start + 1))
        if row["starved"].values.mean() < MOST_STARVED:
            sinogram = np.moveaxis(row["attenuation"].values, 1, 0)
            found.append((overhang(sinogram, centre), is_truncated(sinogram)))
    reach, cut = np.median(found, axis=0) if found else (0.0, 0.0)
    return int(reach), bool(cut >= 0.5)


def find_centre(
    read: Callable[[slice], np.ndarray], rows: int, angles: np.ndarray, params: CentreParameters, file: str
) -> tuple[float, float, list[str]]:
    """Centre, standard deviation (px) and sentences; ``read`` gives the sinograms (row, angle, column) of some rows.

    Raises ``OperandoError`` where nothing in the field has an edge.
    """
    found = []
    for group in row_groups(rows, params):
        estimate = estimate_centre(read(group).mean(0), angles, params.search, file)
        if estimate is not None:
            found.append(((group.start + group.stop - 1) / 2, *estimate))
    value, std, said = combined([(centre, error) for _, centre, error in found])
    if not np.isfinite(value):
        raise OperandoError(
            f"{file}: no centre of rotation was found, nothing in the field has an edge; "
            "give tomography.centre in pixels."
        )
    return value, std, said + tilt_warning(np.array(found), rows)


def tilt_warning(found: np.ndarray, rows: int) -> list[str]:
    """A sentence where the centres (row, centre, std) of the groups drift by more than a pixel over the detector."""
    if len(found) < 4:
        return []
    row, centres, stds = found.T
    near = np.abs(centres - np.median(centres)) < 5 + 0.02 * rows
    if near.sum() < 4:
        return []
    angle, std = estimate_tilt(row[near], centres[near], np.maximum(stds[near], LEAST_STD))
    if abs(np.tan(angle)) * rows <= 1 or abs(angle) < 5 * std:
        return []
    return [
        f"The axis of rotation is tilted by {1e3 * angle:.2f} mrad: its centre moves by "
        f"{np.tan(angle) * rows:.1f} px from first to last row; steps.normalise.tilt_mrad turns the frames back."
    ]


def row_groups(rows: int, params: CentreParameters) -> list[slice]:
    """Groups of neighbouring rows spread over the detector; single rows where there are few."""
    together = params.rows if rows >= 2 * params.rows else 1
    groups = min(params.groups, max(1, rows // together))
    starts = np.unique(np.linspace(0, rows - together, groups).round().astype(int))
    return [slice(int(start), int(start) + together) for start in starts]


def combined(estimates: list[tuple[float, float]]) -> tuple[float, float, list[str]]:
    """Weighted median of (centre, std) pairs with its standard deviation, and sentences about outliers."""
    if not estimates:
        return np.nan, np.nan, []
    values, stds = np.array(estimates).T
    trust = 1 / np.maximum(stds, LEAST_STD) ** 2
    middle = _weighted_median(values, trust)
    spread = max(1.4826 * _weighted_median(np.abs(values - middle), trust), LEAST_STD)
    good = np.abs(values - middle) <= 5 * np.hypot(spread, stds)
    weights = 1 / (spread**2 + stds[good] ** 2)
    value = float(np.sum(weights * values[good]) / weights.sum())
    scatter = np.sum(weights * (values[good] - value) ** 2) / max(good.sum() - 1, 1)
    std = float(np.sqrt(max(scatter, 1.0) / weights.sum()))
    said = []
    if not good.all():
        said.append(f"{int((~good).sum())} of {len(good)} groups of rows give another centre and were left out.")
    return value, max(std, LEAST_STD), said


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def estimate_centre(
    sinogram: np.ndarray, angles: np.ndarray, search: float = 0.25, file: str = "the sinogram"
) -> tuple[float, float] | None:
    """Centre (px) and standard deviation from one sinogram (angle, column); ``None`` where nothing is seen.

    Raises ``OperandoError`` where the angles cover clearly less than half a turn: no projection has a mirror.
    """
    checked = check_angles(angles, len(sinogram), file)
    if coverage(checked) < 0.95 * np.pi:
        raise OperandoError(
            f"{file}: the angles cover {np.degrees(coverage(checked)):.1f}° only, too little to find the centre of "
            "rotation; give tomography.centre in pixels."
        )
    if not np.isfinite(sinogram).all():
        return None
    even = _half_turns(np.asarray(sinogram, float), checked)
    found = [_from_symmetry(half, step, search) for half, step in even]
    usable = [f for f in found if f is not None]
    if not usable:
        return None
    value, std, _ = combined(usable)
    return value, std


def _half_turns(sinogram: np.ndarray, angles: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Projections at even steps over half a turn, and their partners half a turn later where they were measured.

    Returns pairs (first, second), each (angle, column); ``second`` is empty for a scan over half a turn.
    """
    order = np.argsort(angles, kind="stable")
    angles, sinogram = angles[order], sinogram[order]
    step = float(np.median(np.diff(angles)))
    count = max(2, round(np.pi / step))
    even = angles[0] + np.arange(count) * np.pi / count
    first = _at(sinogram, angles, np.minimum(even, angles[-1]))
    if not is_full_turn(angles):
        return [(first, np.empty((0, sinogram.shape[1])))]
    return [(first, _at(sinogram, angles, np.minimum(even + np.pi, angles[-1])))]


def _at(sinogram: np.ndarray, angles: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Interpolate projections linearly to other angles."""
    right = np.clip(np.searchsorted(angles, wanted), 1, len(angles) - 1)
    gap = angles[right] - angles[right - 1]
    share = np.clip((wanted - angles[right - 1]) / np.where(gap > 0, gap, 1), 0, 1)[:, None]
    return sinogram[right - 1] * (1 - share) + sinogram[right] * share


def _from_symmetry(first: np.ndarray, second: np.ndarray, search: float) -> tuple[float, float] | None:
    """Centre and standard deviation; refined on a window that lies symmetrically about the centre found before."""
    columns = first.shape[1]
    middle, reach = (columns - 1) / 2, search * columns
    found: tuple[float, float] | None = None
    for _ in range(8):
        half = min(middle, columns - 1 - middle)
        part = slice(int(np.ceil(middle - half)), int(np.floor(middle + half)) + 1)
        # The window is centred on the axis itself: one centred on a pixel pulls the result towards it.
        away = np.abs(np.arange(part.start, part.stop) - middle) / (half + 1)
        shape = np.sin(0.5 * np.pi * np.minimum((1 - away) / TAPER, 1)) ** 2
        score = _agreement(first[:, part] * shape, second[:, part] * shape)
        found = _best_shift(*score, middle - part.start, reach)
        if found is None:
            return None
        moved, middle = part.start + found[0] - middle, part.start + found[0]
        reach = max(3.0, 2 * abs(moved))
        if abs(moved) < 0.005:
            break
    return None if found is None else (middle, found[1])


def _agreement(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, float]:
    """Spectrum W whose real transform at 2c is the mismatch of projections and mirrored projections, less a constant.

    Measured partners are compared directly. Over half a turn the sinogram and its mirror image are joined to a
    full turn; where they fit, their transform is empty in the double wedge |n| > 2πfR (Vo et al. 2014,
    doi:10.1364/OE.22.019078). Each frequency counts as much as its signal stands above the noise. Also returns
    the variance of the mismatch's slope that the noise makes.
    """
    angles, columns = first.shape
    length = fft.next_fast_len(2 * columns, real=True)
    frequency = fft.rfftfreq(length)
    one = fft.rfft(first, length, axis=1)
    power = np.mean(np.abs(one) ** 2, axis=0)
    floor = float(np.median(power[frequency > 0.4]))
    signal = np.maximum(power - floor, 0) * (frequency > 1 / columns)
    omega = 2 * np.pi * frequency
    if len(second):
        product, expected, noise, twice = -one * fft.rfft(second, length, axis=1), signal[None], floor, 1
        counted = angles
    else:
        product, expected = _joined(one, signal, columns, frequency)
        noise, twice, counted = angles * floor, 2, 1
    weight = expected / np.maximum(expected + noise, 1e-300)
    variance = np.sum(omega**2 * weight**2 * (2 * expected * noise + noise**2)) * 8 * twice * counted
    return (weight * product).sum(0), float(variance)


def _joined(
    waves: np.ndarray, signal: np.ndarray, columns: int, frequency: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Product of the half-turn sinogram's and its mirror image's harmonics, and the power expected in the wedge."""
    angles = len(waves)
    harmonics = fft.fft(waves, 2 * angles, axis=0)
    order = fft.fftfreq(2 * angles, 1 / (2 * angles))
    wedge = np.abs(order)[:, None] > 2 * np.pi * frequency * columns / 2 * 1.02 + 4
    wedge[angles] = False
    mirrored = harmonics[-np.arange(2 * angles)]
    sign = np.where(order % 2 == 0, 1.0, -1.0)[:, None]
    # Half a turn alone ends in two steps; the transform of a step falls like 1/n.
    step = 2 * (angles / (np.pi * np.maximum(np.abs(order), 1))) ** 2
    return sign * harmonics * mirrored, wedge * signal * step[:, None]


def _best_shift(spectrum: np.ndarray, variance: float, middle: float, reach: float) -> tuple[float, float] | None:
    """Minimise 2 Re Σ W e^{2iωc} over centres within ``reach`` of ``middle``; value and its standard deviation."""
    if not np.any(spectrum):
        return None
    length = 2 * (len(spectrum) - 1)
    omega = 2 * np.pi * np.arange(len(spectrum)) / length
    fine = 8
    score = fft.irfft(spectrum, length * fine)
    shift = np.arange(length * fine) / (2 * fine)
    allowed = np.abs(shift - middle) <= reach
    if not allowed.any():
        return None
    best = float(shift[allowed][np.argmin(score[allowed])])
    for _ in range(8):
        wave = spectrum * np.exp(2j * omega * best)
        slope, curvature = -4 * np.sum(omega * wave.imag), -8 * np.sum(omega**2 * wave.real)
        if curvature <= 0:
            return None
        best -= float(np.clip(slope / curvature, -0.25, 0.25))
    return best, float(np.sqrt(variance) / curvature)
