"""Pictures, movie and report of an experiment, written into its results folder."""

import importlib.metadata
import logging
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from operando.figures import publishing
from operando.model.errors import OperandoError
from operando.pipeline import codec
from operando.pipeline.store import Results

log = logging.getLogger(__name__)


def figure(folder: Path, name: str, formats: tuple[str, ...] = ("png", "pdf", "svg"), **options: Any) -> list[Path]:
    """Draw one figure and write it with the script that draws it again."""
    results = Results(folder)
    return publishing.publish(results, name, results.path / "figures", formats, **options)


def figures(folder: Path, names: Sequence[str] | None = None, formats: tuple[str, ...] = ("png",)) -> list[Path]:
    """Draw the named figures (all by default); those that these results can't fill are named in the log."""
    results = Results(folder)
    gallery = publishing.gallery(results, results.path / "figures", names, formats)
    for name, reason in gallery.missing.items():
        log.info("figure %s: %s", name, reason)
    return [path for paths in gallery.files.values() for path in paths]


def report(folder: Path) -> Path:
    """Draw the report's figures and write ``report.html``, self-contained."""
    from operando.figures import report as room

    figures(folder, publishing.REPORT)
    results = Results(folder)
    paths = [results.path / "figures" / f"{name}.png" for name in publishing.REPORT]
    pictures = {path.stem: path.read_bytes() for path in paths if path.exists()}
    path = results.path / "report.html"
    codec.write_bytes(room.html(results, pictures, provenance(folder)).encode(), path)
    return path


def provenance(folder: Path) -> dict[str, Any]:
    """Versions, parameters and digests behind the results."""
    results = Results(folder)
    packages = ("operando", "numpy", "scipy", "xarray", "zarr", "numba", "scikit-image", "SimpleITK", "gemmi", "xraydb")
    steps: dict[str, Any] = {}
    for entry in results.index:
        about = steps.setdefault(entry.step, {"version": entry.recipe.get("version"), "results": 0, "seconds": 0.0})
        about["results"] += 1
        about["seconds"] += entry.seconds
        about["arguments"] = entry.recipe.get("arguments")
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "configuration": (folder / "operando.toml").read_text(encoding="utf-8"),
        "steps": steps,
    }


def movie(folder: Path, **options: Any) -> Path:
    """Write ``movie.mp4``."""
    from operando.figures import movie as room

    results = Results(folder)
    path = results.path / "movie.mp4"
    room.write(results, path, **options)
    return path


def everything(folder: Path) -> list[Path]:
    """The report with its figures; the movie too where a video encoder is there."""
    written = [report(folder)]
    written += sorted((folder / "results" / "figures").glob("*.png"))
    try:
        written.append(movie(folder))
    except OperandoError as error:
        log.warning("%s", error)
    return written
