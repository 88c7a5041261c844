"""Results in exchange formats: what ``operando export`` writes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import xarray as xr

from operando.model.errors import ConfigurationError
from operando.pipeline import export, nexus, publish
from operando.pipeline.store import Results

ENDS = ("from_scan", "to_scan")


def write(folder: Path, format_name: str, scan: int | None = None) -> list[Path]:
    """Write one format (nexus, tables, tiff, hdf5, mesh) below ``folder/results``; returns the files."""
    results = Results(folder)
    return list(_WRITERS[format_name](results, scan))


def _nexus(results: Results, scan: int | None) -> Iterator[Path]:
    yield nexus.write(results, str(results.summary["operando"]))


def _tables(results: Results, scan: int | None) -> Iterator[Path]:
    yield from publish.write_tables(results)


def _tiff(results: Results, scan: int | None) -> Iterator[Path]:
    yield from _volumes(results, scan, ".tif")


def _hdf5(results: Results, scan: int | None) -> Iterator[Path]:
    yield from _volumes(results, scan, ".h5")


def _volumes(results: Results, scan: int | None, ending: str) -> Iterator[Path]:
    for number, volume in _chosen(results, "volume", scan):
        yield export.write_volume(volume["mu"], _place(results, f"{_stem(results, number)}{ending}"))


def _chosen(results: Results, product: str, scan: int | None) -> Iterator[tuple[int, xr.Dataset]]:
    there = results.frames(product)
    if scan is not None and scan not in there:
        raise ConfigurationError(
            f"there is no {product} of scan {scan}; there are {', '.join(map(str, there)) or 'none'}."
        )
    for number in [scan] if scan is not None else there:
        found = results.product(product, number)
        if found is not None:
            yield number, found


def _mesh(results: Results, scan: int | None) -> Iterator[Path]:
    from operando.morphology import mesh

    for number, interface in _chosen(results, "interface", scan):
        corners, faces = mesh.surface_mesh(interface)
        for ending, write_mesh in ((".stl", mesh.write_stl), (".ply", mesh.write_ply)):
            path = _place(results, f"{_stem(results, number)}.interface{ending}")
            write_mesh(path, corners, faces)
            yield path
    yield from _change_meshes(results, scan)


def _change_meshes(results: Results, scan: int | None) -> Iterator[Path]:
    """The later surface of every pair of scans (of those that end with ``scan``), coloured by gain and loss."""
    from operando.morphology import mesh

    pairs = results.product("pairs")
    for first, last in [] if pairs is None else zip(*(pairs[name].values for name in ENDS), strict=True):
        if scan not in (None, last):
            continue
        before, after = (results.product("interface", int(number)) for number in (first, last))
        if before is not None and after is not None:
            path = _place(results, f"{_stem(results, int(first))}-{_stem(results, int(last))}.change.ply")
            mesh.write_change(path, before, after)
            yield path


def _stem(results: Results, scan: int) -> str:
    return Path(results.keys("scan")[scan]).stem


def _place(results: Results, name: str) -> Path:
    path = results.path / "export" / name
    path.parent.mkdir(exist_ok=True)
    return path


_WRITERS: dict[str, Callable[[Results, int | None], Iterator[Path]]] = {
    "nexus": _nexus,
    "tables": _tables,
    "tiff": _tiff,
    "hdf5": _hdf5,
    "mesh": _mesh,
}
