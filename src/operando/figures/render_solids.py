"""Run as a script by ``rendering``: solids of boolean arrays to a picture. Knows numpy and PyVista only."""

import sys
from typing import Any

import numpy as np

LOOKS = {
    "anode": {"color": "#B8B8B8", "opacity": 0.25},
    "gained": {"color": "#D55E00", "opacity": 1.0},
    "lost": {"color": "#0072B2", "opacity": 1.0},
}
WINDOW = (1600, 1000)


def main(given: str, made: str) -> None:
    """Read ``given`` (npz: spacing z, y, x in µm, the side to look from, the solids) and write the PNG ``made``."""
    import pyvista

    content = np.load(given)
    plotter: Any = pyvista.Plotter(off_screen=True, window_size=WINDOW)
    plotter.set_background("white")
    entries = []
    for name, look in LOOKS.items():
        surface = _surface(pyvista, content[name], content["spacing"])
        if surface is not None:
            plotter.add_mesh(surface, smooth_shading=True, ambient=0.45, **look)
            entries.append([name, look["color"]])
    plotter.add_legend(entries, bcolor="white", face="rectangle", size=(0.14, 0.14))
    size = np.array(content["anode"].shape) * content["spacing"]
    box = pyvista.Box((0.0, float(size[2]), 0.0, float(size[1]), -float(size[0]), 0.0))
    plotter.add_mesh(box, style="wireframe", color="#666666", line_width=1.0)
    side = 1.0 if content["from_below"] else -1.0
    plotter.camera_position = [(1.0, -1.6, -0.9 * side), (0, 0, 0), (0, 0, 1)]
    plotter.reset_camera()
    plotter.screenshot(made)


def _surface(pyvista: Any, solid: np.ndarray, spacing: np.ndarray) -> Any:
    """Smoothed surface of a solid; z is turned up, since scans count it downwards."""
    if not solid.any():
        return None
    padded = np.pad(solid[::-1].astype(np.float32), 1)
    grid = pyvista.ImageData(dimensions=padded.shape[::-1], spacing=tuple(spacing[::-1].tolist()))
    grid.origin = (0.0, 0.0, -float(solid.shape[0] * spacing[0]))
    grid.point_data["solid"] = padded.ravel()
    contour = grid.contour([0.5], scalars="solid")
    return contour.smooth_taubin(n_iter=20, pass_band=0.1) if contour.n_points else None


if __name__ == "__main__":
    main(*sys.argv[1:3])
