"""Draw the pictures of docs/explanation/simulation.md: python docs/draw_simulation.py"""

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from operando.materials.structure import lines
from operando.model.constants import HC_KEV_ANGSTROM
from operando.twin.binning import adapted
from operando.twin.cycler import record
from operando.twin.detector import Camera
from operando.twin.planning import plan
from operando.twin.presets import load
from operando.twin.substances import material
from operando.twin.tomography import Scanner, scan_start
from operando.twin.tomography import plan as frames_of
from operando.twin.world import World

FOLDER = Path(__file__).parent / "pictures"
NUMBERED_H = (17.4, 19.0, 21.0, 23.0, 25.0, 26.8, 29.0, 31.0, 33.0, 35.4)
"""Hours of the ten numbered states: six during the charge of cycle 4, four during its discharge."""


def raw_projection(world: World) -> None:
    """A raw frame, its transmission and a sinogram."""
    settings = world.settings
    camera = Camera(settings.detector, settings.seed)
    scanner = Scanner(settings, world.cell, camera, world.spectrum, world.scene, world.epoch)
    schedule, scene = frames_of(settings, 7), world.scene(scan_start(settings, 7))
    current = np.full(len(schedule.key), settings.beam.ring_current_ma)
    stack = np.stack([scanner.frame(7, n, schedule, scene, current) for n in range(len(schedule.key))]).astype(float)
    dark, flat = (stack[schedule.key == key].mean(axis=0) for key in (2, 1))
    through = np.clip((stack[schedule.key == 0] - dark) / np.where(flat > dark + 10, flat - dark, np.inf), 1e-4, 1.1)
    row = 36
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    first = axes[0].imshow(stack[schedule.key == 0][60], cmap="gray", vmax=np.percentile(stack, 99.9))
    axes[0].set_title("raw projection, counts")
    figure.colorbar(first, ax=axes[0], shrink=0.7)
    second = axes[1].imshow(through[60], cmap="gray", vmin=0, vmax=1)
    axes[1].axhline(row, color="tab:orange", lw=0.8)
    axes[1].set_title("transmission")
    figure.colorbar(second, ax=axes[1], shrink=0.7)
    third = axes[2].imshow(-np.log(through[:, row]), cmap="gray", vmin=0, aspect="auto", extent=(0, 159, 180, 0))
    axes[2].set_title(f"sinogram of row {row}, −ln of transmission")
    axes[2].set(xlabel="column", ylabel="angle / degrees")
    figure.colorbar(third, ax=axes[2], shrink=0.7)
    for axis in axes[:2]:
        axis.set(xlabel="column", ylabel="row")
    figure.savefig(FOLDER / "simulated-projection.png", dpi=110)


def true_slices(world: World) -> None:
    """Slices through the protrusion at ten numbered states of the paper's fourth cycle."""
    figure, axes = plt.subplots(2, 5, figsize=(13, 4.0), layout="constrained", sharex=True, sharey=True)
    bump = world.settings.cell.anode.protrusion[0]
    row = int(np.argmin(np.abs(world.cell.axis - bump.at_um[1])))
    z = np.arange(4630.0, 5040.0, 2.5)
    x = world.cell.axis
    seen = np.abs(x - bump.at_um[0]) < 420
    for number, (axis, hour) in enumerate(zip(axes.flat, NUMBERED_H, strict=True), 1):
        state = world.state(hour * 3600)
        anode, electrolyte = state.surfaces.anode[row, seen], state.surfaces.electrolyte[row, seen]
        image = np.where(z[:, None] < anode, 3.0, np.where(z[:, None] < electrolyte, 0.0, 1.4))
        for gz, gy, gx, c, b, a, contrast in state.grains:
            distance = ((z[:, None] - gz) / c) ** 2 + ((x[seen] - gx) / a) ** 2 + ((x[row] - gy) / b) ** 2
            image[(distance < 1) & (image == 1.4)] = 1.4 * (1 + contrast)
        axis.imshow(image, cmap="gray", vmin=0, vmax=3, extent=(x[seen][0], x[seen][-1], z[-1], z[0]), aspect="equal")
        charge = float(world.protocol.charge(hour * 3600)) * 1e3
        axis.set_title(f"{number}: {hour:g} h, {charge:.0f} µAh", fontsize=9)
    figure.supxlabel("x / µm")
    figure.supylabel("z / µm, along the beam's rows")
    figure.savefig(FOLDER / "simulated-states.png", dpi=110)


def labelled_spectrum(world: World) -> None:
    """A spectrum with the lines of its phases and their d-spacings."""
    seen = world.seen(0)
    measured = world.instrument.measure(seen.phases, 900.0, seen.conditions, (0,))
    offset, slope, _ = world.instrument.coefficients()[0]
    energy = offset + slope * np.arange(measured.counts.shape[1])
    figure, axis = plt.subplots(figsize=(12, 4.2), layout="constrained")
    axis.semilogy(energy, np.maximum(measured.counts[0], 0.5), lw=0.6, color="0.2")
    per_d = HC_KEV_ANGSTROM / (2 * np.sin(np.radians(world.settings.spectrometer.two_theta_deg / 2)))
    top = measured.counts.max()
    for phase, color, level in zip(seen.phases, ("tab:blue", "tab:red", "tab:green"), (2.2, 4.5, 0), strict=True):
        if level:
            table = lines(material(phase.name, 70.0), 0.85)
            strongest = max(line.intensity / (per_d / line.d) ** 2 for line in table)
            for line in table:
                place = per_d / line.d
                if line.intensity / place**2 > 0.06 * strongest and 22 < place < 89:
                    axis.axvline(place, ymax=0.78, color=color, lw=0.5, alpha=0.6)
                    text = "".join(str(index) for index in line.hkl)
                    axis.text(place, top * level, text, color=color, rotation=90, fontsize=7, ha="center", va="bottom")
        if level:
            axis.plot([], [], color=color, label=phase.name)
    for place, name in ((24.21, "In Kα"), (27.28, "In Kβ"), (73.9, "Pb Kα")):
        axis.annotate(name, (place, 0.8), fontsize=7, color="0.4", ha="center")
    axis.set(xlabel="energy / keV", ylabel="counts in 15 min", xlim=(18, 90), ylim=(0.5, top * 14))
    axis.legend(loc="upper right", fontsize=8)
    figure.savefig(FOLDER / "simulated-spectrum.png", dpi=110)


def voltage_curve(world: World) -> None:
    """Voltage and current of the whole protocol with the numbered states."""
    found = record(world.settings.cycler, world.protocol, world.capacity_mah, world.contact, 1)
    hours = found.seconds / 3600
    figure, axis = plt.subplots(figsize=(12, 3.6), layout="constrained")
    axis.plot(hours, found.voltage, color="0.1", lw=1)
    axis.set(xlabel="time / h", ylabel="cell voltage / V")
    other = axis.twinx()
    other.plot(hours, found.current * 1e3, color="tab:red", lw=0.8)
    other.set_ylabel("current / µA", color="tab:red")
    for number, hour in enumerate(NUMBERED_H, 1):
        volts = float(np.interp(hour, hours, found.voltage))
        axis.plot(hour, volts, "o", color="tab:blue", ms=4)
        axis.annotate(str(number), (hour, volts), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8)
    figure.savefig(FOLDER / "simulated-voltage.png", dpi=110)


def planning(preset: str) -> None:
    """Limits against indium chord and exposure."""
    found = plan(preset)
    chord = found["curves"]["chord_um"]
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    for row, exposure in enumerate(found["curves"]["exposure"]):
        for axis, name in zip(axes, ("transmission", "cavity_um", "protrusion_um"), strict=True):
            values = [np.nan if value is None else value for value in found["curves"][name][row]]
            axis.plot(chord, values, label=f"exposure × {exposure:g}", color=f"C{row}")
        noise = [np.nan if v is None else v for v in found["curves"]["protrusion_noise_um"][row]]
        axes[2].plot(chord, noise, "--", color=f"C{row}")
    axes[0].set(ylabel="transmission", yscale="log")
    axes[1].set(ylabel="thinnest cavity / µm")
    axes[2].set(ylabel="smallest protrusion / µm", ylim=(0, None))
    axes[2].set_title("dashed: noise alone, on a flat surface", fontsize=9)
    for axis in axes:
        axis.set_xlabel("In/InLi in the ray / µm")
    axes[1].legend(fontsize=8)
    figure.savefig(FOLDER / "planning.png", dpi=110)


def main() -> None:
    """Draw everything."""
    FOLDER.mkdir(exist_ok=True)
    demo, paper = World(load("demo")), World(adapted(load("paper"), 4, None))
    raw_projection(demo)
    labelled_spectrum(demo)
    voltage_curve(paper)
    planning("paper")
    true_slices(World(adapted(load("paper"), 2, None)))


if __name__ == "__main__":
    main()
