"""3D stills through PyVista, in a process of its own: a missing graphics library then ends that process, not ours."""

import subprocess
import sys
import tempfile
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.model.constants import UNKNOWN_LABEL
from operando.model.errors import ConfigurationError, OperandoError

RENDERERS = ("auto", "pyvista", "matplotlib")
LARGEST_GRID = 200
TIME_LIMIT_S = 300


def chosen(renderer: str) -> str:
    """Decide for PyVista or matplotlib.

    Raises ``ConfigurationError`` for an unknown renderer, or for PyVista where it is not installed.
    """
    if renderer not in RENDERERS:
        raise ConfigurationError(f"renderer = {renderer!r} is not known; write one of {', '.join(RENDERERS)}.")
    there = find_spec("pyvista") is not None
    if renderer == "pyvista" and not there:
        raise ConfigurationError('renderer = "pyvista" needs PyVista; install it with `pip install operando[3d]`.')
    return "matplotlib" if renderer == "matplotlib" or not there else "pyvista"


def gain_and_loss(before: xr.Dataset, after: xr.Dataset, label: int, from_below: bool = True) -> np.ndarray:
    """Picture (row, column, 3) uint8 of the anode before, with what it gained and lost as solids.

    Looks at the side ``from_below`` (large z), in a box of the volume's size. Labels are thinned to at most
    ``LARGEST_GRID`` voxels a side. Raises ``OperandoError`` if rendering fails.
    """
    step = max(-(-max(before["label"].shape) // LARGEST_GRID), 1)
    thin = {name: slice(None, None, step) for name in ("z", "y", "x")}
    old, new = (one["label"].isel(thin).values for one in (before, after))
    known = (old != UNKNOWN_LABEL) & (new != UNKNOWN_LABEL)
    spacing = [float(before[name].values[1] - before[name].values[0]) * step for name in ("z", "y", "x")]
    solids = {
        "anode": old == label,
        "gained": known & (new == label) & (old != label),
        "lost": known & (new != label) & (old == label),
    }
    with tempfile.TemporaryDirectory() as folder:
        return _trimmed(_rendered(Path(folder), solids, np.array(spacing), from_below))


def _rendered(folder: Path, solids: dict[str, np.ndarray], spacing: np.ndarray, from_below: bool) -> np.ndarray:
    from matplotlib.image import imread

    given, made = folder / "solids.npz", folder / "picture.png"
    arrays: dict[str, Any] = {**solids, "spacing": spacing, "from_below": np.array(from_below)}
    np.savez(given, **arrays)
    with as_file(files("operando.figures") / "render_solids.py") as script:
        process = subprocess.run(
            [sys.executable, "-P", str(script), str(given), str(made)],
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
    if process.returncode or not made.exists():
        last = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise OperandoError(
            f'PyVista could not render off screen (status {process.returncode}: {last}); set renderer = "matplotlib".'
        )
    picture: np.ndarray = (imread(made)[..., :3] * 255).round().astype(np.uint8)
    return picture


def _trimmed(picture: np.ndarray, margin: int = 10) -> np.ndarray:
    """Cut the white border off."""
    rows, columns = (np.flatnonzero((picture < 250).any(axis=(axis, 2))) for axis in (1, 0))
    if rows.size == 0:
        return picture
    top, left = max(rows[0] - margin, 0), max(columns[0] - margin, 0)
    return picture[top : rows[-1] + margin, left : columns[-1] + margin]
