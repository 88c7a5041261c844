"""The beamtime monitor: figures of quality for every scan and spectrum, and sentences where one leaves its limits.

Everything is read from the results; a figure whose product is missing is left out, never guessed. The quick look is
the one thing made from raw data: the middle slice of a scan, minutes before its volume.
"""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.model.clock import to_text
from operando.model.configuration import Configuration, Watch
from operando.pipeline import codec, display
from operando.pipeline import configuration as configuration_file
from operando.pipeline.store import RESULTS, Results

NEEDED = (
    "operando.tomography.scan",
    *(f"operando.tomography._{kind}_kernels" for kind in ("normalise", "rings", "fft", "gridding")),
)
"""What a quick look imports late; whoever imports it early need not wait for it then."""

QUICK_FILE = "quicklook.npz"


@dataclass(frozen=True)
class Strip:
    """One figure along the frames it was measured for. ``low`` and ``high``: limits, ``None`` where there is none."""

    name: str
    title: str
    unit: str
    over: str
    frames: tuple[int, ...]
    value: tuple[float, ...]
    low: float | None = None
    high: float | None = None
    alarm: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For the viewer; ``None`` for what is not a number."""
        return {**vars(self), "value": [v if np.isfinite(v) else None for v in self.value]}


def limits_of(folder: Path) -> Watch:
    """Limits of the folder's configuration; the defaults where the results stand without one."""
    return configuration_file.load(folder).watch if (folder / configuration_file.FILE_NAME).exists() else Watch()


def assess(results: Results, limits: Watch) -> list[Strip]:
    """All figures that these results allow."""
    return [strip for measure in MEASURES for strip in measure(results, limits) if np.isfinite(strip.value).any()]


def _strip(
    head: tuple[str, str, str, str], frames: Any, values: Any, low: float | None = None, high: float | None = None
) -> Strip:
    """A strip with an alarm for the last frame that is outside its limits; ``head``: name, title, unit, over."""
    name, title, unit, over = head
    value = np.asarray(values, float)
    outside = (value < (-np.inf if low is None else low)) | (value > (np.inf if high is None else high))
    alarm = None
    if outside.any():
        last = int(np.flatnonzero(outside)[-1])
        limit = high if high is not None and value[last] > high else low
        alarm = f"{title}: {value[last]:.4g} {unit} at {over} {int(frames[last])}, limit {limit:.4g}".replace("  ", " ")
    return Strip(name, title, unit, over, tuple(map(int, frames)), tuple(map(float, value)), low, high, alarm)


def _beam(results: Results, limits: Watch) -> Iterator[Strip]:
    for over in ("scan", "spectrum"):
        table = results.table(f"{over}_exposure")
        if table is not None and np.isfinite(table["ring_current"].values).any():
            values = table["ring_current"].values
            low = float(np.nanmedian(values)) * (1 - limits.beam_drop)
            yield _strip((f"beam_{over}", f"Ring current, {over}", "mA", over), table[over].values, values, low)


def _centre(results: Results, limits: Watch) -> Iterator[Strip]:
    table = results.table("centres")
    if table is not None:
        drift = table["centre"].values - np.nanmedian(table["centre"].values)
        reach = limits.centre_drift_px
        yield _strip(
            ("centre", "Drift of the centre of rotation", "px", "scan"), table["scan"].values, drift, -reach, reach
        )


def _sample(results: Results, limits: Watch) -> Iterator[Strip]:
    table = results.table("motions")
    if table is not None:
        moved = np.linalg.norm(table["translation"].values, axis=1)
        yield _strip(
            ("sample", "Drift of the cell", "µm", "scan"), table["scan"].values, moved, None, limits.sample_drift_um
        )


def _noise(results: Results, limits: Watch) -> Iterator[Strip]:
    table, classes = results.table("histogram"), results.table("classes")
    if table is None or "noise" not in table:
        return
    noise = table["noise"].values.astype(float)
    high = float(np.nanmedian(noise)) * limits.noise_rise if np.isfinite(noise).any() else None
    yield _strip(("noise", "Noise of a voxel", "1/cm", "scan"), table["scan"].values, noise, None, high)
    if classes is not None and classes.sizes.get("phase", 0) > 1:
        contrast = float(np.nanmax(classes["mean"].values) - np.nanmin(classes["mean"].values))
        yield _strip(("snr", "Contrast over noise", "", "scan"), table["scan"].values, contrast / noise)


def _sharpness(results: Results, limits: Watch) -> Iterator[Strip]:
    images = display.catalogue(results).get("volume", {})
    frames = sorted(images)
    if frames:
        values = np.array([images[frame].sharpness for frame in frames])
        low = float(np.nanmedian(values)) * (1 - limits.sharpness_drop)
        yield _strip(("sharpness", "Sharpness of the steepest edges", "1/mm", "scan"), frames, values, low)


def _untrusted(results: Results, limits: Watch) -> Iterator[Strip]:
    table = results.table("phase_volumes")
    if table is not None and "untrusted_share" in table:
        head = ("untrusted", "Untrusted share of the bore", "", "scan")
        yield _strip(head, table["scan"].values, table["untrusted_share"].values, None, limits.untrusted_share)
    table = results.table("glare")
    if table is not None:
        yield _strip(("glare", "Glare", "", "scan"), table["scan"].values, table["level"].values)


def _dead_time(results: Results, limits: Watch) -> Iterator[Strip]:
    frames = results.frames("corrected")
    shares = [_dead_share(results.product("corrected", frame)) for frame in frames]
    yield _strip(("dead_time", "Dead time", "", "spectrum"), frames, shares, None, limits.dead_time)


def _dead_share(corrected: xr.Dataset | None) -> float:
    if corrected is None or not corrected["good"].values.astype(bool).any():
        return float("nan")
    return float(1 - 1 / corrected["scale"].values[corrected["good"].values.astype(bool)].mean())


def _reference_line(results: Results, limits: Watch) -> Iterator[Strip]:
    from operando.figures.spectra import flat_lines, known_lines

    flat, lines = flat_lines(results), known_lines(results)
    if flat is None or not lines:
        return
    first = flat.whole()
    part = first.where(first.element == first.element.min()).of(lines[0].phase, lines[0].hkl)
    shift, reach = part.columns["d"] / np.nanmedian(part.columns["d"]) - 1, limits.line_shift
    yield _strip(("line", f"Shift of {lines[0].label}", "", "spectrum"), part.spectrum, shift, -reach, reach)


def _gaps(results: Results, limits: Watch) -> Iterator[Strip]:
    """Time since the frame before, in minutes: missing or late frames stand out."""
    for over in ("scan", "spectrum"):
        table = results.table(f"{over}_timeline")
        if table is None or table.sizes[over] < 3:
            continue
        start = table["start"].values
        minutes = np.where(np.isnat(start[1:]) | np.isnat(start[:-1]), np.nan, np.diff(start).astype("int64") / 6e10)
        usual = float(np.nanmedian(minutes)) if np.isfinite(minutes).any() else np.nan
        high = usual * limits.gap_factor if np.isfinite(usual) else None
        frames = table[over].values[1:] if over in table.coords else np.arange(1, start.size)
        yield _strip((f"gap_{over}", f"Time since the {over} before", "min", over), frames, minutes, None, high)


def _cell(results: Results, limits: Watch) -> Iterator[Strip]:
    table = results.table("scan_timeline")
    if table is None:
        return
    frames = table["scan"].values if "scan" in table.coords else np.arange(table.sizes["scan"])
    for name, title, unit in (("voltage", "Cell voltage", "V"), ("current", "Cell current", "mA")):
        if np.isfinite(table[name].values).any():
            yield _strip((name, title, unit, "scan"), frames, table[name].values)


MEASURES: tuple[Callable[[Results, Watch], Iterator[Strip]], ...] = (
    _beam, _centre, _sample, _noise, _sharpness, _untrusted, _gaps, _dead_time, _reference_line, _cell,
)  # fmt: skip


def notices(results: Results, limits: Watch) -> Iterator[str]:
    """Sentences about the experiment as a whole: a silent cycler, a clock that the data would rather have shifted."""
    silence = cycler_silence(results, limits)
    if silence:
        yield silence
    check = results.table("clock_check")
    yield from check.attrs.get("warnings", []) if check is not None else []


def cycler_silence(results: Results, limits: Watch) -> str | None:
    """A sentence where the cycler's record ends well before the last frame."""
    curve = results.table("curve")
    ends = [
        table["end"].values for kind in ("scan", "spectrum") if (table := results.table(f"{kind}_timeline")) is not None
    ]
    ends = [end[~np.isnat(end)] for end in ends]
    ends = [end for end in ends if end.size]
    if curve is None or not ends or curve.sizes["sample"] == 0:
        return None
    last, until = max(end.max() for end in ends), curve["time"].values[~np.isnat(curve["time"].values)].max()
    silent = float((last - until).astype("int64")) / 1e9
    if silent <= limits.cycler_silence_s:
        return None
    return f"The cycler has been silent for {silent / 60:.0f} min: its record ends at {to_text(until)}"


@dataclass(frozen=True)
class QuickLook:
    """The middle slice of a scan, minutes before its volume: bytes on ``low`` … ``high`` (1/cm), shape (y, x)."""

    file: str
    plane: np.ndarray
    low: float
    high: float
    unit: str
    centre_px: float
    flux: float
    contrast_to_noise: float


def read_quick_look(folder: Path) -> QuickLook | None:
    """The last quick look, ``None`` where there is none."""
    try:
        with np.load(folder / RESULTS / QUICK_FILE, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            return QuickLook(plane=stored["plane"], **about)
    except (OSError, ValueError, KeyError):
        return None


def quick_look(path: Path, name: str, configuration: Configuration) -> QuickLook:
    """Reconstruct the middle row of a scan alone."""
    from operando.model.products.raw import DARK, FLAT
    from operando.pipeline.single import open_scan
    from operando.tomography.scan import reconstruct_scan

    tomography = configuration.tomography
    scan = open_scan(path, tomography.pixel_size_um if tomography else None)
    row = scan.sizes["row"] // 2
    chosen = tomography.centre if tomography else "auto"
    volume, centre, _ = reconstruct_scan(scan, centre=chosen, rows=(row, row + 1))
    plane = np.asarray(volume.values[0], float)
    low, high = (float(v) for v in np.quantile(plane, [0.002, 0.998]))
    key, counts = scan["image_key"].values, scan["counts"].isel(row=row)
    level = {kind: _mean(counts, key == kind) for kind in (FLAT, DARK)}
    inner = plane[plane.shape[0] // 4 : -plane.shape[0] // 4, plane.shape[1] // 4 : -plane.shape[1] // 4]
    noise = 1.4826 * float(np.median(np.abs(np.diff(inner, axis=1)))) / np.sqrt(2)
    scaled = np.rint(255 * np.clip((plane - low) / max(high - low, 1e-12), 0, 1)).astype(np.uint8)
    ratio = (high - low) / noise if noise > 0 else float("nan")
    return QuickLook(name, scaled, low, high, volume.attrs["units"], centre, level[FLAT] - level[DARK], float(ratio))


def _mean(counts: Any, chosen: np.ndarray) -> float:
    """Mean counts of at most eight of the chosen frames; 0 where there is none."""
    frames = np.flatnonzero(chosen)[:8]
    return float(counts.isel(frame=frames).values.mean()) if frames.size else 0.0


def write_quick_look(folder: Path, found: QuickLook) -> None:
    """Keep a quick look until the next one."""
    about = {key: value for key, value in vars(found).items() if key != "plane"}
    buffer = io.BytesIO()
    np.savez(buffer, plane=found.plane, about=np.array(json.dumps(about)))
    codec.write_bytes(buffer.getvalue(), folder / RESULTS / QUICK_FILE)
