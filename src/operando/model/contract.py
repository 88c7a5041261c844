"""A contract says what a product is: its variables, their dimensions and units, and how it may be cut.

Products are plain ``xarray.Dataset``. The annotation ``Annotated[xr.Dataset, CONTRACT]`` is at once the
edge of the graph, the check at the door, the documentation and the place in the store.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import xarray as xr

from operando.model.clock import TIME_ENCODING
from operando.model.errors import ContractError

Frame = Literal["scan", "spectrum", "record", "pair"]
"""Of what there is one product each (a record is one cycler file); ``None``: one for the whole experiment.

On everything loaded, ``attrs["frame"]`` is the frame's index (of a pair the list of both scans' indices) and
``attrs["file"]`` the raw file relative to the experiment's folder."""

Uncertainty = Literal["std", "bounds"]


@dataclass(frozen=True)
class Variable:
    """One variable of a product.

    ``uncertainty="std"`` promises a sibling ``<name>_std``; ``"bounds"`` promises ``<name>_low`` and
    ``<name>_high``, the 95 % interval. Unit ``time`` means ``datetime64[ns]``, UTC; ``text`` means strings.
    """

    dims: tuple[str, ...]
    unit: str
    meaning: str
    uncertainty: Uncertainty | None = None
    optional: bool = False


@dataclass(frozen=True)
class Contract:
    """What a product promises. ``slab`` names the dimension along which a big product may be cut."""

    name: str
    meaning: str
    variables: Mapping[str, Variable] = field(hash=False)
    frame: Frame | None = None
    slab: str | None = None
    coarsening: int = 1
    """Rows of the raw scan that make one step along ``slab`` (4 for a product at quarter resolution)."""

    def all_variables(self) -> dict[str, Variable]:
        """The variables with the siblings that carry their uncertainty."""
        expanded = dict(self.variables)
        for name, variable in self.variables.items():
            for suffix in _SUFFIXES[variable.uncertainty]:
                expanded[f"{name}_{suffix}"] = Variable(
                    variable.dims, variable.unit, f"{suffix} of {name}", optional=variable.optional
                )
        return expanded

    def new(
        self,
        coords: Mapping[Any, Any] | None = None,
        attrs: Mapping[str, Any] | None = None,
        **arrays: Any,
    ) -> xr.Dataset:
        """Build the product from bare arrays; dimensions and units come from the contract.

        A coordinate is given as ``(dims, values, unit)`` or as a bare 1-D array along its own name (µm).
        Raises ``ContractError`` if a variable is missing, unknown or of the wrong rank.

        >>> point = Contract("point", "a test", {"d": Variable(("line",), "angstrom", "spacing", "std")})
        >>> point.new(d=np.array([1.39]), d_std=np.array([1e-4]))["d_std"].attrs["units"]
        'angstrom'
        """
        variables = self.all_variables()
        data = {name: self._variable(name, variables, array) for name, array in arrays.items()}
        dataset = xr.Dataset(data, coords=_coordinates(coords or {}), attrs=dict(attrs or {}))
        self.check(dataset)
        return dataset

    def check(self, dataset: xr.Dataset) -> xr.Dataset:
        """Return ``dataset`` if it keeps the contract, else raise ``ContractError`` with one sentence."""
        for name, variable in self.all_variables().items():
            if name not in dataset:
                if not variable.optional:
                    raise ContractError(f"{self.name}: the variable {name!r} is missing.")
                continue
            _check_variable(self.name, name, variable, dataset.variables[name])
        return dataset

    def _variable(self, name: str, variables: dict[str, Variable], array: Any) -> xr.Variable:
        if name not in variables:
            raise ContractError(f"{self.name}: {name!r} is no variable of it; it has {', '.join(variables)}.")
        variable = variables[name]
        if np.ndim(array) != len(variable.dims):
            raise ContractError(
                f"{self.name}: {name!r} has {np.ndim(array)} dimensions, the contract says {variable.dims}."
            )
        if variable.unit == "time":
            times = np.asarray(array, dtype="datetime64[ns]")
            return xr.Variable(variable.dims, times, {}, dict(TIME_ENCODING))
        attrs = {} if variable.unit == "text" else {"units": variable.unit}
        return xr.Variable(variable.dims, array, attrs)


_SUFFIXES: dict[Uncertainty | None, tuple[str, ...]] = {None: (), "std": ("std",), "bounds": ("low", "high")}


def _coordinates(coords: Mapping[Any, Any]) -> dict[Hashable, xr.Variable]:
    built: dict[Hashable, xr.Variable] = {}
    for name, given in coords.items():
        if isinstance(given, tuple):
            dims, values, *unit = given
            attrs = {"units": unit[0]} if unit and unit[0] not in {"time", "text"} else {}
        else:
            dims, values, attrs = name, given, {}
        array = np.asarray(values)
        if np.issubdtype(array.dtype, np.number) and "units" not in attrs:
            attrs["units"] = "um" if name in {"z", "y", "x"} else "1"
        encoding = dict(TIME_ENCODING) if np.issubdtype(array.dtype, np.datetime64) else {}
        built[name] = xr.Variable(dims, array, attrs, encoding)
    return built


def _check_variable(product: str, name: str, variable: Variable, found: xr.Variable) -> None:
    if tuple(found.dims) != variable.dims:
        raise ContractError(
            f"{product}: {name!r} has dimensions {tuple(found.dims)}, the contract says {variable.dims}."
        )
    if variable.unit == "time":
        if not np.issubdtype(found.dtype, np.datetime64):
            raise ContractError(f"{product}: {name!r} is {found.dtype}, the contract says a UTC time.")
    elif variable.unit != "text" and found.attrs.get("units") != variable.unit:
        raise ContractError(
            f"{product}: {name!r} is in {found.attrs.get('units')!r}, the contract says {variable.unit!r}."
        )


def warnings_of(dataset: xr.Dataset) -> tuple[str, ...]:
    """Sentences that travel with a product: what was odd about it, for the summary and the report."""
    return tuple(dataset.attrs.get("warnings", ()))
