"""``ro-crate-metadata.json``: what a repository needs to know of the results (RO-Crate 1.1, https://w3id.org/ro/crate/1.1).

Written anew whenever a run, a figure, the movie or the report has changed the results folder. Author and licence are
the depositor's to add.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from operando.pipeline import codec
from operando.pipeline.store import Results

CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]
KINDS = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".html": "text/html",
    ".nxs": "application/x-hdf5",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".pdf": "application/pdf",
    ".svg": "image/svg+xml",
    ".py": "text/x-python",
}
FOLDERS = {
    "store.zarr/": "Every product of the analysis as a group (Zarr 3, xarray).",
    "volumes/": "Reconstructed volumes (OME-Zarr).",
}
OWN = "ro-crate-metadata.json"
BOOKKEEPING = {"frames", "log", "display", OWN, "frames.json", "raw.json", "lock.json", "live.json"}


def write(results: Results) -> Path:
    """Describe everything in the results folder that a reader would open."""
    parts = [_file(path, results.path) for path in _public(results.path)]
    parts += [
        {"@id": name, "@type": "Dataset", "description": text}
        for name, text in FOLDERS.items()
        if (results.path / name).is_dir()
    ]
    path = results.path / OWN
    content = {"@context": CONTEXT, "@graph": [*_whole(results, parts), *parts]}
    codec.write_bytes((json.dumps(content, indent=1) + "\n").encode(), path)
    return path


def _whole(results: Results, parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The description itself, the folder, the run that made it, and the program."""
    return [
        {
            "@id": OWN,
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            "about": {"@id": "./"},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": results.title,
            "description": "Results of an operando experiment: numbers with 95 % intervals, figures and tables.",
            "datePublished": datetime.now(UTC).isoformat(timespec="seconds"),
            "hasPart": [{"@id": part["@id"]} for part in parts],
            "mentions": {"@id": "#run"},
        },
        {
            "@id": "#run",
            "@type": "CreateAction",
            "name": "Analysis with operando",
            "instrument": {"@id": "#operando"},
            "result": {"@id": "./"},
        },
        {
            "@id": "#operando",
            "@type": "SoftwareApplication",
            "name": "operando",
            "version": results.summary["operando"],
        },
    ]


def _public(folder: Path) -> Iterator[Path]:
    """The files that a reader would open; not what lies inside a Zarr store, nor the run's own bookkeeping."""
    for path in sorted(folder.iterdir()):
        if path.name in BOOKKEEPING or path.name.startswith(".") or path.suffix == ".zarr":
            continue
        if path.is_dir():
            yield from _public(path)
        elif path.suffix in KINDS:
            yield path


def _file(path: Path, root: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "@id": path.relative_to(root).as_posix(),
        "@type": "File",
        "contentSize": str(path.stat().st_size),
        "encodingFormat": KINDS[path.suffix],
        "sha256": digest,
    }
