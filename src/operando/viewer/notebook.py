"""The slices as a notebook widget (anywidget), from the same modules as the page."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from operando.model.errors import OperandoError
from operando.pipeline import display
from operando.viewer.overview import overview
from operando.viewer.reader import Reader

MODULES = ("api", "state", "colours", "geometry", "slices", "notebook")
"""In an order in which each comes after those it imports."""

STYLE = """
.operando-row { display: flex; gap: 4px; }
.operando-slice { flex: 1 1 0; min-width: 0; height: 320px; background: #000; cursor: crosshair; }
.operando-bar { display: flex; gap: 10px; align-items: center; padding: 4px 0; }
.operando-bar input { flex: 1 1 auto; }
.operando-legend { display: inline-flex; gap: 8px; }
.operando-legend i { display: inline-block; width: 10px; height: 10px; margin-right: 4px; }
"""


def show(folder: Path) -> Any:
    """A widget with three linked slices of the results in ``folder``, and a slider over the scans.

    Raises ``OperandoError`` where there are no results or where anywidget is missing.
    """
    try:
        import anywidget
        import traitlets
    except ImportError:
        raise OperandoError("show() needs anywidget; install it with: pip install 'operando[notebook]'.") from None

    class Viewer(anywidget.AnyWidget):  # type: ignore[misc]
        """Answers the page's questions for planes."""

        _esm = bundle()
        _css = STYLE
        overview = traitlets.Dict().tag(sync=True)

        def __init__(self, reader: Reader) -> None:
            super().__init__(overview=_texts(overview(reader)))
            self.reader = reader
            self.on_msg(self._answer)

        def _answer(self, widget: Any, content: Any, buffers: Any) -> None:
            self.send({"id": content["id"]}, buffers=[plane(self.reader, *content["part"])])

    return Viewer(Reader(folder))


def plane(reader: Reader, name: str, scan: int, axis: str, factor: int, number: int) -> bytes:
    """Bytes of one plane; empty where there is none."""
    image = reader.images.get(name, {}).get(int(scan))
    if image is None:
        return b""
    try:
        return display.read_plane(reader.results, image, str(axis), int(factor), int(number))
    except IndexError:
        return b""


def bundle() -> str:
    """All modules as one, since a widget's module can't import files beside it."""
    folder = files("operando.viewer") / "web" / "js"
    texts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in MODULES]
    joined = "\n".join(re.sub(r"^import [^;]*;\n", "", text, flags=re.MULTILINE) for text in texts)
    return re.sub(r"^export (?!default)", "", joined, flags=re.MULTILINE)


def _texts(value: Any) -> Any:
    """The same with text keys, as JSON has them."""
    if isinstance(value, dict):
        return {str(key): _texts(item) for key, item in value.items()}
    return [_texts(item) for item in value] if isinstance(value, list | tuple) else value
