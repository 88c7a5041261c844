"""One instrument alone: one scan to one volume, a series of spectra to lines and lattices."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from operando.formats import catalogue as formats
from operando.materials import catalogue as materials
from operando.model.errors import ConfigurationError, OperandoError
from operando.model.interval import Quantity, from_std
from operando.model.reading import ReadOptions
from operando.pipeline import codec, export
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


@dataclass(frozen=True)
class Fitted:
    """Lines and lattices of a series of spectra."""

    spectra: list[dict[str, Any]]
    files: tuple[Path, ...]
    warnings: tuple[str, ...]
    failed: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What ``operando diffraction --json`` prints."""
        return {
            "spectra": self.spectra,
            "warnings": list(self.warnings),
            "failed": list(self.failed),
            "files": [str(path) for path in self.files],
        }

    def rows(self) -> list[list[str]]:
        """The lines as rows of a table."""
        return [
            [
                f"{Path(spectrum['file']).name} el. {line['element']}"
                if line.get("element") is not None
                else spectrum["file"],
                line["phase"],
                " ".join(map(str, line["hkl"])),
                _number(line["d_angstrom"], 4),
                _half_width(line["d_angstrom"]),
                _number(line["area"], 0),
            ]
            for spectrum in self.spectra
            for line in spectrum["lines"]
        ]


def _number(quantity: dict[str, Any] | None, digits: int) -> str:
    return f"{quantity['value']:.{digits}f}" if quantity else "unknown"


def _half_width(quantity: dict[str, Any] | None) -> str:
    return f"{(quantity['high'] - quantity['low']) / 2:.5f}" if quantity else ""


def diffraction(
    paths: Sequence[Path], output: Path, *, phases: Sequence[str], two_theta_deg: float | None = None
) -> Fitted:
    """Fit a series of spectra and write tables to the folder ``output``; a broken file leaves the others alone.

    Lattices of several spectra are refined together: what the detector gives to all of them is shared.
    """
    from operando.diffraction.series import fit_series
    from operando.joint import entries

    structures = tuple(_material(name.strip()) for name in phases)
    opened, files, failed = _open_spectra(paths, two_theta_deg)
    if not opened:
        raise OperandoError(failed[0] if failed else "there are no spectra; name at least one file.")
    found = fit_series(opened, structures, two_theta_deg=two_theta_deg)
    refined, contradictions = found.together()
    spectra = entries.spectra(None, dict(enumerate(found.lines)), dict(enumerate(found.lattices)), refined)
    for entry, file in zip(spectra, files, strict=True):
        entry["file"] = file
    written = _write(spectra, output)
    own = [
        f"{file}: {text}" for file, data in zip(files, opened, strict=True) for text in data.attrs.get("warnings", ())
    ]
    return Fitted(
        spectra, written, tuple(dict.fromkeys([*failed, *own, *found.warnings, *contradictions])), tuple(failed)
    )


def _material(name: str) -> Any:
    path = Path(name)
    return materials.load(path.stem, (path,)) if path.suffix and path.exists() else materials.load(name)


def _open_spectra(paths: Sequence[Path], two_theta_deg: float | None) -> tuple[list[xr.Dataset], list[str], list[str]]:
    options = ReadOptions(require_time=False, two_theta_deg=two_theta_deg)
    opened: list[xr.Dataset] = []
    files: list[str] = []
    failed: list[str] = []
    for path in paths:
        try:
            found = formats.open_raw(path, options)
        except OperandoError as error:
            failed.append(str(error))
            continue
        if "channel" not in found.dims:
            failed.append(f"{path}: this is no energy-dispersive spectrum; `operando formats` lists what is.")
            continue
        for item in range(found.sizes["spectrum"]):
            spectrum = found.isel(spectrum=item)
            if two_theta_deg is not None:
                spectrum["two_theta"] = spectrum["two_theta"].fillna(two_theta_deg).assign_attrs(units="deg")
            opened.append(spectrum.assign_attrs(frame=len(opened), file=str(path)))
            files.append(str(path))
    return opened, files, failed


def _write(spectra: list[dict[str, Any]], output: Path) -> tuple[Path, ...]:
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([
        "file",
        "element",
        "phase",
        "h",
        "k",
        "l",
        "d / angstrom",
        "d low",
        "d high",
        "area / count",
        "area low",
        "area high",
    ])
    for spectrum in spectra:
        for line in spectrum["lines"]:
            d, area = line["d_angstrom"], line["area"]
            writer.writerow([
                spectrum["file"],
                line.get("element"),
                line["phase"],
                *line["hkl"],
                *_cells(d),
                *_cells(area),
            ])
    table, full = output / "lines.csv", output / "spectra.json"
    codec.write_bytes(buffer.getvalue().encode(), table)
    codec.write_bytes((json.dumps({"spectra": spectra}, indent=1, allow_nan=False) + "\n").encode(), full)
    return table, full


def _cells(quantity: dict[str, Any] | None) -> list[Any]:
    return [quantity["value"], quantity["low"], quantity["high"]] if quantity else ["", "", ""]
