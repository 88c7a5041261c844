"""A step: a plain typed function from products to products, with what the pipeline has to know of it.

The graph follows from the annotations. A parameter annotated with a product is an input; one annotated
with a ``Parameters`` model takes the section ``[steps.NAME]``; one annotated with a ``Setting`` takes a
value of the configuration. Over what a step maps follows from the ``frame`` of its output's contract.
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Generic, Literal, ParamSpec, TypeVar

from operando.model.contract import Contract, Frame
from operando.model.parameters import Parameters

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

Way = Literal["same", "series", "first", "previous", "own", "before", "after"]

Series = Annotated[Sequence[T], "series"]
"""All frames of a product, in order of time; frames that failed are absent (see ``attrs['frame']``)."""

First = Annotated[T, "first"]
"""The product of the first frame."""

Previous = Annotated[T, "previous"]
"""The product of the nearest earlier frame that has one; absent for the first, so that it is always optional. A step
may take its own product of the frame before: what it makes then runs through the series."""

Own = Annotated[T, "own"]
"""This frame's row of a table made for the whole experiment (one row a frame, coordinate ``scan`` or ``spectrum``).
Only the row enters the digest, so that a new scan does not make the old ones stale."""

Before = Annotated[T, "before"]
"""In a step over pairs: the product of the earlier scan."""

After = Annotated[T, "after"]
"""In a step over pairs: the product of the later scan."""


@dataclass(frozen=True)
class Setting:
    """A value of the configuration, by its dotted path; only this value enters the step's digest.

    ``resolve="material"`` turns a name or a sequence of names into ``Material`` objects,
    ``resolve="reactions"`` turns an electrode into its candidate ``Reaction`` objects, ``resolve="file"`` makes
    a file name absolute and lets the file's content enter the digest, ``resolve="spectrum"`` does so for a ``.json``
    and opens any other file as one energy-dispersive spectrum.
    """

    path: str
    resolve: Literal["material", "reactions", "file", "spectrum"] | None = None


@dataclass(frozen=True)
class Cut:
    """How a step may be cut along its products' ``slab`` dimension.

    ``halo`` rows are added on both sides of the input, or only where the argument ``halo_with`` is given. Memory
    counts in elements of a row: columns times columns, or times frames where there are more of them.
    ``working_bytes`` is what the step needs for each element of each row, all copies and the steps fused into it
    counted; ``fixed_bytes`` what it needs however few the rows.
    """

    halo: int = 0
    working_bytes: float = 16.0
    fixed_bytes: float = 0.0
    halo_with: str | None = None

    def given(self, arguments: Mapping[str, Any]) -> "Cut":
        """The same with the halo that the step takes with these arguments."""
        needed = self.halo_with is None or arguments.get(self.halo_with) is not None
        return self if needed else replace(self, halo=0)


@dataclass(frozen=True)
class Input:
    """One product that a step takes."""

    name: str
    contract: Contract
    way: Way
    optional: bool


@dataclass(frozen=True)
class Step(Generic[P, R]):
    """A step with its place in the graph. Calling it calls the plain function."""

    name: str
    function: Callable[P, R]
    version: int
    stored: bool
    cut: Cut | None
    inputs: tuple[Input, ...]
    outputs: tuple[Contract, ...]
    settings: tuple[tuple[str, Setting], ...]
    parameters: tuple[str, type[Parameters]] | None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the plain function."""
        return self.function(*args, **kwargs)

    @property
    def over(self) -> Frame | None:
        """Of what the step makes one product each; ``None``: one for the whole experiment."""
        return self.outputs[0].frame

    @property
    def room(self) -> str:
        """The folder it lives in, that is the user's word for its subject."""
        return self.function.__module__.split(".")[-2]

    @property
    def sentence(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]


def step(
    *, version: int, stored: bool = True, cut: Cut | None = None, name: str | None = None
) -> Callable[[Callable[P, R]], Step[P, R]]:
    """Declare a step. Raise ``version`` whenever the same input would give another output.

    ``stored=False`` fuses the step with whatever reads its product: it has a digest but no bytes.
    """

    def declare(function: Callable[P, R]) -> Step[P, R]:
        hints = typing.get_type_hints(function, include_extras=True)
        returns = hints.pop("return")
        roles = {key: _role(hint) for key, hint in hints.items()}
        outputs = _outputs(returns)
        inputs = tuple(Input(key, *role) for key, role in roles.items() if isinstance(role, tuple))
        for needed in (one for one in inputs if one.way == "previous"):
            if not needed.optional or outputs[0].frame not in {"scan", "spectrum"}:
                raise TypeError(
                    f"{needed.name}: only a later scan or spectrum has a previous one; write Previous[…] | None"
                )
        return Step(
            name=name or function.__name__,
            function=function,
            version=version,
            stored=stored,
            cut=cut,
            inputs=inputs,
            outputs=outputs,
            settings=tuple((key, role) for key, role in roles.items() if isinstance(role, Setting)),
            parameters=next(((key, role) for key, role in roles.items() if isinstance(role, type)), None),
        )

    return declare


def _outputs(returns: Any) -> tuple[Contract, ...]:
    parts = typing.get_args(returns) if typing.get_origin(returns) is tuple else (returns,)
    return tuple(_metadata(part, Contract) for part in parts)


def _metadata(hint: Any, kind: type[T]) -> T:
    found = [item for item in getattr(hint, "__metadata__", ()) if isinstance(item, kind)]
    if not found:
        raise TypeError(f"{hint} carries no {kind.__name__}")
    return found[0]


def _role(hint: Any) -> tuple[Contract, Way, bool] | Setting | type[Parameters] | None:
    """What a parameter is: a product (contract, way, optional), a setting, a parameter model."""
    if inspect.isclass(hint) and issubclass(hint, Parameters):
        return hint
    optional = False
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        optional = type(None) in typing.get_args(hint)
        (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
    metadata = getattr(hint, "__metadata__", ())
    for item in metadata:
        if isinstance(item, Setting):
            return item
    way: Way = next((known for known in typing.get_args(Way) if known in metadata), "same")
    inner = typing.get_args(hint.__origin__)[0] if way == "series" else hint
    return _metadata(inner, Contract), way, optional
