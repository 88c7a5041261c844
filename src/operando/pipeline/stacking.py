"""Put the small products of all frames into one table along time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr


def stack(datasets: Sequence[xr.Dataset], dim: str, indices: Sequence[int]) -> xr.Dataset:
    """Concatenate along a new dimension; where frames differ in size, the shorter are padded.

    Padding is NaN, NaT or the empty string: whole numbers and truth values become floating point where
    padding is needed, so that a missing value can't be taken for a real one.

    >>> one, two = xr.Dataset({"d": ("line", [1, 2])}), xr.Dataset({"d": ("line", [3])})
    >>> stack([one, two], "spectrum", [0, 1])["d"].values.tolist()
    [[1.0, 2.0], [3.0, nan]]
    """
    sizes = _largest_sizes(datasets)
    names = dict.fromkeys(name for dataset in datasets for name in dataset.variables if name != dim)
    data: dict[Any, xr.Variable] = {}
    coords: dict[Any, xr.Variable] = {dim: xr.Variable(dim, np.asarray(indices), {"units": "1"})}
    for name in names:
        variables = [dataset.variables.get(name) for dataset in datasets]
        template = next(variable for variable in variables if variable is not None)
        if name in template.dims and _all_equal(variables):
            coords[name] = template
            continue
        shape = tuple(sizes[d] for d in template.dims)
        values = np.stack([_padded(variable, shape, template) for variable in variables])
        label = f"{name}_of_frame" if name in template.dims else name
        data[label] = xr.Variable((dim, *template.dims), values, template.attrs, template.encoding)
    return xr.Dataset(data, coords=coords, attrs=_shared_attrs(datasets))


def _largest_sizes(datasets: Sequence[xr.Dataset]) -> dict[Any, int]:
    sizes: dict[Any, int] = {}
    for dataset in datasets:
        for name, size in dataset.sizes.items():
            sizes[name] = max(size, sizes.get(name, 0))
    return sizes


def _all_equal(variables: Sequence[xr.Variable | None]) -> bool:
    first = variables[0]
    return first is not None and all(v is not None and v.shape == first.shape and v.equals(first) for v in variables)


def _padded(variable: xr.Variable | None, shape: tuple[int, ...], template: xr.Variable) -> np.ndarray:
    if variable is not None and variable.shape == shape:
        return np.asarray(variable.values)
    kind = template.dtype.kind
    if kind == "M":
        padded: np.ndarray = np.full(shape, np.datetime64("NaT"), dtype="datetime64[ns]")
    elif kind in "UO":
        width = max(template.dtype.itemsize // 4, variable.dtype.itemsize // 4 if variable is not None else 1)
        padded = np.full(shape, "", dtype=f"<U{width}")
    else:
        padded = np.full(shape, np.nan)
    if variable is not None:
        padded[tuple(slice(0, size) for size in variable.shape)] = variable.values
    return padded


def _shared_attrs(datasets: Sequence[xr.Dataset]) -> dict[str, Any]:
    first = dict(datasets[0].attrs)
    return {
        key: value
        for key, value in first.items()
        if key not in {"frame", "file", "warnings"} and all(d.attrs.get(key) == value for d in datasets)
    }
