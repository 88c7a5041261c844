"""Figures on disk, the same bytes for the same figure."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operando.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg")
RESOLUTION = 300.0
"""Dots per inch of pictures."""
_NO_DATE: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "ModDate": None},
    "svg": {"Date": None},
    "png": {"Software": None},
}


def save(figure: "Figure", path_stem: str | Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write the figure as ``path_stem.png`` and so on; returns the files. Dates are left out, so bytes compare."""
    stem = Path(path_stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in formats:
        path = stem.with_name(f"{stem.name}.{kind}")
        path.write_bytes(encoded(figure, kind))
        written.append(path)
    return written


def encoded(figure: "Figure", kind: str, dpi: float | None = None) -> bytes:
    """The figure as the bytes of a file of this kind."""
    buffer = BytesIO()
    with style.journal():
        figure.savefig(buffer, format=kind, metadata=_NO_DATE.get(kind), dpi=RESOLUTION if dpi is None else dpi)
    return buffer.getvalue()
