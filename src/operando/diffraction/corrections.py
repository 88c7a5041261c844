"""What the electronics did to a spectrum, and which elements can be used: stated, with the counts left raw."""

import numpy as np
import xarray as xr

from operando.diffraction.background import escape_lines, peel
from operando.diffraction.dead_time import DeadTimeScale
from operando.diffraction.geometry import channel_energies
from operando.model.products.diffraction import CORRECTED

_PEEL_KEV = 3.0
"""Half the width of the widest feature that counts as a line rather than background."""

_FEWEST_COUNTS = 100


def corrected(spectrum: xr.Dataset, calibration: xr.Dataset) -> xr.Dataset:
    """The ``corrected`` product of one spectrum; a dead, empty or inconsistent element is marked and named."""
    counts = np.asarray(spectrum["counts"].values, float)
    file = str(spectrum.attrs.get("file", "spectrum"))
    scale, time_notes = dead_time_factor(spectrum["live_time"].values, spectrum["real_time"].values)
    energy = channel_energies(energy_coefficients(calibration, scale), counts.shape[-1])
    good, notes = usable(counts, calibration["good"].values)
    background, escape = np.zeros((2, *counts.shape))
    for element in np.flatnonzero(good):
        background[element], escape[element] = smooth_background(counts[element], energy[element])
    said = [f"{file}: {note}" for note in (*time_notes, *notes)]
    return CORRECTED.new(
        attrs={**_kept(spectrum), "warnings": said},
        counts=counts,
        background=background + escape,
        escape=escape,
        energy=energy,
        scale=scale,
        current=np.float64(current_factor(spectrum, calibration)),
        live_time=np.asarray(spectrum["live_time"].values, float),
        good=good,
    )


def energy_coefficients(calibration: xr.Dataset, scale: np.ndarray) -> np.ndarray:
    """Coefficients (elements, order) of the energy scale at the dead time that real over live time ``scale`` tells."""
    if "dead_time_scale" not in calibration:
        return np.asarray(calibration["energy_coefficients"].values)
    return DeadTimeScale.of(calibration["dead_time_scale"].values).at(scale)


def current_factor(spectrum: xr.Dataset, calibration: xr.Dataset) -> float:
    """Ring current of the series' first spectrum over this one's; 1 where either is unknown."""
    first = calibration.attrs.get("ring_current_ma")
    now = float(spectrum["ring_current"]) if "ring_current" in spectrum else np.nan
    return float(first) / now if first is not None and now > 0.0 else 1.0


def _kept(spectrum: xr.Dataset) -> dict[str, object]:
    return {key: spectrum.attrs[key] for key in ("frame", "file") if key in spectrum.attrs}


def dead_time_factor(live: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Real time over live time (elements,), 1 where the file's times contradict each other, and what was odd."""
    factor = np.ones(len(live))
    notes: list[str] = []
    for element, (lived, lasted) in enumerate(zip(live, real, strict=True)):
        if lived > lasted > 0.0:
            notes.append(
                f"element {element}: LIVE time {lived:.3f} s exceeds REAL time {lasted:.3f} s; its dead time is "
                "unknown, so its areas are not corrected for it"
            )
        elif lived > 0.0 and np.isfinite(lasted):
            factor[element] = lasted / lived
    return factor, notes


def usable(counts: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Which elements (elements,) can be used in this spectrum; a sentence for each that is newly lost."""
    usable_now = np.asarray(good, bool).copy()
    notes: list[str] = []
    for element, one in enumerate(counts):
        reason = why_unusable(one) if usable_now[element] else ""
        if reason:
            usable_now[element] = False
            notes.append(f"element {element} is not used: {reason}")
    return usable_now, notes


def why_unusable(counts: np.ndarray) -> str:
    """Reason why an element's counts (channels,) can't be analysed, or nothing."""
    if not np.isfinite(counts).all() or (counts < 0).any():
        return "some of its counts are negative or not numbers"
    total = counts.sum()
    if total == 0:
        return "dead, it has no counts"
    if total < _FEWEST_COUNTS:
        return f"nearly empty, it has {total:.0f} counts"
    if np.max(counts) > 0.5 * total:
        return f"{100 * np.max(counts) / total:.0f} % of its counts are in one channel"
    full = counts == counts.max()
    if counts.max() > 1000 and full.sum() >= 5:
        return f"saturated, {int(full.sum())} channels stand at {counts.max():.0f} counts"
    return ""


def smooth_background(counts: np.ndarray, energy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smooth background (channels,), and the escape lines of germanium that stand on it."""
    channel_kev = float(np.median(np.diff(energy)))
    base = peel(counts, max(3, round(_PEEL_KEV / channel_kev)))
    return base, escape_lines(counts - base, energy)
