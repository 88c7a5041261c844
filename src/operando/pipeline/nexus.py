"""``results.nxs``: all numbers as NeXus (NXentry, NXprocess, NXdata), which h5web and silx open.

https://manual.nexusformat.org: ``default`` leads to a plot, ``signal`` and ``axes`` say what is drawn against what,
``NAME_errors`` are standard deviations, times are seconds since the ``start`` attribute.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from operando.model.clock import to_text
from operando.pipeline.stacking import BLOCK_BYTES, in_blocks
from operando.pipeline.store import Results

DEFAULTS = ("lattice", "phase_volumes", "curve", "cycles")
"""What is shown first, in this order of preference."""


def write(results: Results, version: str) -> Path:
    """Write all small products of an experiment; returns the file, which is whole or not there."""
    import h5py

    path = results.path / "results.nxs"
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with h5py.File(temporary, "w") as file:
        file.attrs.update(NX_class="NXroot", default="entry", creator="operando", creator_version=version)
        entry = _group(file, "entry", "NXentry")
        entry["title"] = results.title
        written = [name for name in results.names() if _write_product(entry, results, name)]
        entry.attrs["default"] = next((name for name in DEFAULTS if name in written), written[0] if written else "")
        _write_processes(entry, results, version)
    os.replace(temporary, path)
    return path


def _group(parent: Any, name: str, kind: str) -> Any:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _write_product(entry: Any, results: Results, name: str) -> bool:
    if results.is_big(name) or name == "summary":
        return False
    table = results.table(name)
    if table is None or not table.data_vars:
        return False
    group = _group(entry, name, "NXdata")
    for label, variable in table.variables.items():
        _write_variable(group, _nexus_name(str(label)), variable)
    _mark_signal(group, table)
    return True


def _nexus_name(name: str) -> str:
    return f"{name.removesuffix('_std')}_errors" if name.endswith("_std") else name


def _write_variable(group: Any, name: str, variable: xr.Variable) -> None:
    if variable.nbytes > BLOCK_BYTES and variable.dtype.kind not in "MUO":
        _write_in_blocks(group, name, variable)
        return
    values = variable.values
    if values.dtype.kind == "M":
        known = values[~np.isnat(values)]
        start = known.min() if known.size else np.datetime64("1970-01-01", "ns")
        seconds = np.where(np.isnat(values), np.nan, (values - start) / np.timedelta64(1, "s"))
        group[name] = seconds
        group[name].attrs.update(units="s", start=to_text(start) or "")
    elif values.dtype.kind in "UO":
        import h5py

        group.create_dataset(name, data=values.astype(object), dtype=h5py.string_dtype())
    else:
        group[name] = values
        _write_unit(group[name], variable)


def _write_in_blocks(group: Any, name: str, variable: xr.Variable) -> None:
    target = group.create_dataset(name, variable.shape, variable.dtype)
    for block in in_blocks(variable.shape[0], variable.nbytes):
        target[block] = variable[block].values
    _write_unit(target, variable)


def _write_unit(target: Any, variable: xr.Variable) -> None:
    unit = variable.attrs.get("units", "1")
    target.attrs["units"] = "" if unit == "1" else unit


def _mark_signal(group: Any, table: xr.Dataset) -> None:
    """The first number with the most frames is drawn, against time where there is one."""
    numbers = [
        str(name)
        for name, variable in table.data_vars.items()
        if variable.dtype.kind == "f" and variable.ndim >= 1 and not str(name).endswith(("_std", "_low", "_high"))
    ]
    if not numbers:
        return
    signal = numbers[0]
    dims = table[signal].dims
    axes = [str(dim) if dim in table.coords else "." for dim in dims]
    for name in ("time", "start"):
        if name in table and table[name].dims == dims[:1]:
            axes[0] = name
            break
    group.attrs["signal"] = signal
    group.attrs["axes"] = axes


def _write_processes(entry: Any, results: Results, version: str) -> None:
    """One NXprocess a step: version, parameters, how many results and how long."""
    steps: dict[str, Any] = {}
    for one in results.index:
        count, seconds, _ = steps.get(one.step, (0, 0.0, None))
        steps[one.step] = count + 1, seconds + one.seconds, one.recipe
    for number, (name, (count, seconds, recipe)) in enumerate(steps.items(), start=1):
        process = _group(entry, f"process_{name}", "NXprocess")
        process["program"] = "operando"
        process["version"] = version
        process["sequence_index"] = number
        note = _group(process, "parameters", "NXnote")
        note["type"] = "application/json"
        note["data"] = json.dumps({"step_version": recipe.get("version"), "arguments": recipe.get("arguments", {})})
        process["results"] = count
        process["seconds"] = seconds
