"""Tomography alone: one scan to one volume."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from operando.formats import catalogue as formats
from operando.model.errors import ConfigurationError
from operando.model.interval import Quantity, from_std
from operando.model.reading import ReadOptions
from operando.pipeline import export
from operando.pipeline.unpack import unpacked_meanwhile


@dataclass(frozen=True)
class Reconstructed:
    """A volume on disk and how it was made."""

    path: Path
    shape: tuple[int, ...]
    unit: str
    centre: Quantity
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What ``operando reconstruct --json`` prints."""
        return {
            "centre_px": self.centre.as_json(),
            "path": str(self.path),
            "shape": list(self.shape),
            "unit": self.unit,
            "warnings": list(self.warnings),
        }


def open_scan(path: Path, pixel_size_um: float | None = None) -> xr.Dataset:
    """Open one scan; it needs no absolute time."""
    scan = formats.open_raw(path, ReadOptions(require_time=False, pixel_size_um=pixel_size_um))
    if "image_key" not in scan:
        raise ConfigurationError(f"{path}: this is no tomography scan; `operando formats` lists what is.")
    if pixel_size_um is not None:
        scan = scan.assign(pixel_size=((), pixel_size_um, {"units": "um"}))
    return scan


def reconstruct(
    path: Path,
    output: Path,
    *,
    centre: float | str = "auto",
    rows: tuple[int, int] | None = None,
    filter_name: str = "ramp",
    pixel_size_um: float | None = None,
) -> Reconstructed:
    """Reconstruct ``path`` and write the volume to ``output``."""
    from operando.tomography.scan import reconstruct_slabs

    scan = open_scan(path, pixel_size_um)
    about: dict[str, Any] = {}
    warnings = dict.fromkeys(scan.attrs.get("warnings", ()))

    def noted(scan: xr.Dataset) -> Iterator[xr.DataArray]:
        """The slabs, with what their attributes say kept."""
        for slab in reconstruct_slabs(scan, centre=centre, rows=rows, filter=filter_name):
            about.update(slab.attrs, columns=slab.sizes["x"])
            warnings.update(dict.fromkeys(slab.attrs["warnings"]))
            yield slab

    height = len(range(scan.sizes["row"])[slice(*rows) if rows else slice(None)])
    with unpacked_meanwhile(scan, output.parent) as readable:
        written = export.write_slabs(noted(readable), height, output)
    found = from_std(about["centre_px"], about["centre_px_std"], "px")
    shape = (height, about["columns"], about["columns"])
    return Reconstructed(written, shape, about["units"], found, tuple(warnings))
