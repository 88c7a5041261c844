"""Draw the definition of every measurement of morphology: ``python docs/draw_measurements.py`` writes docs/pictures/.

A small made-up cell is scanned twice and measured by the product's own steps; what is drawn is what they return.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT.parent / "tests" / "morphology"))

from cells import PHASES, VOXEL, Cell, as_volume, smooth_field, with_change

from operando.figures import style
from operando.model.configuration import Track
from operando.model.products.morphology import BORE, LABELS, MOTION
from operando.morphology.blocks import grid_of
from operando.morphology.bore import bore
from operando.morphology.classify import classify
from operando.morphology.difference import difference
from operando.morphology.displacement import DisplacementParameters, displacement
from operando.morphology.gap_fit import fit_gap
from operando.morphology.histogram import histogram
from operando.morphology.interface import interface
from operando.morphology.levels import levels
from operando.morphology.phase_volumes import phase_volumes
from operando.morphology.placement import Placement
from operando.morphology.rim import SEEN
from operando.morphology.roles import Roles
from operando.morphology.segment import segment
from operando.morphology.shares import FULL, phase_share
from operando.morphology.surface import in_voxels, reach, surface
from operando.morphology.track import track

PICTURES = ROOT / "pictures"
CELL = Cell(shape=(60, 88, 88), bore=36.0, level=18.0, roughness=1.2, bump=9.0, particle=(46.0, 44.0, 62.0), seed=3)
LATER = with_change(CELL, growth=1.2, roughness=2.6, bump=15.0, particle=(44.0, 44.0, 62.0))
LATER = with_change(LATER, gap=9.0, gap_radius=12.0, gap_power=0.8, gap_at=(44.0, 22.0))
MIDDLE = 44
FOLLOWED = (
    Track(name="protrusion", kind="protrusion", at_um=(0, 43.5 * VOXEL, 43.5 * VOXEL), radius_um=12 * VOXEL),
    Track(name="particle", kind="particle", at_um=(46 * VOXEL, 44 * VOXEL, 62 * VOXEL), radius_um=5 * VOXEL),
)
WHITE = {"boxstyle": "square,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}


@dataclass(frozen=True)
class Measured:
    """One scan with what was measured on it."""

    volume: xr.Dataset
    labels: xr.Dataset
    levels: xr.Dataset
    surface: xr.Dataset
    phases: xr.Dataset
    tracks: xr.Dataset


def measured() -> tuple[Measured, Measured, xr.Dataset]:
    """Both scans and their difference."""
    scans = [CELL.volume(0.7, 0.2, 0), LATER.volume(0.7, 0.2, 1)]
    tube = bore(scans[0], 2 * CELL.bore * VOXEL / 1000)
    counted = [histogram(scan, tube, None) for scan in scans]
    classes = classify(counted)
    own = [levels(one, classes) for one in counted]
    labels = [segment(scan, tube, one) for scan, one in zip(scans, own, strict=True)]
    parts = list(zip(labels, scans, own, strict=True))
    maps = [interface(label, surface(label, labels[0]), scan, tube, one, None) for label, scan, one in parts]
    volumes = [phase_volumes(label, tube, one, interface=m) for (label, _, one), m in zip(parts, maps, strict=True)]
    lengths = [
        track(scan, scans[0], m, maps[0], tube, one, None, FOLLOWED)
        for (_, scan, one), m in zip(parts, maps, strict=True)
    ]
    both = [Measured(scans[k], labels[k], own[k], maps[k], volumes[k], lengths[k]) for k in range(2)]
    return both[0], both[1], difference(*labels, tube, *own, *volumes, *maps)


def quantity(dataset: xr.Dataset, name: str, scale: float = 1.0, digits: int = 1) -> str:
    """Value and 95 % interval as text."""
    value, low, high = (float(dataset[name + end]) / scale for end in ("", "_low", "_high"))
    return f"{value:.{digits}f} ({low:.{digits}f} … {high:.{digits}f})".replace("-", "−")


def show(axes: Axes, image: np.ndarray, **how: Any) -> Any:
    """A vertical slice (z, x), z upwards, in µm."""
    half = VOXEL / 2
    extent = (-half, image.shape[1] * VOXEL - half, -half, image.shape[0] * VOXEL - half)
    return axes.imshow(image, origin="lower", extent=extent, **how)


def grey(axes: Axes, scan: Measured) -> None:
    """The scan's slice in grey, bright phases bright, with axes in µm."""
    show(axes, scan.volume["mu"].values[:, MIDDLE], cmap="gray", vmin=-0.5, vmax=9.0)
    axes.set(xlabel="x (µm)", ylabel="z (µm)")


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    """A length with heads on both ends."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": "<->", "color": colour, "shrinkA": 0, "shrinkB": 0})


def x_um(scan: Measured) -> np.ndarray:
    """Places of the map's columns."""
    return np.asarray(scan.surface["x_map"].values)


def draw_net(before: Measured, after: Measured, change: xr.Dataset) -> None:
    """Where shares of the anode changed, voxel by voxel, and the sums."""
    figure, axes = plt.subplots(1, 3, figsize=(9.4, 3.0), layout="constrained", sharey=True)
    for axis, scan, title in ((axes[0], before, "before"), (axes[1], after, "after")):
        grey(axis, scan)
        for one, line in ((before, "--"), (after, "-")):
            if one is before or scan is after:
                axis.plot(x_um(one), one.surface["height"].values[MIDDLE], line, color=style.ORANGE, lw=1.2)
        axis.set_title(f"{title}: surface of the anode", fontsize=9)
    shares = [
        phase_share(*(one.labels[name].values[:, MIDDLE] for name in ("label", "other", "share")), 3)
        for one in (before, after)
    ]
    image = show(axes[2], shares[1] - shares[0], cmap=style.DIVERGING, vmin=-1, vmax=1)
    figure.colorbar(image, ax=axes[2], label="change of the anode's share", shrink=0.9)
    axes[1].set_ylabel("")
    axes[2].set(xlabel="x (µm)")
    axes[2].set_title("after − before", fontsize=9)
    net, gain, loss = (quantity(change, name, 1e3) for name in ("net", "gain", "loss"))
    figure.suptitle(f"net {net}, gain {gain}, loss {loss} × 10³ µm³", fontsize=9)
    save(figure, "measured-net")


def draw_phase(after: Measured) -> None:
    """Labels, and the shares of single edge voxels."""
    figure, axes = plt.subplots(1, 3, figsize=(9.4, 3.2), layout="constrained", width_ratios=(1, 1, 1.15))
    grey(axes[0], after)
    label = after.labels["label"].values[:, MIDDLE]
    colours = mpl.colors.ListedColormap(["white", *(style.PHASE_COLOURS[name] for name in PHASES)])
    show(axes[1], label, cmap=colours, vmin=-0.5, vmax=3.5, interpolation="nearest")
    axes[1].set(xlabel="x (µm)")
    axes[1].set_title("phase of each voxel", fontsize=9)
    for x, z, name in ((30, 20, "anode"), (150, 138, "electrolyte")):
        axes[1].text(x, z, name, fontsize=8)
    axes[1].annotate("void", (54, 63), (60, 105), fontsize=8, arrowprops={"arrowstyle": "-"})
    rows, columns = slice(24, 32), slice(44, 52)
    for axis in axes[:2]:
        box = (columns.start * VOXEL - VOXEL / 2, rows.start * VOXEL - VOXEL / 2)
        axis.add_patch(plt.Rectangle(box, 8 * VOXEL, 8 * VOXEL, fill=False, ec=style.VERMILION, lw=1.2))
    parts = [after.labels[name].values[rows, MIDDLE, columns] for name in ("label", "other", "share")]
    share = phase_share(*parts, 3)
    axes[2].imshow(share, origin="lower", cmap="cividis", vmin=-0.2, vmax=1.2)
    for (i, j), value in np.ndenumerate(share):
        colour = "white" if value < 0.6 else "black"
        text = f"{value:.2f}".replace("-", "−")
        axes[2].text(j, i, text, ha="center", va="center", fontsize=6.5, color=colour)
    axes[2].set(xticks=[], yticks=[])
    axes[2].set_title(f"anode's share of each voxel ({VOXEL} µm) in the box", fontsize=9)
    texts = [f"{name} {quantity(after.phases.sel(phase=name), 'volume', 1e6, 2)}" for name in PHASES]
    figure.suptitle(", ".join(texts) + " × 10⁶ µm³", fontsize=9)
    save(figure, "measured-phases")


def draw_surface(before: Measured, after: Measured, change: xr.Dataset) -> None:
    """Height map, and the profile with advance and roughness."""
    figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.3), layout="constrained", width_ratios=(1, 1.7))
    height = after.surface["height"].values
    reach = (x_um(after)[0] - VOXEL / 2, x_um(after)[-1] + VOXEL / 2) * 2
    image = axes[0].imshow(height, origin="lower", extent=reach, cmap="cividis")
    axes[0].axhline(MIDDLE * VOXEL, color="white", lw=1, ls="--")
    axes[0].set(xlabel="x (µm)", ylabel="y (µm)", facecolor="0.85")
    axes[0].set_title("height map, after", fontsize=9)
    figure.colorbar(image, ax=axes[0], label="height (µm)", shrink=0.9)
    lines = [scan.surface["height"].values[MIDDLE] for scan in (before, after)]
    axes[1].plot(x_um(before), lines[0], "--", color="0.3", label="before")
    axes[1].plot(x_um(after), lines[1], color=style.BLUE, label="after")
    for k in range(12, 82, 7):
        axes[1].annotate("", (k * VOXEL, lines[1][k]), (k * VOXEL, lines[0][k]), arrowprops={"arrowstyle": "->"})
    y, x = np.nonzero(np.isfinite(height))
    plane = np.linalg.lstsq(np.column_stack([np.ones(len(y)), y, x]), height[y, x], rcond=None)[0]
    flat = plane[0] + plane[1] * MIDDLE + plane[2] * np.arange(height.shape[1])
    rough = float(after.surface["roughness"])
    axes[1].plot(x_um(after), flat, color=style.VERMILION, lw=1, label="plane through all columns")
    band = {"color": style.VERMILION, "alpha": 0.2, "lw": 0, "label": "± roughness"}
    axes[1].fill_between(x_um(after), flat - rough, flat + rough, **band)
    axes[1].set(xlabel="x (µm) along the dashed line", ylabel="height (µm)", xlim=(15, 205))
    axes[1].legend(frameon=False, fontsize=8, loc="upper right")
    mean = float(change["surface_change"] / change["surface_area"])
    half = float((change["surface_change_high"] - change["surface_change_low"]) / change["surface_area"]) / 2
    text = f"arrows: advance, mean {mean:.2f} ± {half:.2f} µm; roughness {quantity(after.surface, 'roughness')} µm"
    axes[1].set_title(text, fontsize=9)
    save(figure, "measured-surface")


def draw_protrusion(before: Measured, after: Measured) -> None:
    """The slice with disc, ring, top and base."""
    figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.2), layout="constrained", sharey=True)
    wanted = FOLLOWED[0]
    for axis, scan, title in ((axes[0], before, "before"), (axes[1], after, "after")):
        grey(axis, scan)
        one = scan.tracks.isel(track=0)
        middle, radius, top = wanted.at_um[2], wanted.radius_um, float(one["position"][0])
        base = top - float(one["length"])
        axis.plot(x_um(scan), scan.surface["height"].values[MIDDLE], color=style.SKY, lw=1)
        for at in (-1.5, -1, 1, 1.5):
            axis.plot([middle + at * radius] * 2, [4, 24], color="black", lw=1)
        for start, text in ((-1.25, "ring"), (0, "disc"), (1.25, "ring")):
            axis.text(middle + start * radius, 9, text, color="black", ha="center", fontsize=7)
        reach = np.array([-1.5, 1.5]) * radius + middle
        axis.plot(reach, [base, base], "--", color=style.ORANGE, lw=1.2)
        axis.plot(middle + np.array([-0.4, 0.4]) * radius, [top, top], "--", color=style.ORANGE, lw=1.2)
        arrow(axis, (middle, base), (middle, top), style.ORANGE)
        axis.text(middle, top + 8, f"{quantity(one, 'length')} µm", ha="center", fontsize=8, bbox=WHITE)
        axis.set_title(title, fontsize=9)
    axes[1].set_ylabel("")
    save(figure, "measured-protrusion")


def draw_particle(before: Measured, after: Measured) -> None:
    """The particle's centre and the outer face of the last row."""
    figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.2), layout="constrained", sharey=True)
    face = (CELL.shape[0] - 0.5) * VOXEL
    for axis, scan, title in ((axes[0], before, "before"), (axes[1], after, "after")):
        grey(axis, scan)
        one = scan.tracks.isel(track=1)
        z, _, x = (float(value) for value in one["position"].values)
        axis.axhline(face, color=style.ORANGE, lw=2)
        axis.plot(x, z, "+", color=style.BLUE, ms=8, mew=1.5)
        axis.add_patch(plt.Circle((x, z), FOLLOWED[1].radius_um, fill=False, ec=style.SKY, lw=1, ls="--"))
        arrow(axis, (x, z), (x, face), style.ORANGE)
        axis.text(x - 8, (z + face) / 2, f"{quantity(one, 'length')} µm", ha="right", fontsize=8, bbox=WHITE)
        axis.set_title(title, fontsize=9)
    axes[0].text(4, face - 6, "outer face of\nthe last row", fontsize=8, va="top", color="white")
    axes[1].set_ylabel("")
    save(figure, "measured-particle")


def draw_gap(after: Measured) -> None:
    """The gap on the slice, along one column, and as a map."""
    figure, axes = plt.subplots(1, 3, figsize=(9.8, 3.2), layout="constrained", width_ratios=(1.15, 1, 1.1))
    grey(axes[0], after)
    height, gap = (after.surface[name].values[MIDDLE] for name in ("height", "gap"))
    axes[0].fill_between(x_um(after), height, height + gap, where=gap > 0, color=style.SKY, alpha=0.7, lw=0)
    axes[0].plot(x_um(after), height, color=style.ORANGE, lw=1)
    column = 24
    axes[0].axvline(column * VOXEL, color="white", lw=0.8, ls=":")
    axes[0].set_title("fitted gap (blue) before the surface", fontsize=9)
    z = after.volume["z"].values
    axes[1].plot(z, after.volume["mu"].values[:, MIDDLE, column], "o-", ms=3, lw=0.8, color=style.BLUE)
    start, end = height[column], height[column] + gap[column]
    axes[1].axvspan(start, end, color=style.SKY, alpha=0.4, lw=0)
    arrow(axes[1], (start, 4), (end, 4), "black")
    axes[1].text((start + end) / 2, 4.3, f"{gap[column]:.1f} µm", ha="center", fontsize=8)
    axes[1].set(xlim=(start - 20, end + 30), ylim=(-1, 7), xlabel="z (µm)", ylabel="mu (1/cm)")
    axes[1].set_title("along the dotted column", fontsize=9)
    reach = (x_um(after)[0] - VOXEL / 2, x_um(after)[-1] + VOXEL / 2) * 2
    image = axes[2].imshow(after.surface["gap"].values, origin="lower", extent=reach, cmap="cividis")
    number = after.surface["cavity"].values
    edges = {"colors": "white", "linewidths": 0.9}
    axes[2].contour(x_um(after), x_um(after), number > 0, levels=[0.5], **edges)
    axes[2].set(xlabel="x (µm)", ylabel="y (µm)", facecolor="0.85")
    axes[2].set_title(f"{quantity(after.surface, 'cavity_volume', 1e3)} × 10³ µm³", fontsize=9)
    figure.colorbar(image, ax=axes[2], label="gap (µm)", shrink=0.9)
    save(figure, "measured-gap")


def draw_thin_gap() -> None:
    """Where the anode had been, what its retreat says beside what the profiles say, and the gap that both make."""
    before = with_change(CELL, roughness=2.0, bump=0.0, particle=None)
    after = with_change(before, gap=9.0, gap_radius=24.0, gap_power=1.5, gap_at=(40.0, 40.0), drawn_back=True)
    scans = [cell.volume(0.7, 0.2, seed) for seed, cell in enumerate((before, after))]
    tube = bore(scans[0], 2 * CELL.bore * VOXEL / 1000)
    counted = [histogram(scan, tube, None) for scan in scans]
    own = [levels(one, classify(counted)) for one in counted]
    labels = [segment(scan, tube, one) for scan, one in zip(scans, own, strict=True)]
    maps = [surface(label, labels[0]) for label in labels]
    told = interface(labels[1], maps[1], scans[1], tube, own[1], None, reach(maps[0], None))
    blind = interface(labels[1], maps[1], scans[1], tube, own[1], None, None)
    place = Placement.of(tube, None, grid_of(labels[1], "label"))
    fit = fit_gap(
        scans[1], in_voxels(maps[1], grid_of(labels[1], "label")).height, 1, own[1], Roles.of(PHASES), place, 4
    )
    assert fit is not None

    figure, axes = plt.subplots(1, 3, figsize=(9.8, 3.2), layout="constrained", width_ratios=(1.15, 1, 1.1))
    show(axes[0], scans[1]["mu"].values[:, MIDDLE], cmap="gray", vmin=-0.5, vmax=9.0)
    x = told["x_map"].values
    now, then = (one["height"].values[MIDDLE] for one in maps[::-1])
    axes[0].fill_between(x, now, then, where=then > now, color=style.SKY, alpha=0.7, lw=0)
    axes[0].plot(x, now, color=style.ORANGE, lw=1, label="now")
    axes[0].plot(x, then, color="white", lw=0.8, ls="--", label="where it had been")
    axes[0].legend(fontsize=8, loc="upper left", facecolor="0.5", labelcolor="white")
    axes[0].set(xlabel="x (µm)", ylabel="z (µm)", ylim=(0, 110))
    axes[0].set_title("the anode's surface", fontsize=9)
    back = maps[0]["height"].values - maps[1]["height"].values
    axes[1].plot(back.ravel(), VOXEL * fit.gap.ravel(), ".", ms=1.5, color=style.BLUE, alpha=0.5)
    axes[1].plot((0, 24), (0, 24), color="black", lw=0.8)
    axes[1].axvspan(-1.2, SEEN * VOXEL, color="0.9", lw=0)
    axes[1].text(2.0, 15, "not seen in profiles", fontsize=8, ha="center", va="center", rotation=90)
    axes[1].set(xlabel="retreat (µm)", ylabel="gap by the profile (µm)", xlim=(-1.2, 24), ylim=(-3, 26))
    axes[1].set_title("each column's retreat and gap", fontsize=9)
    half = VOXEL / 2
    image = axes[2].imshow(told["gap"].values, origin="lower", extent=(x[0] - half, x[-1] + half) * 2, cmap="cividis")
    for found, how in ((told, "solid"), (blind, "dotted")):
        axes[2].contour(x, x, found["cavity"].values > 0, levels=[0.5], colors="white", linewidths=0.9, linestyles=how)
    axes[2].set(xlabel="x (µm)", ylabel="y (µm)", facecolor="0.85")
    axes[2].set_title(
        f"loss {quantity(told, 'contact_loss', 0.01, 0)} %,\ndotted {quantity(blind, 'contact_loss', 0.01, 0)} %",
        fontsize=9,
    )
    figure.colorbar(image, ax=axes[2], label="gap (µm)", shrink=0.9)
    save(figure, "measured-thin-gap")


def draw_contact(after: Measured) -> None:
    """Where the surface touches, on the slice and as a map."""
    figure, axes = plt.subplots(1, 2, figsize=(8.2, 3.2), layout="constrained", width_ratios=(1.3, 1))
    grey(axes[0], after)
    height, gap = (after.surface[name].values[MIDDLE] for name in ("height", "gap"))
    for where, colour, text in ((gap == 0, style.ORANGE, "in contact"), (gap > 0, style.SKY, "open")):
        axes[0].plot(x_um(after), np.where(where, height, np.nan), color=colour, lw=3, label=text)
    axes[0].legend(fontsize=8, loc="upper left")
    whole = after.surface["gap"].values
    state = np.where(np.isnan(whole), np.nan, (whole > 0).astype(float))
    reach = (x_um(after)[0] - VOXEL / 2, x_um(after)[-1] + VOXEL / 2) * 2
    colours = mpl.colors.ListedColormap([style.ORANGE, style.SKY])
    axes[1].imshow(state, origin="lower", extent=reach, cmap=colours, vmin=0, vmax=1)
    axes[1].axhline(MIDDLE * VOXEL, color="black", lw=0.8, ls="--")
    axes[1].set(xlabel="x (µm)", ylabel="y (µm)", facecolor="0.85")
    area = quantity(after.surface, "contact_area", 1e3)
    loss = quantity(after.surface, "contact_loss", 0.01, 0)
    figure.suptitle(f"contact area {area} × 10³ µm², contact loss {loss} %", fontsize=9)
    save(figure, "measured-contact")


def stretched() -> tuple[xr.Dataset, xr.Dataset]:
    """Two scans of textured electrolyte, the later stretched along z and shifted."""
    from scipy import ndimage

    shape = (48, 48, 48)
    texture = smooth_field(shape, 1.6, np.random.default_rng(3))
    z, y, x = np.indices(shape).astype(float)
    scans = []
    for k, (shift, stretch) in enumerate(((0.0, 0.0), (1.0, 0.03))):
        moved = ndimage.map_coordinates(texture, [z - shift - stretch * (z - 24), y, x], order=3, mode="nearest")
        noise = 0.02 * np.random.default_rng(k).standard_normal(shape)
        scans.append(as_volume((1.7 + 0.2 * moved + noise).astype(np.float32), k))
    return scans[0], scans[1]


def followed(before: xr.Dataset, after: xr.Dataset) -> xr.Dataset:
    """The step ``displacement`` on a field that is all electrolyte."""
    shape = before["mu"].shape
    whole, zero = np.full(shape, 2, np.uint8), np.zeros(3)
    axes = {name: before[name].values for name in ("z", "y", "x")}
    labels = LABELS.new(coords=axes, label=whole, other=whole, share=np.full(shape, FULL, np.uint8))
    names = ("translation", "translation_std", "rotation", "rotation_std")
    scalars = {"correlation": 1.0, "correlation_before": 1.0, "grey_scale": 1.0, "grey_scale_std": 0.0}
    still = MOTION.new(coords={"axis": ["z", "y", "x"]}, **dict.fromkeys(names, zero), **scalars)
    infinite = {"radius": np.inf, "radius_std": 0.0, "field_radius": np.inf}
    place = {"centre": VOXEL * (np.array(shape) - 1) / 2, "slope": np.zeros(2), "origin": zero}
    tube = BORE.new(extent=np.array(shape), grey=np.array([0, 3.0]), **place, **infinite)
    params = DisplacementParameters(subset_voxels=6, search_voxels=4, nodes=120)
    return displacement(before, after, labels, labels, still, still, tube, PHASES, params)


def draw_displacement() -> None:
    """How cubes moved, and strain beside its noise floor."""
    before, after = stretched()
    found = followed(before, after)
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.3), layout="constrained", width_ratios=(1, 1.3))
    middle = before["mu"].shape[1] // 2
    show(axes[0], before["mu"].values[:, middle], cmap="gray")
    place, moved = found["position"].values, found["displacement"].values
    near = np.abs(place[:, 1] - middle * VOXEL) < 6 * VOXEL
    arrows = {"angles": "xy", "scale_units": "xy", "scale": 0.25, "color": style.ORANGE, "width": 0.008}
    axes[0].quiver(place[near, 2], place[near, 0], moved[near, 2], moved[near, 0], **arrows)
    half = 6 * VOXEL
    one = place[near][0]
    axes[0].add_patch(plt.Rectangle((one[2] - half, one[0] - half), 2 * half, 2 * half, fill=False, ec=style.SKY))
    axes[0].set(xlabel="x (µm)", ylabel="z (µm)")
    axes[0].set_title("displacement × 4 of cubes (one drawn)", fontsize=9)
    strain, floor = 100 * found["strain"].values, 196 * found["strain_noise"].values
    for k in range(6):
        jitter = k + np.linspace(-0.25, 0.25, len(strain))
        seen = found["strain_seen"].values[:, k].astype(bool)
        axes[1].plot(jitter[seen], strain[seen, k], ".", color=style.BLUE, label="stands out" if k == 0 else None)
        axes[1].plot(jitter[~seen], strain[~seen, k], ".", color="0.6", label="below the floor" if k == 1 else None)
        label = "noise floor (95 %)" if k == 0 else None
        axes[1].fill_between([k - 0.4, k + 0.4], -floor[k], floor[k], color=style.ORANGE, alpha=0.35, lw=0, label=label)
    axes[1].axhline(3.0, xmax=0.16, color="black", lw=1, ls="--", label="staged: 3 % along z")
    axes[1].set(xticks=range(6), ylabel="strain (%)")
    axes[1].set_xticklabels(found["component"].values)
    axes[1].legend(fontsize=8, frameon=False)
    save(figure, "measured-displacement")


def save(figure: Any, name: str) -> None:
    """Write one picture."""
    figure.savefig(PICTURES / f"{name}.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    first, second, change = measured()
    draw_net(first, second, change)
    draw_phase(second)
    draw_surface(first, second, change)
    draw_protrusion(first, second)
    draw_particle(first, second)
    draw_gap(second)
    draw_thin_gap()
    draw_contact(second)
    draw_displacement()
