"""Results in exchange formats: what ``operando export`` writes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import xarray as xr

from operando.model.errors import ConfigurationError
from operando.pipeline import export, nexus, publish
from operando.pipeline.store import Results


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
        name = Path(results.keys("scan")[number]).stem
        yield export.write_volume(volume["mu"], results.path / "export" / f"{name}{ending}")


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
        stem = results.path / "export" / f"{Path(results.keys('scan')[number]).stem}.interface"
        stem.parent.mkdir(exist_ok=True)
        for ending, write_mesh in ((".stl", mesh.write_stl), (".ply", mesh.write_ply)):
            path = stem.with_name(stem.name + ending)
            write_mesh(path, corners, faces)
            yield path


_WRITERS: dict[str, Callable[[Results, int | None], Iterator[Path]]] = {
    "nexus": _nexus,
    "tables": _tables,
    "tiff": _tiff,
    "hdf5": _hdf5,
    "mesh": _mesh,
}
