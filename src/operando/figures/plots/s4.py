"""The electrolyte as in the paper's Fig. S4: the first diffraction pattern, and impedance with conductivity."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from operando.figures import style
from operando.figures.numbers import quantity_text
from operando.figures.panels.heat_map import phase_colour, spacing_axis
from operando.figures.reading import NothingToDrawError
from operando.figures.source import Source
from operando.figures.spectra import Patterns, known_lines, patterns, spacing_range
from operando.model.interval import from_std

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_MM = 66


def draw(source: Source, spectrum: int = 0) -> "Figure":
    """Draw A the pattern of ``spectrum`` with the phases' lines, B the first impedance spectrum (Nyquist)."""
    lines = known_lines(source)
    found = patterns(source, *spacing_range(lines)) if lines else None
    frames = source.frames("impedance")
    impedance = source.product("impedance", frames[0]) if frames else None
    panels = int(found is not None) + int(impedance is not None)
    if panels == 0:
        raise NothingToDrawError("The figure 's4' needs a fitted spectrum or an impedance spectrum; there is neither.")
    figure = style.new_figure(HEIGHT_MM)
    every = list(figure.subplots(1, panels, squeeze=False)[0])
    if found is not None:
        if spectrum not in found.frames:
            raise NothingToDrawError(f"The figure 's4' needs the spectrum {spectrum}, which was not made.")
        _pattern(every[0], found, spectrum, source)
    if impedance is not None:
        _nyquist(every[-1], impedance, source.table("conductivity"))
    for axes, letter in zip(every, "AB", strict=False):
        style.panel_letter(axes, letter)
    return figure


def _pattern(axes: "Axes", found: Patterns, spectrum: int, source: Source) -> None:
    lines = known_lines(source)
    phases = sorted({line.phase for line in lines})
    intensity = found.intensity[int(np.flatnonzero(found.frames == spectrum)[0])]
    exponent = int(np.floor(np.log10(max(float(np.nanmax(intensity)), 1.0))))
    axes.plot(found.d, intensity / 10.0**exponent, color="black", linewidth=0.6)
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.04 * len(phases) * (high - low), high + 0.15 * (high - low))
    for k, phase in enumerate(phases):
        height = low - 0.04 * (k + 0.5) * (high - low)
        spacings = [line.d for line in lines if line.phase == phase]
        axes.plot(spacings, np.full(len(spacings), height), "|", color=phase_colour(phase, phases), label=phase)
    axes.legend(loc="upper right")
    spacing_axis(axes.xaxis, found.edges)
    axes.set_ylabel(f"Intensity above background ($10^{{{exponent}}}$ counts/Å)")


def _nyquist(axes: "Axes", impedance: xr.Dataset, conductivity: xr.Dataset | None) -> None:
    real, imaginary = (impedance[f"impedance_{part}"].values[0] for part in ("real", "imaginary"))
    axes.plot(real, -imaginary, "o-", color=style.BLUE, linewidth=0.6)
    axes.set_xlabel("Re Z (Ω)")
    axes.set_ylabel("−Im Z (Ω)")
    axes.set_aspect("equal", adjustable="datalim")
    if conductivity is not None and conductivity.sizes["spectrum"]:
        axes.annotate(
            _numbers(conductivity.isel(spectrum=0)), (0.97, 0.97), xycoords="axes fraction", ha="right", va="top"
        )


def _numbers(one: xr.Dataset) -> str:
    resistance = from_std(float(one["resistance"]), float(one["resistance_std"]), "ohm").as_json()
    sigma = from_std(1e3 * float(one["conductivity"]), 1e3 * float(one["conductivity_std"]), "mS/cm").as_json()
    text = f"R = {quantity_text(resistance)}"
    return f"{text}\nσ = {quantity_text(sigma)}" if sigma else f"{text}\nσ not known without thickness and area"
