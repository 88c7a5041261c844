"""reconstruct, diffraction and calibrate: one instrument alone, without a configuration."""

import sys
from pathlib import Path
from typing import Any

import click

from operando.cli import shared


def _rows(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    parts = text.split(":")
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or int(parts[0]) >= int(parts[1]):
        raise click.BadParameter(f"{text!r} are no rows; write for example 100:200.")
    return int(parts[0]), int(parts[1])


@click.command(epilog="Example: operando reconstruct scan_0001.nxs -o volume --rows 100:110")
@click.argument("scan", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="OME-Zarr, .tif, .h5 or .nc by its ending."
)
@click.option("--centre", default="auto", show_default=True, help="auto, or pixels from the middle of column 0.")
@click.option("--rows", callback=_rows, metavar="A:B", help="Only these detector rows.")
@click.option(
    "--filter", "filter_name", default="ramp", show_default=True, help="ramp, shepp-logan, hann, parzen or butterworth."
)
@click.option(
    "--pixel-size", type=click.FloatRange(min=0, min_open=True), metavar="UM", help="Where the file has none."
)
@shared.common_options
def reconstruct(
    scan: Path,
    output: Path,
    centre: str,
    rows: tuple[int, int] | None,
    filter_name: str,
    pixel_size: float | None,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Reconstruct one scan to one volume of attenuation in 1/cm."""
    from operando.pipeline import single

    shared.set_up(quiet, verbose)
    done = single.reconstruct(
        scan, output, centre=_centre(centre), rows=rows, filter_name=filter_name, pixel_size_um=pixel_size
    )
    if as_json:
        shared.print_json(done.as_json())
    elif not quiet:
        click.echo(f"centre of rotation {done.centre.value:.2f} px ({done.centre.low:.2f} … {done.centre.high:.2f})")
        click.echo(f"{done.path}: {' × '.join(map(str, done.shape))} voxels, attenuation in {done.unit}")
        if done.unit == "1/pixel":
            click.echo("The file has no pixel size: give --pixel-size UM for attenuation in 1/cm.")
    for warning in done.warnings if not quiet and not as_json else ():
        click.echo(warning, err=True)


def _centre(text: str) -> float | str:
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither auto nor pixels.", param_hint="--centre") from None


def _window(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        raise click.BadParameter(f"{text!r} are no energies; write for example 20:110.") from None
    if not low < high:
        raise click.BadParameter(f"{text!r} does not rise; write for example 20:110.")
    return low, high


@click.command(epilog="Example: operando diffraction spectra/*.med -o lines --phases In,InLi --two-theta 8")
@click.argument("spectra", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for tables and figures.")
@click.option("--phases", required=True, help="Names known to `operando materials`, or files, with commas between.")
@click.option(
    "--two-theta",
    type=click.FloatRange(0, 180, min_open=True, max_open=True),
    metavar="DEG",
    help="Where the files have none.",
)
@click.option(
    "--calibration", type=click.Path(path_type=Path), help="Saved by `operando calibrate`, or a powder's spectrum."
)
@click.option("--powder", default="Al2O3", show_default=True, help="The powder, where --calibration is its spectrum.")
@click.option("--energy", callback=_window, metavar="MIN:MAX", help="Energies that are fitted, keV. Default: 18:120.")
@shared.common_options
def diffraction(
    spectra: tuple[Path, ...],
    output: Path,
    phases: str,
    two_theta: float | None,
    calibration: Path | None,
    powder: str,
    energy: tuple[float, float] | None,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Fit all lines of the named phases in a series of energy-dispersive spectra."""
    from operando.pipeline import single_spectra

    shared.set_up(quiet, verbose)
    done: Any = single_spectra.diffraction(
        spectra, output, phases=tuple(phases.split(",")), two_theta_deg=two_theta,
        calibration=calibration, powder=powder, energy_kev=energy,
    )  # fmt: skip
    if as_json:
        shared.print_json(done.as_json())
    elif not quiet:
        shared.table("Lines", ["spectrum", "phase", "hkl", "d / Å", "± 95 %", "area"], done.rows())
        for warning in done.warnings:
            click.echo(warning, err=True)
        for path in done.files:
            click.echo(str(path))
    if done.failed:
        sys.exit(3)


@click.command(epilog="Example: operando calibrate alumina.med -o angles.json --powder Al2O3 --lines Pb")
@click.argument("spectrum", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The calibration, JSON.")
@click.option("--powder", help="Reference powder that diffracts in it: gives every element its 2θ.")
@click.option("--temperature", default=22.5, show_default=True, metavar="C", help="The powder's temperature, °C.")
@click.option(
    "--lines", default="", metavar="NAMES",
    help="What shines in it with known energies, with commas between: sources (Co57), elements (Pb), energies in keV.",
)  # fmt: skip
@click.option(
    "--two-theta", type=click.FloatRange(0, 180, min_open=True, max_open=True), metavar="DEG",
    help="Where the file has none.",
)  # fmt: skip
@click.option("--start", type=click.Path(path_type=Path), help="A calibration made before, to go on from.")
@shared.common_options
def calibrate(
    spectrum: Path,
    output: Path,
    powder: str | None,
    temperature: float,
    lines: str,
    two_theta: float | None,
    start: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Find energy scale and 2θ of every detector element from lines that are known, and save them."""
    from operando.pipeline import single_spectra

    shared.set_up(quiet, verbose)
    names = tuple(name.strip() for name in lines.split(",") if name.strip())
    done = single_spectra.calibrate(
        spectrum, output, powder=powder, temperature_c=temperature, lines=names, two_theta_deg=two_theta, start=start
    )
    if as_json:
        shared.print_json(done.as_json())
    elif not quiet:
        columns = ["element", "offset / eV", "gain / eV", "curvature / µeV", "2θ / °", "± 95 %", "in the file",
                   "lines", "χ²", ""]  # fmt: skip
        shared.table("Calibration", columns, done.rows())
        for warning in done.as_json()["warnings"]:
            click.echo(warning, err=True)
        click.echo(str(done.path))
