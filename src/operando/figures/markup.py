"""Well-formed HTML from plain values: everything is escaped once, here."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: Any) -> Markup:
    """Escape a value, unless it is markup already."""
    return value if isinstance(value, Markup) else Markup(escape(str(value), quote=True))


def element(tag: str, *content: Any, **attributes: str) -> Markup:
    """Build an element; ``class_`` stands for the attribute ``class``.

    >>> element("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    written = "".join(f' {name.rstrip("_")}="{escape(value, quote=True)}"' for name, value in attributes.items())
    return Markup(f"<{tag}{written}>{''.join(text(part) for part in content)}</{tag}>")


def joined(parts: Iterable[Markup]) -> Markup:
    """Set parts one after the other."""
    return Markup("\n".join(parts))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markup:
    """Build a table that scrolls sideways on a narrow screen, its first column naming the row."""
    head = element("tr", *(element("th", column, scope="col") for column in columns))
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])) for row in rows
    ]
    inner = element("table", element("thead", head), element("tbody", *body))
    return element("div", inner, class_="scroll", tabindex="0")


def section(anchor: str, heading: str, *content: Any) -> Markup:
    """Build a section with its heading."""
    return element("section", element("h2", heading), *content, id=anchor)


def folded(heading: str, *content: Any) -> Markup:
    """Build a part that is closed on the screen and open in print."""
    return element("details", element("summary", heading), *content)


def items(lines: Iterable[Any]) -> Markup:
    """Build a list."""
    return element("ul", *(element("li", line) for line in lines))


def picture(data: bytes, alternative: str) -> Markup:
    """Embed a PNG or SVG picture with a text for those who can't see it."""
    kind = "image/png" if data.startswith(b"\x89PNG") else "image/svg+xml"
    encoded = base64.b64encode(data).decode("ascii")
    return Markup(f'<img src="data:{kind};base64,{encoded}" alt="{escape(alternative, quote=True)}"/>')


def definitions(values: Mapping[str, Any]) -> Markup:
    """Build a table of names and values, for provenance.

    A mapping of mappings is a table in its cell; one of values a list, deeper names behind their parents' so that
    nothing gets narrower than a phone can show.
    """
    rows = []
    for name, value in values.items():
        rows.append(element("tr", element("th", str(name), scope="row"), element("td", _inner(value))))
    return element("table", element("tbody", *rows), class_="plain")


def _inner(value: Any) -> Markup:
    if not isinstance(value, Mapping):
        return _leaf(value)
    if value and all(isinstance(part, Mapping) for part in value.values()):
        return definitions(value)
    return items(element("span", f"{name}: ", _leaf(part)) for name, part in flat(value))


def flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Name the values of nested mappings by their whole way.

    >>> dict(flat({"a": {"b": 1, "c": {}}, "d": 2}))
    {'a.b': 1, 'd': 2}
    """
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _leaf(value: Any) -> Markup:
    if isinstance(value, list | tuple):
        return text("; ".join(map(str, value)) or "none")
    word = "none" if value is None else str(value)
    if "\n" in word:
        return element("pre", word)
    return element("code", word) if re.fullmatch(r"[0-9a-f]{16,}", word) else text(word)
