"""What was really true: summary.json's layout with plain values, surfaces, labels and everything behind them.

The folder ``truth/`` is for people and for the demo's table; no analysis reads it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.model.clock import to_text
from operando.model.constants import OUTSIDE_LABEL
from operando.twin.cycler import FIRST_AFTER_STEP_S, Record
from operando.twin.measures import Morphology, morphology
from operando.twin.scenarios import described
from operando.twin.spectrometer import Measured, Phase, true_lattice
from operando.twin.tomography import scan_start
from operando.twin.world import World

PHASES = ("void", "electrolyte", "anode")
_MOST_NODES = 20_000_000
_LARGEST_LABELS = 64_000_000
"""Label volumes of more voxels are left out: they follow from the surfaces."""


def moment(world: World, seconds: float) -> str | None:
    """UTC text of a time since the start."""
    return to_text(world.epoch + np.timedelta64(round(seconds * 1e9), "ns"))


def summary(
    world: World, scans: list[int], files: dict[str, list[str]], measured: list[Measured], cycler: Record | None
) -> dict[str, Any]:
    """The true values in the layout of summary.json."""
    seen = {index: _morphology(world, index) for index in scans}
    return {
        "schema": 1,
        "title": world.settings.title,
        "scenario": described(world.settings),
        "scans": [_scan(world, n, index, files["tomography"][n], seen[index]) for n, index in enumerate(scans)],
        "spectra": [_spectrum(world, n, name, measured[n]) for n, name in enumerate(files["diffraction"])],
        "cycles": _cycles(world, cycler),
        "volume_balance": _balance(world, scans, seen),
        "events": _events(world),
    }


def _morphology(world: World, index: int) -> Morphology:
    middle = scan_start(world.settings, index) + world.settings.tomography.duration_s / 2
    return morphology(world.cell, world.state(middle), world.pose(index), world.settings.detector)


def _exposure(world: World, start: float, length: float) -> dict[str, Any]:
    """State of the protocol during an exposure; ``null`` outside the record."""
    inside = start >= 0 and start + length <= world.protocol.length and world.settings.cycler.enabled
    step = world.protocol.step_at(start + length / 2)
    return {
        "cycle": world.protocol.cycle[step] if inside else None,
        "step": world.protocol.kind[step] if inside else None,
        "charge_mAh": world.protocol.mean_charge(start, start + length) if inside else None,
    }


def _scan(world: World, number: int, index: int, file: str, seen: Morphology) -> dict[str, Any]:
    start, length = scan_start(world.settings, index), world.settings.tomography.duration_s
    stands = world.pose(index)
    z, y, x = stands.shift_um
    return {
        "index": number,
        "file": file,
        "start": moment(world, start),
        "end": moment(world, start + length),
        **_exposure(world, start, length),
        "centre_px": stands.centre_px,
        "phase_volume_um3": {"void": seen.void, "electrolyte": seen.electrolyte, "anode": seen.anode},
        "cavity_um3": seen.cavity,
        "contact_area_um2": seen.contact_area,
        "surface_area_um2": seen.surface_area,
        "tracks": seen.tracks,
        "translation_um": [z, y, x],
        "rotation_rad": stands.turn_rad,
        "tilt_rad": stands.tilt_rad,
    }


def _spectrum(world: World, index: int, file: str, measured: Measured) -> dict[str, Any]:
    start, length = float(world.spectrum_times[index]), world.settings.spectrometer.duration_s
    seen = world.seen(index)
    shares = _shares(seen.phases)
    return {
        "index": index,
        "file": file,
        "time": moment(world, start + length / 2),
        "start": moment(world, start),
        "end": moment(world, start + length),
        "charge_mAh": _exposure(world, start, length)["charge_mAh"],
        "lattice": true_lattice([phase for phase in seen.phases if shares[phase.name] > 0]),
        "phase_share": shares,
        "gauge_share": seen.gauge_shares,
        "alloyed_share": world.state(start + length / 2).active_share,
        "dead_time": measured.dead_share.tolist(),
        "energy_shift_kev": measured.shift_kev.tolist(),
        "gain": seen.conditions.gain,
        "two_theta_deg": (world.instrument.two_theta() + seen.conditions.two_theta_deg).tolist(),
    }


def _shares(phases: Sequence[Phase]) -> dict[str, float]:
    """Shares of the phases in what diffracts, by effective volume at the middle of the beam's energies."""
    volumes = {phase.name: float(np.median(np.asarray(phase.volume))) for phase in phases}
    total = max(sum(volumes.values()), 1e-300)
    return {name: volume / total for name, volume in volumes.items()}


def _cycles(world: World, cycler: Record | None) -> list[dict[str, Any]]:
    course = world.protocol
    found = []
    for number in sorted({cycle for cycle in course.cycle if cycle > 0}):
        steps = [n for n, cycle in enumerate(course.cycle) if cycle == number]
        moved = {n: float(course.current[n] * (course.edges[n + 1] - course.edges[n]) / 3600) for n in steps}
        charged = sum(q for q in moved.values() if q > 0)
        discharged = -sum(q for q in moved.values() if q < 0)
        last = max(n for n in steps if course.kind[n] == "charge")
        found.append({
            "cycle": number,
            "c_rate": abs(float(course.current[last])) / world.capacity_mah,
            "charge_mAh": charged,
            "discharge_mAh": discharged,
            "coulombic_efficiency": discharged / charged,
            "resistance_ohm": _resistance(world, cycler, course.edges[last + 1]),
        })
    return found


def _resistance(world: World, cycler: Record | None, time: float) -> float | None:
    """Ohmic part, and what the charge transfer has relaxed by the first sample after the change of current."""
    if cycler is None:
        return None
    given = world.settings.cycler
    at = int(np.searchsorted(cycler.seconds, time))
    relaxed = 1 - np.exp(-FIRST_AFTER_STEP_S / given.relaxation_s)
    return float(cycler.resistance[at] * (1 + given.transfer_ohm / given.resistance_ohm * relaxed))


def _balance(world: World, scans: list[int], seen: dict[int, Morphology]) -> list[dict[str, Any]]:
    """Charge against the anode's true change for every step, between the scans nearest its ends, and overall."""
    if len(scans) < 2:
        return []
    length = world.settings.tomography.duration_s
    middle = np.array([scan_start(world.settings, index) + length / 2 for index in scans])
    entries = []
    for n, (start, end) in enumerate(zip(world.protocol.edges[:-1], world.protocol.edges[1:], strict=True)):
        first, last = (int(np.argmin(np.abs(middle - time))) for time in (start, end))
        if first < last:
            entries.append(_entry(world, scans, seen, first, last, world.protocol.cycle[n], world.protocol.kind[n]))
    return [*entries, _entry(world, scans, seen, 0, len(scans) - 1, None, "all")]


def _entry(
    world: World, scans: list[int], seen: dict[int, Morphology], first: int, last: int, cycle: int | None, step: str
) -> dict[str, Any]:
    length = world.settings.tomography.duration_s
    starts = [scan_start(world.settings, scans[n]) for n in (first, last)]
    charge = np.diff([world.protocol.mean_charge(start, start + length) for start in starts])[0]
    states = [world.state(start + length / 2) for start in starts]
    change = (states[1].surfaces.anode - states[0].surfaces.anode) * states[0].surfaces.weight
    expected = world.cell.volume_change(float(charge))
    useful = float(np.diff([state.stored_mah for state in states])[0])
    return {
        "cycle": cycle,
        "step": step,
        "from_scan": first,
        "to_scan": last,
        "charge_mAh": float(charge),
        "stored_mAh": useful,
        "morphological_um3": float(change.sum()),
        "gross_gain_um3": float(np.clip(change, 0, None).sum()),
        "gross_loss_um3": float(-np.clip(change, None, 0).sum()),
        "unaccounted_um3": expected - float(change.sum()),
        "side_reaction_um3": world.cell.volume_change(float(charge) - useful),
        "hidden_void_um3": world.cell.volume_change(useful) - float(change.sum()),
        "candidates": [{"reaction": world.settings.cell.anode.reaction, "electrochemical_um3": expected}],
    }


def _events(world: World) -> list[dict[str, Any]]:
    """When cavities begin to open: the first time the anode shrinks below what it had pushed away."""
    found = _phase_events(world)
    times = np.unique(np.concatenate([world.protocol.edges, np.linspace(0, world.protocol.length, 2000)]))
    stored = world.protocol.stored(times)
    below = np.flatnonzero(stored < np.maximum.accumulate(stored) - 1e-12)
    if not len(below) or world.settings.cell.anode.hidden_share >= 1:
        return found
    onset = float(times[below[0] - 1])
    charge = float(world.protocol.charge(onset))
    texts = {
        "void_onset": "a cavity begins to open between anode and electrolyte",
        "contact_loss_onset": "the anode begins to lose contact with the electrolyte",
        "resistance_rise_onset": "the resistance begins to rise with the loss of contact",
    }
    when = moment(world, onset)
    return found + [{"time": when, "charge_mAh": charge, "kind": kind, "text": text} for kind, text in texts.items()]


def _phase_events(world: World) -> list[dict[str, Any]]:
    """When a phase first shows in the gauge: the first spectrum with it."""
    found: list[dict[str, Any]] = []
    if not world.settings.spectrometer.enabled:
        return found
    earlier = {phase.name for phase in world.pristine[0] if np.max(phase.volume) > 0}
    for index, start in enumerate(world.spectrum_times):
        present = {phase.name for phase in world.seen(index).phases if np.max(phase.volume) > 0}
        for name in sorted(present - earlier):
            when, charge = moment(world, float(start)), float(world.protocol.charge(start))
            text = f"{name} appears in the gauge"
            found.append({"time": when, "charge_mAh": charge, "kind": "phase_onset", "text": text})
        earlier |= present
    return found


def write(folder: Path, world: World, scans: list[int], found: dict[str, Any], cycler: Record | None) -> list[Path]:
    """Write ``truth/``: summary.json, settings.json, surfaces.nc, cell.nc, labels_*.nc."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (folder / "settings.json").write_text(world.settings.model_dump_json(indent=1) + "\n", encoding="utf-8")
    written = [folder / "summary.json", folder / "settings.json"]
    if scans:
        written.append(_save(surfaces(world, scans), folder / "surfaces.nc"))
        written += _labels(world, scans, folder)
    if cycler is not None:
        written.append(_save(_course(world, cycler), folder / "course.nc"))
    return written


def _save(dataset: xr.Dataset, path: Path) -> Path:
    encoding = {
        name: {"zlib": True, "complevel": 1} for name, variable in dataset.data_vars.items() if variable.ndim > 1
    }
    dataset.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    return path


def _axis_um(world: World) -> np.ndarray:
    """The height maps' axis in the first scan's frame: µm from the first voxel."""
    detector = world.settings.detector
    return world.cell.axis + (detector.columns - 1) / 2 * detector.pixel_um


def surfaces(world: World, scans: list[int]) -> xr.Dataset:
    """Height maps of anode and electrolyte in every scan, in the first scan's frame; NaN outside the bore."""
    length = world.settings.tomography.duration_s
    # Of big series every second, third … node is kept, so that the maps fit into memory.
    every = slice(None, None, int(np.ceil(np.sqrt(len(scans) * world.cell.weight.size / _MOST_NODES))))
    outside = world.cell.weight[every, every] <= 0
    maps: dict[str, list[np.ndarray]] = {"anode": [], "electrolyte": [], "gap": []}
    grains = []
    for index in scans:
        state = world.state(scan_start(world.settings, index) + length / 2)
        grains.append(state.grains)
        for name, values in maps.items():
            values.append(np.where(outside, np.nan, getattr(state.surfaces, name)[every, every]).astype(np.float32))
    axis = _axis_um(world)[every]
    return xr.Dataset(
        {name: (("scan", "y_map", "x_map"), np.stack(values), {"units": "um"}) for name, values in maps.items()}
        | {"grains": (("scan", "grain", "property"), np.stack(grains), {"units": "um"})},
        coords={
            "scan": np.arange(len(scans)),
            "y_map": ("y_map", axis, {"units": "um"}),
            "x_map": ("x_map", axis, {"units": "um"}),
            "property": ["z", "y", "x", "semi_z", "semi_y", "semi_x", "density_relative_to_powder_minus_1"],
        },
        attrs={"origin": "z from the first row; grains' y and x from the bore's axis; maps from the first voxel"},
    )


def _labels(world: World, scans: list[int], folder: Path) -> list[Path]:
    detector = world.settings.detector
    if detector.rows * detector.columns**2 > _LARGEST_LABELS:
        return []
    return [
        _save(labels(world, scan_start(world.settings, index)), folder / f"labels_{number:04d}.nc")
        for number, index in enumerate(scans)
    ]


def labels(world: World, start: float) -> xr.Dataset:
    """Phase of every voxel's middle in the first scan's frame: 0 outside the bore, 1 void, 2 electrolyte, 3 anode."""
    detector = world.settings.detector
    state = world.state(start + world.settings.tomography.duration_s / 2)
    column = (np.arange(detector.columns) - (detector.columns - 1) / 2) * detector.pixel_um
    z = np.arange(detector.rows) * detector.pixel_um
    y, x = np.meshgrid(column, column, indexing="ij")
    anode, electrolyte = (
        _resampled(world.cell.axis, m, column) for m in (state.surfaces.anode, state.surfaces.electrolyte)
    )
    label = np.where(z[:, None, None] < anode, 3, np.where(z[:, None, None] < electrolyte, 1, 2)).astype(np.uint8)
    for grain in state.grains[state.grains[:, 6] <= -1 + 1e-9]:
        _carve(label, grain, z, y, x)
    label[:, np.hypot(y, x) > world.cell.radius] = OUTSIDE_LABEL
    lengths = {"z": z, "y": column - column[0], "x": column - column[0]}
    return xr.Dataset(
        {"label": (("z", "y", "x"), label, {"units": "1", "phases": ", ".join(PHASES)})},
        coords={name: (name, values, {"units": "um"}) for name, values in lengths.items()},
    )


def _carve(label: np.ndarray, grain: np.ndarray, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> None:
    """Set a pore's voxels to void, row by row."""
    gz, gy, gx, c, b, a, _ = grain
    for row in np.flatnonzero(np.abs(z - gz) < c):
        inside = ((z[row] - gz) / c) ** 2 + ((y - gy) / b) ** 2 + ((x - gx) / a) ** 2 < 1
        label[row][inside & (label[row] == 2)] = 1


def _resampled(axis: np.ndarray, field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Bilinear interpolation of a height map on a square grid of points."""
    from scipy.ndimage import map_coordinates

    place = (points - axis[0]) / (axis[1] - axis[0])
    return np.asarray(map_coordinates(field, np.meshgrid(place, place, indexing="ij"), order=1, mode="nearest"))


def _course(world: World, cycler: Record) -> xr.Dataset:
    """Charge, lithium, contact and resistance at every sample, on the beamline's clock."""
    time = world.epoch + np.rint(cycler.seconds * 1e9).astype("int64").astype("timedelta64[ns]")
    variables = {
        "charge": (world.protocol.charge(cycler.seconds), "mAh"),
        "stored": (world.protocol.stored(cycler.seconds), "mAh"),
        "current": (cycler.current, "mA"),
        "voltage": (cycler.voltage, "V"),
        "resistance": (cycler.resistance, "ohm"),
        "cycler_clock": (cycler.clock, "s"),
    }
    dataset = xr.Dataset({name: ("sample", values, {"units": unit}) for name, (values, unit) in variables.items()})
    dataset["time"] = ("sample", time)
    dataset["time"].encoding = {"units": "nanoseconds since 1970-01-01", "dtype": "int64"}
    return dataset
