"""Draw the picture of docs/explanation/was-it-strain.md: python docs/draw_strain.py

Two simulated experiments in which the line near 1.39 Å moves for different reasons, each looked at in both ways.
"""

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import xarray as xr

mpl.use("Agg")
import matplotlib.pyplot as plt

from operando.diffraction.calibrate import calibrate
from operando.diffraction.causes import CausesParameters, causes
from operando.diffraction.corrections import corrected
from operando.diffraction.element import FitParameters
from operando.diffraction.fit import fit
from operando.diffraction.geometry import energy_times_d
from operando.materials.catalogue import load
from operando.materials.structure import at_temperature, lines
from operando.model.products.raw import SPECTRUM
from operando.twin.presets import load as preset
from operando.twin.scenarios import seen
from operando.twin.spectrometer import Conditions
from operando.twin.world import World

FILE = Path(__file__).parent / "pictures" / "was-it-strain.png"
PHASES = ("In", "InLi", "Li10SnP2S12")
STAGED = {"overlap": "95 % of the indium leaves, no lattice moves", "strain": "InLi expands by 0.5 %, nothing else"}
COUNT, SECONDS, SEED = 12, 90.0, 2
BEFORE, AFTER, NAIVE, JOINT = "0.55", "black", "tab:red", "tab:blue"
LABELLED = {("In", (2, 1, 1)): "In 211", ("In", (2, 0, 2)): "In 202", ("InLi", (4, 2, 2)): "InLi 422"}


def staged(name: str) -> list[xr.Dataset]:
    """Spectra of a scenario that proceeds evenly."""
    settings = preset("demo", name).model_copy(update={"seed": SEED})
    world = World(settings)
    found = []
    for index, progress in enumerate(np.linspace(0.0, 1.0, COUNT)):
        phases, state = seen(settings, world.pristine[0], Conditions(), float(progress))
        measured = world.instrument.measure(phases, SECONDS, state, (SEED, index))
        start = world.epoch + np.timedelta64(15 * index, "m")
        found.append(
            SPECTRUM.new(
                attrs={"frame": index, "file": f"{name}_{index}.med"},
                counts=measured.counts,
                energy_coefficients=world.instrument.coefficients(),
                two_theta=world.instrument.two_theta(),
                live_time=measured.live_s,
                real_time=measured.real_s,
                start=start,
                end=start + np.timedelta64(int(SECONDS), "s"),
            )
        )
    return found


def patterns(axes: plt.Axes, each: list[xr.Dataset], models: list[xr.Dataset]) -> None:
    """First and last spectrum with the joint model, and where the lines stand at 70 °C."""
    product = float(energy_times_d(8.0))
    d = product / each[0]["energy"].values[0]
    near = (d > 1.345) & (d < 1.415)
    for place, colour, label in ((0, BEFORE, "first spectrum"), (-1, AFTER, "last spectrum")):
        axes.plot(d[near], each[place]["counts"].values[0][near], ".", ms=3, color=colour, label=label)
        axes.plot(d[near], models[place]["model"].values[0][near], "-", lw=1, color=colour)
    top = axes.get_ylim()[1]
    axes.set_ylim(0, 1.25 * top)
    for name in ("In", "InLi"):
        for line in lines(at_temperature(load(name), 70.0), 1.345, 1.415):
            if (name, line.hkl) in LABELLED:
                axes.plot(
                    [line.d, line.d], [1.02 * top, 1.09 * top], color="tab:green" if name == "In" else "tab:purple"
                )
                axes.text(line.d, 1.12 * top, LABELLED[name, line.hkl], ha="center", fontsize=8)
    axes.set(xlabel="lattice spacing / Å", ylabel="counts in a channel")


def spacings(axes: plt.Axes, tables: list[xr.Dataset], true: np.ndarray) -> None:
    """Spacing of InLi (422) against the spectrum: single line, joint fit, and what was staged."""
    rows = [one.isel(line=int(np.flatnonzero(_is_422(one))[0])) for one in tables]
    frame = np.arange(len(rows))
    for name in ("d_free", "d"):
        value = np.array([float(row[name]) for row in rows])
        std = np.array([float(row[f"{name}_std"]) for row in rows])
        moved, error = value[-3:].mean() - value[:3].mean(), np.sqrt((std[:3] ** 2).sum() + (std[-3:] ** 2).sum()) / 3.0
        print(f"{name}: {value[0]:.4f} ... {value[-1]:.4f}, last three / first three {moved / value[0]:+.2e} "
              f"± {error / value[0]:.1e}")  # fmt: skip
    for name, colour, label, shift in (
        ("d_free", NAIVE, "single line", -0.08),
        ("d", JOINT, "all lines together", 0.08),
    ):
        value = np.array([float(row[name]) for row in rows])
        std = np.array([float(row[f"{name}_std"]) for row in rows])
        axes.errorbar(frame + shift, value, 1.96 * std, fmt="o", ms=3.5, lw=1, color=colour, label=label)
    axes.plot(frame, true, "--", lw=1, color="black", label="staged")
    axes.set(xlabel="spectrum", ylabel="d of InLi (422) / Å")


def _is_422(one: xr.Dataset) -> np.ndarray:
    hkl = (one["h"].values == 4) & (one["k"].values == 2) & (one["l"].values == 2)
    return hkl & (one["phase"].values == "InLi")


def main() -> None:
    """Draw both experiments side by side."""
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.4), layout="constrained", sharey="row")
    materials = tuple(load(name) for name in PHASES)
    start = float(at_temperature(load("InLi"), 70.0).cell[0]) / np.sqrt(24.0)
    for column, (name, text) in enumerate(STAGED.items()):
        spectra = staged(name)
        shared = calibrate(spectra[0], materials, None)
        each = [corrected(one, shared) for one in spectra]
        fits = [fit(one, shared, materials, FitParameters()) for one in each]
        found = causes(each, [one[1] for one in fits], shared, materials, "first", None, CausesParameters(window=3))
        entries = [json.loads(entry) for entry in found["verdict"].values]
        verdict = next(entry for entry in entries if entry["phase"] == "InLi")
        print(name, verdict["remaining"], verdict["text"], sep="\n  ")
        patterns(axes[0, column], each, [one[2] for one in fits])
        growth = np.linspace(0.0, 5e-3, COUNT) if name == "strain" else np.zeros(COUNT)
        spacings(axes[1, column], [one[0] for one in fits], start * (1.0 + growth))
        axes[0, column].set_title(f"staged: {text}", fontsize=10)
        axes[1, column].set_title(f"verdict on InLi: {' or '.join(verdict['remaining'])}", fontsize=10)
    axes[0, 0].legend(fontsize=8, loc="upper left")
    axes[1, 0].legend(fontsize=8, loc="upper right")
    figure.savefig(FILE, dpi=110)


if __name__ == "__main__":
    main()
