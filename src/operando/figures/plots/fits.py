"""Fits with residuals: counts, model, background and what is left, for chosen spectra of one detector element."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operando.figures import style
from operando.figures.reading import NothingToDrawError, need
from operando.figures.source import Source
from operando.figures.spectra import FlatLines, flat_lines, known_lines, spacing_range
from operando.model.constants import HC_KEV_ANGSTROM

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_MM, MARGIN_MM, LEGEND_MM = 52, 10, 5
WIDTH_OF_FWHM = 2 * np.sqrt(2 * np.log(2))
FITTED = "fitted"
"""Product with the fit's own ``model`` (element, channel), counts; where it is not kept the model is put together."""


@dataclass(frozen=True)
class _Fit:
    energy: np.ndarray
    counts: np.ndarray
    background: np.ndarray
    model: np.ndarray
    whole: bool

    @property
    def residual(self) -> np.ndarray:
        """In standard deviations of counting."""
        left: np.ndarray = (self.counts - self.model) / np.sqrt(np.maximum(self.model, 1.0))
        return left


def draw(source: Source, spectra: tuple[int, ...] | None = None, element: int | None = None) -> "Figure":
    """Draw ``spectra`` (default: first, middle and last) of ``element`` (default: the first good one).

    Without the fit's own model on disk, it is put together from the named lines over the background, and says so:
    then unnamed and fluorescence lines stay in the residual.
    """
    calibration = need(source.table("calibration"), "fits", "calibrated spectra")
    frames = source.frames("lines")
    if not frames or not known_lines(source):
        raise NothingToDrawError("The figure 'fits' needs fitted spectra; there are none.")
    chosen = list(dict.fromkeys(spectra or (frames[0], frames[len(frames) // 2], frames[-1])))
    place = int(np.argmax(calibration["good"].values.astype(bool))) if element is None else element
    fits = [(frame, fit) for frame in chosen if (fit := _fit(source, frame, place, calibration)) is not None]
    if not fits:
        raise NothingToDrawError(f"The figure 'fits' has nothing to draw: element {place} is in none of these spectra.")
    figure = style.new_figure(ROW_MM * len(fits) + MARGIN_MM + LEGEND_MM)
    ratios = [part for _ in fits for part in (3, 1)]
    every = figure.subplots(2 * len(fits), 1, sharex=True, height_ratios=ratios)
    for k, (frame, fit) in enumerate(fits):
        _row(every[2 * k], every[2 * k + 1], fit, f"spectrum {frame}, element {place}")
    every[-1].set_xlabel("Energy (keV)")
    low, high = _energy_range(source, float(calibration["two_theta"].values[place]))
    every[-1].set_xlim(low, high)
    for axes, (_, fit) in zip(every[::2], fits, strict=True):
        shown = fit.counts[(fit.energy > low) & (fit.energy < high)]
        axes.set_ylim(-0.03 * shown.max(initial=1.0), 1.1 * shown.max(initial=1.0))
    figure.legend(*every[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _energy_range(source: Source, two_theta: float) -> tuple[float, float]:
    low, high = spacing_range(known_lines(source), 0.05)
    product = HC_KEV_ANGSTROM / (2 * np.sin(np.deg2rad(two_theta) / 2))
    return product / high, product / low


def _fit(source: Source, frame: int, element: int, calibration: "xr.Dataset") -> _Fit | None:
    corrected = source.corrected(frame)
    if corrected is None or not corrected["good"].values.astype(bool)[element]:
        return None
    energy, counts, background = (
        corrected[name].values[element].astype(float) for name in ("energy", "counts", "background")
    )
    fitted = source.product(FITTED, frame)
    if fitted is not None:
        model = fitted["model"].values[element]
        return _Fit(energy, counts, background, model, True)
    flat = flat_lines(source)
    if flat is None:
        return None
    rows = flat.where((flat.spectrum == frame) & (flat.element == element))
    if not rows.code.size:
        rows = flat.where(flat.spectrum == frame)
    scale = float(corrected["scale"].values[element])
    return _Fit(energy, counts, background, background + _lines(energy, rows, element, calibration) / scale, False)


def _lines(energy: np.ndarray, rows: FlatLines, element: int, calibration: "xr.Dataset") -> np.ndarray:
    """Counts per channel of the named lines: Gaussians of the calibrated widths and fitted areas."""
    two_theta = float(calibration["two_theta"].values[element])
    constant, slope = calibration["resolution"].values[element][:2]
    total = np.zeros(energy.size)
    known = np.isfinite(rows.columns["d"]) & np.isfinite(rows.columns["area"])
    for d, area in zip(rows.columns["d"][known], rows.columns["area"][known], strict=True):
        centre = HC_KEV_ANGSTROM / (2 * d * np.sin(np.deg2rad(two_theta) / 2))
        width = np.sqrt(constant**2 + slope * centre) / WIDTH_OF_FWHM
        shape = np.exp(-0.5 * ((energy - centre) / width) ** 2) / (width * np.sqrt(2 * np.pi))
        total += area * shape * np.gradient(energy)
    return total


def _row(upper: "Axes", lower: "Axes", fit: _Fit, name: str) -> None:
    upper.plot(fit.energy, fit.counts, ".", color=style.GREY, markersize=1.5, label="counts")
    model = "model" if fit.whole else "named lines over background"
    upper.plot(fit.energy, fit.model, color=style.VERMILION, linewidth=0.8, label=model)
    upper.plot(fit.energy, fit.background, color=style.BLUE, linewidth=0.7, linestyle="--", label="background")
    upper.set_ylabel("Counts (1/channel)")
    upper.annotate(name, (0.99, 0.95), xycoords="axes fraction", ha="right", va="top")
    lower.plot(fit.energy, fit.residual, color="black", linewidth=0.4)
    lower.axhline(0, color=style.PALE, linewidth=0.5)
    lower.set_ylabel("Residual\n(std)")
    reach = max(4.0, float(np.nanpercentile(np.abs(fit.residual), 99.5)))
    lower.set_ylim(-1.2 * reach, 1.2 * reach)
