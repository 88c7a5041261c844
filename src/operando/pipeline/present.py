"""Pictures, movie and report of an experiment, written into its results folder."""

import importlib.metadata
import logging
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operando.figures import publishing
from operando.model.errors import OperandoError
from operando.pipeline import codec, deposit, digest
from operando.pipeline.index import Entry
from operando.pipeline.raw import PRODUCT_OF_KIND
from operando.pipeline.store import Results

log = logging.getLogger(__name__)

SAID_OF_MATERIALS = ("title", "formula", "space_group", "cell", "temperature_c", "status", "sources")


def figure(folder: Path, name: str, formats: tuple[str, ...] = ("png", "pdf", "svg"), **options: Any) -> list[Path]:
    """Draw one figure and write it with the script that draws it again."""
    results = Results(folder)
    written = publishing.publish(results, name, results.path / "figures", formats, **options)
    _describe(results)
    return written


def _describe(results: Results) -> None:
    """Keep the description for a deposit true; there is none before the first run has ended."""
    if (results.path / deposit.OWN).exists():
        deposit.write(results)


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
    _describe(results)
    return path


def provenance(folder: Path) -> dict[str, Any]:
    """Versions, parameters and digests behind the results."""
    results = Results(folder)
    packages = ("operando", "numpy", "scipy", "xarray", "zarr", "numba", "scikit-image", "SimpleITK", "gemmi", "xraydb")
    raw: dict[str, str] = {}
    steps: dict[str, _Made] = {}
    materials: dict[str, Any] = {}
    for entry in results.index:
        raw |= _raw_digests(entry)
        steps.setdefault(entry.step, _Made()).add(entry)
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "configuration": (folder / "operando.toml").read_text(encoding="utf-8"),
        "raw files": raw,
        "steps": {step: made.told(materials) for step, made in steps.items()},
        "materials": materials,
    }


def _raw_digests(entry: Entry) -> dict[str, str]:
    """Which state of a raw scan or spectrum was read: digest of its size, time of change, head and tail."""
    inputs = entry.recipe.get("inputs", {})
    read = [inputs[name] for name in PRODUCT_OF_KIND.values() if isinstance(inputs.get(name), str)]
    return {entry.frame: read[0]} if entry.frame and read else {}


@dataclass
class _Made:
    """What a step made with which parameters."""

    version: int | None = None
    arguments: Any = None
    seconds: float = 0.0
    digests: list[str] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Count one more result."""
        self.version, self.arguments = entry.recipe.get("version"), entry.recipe.get("arguments")
        self.seconds += entry.seconds
        self.digests.append(entry.digest)

    def told(self, materials: dict[str, Any]) -> dict[str, Any]:
        """As the report has it; the digest is that of all the results' digests."""
        return {
            "version": self.version,
            "results": len(self.digests),
            "seconds": round(self.seconds, 1),
            "parameters": _by_name(self.arguments, materials),
            "digest": digest.of_object(self.digests),
        }


def _by_name(value: Any, materials: dict[str, Any]) -> Any:
    """A parameter in which materials and reactions stand by their names; ``materials`` collects the former."""
    if isinstance(value, Mapping):
        if "space_group" in value:
            materials[value["name"]] = {key: value[key] for key in SAID_OF_MATERIALS} | {
                "digest": digest.of_object(value)
            }
            return value["name"]
        if "reactants" in value:
            return value["text"]
        return {key: _by_name(part, materials) for key, part in value.items()}
    return [_by_name(part, materials) for part in value] if isinstance(value, list) else value


def movie(folder: Path, **options: Any) -> Path:
    """Write ``movie.mp4``."""
    from operando.figures import movie as room

    results = Results(folder)
    path = results.path / "movie.mp4"
    room.write(results, path, **options)
    _describe(results)
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
