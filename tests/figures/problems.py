"""What makes a figure hard to read: texts over each other or off the canvas, axes without a unit."""

from itertools import combinations
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from mpl_toolkits.mplot3d.art3d import Text3D

from operando.figures import style

TOLERANCE = 1.0  # pixels at 100 dpi
WITHOUT_UNIT = ("number", "Step of the protocol")


def problems(figure: Any) -> list[str]:
    """One sentence for everything that is wrong."""
    with style.journal():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        boxes = [(text.get_text(), _box(text, canvas.get_renderer())) for text in _texts(figure)]
    return [*_overlaps(boxes), *_outside(boxes, figure.bbox), *_unitless(figure)]


def _texts(figure: Any) -> list[Text]:
    ticks = {label for axis in _every_axis(figure) for label in _tick_labels(axis)}
    solid = {label for axis in _solid_axes(figure) for label in _all_tick_labels(axis)}
    hidden = solid | {label for axis in _every_axis(figure) for label in _all_tick_labels(axis)} - ticks
    found = [text for text in figure.findobj(Text) if text.get_text().strip() and _shown(text) and text not in hidden]
    found = [text for text in found if not isinstance(text, Text3D)]
    return list(dict.fromkeys(found))


def _every_axis(figure: Any) -> list[Any]:
    axes = [*figure.axes]
    axes += [child for parent in figure.axes for child in parent.child_axes]
    axes = [one for one in axes if one.name != "3d"]  # their ticks are placed while they are drawn
    every = [axis for one in axes if one.get_visible() and one.axison for axis in (one.xaxis, one.yaxis)]
    return [axis for axis in every if axis.get_visible()]


def _solid_axes(figure: Any) -> list[Any]:
    return [axis for one in figure.axes if one.name == "3d" for axis in (one.xaxis, one.yaxis, one.zaxis)]


def _tick_labels(axis: Any) -> list[Text]:
    ticks = axis._update_ticks()
    return [label for tick in ticks for label in (tick.label1, tick.label2) if label.get_visible()]


def _all_tick_labels(axis: Any) -> list[Text]:
    ticks = [*axis.majorTicks, *axis.minorTicks]
    return [label for tick in ticks for label in (tick.label1, tick.label2)]


def _shown(text: Text) -> bool:
    axes = text.axes
    return text.get_visible() and text.get_alpha() != 0 and (axes is None or axes.get_visible())


def _box(text: Text, renderer: Any) -> Bbox:
    return Text.get_window_extent(text, renderer)


def _overlaps(boxes: list[tuple[str, Bbox]]) -> list[str]:
    found = []
    for (first, a), (second, b) in combinations(boxes, 2):
        shared = Bbox.intersection(a, b)
        if shared is not None and min(shared.width, shared.height) > TOLERANCE:
            found.append(f"{first!r} lies over {second!r}")
    return found


def _outside(boxes: list[tuple[str, Bbox]], canvas: Bbox) -> list[str]:
    inner = canvas.padded(TOLERANCE)
    return [
        f"{name!r} leaves the canvas"
        for name, box in boxes
        if box.x0 < inner.x0 or box.y0 < inner.y0 or box.x1 > inner.x1 or box.y1 > inner.y1
    ]


def _unitless(figure: Any) -> list[str]:
    found = []
    for axis in _every_axis(figure):
        if not any(label.get_text().strip() for label in _tick_labels(axis)):
            continue
        label = axis.get_label_text()
        if not ("(" in label or any(word in label for word in WITHOUT_UNIT)):
            found.append(f"axis {label!r} has no unit")
    return found
