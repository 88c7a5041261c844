"""What every part of the report writes into its tables."""

from collections.abc import Mapping
from typing import Any

from operando.figures import markup
from operando.figures.markup import Markup, element
from operando.figures.numbers import NOT_KNOWN, quantity_parts

Summary = Mapping[str, Any]
EMPTY = Markup("")


def quantity_cell(quantity: Summary | None) -> Markup:
    """A quantity in a table: the interval stands under the value, in the same unit."""
    if quantity is None:
        return element("span", NOT_KNOWN, class_="soft")
    value, interval, unit = quantity_parts(quantity)
    return markup.joined([element("span", f"{value} {unit}".strip()), element("small", interval)])
