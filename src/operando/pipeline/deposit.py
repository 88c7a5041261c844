"""``ro-crate-metadata.json``: what a repository needs to know of the results (RO-Crate 1.1, https://w3id.org/ro/crate/1.1)."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from operando.pipeline import codec
from operando.pipeline.store import Results

KINDS = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".html": "text/html",
    ".nxs": "application/x-hdf5",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".pdf": "application/pdf",
    ".svg": "image/svg+xml",
}


def write(results: Results, version: str) -> Path:
    """Describe every file of the results folder that a reader would open."""
    files = sorted(_public(results.path))
    parts = [_file(path, results.path) for path in files]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": results.title,
        "description": "Results of an operando experiment: numbers with 95 % intervals, figures and tables.",
        "hasPart": [{"@id": part["@id"]} for part in parts],
        "mentions": {"@id": "#operando"},
    }
    software = {"@id": "#operando", "@type": "SoftwareApplication", "name": "operando", "version": version}
    about = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }
    content = {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [about, root, software, *parts]}
    path = results.path / "ro-crate-metadata.json"
    codec.write_bytes((json.dumps(content, indent=1) + "\n").encode(), path)
    return path


def _public(root: Path) -> Iterator[Path]:
    """The files to tell of; where the thousands of products lie is not even looked."""
    for place, folders, files in os.walk(root):
        inner = {"frames", "log", "display"} if Path(place) == root else set()
        folders[:] = [name for name in folders if _is_shown(name) and name not in inner]
        yield from (Path(place) / name for name in files if _is_shown(name) and Path(name).suffix in KINDS)


def _is_shown(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(".zarr")


def _file(path: Path, root: Path) -> dict[str, Any]:
    name = path.relative_to(root).as_posix()
    return {"@id": name, "@type": "File", "contentSize": str(path.stat().st_size), "encodingFormat": KINDS[path.suffix]}
