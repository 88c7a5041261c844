"""Diffraction alone: known lines to a calibration, a series of spectra to lines, lattices and pictures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from operando.formats import catalogue as formats
from operando.materials import catalogue as materials
from operando.model.contract import warnings_of
from operando.model.errors import ConfigurationError, OperandoError
from operando.model.interval import from_std
from operando.model.reading import ReadOptions
from operando.pipeline import codec, stacking

if TYPE_CHECKING:
    from operando.diffraction.series import Analysed

FIGURES = ("waterfall", "fits", "lattice", "refined", "naive")
"""Pictures of spectra alone."""


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
    paths: Sequence[Path],
    output: Path,
    *,
    phases: Sequence[str],
    two_theta_deg: float | None = None,
    calibration: Path | None = None,
    powder: str = "Al2O3",
    energy_kev: tuple[float, float] | None = None,
) -> Fitted:
    """Fit a series of spectra and write tables and figures to the folder ``output``; a broken file leaves the others.

    ``calibration``: saved by ``calibrate``, or the spectrum of a reference ``powder``. Lattices of several spectra are
    refined together: what the detector gives to all of them is shared.
    """
    from operando.diffraction.calibrate import CalibrateParameters, calibrate
    from operando.diffraction.element import FitParameters
    from operando.diffraction.series import fit_series
    from operando.joint import entries

    structures = tuple(material(name.strip()) for name in phases)
    opened, files, failed = _open_spectra(paths, two_theta_deg)
    if not opened:
        raise OperandoError(failed[0] if failed else "there are no spectra; name at least one file.")
    window = {} if energy_kev is None else {"energy_min_kev": energy_kev[0], "energy_max_kev": energy_kev[1]}
    saved = None if calibration is None else _saved(calibration, two_theta_deg)
    shared = calibrate(opened[0], structures, two_theta_deg, saved, window, CalibrateParameters(powder=powder))
    if not shared["good"].values.any():
        raise OperandoError(
            f"{files[0]}: no element of the detector can be used: {shared['reason'].values[0]}; `operando calibrate` "
            "makes an energy scale from known lines, --calibration uses it."
        )
    found = fit_series(opened, structures, two_theta_deg, FitParameters(**window), shared)
    empty = [file for file, one in zip(files, found.lines, strict=True) if not one.sizes["line"]]
    if len(empty) == len(files):
        raise OperandoError(next((text for text in found.warnings if empty[0] in text), f"{empty[0]}: nothing to fit."))
    failed += [f"{file}: nothing in it could be fitted." for file in empty]
    refined, contradictions = found.together()
    spectra = entries.spectra(None, dict(enumerate(found.lines)), dict(enumerate(found.lattices)), refined)
    for entry, file in zip(spectra, files, strict=True):
        entry["file"] = file
    written = (*_write(spectra, output), *_pictures(_Alone(found, refined), output))
    own = [
        f"{file}: {text}" for file, data in zip(files, opened, strict=True) for text in data.attrs.get("warnings", ())
    ]
    said = dict.fromkeys([*failed, *own, *found.warnings, *contradictions])
    return Fitted(spectra, written, tuple(said), tuple(failed))


def _saved(path: Path, two_theta_deg: float | None) -> str | xr.Dataset:
    """A saved calibration by its path, or a powder's spectrum."""
    if path.suffix == ".json":
        return str(path)
    return _one_spectrum(path, two_theta_deg)


def _one_spectrum(path: Path, two_theta_deg: float | None) -> xr.Dataset:
    opened, _, failed = _open_spectra([path], two_theta_deg)
    if not opened:
        raise OperandoError(failed[0])
    return opened[0]


@dataclass(frozen=True)
class Calibrated:
    """A calibration on disk, beside what the spectrum's file says."""

    path: Path
    found: xr.Dataset
    in_file: np.ndarray

    def as_json(self) -> dict[str, Any]:
        """What ``operando calibrate --json`` prints."""
        return {
            "path": str(self.path),
            "elements": [self._element(number) for number in range(self.found.sizes["element"])],
            "warnings": list(warnings_of(self.found)),
        }

    def _element(self, number: int) -> dict[str, Any]:
        one = self.found.isel(element=number)
        angle = from_std(float(one["two_theta"]), float(one["two_theta_std"]), "deg").as_json()
        return {
            "element": number,
            "good": bool(one["good"]),
            "reason": str(one["reason"].values),
            "energy_coefficients_kev": _finite(one["energy_coefficients"].values),
            "two_theta_deg": angle,
            "two_theta_in_file_deg": _finite(self.in_file[number]),
            "lines": int(one["known_lines"]),
            "chi_squared": _finite(one["chi_squared"].values),
        }

    def rows(self) -> list[list[str]]:
        """One row an element."""
        return [
            [
                str(one["element"]),
                *(
                    [f"{1e3 * c[0]:.1f}", f"{1e3 * c[1]:.4f}", f"{1e9 * c[2]:.2f}"]
                    if None not in (c := one["energy_coefficients_kev"])
                    else ["unknown"] * 3
                ),
                _number(one["two_theta_deg"], 4),
                f"{_half_width(one['two_theta_deg'])}",
                "" if one["two_theta_in_file_deg"] is None else f"{one['two_theta_in_file_deg']:.4f}",
                str(one["lines"]),
                "" if one["chi_squared"] is None else f"{one['chi_squared']:.1f}",
                "good" if one["good"] else one["reason"],
            ]
            for one in self.as_json()["elements"]
        ]


def _finite(values: Any) -> Any:
    array = np.asarray(values, float)
    plain: Any = array.astype(object)
    plain[~np.isfinite(array)] = None
    return plain.tolist()


def calibrate(
    path: Path,
    output: Path,
    *,
    powder: str | None = None,
    temperature_c: float = 22.5,
    lines: Sequence[str] = (),
    two_theta_deg: float | None = None,
    start: Path | None = None,
) -> Calibrated:
    """Energy scale and 2θ of every element from a spectrum of known lines, saved as JSON with where they come from.

    ``powder``: a reference powder that diffracts in it; ``lines``: sources, fluorescing elements or energies in keV;
    ``start``: a calibration made before, whose energy scale or angles go on.
    """
    from operando.diffraction import saved
    from operando.diffraction.calibrate import for_series
    from operando.diffraction.reference import calibrate_with, scale_from_lines

    if powder is None and not lines:
        raise ConfigurationError(
            "name the powder in the beam (--powder Al2O3), lines of known energy (--lines), or both."
        )
    spectrum = _one_spectrum(path, two_theta_deg)
    before = None if start is None else for_series(spectrum, saved.load(start), start.name, two_theta_deg)
    if powder is None:
        found = scale_from_lines(spectrum, lines, before)
    else:
        found = calibrate_with(spectrum, material(powder), two_theta_deg, temperature_c, None, lines, before)
    if not found["good"].values.any():
        raise OperandoError(f"{path}: no element of the detector could be calibrated: {found['reason'].values[0]}.")
    started = {} if start is None else {"start": str(start)}
    output.parent.mkdir(parents=True, exist_ok=True)
    saved.save(found, output, {"file": str(path), **started})
    return Calibrated(output, found, np.asarray(spectrum["two_theta"].values, float))


class _Alone:
    """Results of spectra alone as figures read them; of a long series only some spectra are kept whole."""

    title = "spectra alone"

    def __init__(self, found: "Analysed", refined: xr.Dataset | None) -> None:
        self._whole = {"calibration": found.calibration, "refined": refined}
        self._frames: dict[str, dict[int, xr.Dataset]] = {
            "lines": dict(enumerate(found.lines)),
            "lattice": dict(enumerate(found.lattices)),
            "corrected": dict(found.corrected),
            "fitted": dict(found.fitted),
        }

    @property
    def summary(self) -> dict[str, Any]:
        """There is none."""
        return {}

    def table(self, product: str) -> xr.Dataset | None:
        """One product of the series."""
        frames = self._frames.get(product, {})
        if frames:
            return stacking.stack(list(frames.values()), "spectrum", list(frames))
        return self._whole.get(product)

    def product(self, name: str, frame: int) -> xr.Dataset | None:
        """One spectrum's product."""
        return self._frames.get(name, {}).get(frame)

    def frames(self, product: str) -> list[int]:
        """Spectra that have this product."""
        return list(self._frames.get(product, {}))

    def corrected(self, spectrum: int) -> xr.Dataset | None:
        """One corrected spectrum."""
        return self.product("corrected", spectrum)

    def volume(self, scan: int) -> None:
        """There are no volumes."""

    labels = volume


def _pictures(results: _Alone, output: Path) -> tuple[Path, ...]:
    from operando.figures import publishing

    made = publishing.gallery(results, output / "figures", FIGURES, ("png",))
    return tuple(path for paths in made.files.values() for path in paths if path.suffix == ".png")


def material(name: str) -> Any:
    """A phase by its name in the catalogue, or from a CIF or a list of d and I."""
    path = Path(name)
    if path.suffix and not path.exists() and name not in materials.names():
        raise ConfigurationError(f"{name}: there is no such file; give a CIF, a list of d and I, or a known material.")
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
    table, lattices, full = output / "lines.csv", output / "lattices.csv", output / "spectra.json"
    codec.write_bytes(buffer.getvalue().encode(), table)
    codec.write_bytes(_lattices(spectra).encode(), lattices)
    codec.write_bytes((json.dumps({"spectra": spectra}, indent=1, allow_nan=False) + "\n").encode(), full)
    return table, lattices, full


def _lattices(spectra: list[dict[str, Any]]) -> str:
    """The free edges of every phase in every spectrum."""
    rows = ["file,phase,edge,length / angstrom,low,high"]
    for spectrum in spectra:
        for phase, edges in spectrum["lattice"].items():
            for edge, length in edges.items():
                cells = [spectrum["file"], phase, edge.removesuffix("_angstrom"), *_cells(length)]
                rows.append(",".join(map(str, cells)))
    return "\n".join(rows) + "\n"


def _cells(quantity: dict[str, Any] | None) -> list[Any]:
    return [quantity["value"], quantity["low"], quantity["high"]] if quantity else ["", "", ""]
