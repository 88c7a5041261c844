"""The figures by name, found by scanning ``operando.figures.plots``: a new figure is a new file."""

import difflib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from operando.figures import plots, style
from operando.figures.abscissa import NUMBERED
from operando.figures.source import Source
from operando.model.errors import ConfigurationError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def names() -> tuple[str, ...]:
    """Names of all figures."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(plots.__path__)))


def describe(name: str) -> str:
    """One sentence on what the figure shows."""
    return (import_module(_module(name)).__doc__ or "").strip().splitlines()[0]


def options(name: str) -> dict[str, Any]:
    """The figure's options with their defaults."""
    parameters = list(inspect.signature(_draw(name)).parameters.values())
    return {parameter.name: parameter.default for parameter in parameters[1:]}


def draw(name: str, source: Source, **chosen: Any) -> "Figure":
    """Draw a figure in the journal's style.

    Raises ``ConfigurationError`` for an unknown name or option, ``NothingToDrawError`` where the experiment
    lacks what the figure shows; each with one sentence.
    """
    known = options(name)
    for option in chosen:
        if option not in known:
            raise ConfigurationError(f"The figure {name!r} has no option {option!r}{_meant(option, known)}.")
    listed = _listed(name)
    given = {key: (value,) if key in listed and isinstance(value, int) else value for key, value in chosen.items()}
    from matplotlib.ticker import MaxNLocator

    with style.journal():
        figure = _draw(name)(source, **given)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            locator = axis.get_major_locator()
            if axis.get_label_text() == NUMBERED and isinstance(locator, MaxNLocator):
                locator.set_params(integer=True)
    return figure


def _listed(name: str) -> set[str]:
    """Options that take several values; a single number is one of them."""
    parameters = inspect.signature(_draw(name)).parameters.values()
    return {parameter.name for parameter in parameters if "tuple[int" in str(parameter.annotation)}


def script(name: str, chosen: Mapping[str, Any] | None = None) -> str:
    """A Python script that draws the figure again with the same options, to be kept beside it and changed at will.

    ``python NAME.py [EXPERIMENT_FOLDER] [FILE_STEM]``; by default the folder is the one above ``results/figures``.
    """
    known, chosen = options(name), dict(chosen or {})
    for option in chosen:
        if option not in known:
            raise ConfigurationError(f"The figure {name!r} has no option {option!r}{_meant(option, known)}.")
    lines = "".join(f"    {option}={value!r},\n" for option, value in (known | chosen).items())
    return SCRIPT.format(name=name, sentence=describe(name), options=lines)


SCRIPT = '''"""{sentence}

Draws the figure {name!r} again: python {name}.py [EXPERIMENT_FOLDER] [FILE_STEM]
"""

import sys
from pathlib import Path

from operando.figures import catalogue, save
from operando.pipeline.store import Results

HERE = Path(__file__).resolve().parent
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent.parent
stem = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "{name}"

figure = catalogue.draw(
    "{name}",
    Results(folder),
{options})
# change anything of the matplotlib figure here
for path in save(figure, stem):
    print(path)
'''


def _draw(name: str) -> "Callable[..., Figure]":
    function: Callable[..., Figure] = import_module(_module(name)).draw
    return function


def _module(name: str) -> str:
    if name not in names():
        raise ConfigurationError(f"There is no figure {name!r}{_meant(name, names())}; known are {', '.join(names())}.")
    return f"{plots.__name__}.{name}"


def _meant(word: str, among: Any) -> str:
    near = difflib.get_close_matches(word, list(among), 1)
    return f"; did you mean {near[0]!r}?"[:-1] if near else ""
