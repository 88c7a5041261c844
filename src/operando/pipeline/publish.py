"""After the products: summary.json, tables and store.zarr, made from the products and nothing else."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from operando.joint.summary import with_warnings
from operando.model.clock import to_text
from operando.pipeline import codec, deposit, display, nexus
from operando.pipeline.stacking import in_blocks
from operando.pipeline.store import Results


def publish(folder: Path, title: str, version: str, warnings: list[dict[str, str | None]]) -> list[Path]:
    """Write everything that is derived from the products; returns the files."""
    results = _Remembering(folder)
    written = [write_summary(results, title, version, warnings)]
    written += write_tables(results)
    written.append(write_store(results))
    written.append(nexus.write(results, version))
    written.append(deposit.write(results))
    display.write_display(results)
    return written


MOST_REMEMBERED_BYTES = 4_000_000


class _Remembering(Results):
    """Puts a table together once for all files that it goes into; of many scans most again, to spare the memory."""

    def __init__(self, folder: Path) -> None:
        self._tables: dict[str, xr.Dataset | None] = {}
        self._left = MOST_REMEMBERED_BYTES
        super().__init__(folder)

    def table(self, name: str) -> xr.Dataset | None:
        if name in self._tables:
            return self._tables[name]
        table = super().table(name)
        size = 0 if table is None else table.nbytes
        if size < self._left:
            self._tables[name] = table
            self._left -= size
        return table


def write_summary(results: Results, title: str, version: str, warnings: list[dict[str, str | None]]) -> Path:
    """Write summary.json (interface, section 4)."""
    product = results.product("summary")
    content: dict[str, Any] = json.loads(str(product["json"].values)) if product is not None else _empty()
    content |= {"schema": 1, "operando": version, "title": title}
    content = with_warnings(content, _unique([*warnings, *results.warnings()]))
    path = results.path / "summary.json"
    codec.write_bytes((json.dumps(content, indent=1, allow_nan=False) + "\n").encode(), path)
    return path


def _empty() -> dict[str, Any]:
    return {"scans": [], "spectra": [], "cycles": [], "volume_balance": [], "causes": [], "events": []}


def _unique(warnings: list[dict[str, str | None]]) -> list[dict[str, str | None]]:
    return [dict(pairs) for pairs in dict.fromkeys(tuple(sorted(warning.items())) for warning in warnings)]


def write_tables(results: Results) -> list[Path]:
    """One CSV for each small product whose variables fit a table; units stand in the column names."""
    written = []
    for name in results.names():
        if results.is_big(name) or name == "summary":
            continue
        table = results.table(name)
        if table is None:
            continue
        dim = _leading(table)
        if dim is not None:
            path = results.path / "tables" / f"{name}.csv"
            codec.write_pieces(_csv(table, dim), path)
            written.append(path)
    return written


MAX_TABLE_COLUMNS = 64
ROWS_AT_ONCE = 200


def _leading(table: xr.Dataset) -> str | None:
    """The dimension along which a table has its rows, ``None`` where it fits no table."""
    leading = [str(variable.dims[0]) for variable in table.data_vars.values() if variable.dims]
    if not leading:
        return None
    dim = max(set(leading), key=leading.count)
    columns = _columns(table.drop_vars(list(table.coords)), dim, slice(0, 0))
    return dim if columns and len(columns) <= MAX_TABLE_COLUMNS * 4 else None


def _csv(table: xr.Dataset, dim: str) -> Iterator[bytes]:
    """Rows along ``dim``, block by block; a second, short dimension becomes columns."""
    for start in range(0, max(table.sizes[dim], 1), ROWS_AT_ONCE):
        columns = _columns(table, dim, slice(start, start + ROWS_AT_ONCE))
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        if start == 0:
            writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        yield buffer.getvalue().encode()


def _columns(table: xr.Dataset, dim: str, rows: slice) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for name, variable in (*table.coords.items(), *table.data_vars.items()):
        if variable.dims[:1] == (dim,) and variable.ndim <= 2:
            columns |= _columns_of(str(name), variable.isel({dim: rows}), table)
    return columns


def _columns_of(name: str, variable: xr.DataArray, table: xr.Dataset) -> dict[str, list[Any]]:
    unit = variable.attrs.get("units", "1")
    title = name if unit == "1" else f"{name} / {unit}"
    if variable.ndim == 2 and variable.shape[1] > MAX_TABLE_COLUMNS:
        return {}
    values = variable.values
    if variable.ndim == 1:
        return {title: [_cell(value) for value in values]}
    other = variable.dims[1]
    labels = table[other].values if other in table.coords and table[other].ndim == 1 else range(values.shape[1])
    return {f"{title} [{label}]": [_cell(value) for value in values[:, n]] for n, label in enumerate(labels)}


def _cell(value: Any) -> Any:
    if value.dtype.kind == "M":
        return to_text(value) or ""
    if value.dtype.kind == "f":
        return repr(float(value)) if value == value else ""
    return value.item()


def write_store(results: Results) -> Path:
    """Write store.zarr: every small product as a group, time along the first axis; volumes by reference."""
    path = results.path / "store.zarr"
    temporary = results.path / ".store.zarr.partial"
    shutil.rmtree(temporary, ignore_errors=True)
    xr.Dataset().to_zarr(str(temporary), zarr_format=3, consolidated=False)
    for name in results.names():
        table = _references(results, name) if results.is_big(name) else results.table(name)
        if table is not None:
            _write_group(_storable(table), str(temporary), name)
    old = results.path / ".store.zarr.old"
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    temporary.rename(path)
    shutil.rmtree(old, ignore_errors=True)
    return path


def _write_group(table: xr.Dataset, path: str, name: str) -> None:
    """Write a table block by block along its first dimension, to hold no more of it than that."""
    dim = next((str(d) for d in ("scan", "spectrum", "pair") if d in table.sizes), "")
    for block in in_blocks(table.sizes[dim] if dim else 1, table.nbytes):
        if block.start == 0:
            part = table.isel({dim: block}) if dim else table
            part.to_zarr(path, group=name, mode="a", zarr_format=3, consolidated=False)
        else:
            part = table[[n for n, v in table.variables.items() if dim in v.dims]].isel({dim: block})
            part.drop_attrs(deep=False).to_zarr(path, group=name, append_dim=dim, zarr_format=3, consolidated=False)


def _references(results: Results, name: str) -> xr.Dataset:
    places = {number: place for number in results.frames(name) if (place := results.location(name, number)) is not None}
    paths = [str(place.relative_to(results.path)) for place in places.values()]
    return xr.Dataset({"path": ("scan", paths)}, coords={"scan": list(places)})


def _storable(table: xr.Dataset) -> xr.Dataset:
    """Attributes as JSON knows them; truth values as they are; encodings of time pinned."""
    from operando.model.clock import TIME_ENCODING

    table = table.copy()
    for name, variable in table.variables.items():
        variable.encoding = dict(TIME_ENCODING) if variable.dtype.kind == "M" else {}
        if variable.dtype.kind == "U":
            table[name] = variable.astype(object)
    return table
