"""Figures into a folder, each with the script that draws it again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operando.figures import catalogue
from operando.figures.reading import NothingToDrawError
from operando.figures.saving import FORMATS, save
from operando.figures.source import Source

REPORT = ("overview", "balance", "events", "volumes", "slices", "film", "gains", "lattice", "naive", "fits", "fig4")
"""Figures of the report, in their order there."""
DEMO = ("overview", "balance", "slices")
"""Figures that the demonstration shows."""


@dataclass
class Gallery:
    """Files of the figures that were drawn, and for each that was not, the sentence why."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def publish(
    source: Source, name: str, folder: str | Path, formats: Sequence[str] = FORMATS, **options: Any
) -> list[Path]:
    """Draw a figure and save it as ``folder/NAME.*`` with ``folder/NAME.py`` beside it; returns the files."""
    folder = Path(folder)
    written = save(catalogue.draw(name, source, **options), folder / name, formats)
    path = folder / f"{name}.py"
    path.write_text(catalogue.script(name, options), encoding="utf-8")
    return [*written, path]


def gallery(
    source: Source, folder: str | Path, names: Sequence[str] | None = None, formats: Sequence[str] = FORMATS
) -> Gallery:
    """Publish several figures (all by default); what this experiment cannot show is listed, not raised."""
    made = Gallery()
    for name in catalogue.names() if names is None else names:
        try:
            made.files[name] = publish(source, name, folder, formats)
        except NothingToDrawError as reason:
            made.missing[name] = str(reason)
    return made
