"""Draw the definitions of the morphology page: ``python docs/draw_morphology.py`` writes docs/pictures/."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import ndtr

PICTURES = Path(__file__).resolve().parent / "pictures"
VOID, ELECTROLYTE, ANODE, WIDTH = 0.0, 1.3, 16.0, 0.75


def column(u: np.ndarray, gap: float) -> np.ndarray:
    """Grey value along a column, u voxels beyond the surface."""
    return VOID + (ANODE - VOID) * (1 - ndtr(u / WIDTH)) + (ELECTROLYTE - VOID) * ndtr((u - gap) / WIDTH)


def draw_column() -> None:
    """The profile that is fitted, for a thin and a wide gap and for contact."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.8), layout="constrained")
    u, voxels = np.linspace(-4, 12, 400), np.arange(-4, 13)
    left.fill_between([-4, 0], 0, 1, color="0.55", transform=left.get_xaxis_transform())
    left.fill_between([0, 5], 0, 1, color="0.97", transform=left.get_xaxis_transform())
    left.fill_between([5, 12], 0, 1, color="0.82", transform=left.get_xaxis_transform())
    left.plot(u, column(u, 5), color="C0")
    left.plot(voxels, column(voxels, 5), "o", color="C0", ms=3)
    left.set(xlim=(-4, 12), ylim=(-0.5, 17.5), xlabel="distance from the surface (voxels)", ylabel="mu (1/cm)")
    for x, text in ((-2.3, "anode"), (2.5, "void"), (8.5, "electrolyte")):
        left.text(x, 14 if x > 0 else 4, text, ha="center")
    left.annotate("", (5, 9), (0, 9), arrowprops={"arrowstyle": "<->"})
    left.text(2.5, 9.4, "gap", ha="center")
    for gap, colour, text in ((0, "0.3", "contact"), (1.8, "C1", "1.8 voxels"), (5, "C0", "5 voxels")):
        right.plot(u, column(u, gap), color=colour, label=text)
    threshold = (VOID + ELECTROLYTE) / 2
    right.axhline(threshold, color="0.6", ls=":", lw=1)
    right.text(12, threshold + 0.05, "threshold", ha="right", color="0.4")
    right.set(xlim=(-1, 12), ylim=(-0.2, 3), xlabel="distance from the surface (voxels)")
    right.legend(frameon=False)
    figure.savefig(PICTURES / "gap-column.png", dpi=150)


def draw_lengths() -> None:
    """Protrusion and particle, as they are measured."""
    figure, axis = plt.subplots(figsize=(7.2, 3.0), layout="constrained")
    x = np.linspace(0, 300, 600)
    surface = 40 + 3 * np.sin(x / 23) + 60 * np.clip(1 - ((x - 120) / 45) ** 2, 0, None) ** 2
    axis.fill_between(x, 0, surface, color="0.6")
    axis.fill_between(x, surface, 180, color="0.9")
    base, top = 41.0, float(surface.max())
    axis.plot([30, 210], [base, base], color="C3", lw=1, ls="--")
    axis.annotate("", (120, top), (120, base), arrowprops={"arrowstyle": "<->", "color": "C3"})
    axis.text(168, 70, "protrusion: 99th percentile inside the radius\nover the median of the ring", color="C3")
    for at, text in ((75, "radius"), (165, "radius"), (52, "1.5 radii"), (188, "1.5 radii")):
        axis.plot([at, at], [0, 12], color="C3", lw=1)
        axis.text(at, 14, text, ha="center", size=7, color="C3")
    axis.add_patch(plt.Circle((250, 120), 9, color="0.35"))
    axis.annotate("", (250, 180), (250, 120), arrowprops={"arrowstyle": "<->", "color": "C0"})
    axis.text(245, 150, "particle: centre of gravity to the\nouter face of the last row", ha="right", color="C0")
    axis.set(xlim=(0, 300), ylim=(0, 180), xlabel="x (µm)", ylabel="z (µm)")
    axis.text(10, 10, "anode")
    axis.text(10, 165, "electrolyte")
    figure.savefig(PICTURES / "lengths.png", dpi=150)


if __name__ == "__main__":
    draw_column()
    draw_lengths()
