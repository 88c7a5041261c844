"""The page's own files, read once when the server starts: no path from a client ever touches the disk."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True)
class File:
    """One file of the page."""

    content: bytes
    type: str
    tag: str


def page_files() -> dict[str, File]:
    """All files of the page by the path under which they are served.

    >>> "/" in page_files()
    True
    """
    found = dict(_walk(files("operando.viewer") / "web", ""))
    return found | {"/": found["/index.html"]}


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, File]]:
    found: list[tuple[str, File]] = []
    for item in folder.iterdir():
        path = f"{prefix}/{item.name}"
        if item.is_dir():
            found += _walk(item, path)
        elif (ending := item.name.rpartition(".")[2]) in TYPES:
            content = item.read_bytes()
            found.append((path, File(content, TYPES[ending], hashlib.sha256(content).hexdigest()[:16])))
    return found
