"""Pictures, movie and report of an experiment, written into its results folder."""

import importlib.metadata
import logging
import platform
from pathlib import Path
from typing import Any

from operando.figures import catalogue, saving
from operando.model.errors import OperandoError
from operando.pipeline import codec
from operando.pipeline.store import Results

log = logging.getLogger(__name__)


def figure(folder: Path, name: str, formats: tuple[str, ...] = ("png", "pdf", "svg"), **options: Any) -> list[Path]:
    """Draw one figure and write it with the script that draws it again."""
    results = Results(folder)
    drawn = catalogue.draw(name, results, **options)
    target = results.path / "figures"
    target.mkdir(exist_ok=True)
    return list(saving.save(drawn, target / name, formats))


def all_figures(folder: Path, formats: tuple[str, ...] = ("png",)) -> list[Path]:
    """Draw every figure that the results can fill; the others are named in the log."""
    written: list[Path] = []
    for name in catalogue.names():
        try:
            written += figure(folder, name, formats)
        except OperandoError as error:
            log.info("figure %s: %s", name, error)
    return written


def report(folder: Path) -> Path:
    """Write ``report.html``, self-contained."""
    from operando.figures import report as room

    results = Results(folder)
    pictures = {path.stem: path.read_bytes() for path in sorted((results.path / "figures").glob("*.png"))}
    path = results.path / "report.html"
    codec.write_bytes(room.html(results, pictures, provenance(folder)).encode(), path)
    return path


def provenance(folder: Path) -> dict[str, Any]:
    """Versions, parameters and digests behind the results."""
    results = Results(folder)
    packages = ("operando", "numpy", "scipy", "xarray", "zarr", "numba", "scikit-image", "SimpleITK", "gemmi", "xraydb")
    steps: dict[str, Any] = {}
    for entry in results.index.entries.values():
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
    """All figures and the report; the movie too where a video encoder is there."""
    written = [*all_figures(folder), report(folder)]
    try:
        written.append(movie(folder))
    except OperandoError as error:
        log.warning("%s", error)
    return written
