"""Many cheap volume-level realisations of a growing anode, with the truth beside each interval."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from cells import VOXEL, Cell, motions_of, with_change

from operando.morphology.bore import bore
from operando.morphology.classify import classify
from operando.morphology.difference import difference
from operando.morphology.histogram import histogram
from operando.morphology.levels import levels
from operando.morphology.phase_volumes import phase_volumes
from operando.morphology.rigid import Rigid
from operando.morphology.segment import segment

SMALL = Cell(shape=(28, 44, 44), bore=17.0, level=11.0, roughness=1.2)
PLACEMENT_UM = 0.05


@dataclass(frozen=True)
class Outcome:
    """One realisation, in voxels."""

    truth: float
    net: float
    low: float
    high: float
    gain: float
    loss: float
    area: float

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high


def realise(seed: int, growth: float | None = None, placement: float = PLACEMENT_UM) -> Outcome:
    """Two scans of one cell: random surface, growth, noise, motion, and a motion known with an error."""
    rng = np.random.default_rng([seed, 77])
    grown = float(rng.uniform(0.3, 3.0)) if growth is None else growth
    cell = Cell(**{**vars(SMALL), "seed": seed})
    later = with_change(cell, growth=grown)
    middle = (np.array(cell.shape) - 1) / 2 * VOXEL
    true = Rigid.of(rng.uniform(-2, 2, 3), rng.uniform(-0.004, 0.004, 3), middle)
    known = Rigid.of(true.translation + rng.normal(0, placement, 3), true.rotation, middle)
    blur, noise = rng.uniform(0.5, 0.9), rng.uniform(0.1, 0.5)
    scans = [cell.volume(blur, noise, seed=2 * seed), later.volume(blur, noise, seed=2 * seed + 1, motion=true)]
    found = compare(scans, motions_of(None, known, std=placement), cell)
    truth = later.truth()["anode"] - cell.truth()["anode"]
    values = [float(found[name]) / VOXEL**3 for name in ("net", "net_low", "net_high", "gain", "loss")]
    return Outcome(truth, *values, area=float(cell.inside().sum()))


def compare(scans: list[xr.Dataset], table: xr.Dataset, cell: Cell) -> xr.Dataset:
    """The chain from volumes to the difference, with the motions given."""
    tube = fixed_bore(scans[0], cell)
    rows = [table.isel(scan=i) for i in range(2)]
    rows[0] = rows[0].assign(translation_std=rows[0]["translation_std"] * 0)
    counted = [histogram(scan, tube, row) for scan, row in zip(scans, rows, strict=True)]
    classes = classify(counted)
    own = [levels(one, classes) for one in counted]
    labels = [segment(scan, tube, one, row) for scan, one, row in zip(scans, own, rows, strict=True)]
    volumes = [phase_volumes(label, tube, one, row) for label, one, row in zip(labels, own, rows, strict=True)]
    return difference(*labels, tube, *own, *volumes)


def fixed_bore(first: xr.Dataset, cell: Cell) -> xr.Dataset:
    """The bore with its true radius and axis: what is under test is not the circle."""
    tube = bore(first, 2 * cell.bore * VOXEL / 1000)
    middle = (np.array(cell.shape) - 1) / 2 * VOXEL
    return tube.assign(
        centre=tube["centre"].copy(data=middle),
        slope=tube["slope"].copy(data=np.zeros(2)),
        radius=tube["radius"].copy(data=np.array(cell.bore * VOXEL)),
    )
