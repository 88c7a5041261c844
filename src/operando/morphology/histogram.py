"""Grey values of one scan inside the bore, as counts."""

import numpy as np
from pydantic import Field

from operando.model.parameters import Parameters
from operando.model.products.morphology import HISTOGRAM, Bore, Histogram, Motions
from operando.model.products.tomography import Trust, Volume
from operando.model.step import Own, step
from operando.morphology.blocks import Grid, grid_of, ranges, read_rows
from operando.morphology.coarse_trust import CoarseTrust
from operando.morphology.placement import Placement

REGIONS = 8
_BLOCK = 6
_PATCH = 4


class HistogramParameters(Parameters):
    """How grey values are counted."""

    bins: int = Field(1024, ge=64, le=16384, description="grey values are counted in so many bins")
    rows: int = Field(600, ge=8, le=100_000, description="rows that are counted, spread over the scan")
    wall_um: float = Field(0.0, ge=0, description="nothing is counted so near to the wall; 0: four voxels")


_DEFAULTS = HistogramParameters()


@step(version=2)
def histogram(
    volume: Volume,
    bore: Bore,
    motions: Own[Motions],
    trust: Trust | None = None,
    params: HistogramParameters = _DEFAULTS,
) -> Histogram:
    """Count the grey values inside the bore where the scan can be trusted, apart for edges and the rest.

    A voxel counts as edge where grey values change more from voxel to voxel than noise explains. The rest is
    counted in eight sectors (four layers, inner and outer half), which shows how far the means vary in space.
    """
    grid = grid_of(volume, "mu")
    place = Placement.of(bore, motions, grid)
    low, high = (float(v) for v in bore["grey"].values)
    width = (high - low) / params.bins
    noise = _Noise()
    counts = _empty_counts(params.bins)
    blocks = _chosen_blocks(grid.shape[0], params.rows)
    steepness = _typical_gradient(volume, trust, grid, blocks, place.scale)
    for start, stop in blocks:
        rows = read_rows(volume["mu"], start, stop).astype(np.float32) * np.float32(place.scale)
        bad = _untrusted(trust, grid, start, stop, rows.shape)
        _count(rows, bad, start, grid, place, (low, width, 9 * steepness**2), params.wall_um, counts)
        noise.add(rows, bad, steepness)
    return HISTOGRAM.new(
        coords={
            "grey": ("grey", low + width * (np.arange(params.bins) + 0.5), "1/cm"),
            "region": np.arange(REGIONS),
        },
        attrs={"voxel_um": float(np.prod(grid.spacing) ** (1 / 3))},
        core=counts[0],
        edge=counts[1],
        edge_gradient=np.sqrt(np.maximum(counts[2] / np.maximum(counts[1], 1) - steepness**2, 0)),
        noise=noise.deviation,
        noise_correlation=noise.correlation,
    )


def _empty_counts(bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros((REGIONS, bins), np.int64), np.zeros(bins, np.int64), np.zeros(bins)


def _chosen_blocks(total: int, rows: int) -> list[tuple[int, int]]:
    """Blocks of rows spread evenly, each with one row more on both sides for the gradient."""
    blocks = list(ranges(total, _BLOCK))
    wanted = max(1, rows // _BLOCK)
    chosen = np.unique(np.linspace(0, len(blocks) - 1, min(wanted, len(blocks))).round().astype(int))
    return [(max(blocks[i][0] - 1, 0), min(blocks[i][1] + 1, total)) for i in chosen]


def _typical_gradient(
    volume: Volume, trust: Trust | None, grid: Grid, blocks: list[tuple[int, int]], scale: float
) -> float:
    """Root mean square of the gradient where nothing but noise changes, from medians: 1/cm a voxel.

    Blocks of which most is not trusted (rows in the slits' shadow) say nothing. An axis along which no block has
    three voxels (a scan of two rows) counts as the mean of the others.
    """
    samples: dict[int, list[float]] = {axis: [] for axis in range(3)}
    blocks = [block for block in blocks if _mostly_trusted(trust, grid, *block)]
    for start, stop in blocks[:: max(1, len(blocks) // 8)]:
        rows = read_rows(volume["mu"], start, stop)
        for axis in range(3):
            step = _median_step(rows, axis) if rows.shape[axis] > 2 else float("nan")
            samples[axis] += [step] if np.isfinite(step) else []
    typical = [float(np.mean(steps)) for steps in samples.values() if steps]
    return abs(scale) * float(np.sqrt(3.0 * np.mean(np.square(typical)))) if typical else 0.0


def _mostly_trusted(trust: Trust | None, grid: Grid, start: int, stop: int) -> bool:
    """Whether the middle row of a block is trusted in most of its middle half, where the cell is."""
    middle = (start + stop) // 2
    bad = _untrusted(trust, grid, middle, middle + 1, (1, *grid.shape[1:]))[0]
    ny, nx = bad.shape
    return float(bad[ny // 4 : ny - ny // 4, nx // 4 : nx - nx // 4].mean()) < 0.5


def _median_step(rows: np.ndarray, axis: int) -> float:
    centre = tuple(slice(n // 4, n - n // 4) if i else slice(None) for i, n in enumerate(rows.shape))
    cut = rows[centre].astype(np.float32)
    steps = np.abs(np.take(cut, range(2, cut.shape[axis]), axis) - np.take(cut, range(cut.shape[axis] - 2), axis)) / 2
    finite = steps[np.isfinite(steps)]
    return 1.4826 * float(np.median(finite)) if finite.size else float("nan")


def _untrusted(trust: Trust | None, grid: Grid, start: int, stop: int, shape: tuple[int, ...]) -> np.ndarray:
    axes = grid.coordinates()
    heights = axes["z"][start:stop]
    coarse = CoarseTrust.between(trust, heights[0], heights[-1])
    return np.zeros(shape, bool) if coarse is None else coarse.at(heights, axes["y"], axes["x"])


def _count(
    rows: np.ndarray,
    bad: np.ndarray,
    start: int,
    grid: Grid,
    place: Placement,
    grey: tuple[float, float, float],
    wall_um: float,
    counts: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    from operando.morphology._kernels import accumulate

    low, width, limit = grey
    margin = wall_um if wall_um > 0 else 4 * float(grid.spacing[1])
    extent = float(grid.spacing[0] * grid.shape[0])
    accumulate(
        rows,
        start,
        grid.spacing,
        place.centre,
        place.matrix,
        place.translation,
        place.tube,
        margin,
        bad,
        low,
        width,
        limit,
        extent,
        counts,
    )


class _Noise:
    """Standard deviation of a voxel and how neighbours go together, from small cubes in which nothing changes."""

    def __init__(self) -> None:
        self._variances: list[np.ndarray] = []
        self._mean_steps: list[np.ndarray] = []

    def add(self, rows: np.ndarray, bad: np.ndarray, steepness: float) -> None:
        """Take the cubes of one block; those with an edge in them are told by their spread."""
        depth, ny, nx = (n // _PATCH * _PATCH for n in rows.shape)
        if depth == 0:
            return
        cubes = rows[:_PATCH, :ny, :nx].reshape(_PATCH, ny // _PATCH, _PATCH, nx // _PATCH, _PATCH)
        spoilt = bad[:_PATCH, :ny, :nx].reshape(cubes.shape).any(axis=(0, 2, 4)) | ~np.isfinite(cubes).all(
            axis=(0, 2, 4)
        )
        variance = cubes.var(axis=(0, 2, 4), ddof=1, dtype=np.float64)
        usable = ~spoilt & (variance < 4 * steepness**2) & (variance > 0)
        mean = cubes.mean(axis=(0, 2, 4), dtype=np.float64)
        pairs = usable[:, 1:] & usable[:, :-1]
        self._variances.append(variance[usable])
        self._mean_steps.append((mean[:, 1:] - mean[:, :-1])[pairs])

    @property
    def deviation(self) -> float:
        """1/cm; zero where the image has none."""
        values = np.concatenate(self._variances) if self._variances else np.zeros(0)
        return float(np.sqrt(np.median(values))) if values.size > 10 else 0.0

    @property
    def correlation(self) -> float:
        """Variance of a cube's mean over that of as many independent voxels, at least one."""
        steps = np.concatenate(self._mean_steps) if self._mean_steps else np.zeros(0)
        if steps.size <= 10 or self.deviation == 0:
            return 1.0
        of_means = (1.4826 * float(np.median(np.abs(steps)))) ** 2 / 2
        return max(1.0, of_means * _PATCH**3 / self.deviation**2)
