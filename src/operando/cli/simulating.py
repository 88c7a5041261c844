"""demo and simulate."""

from pathlib import Path
from typing import Any

import click

from operando.cli import shared


@click.command(epilog="Example: operando simulate overlap -o my-overlap")
@click.argument("preset", metavar="PRESET_OR_TOML")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder to write.")
@click.option("--binning", type=click.IntRange(min=1), default=None, metavar="N", help="Scale pixels and angles down.")
@click.option("--scans", type=click.IntRange(min=1), default=None, metavar="N", help="Only the first N scans.")
@click.option("--seed", type=int, default=None, help="Seed of all noise.")
@click.option("--fault", "faults", default="", metavar="A,B", help="Faults to stage, e.g. truncated-scan,dead-element.")
@click.option("--plan", is_flag=True, help="Answer what this set-up would find, instead of writing files.")
@shared.common_options
def simulate(
    preset: str,
    output: Path | None,
    binning: int | None,
    scans: int | None,
    seed: int | None,
    faults: str,
    plan: bool,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Simulate an experiment: raw files in real formats, an operando.toml and the truth."""
    shared.set_up(quiet, verbose)
    if plan:
        _plan(preset, output, binning=binning, as_json=as_json)
        return
    if output is None:
        raise click.UsageError("name the folder to write with -o DIR.")
    files = _simulate(preset, output, binning, seed, tuple(f for f in faults.split(",") if f), scans)
    if as_json:
        shared.print_json({"files": [str(path) for path in files]})
    elif not quiet:
        click.echo(f"Wrote {len(files)} files to {output}; `operando run {output}` analyses them.")


def _simulate(
    preset: str,
    output: Path,
    binning: int | None,
    seed: int | None,
    faults: tuple[str, ...],
    scans: int | None,
) -> list[Path]:
    from operando.twin.experiment import simulate as write

    return write(preset, output, binning=binning, seed=seed, faults=faults, scans=range(scans) if scans else None)


def _plan(preset: str, output: Path | None, *, binning: int | None, as_json: bool) -> None:
    from operando.twin import planning

    found = planning.plan(preset, binning=binning)
    if as_json:
        shared.print_json(found)
        return
    rows = [[str(cell) for cell in row] for row in found["rows"]]
    shared.table("What this set-up would find at 95 % power", found["columns"], rows)
    if output is not None:
        from operando.figures import planning as drawing

        for path in drawing.save(found, output):
            click.echo(str(path))


@click.command(epilog="Example: operando demo my-demo")
@click.argument("folder", metavar="[DIR]", default="operando-demo", type=click.Path(file_okay=False, path_type=Path))
@click.option("--preset", default="demo", show_default=True, help="A smaller or larger experiment.")
@shared.running_options
@shared.common_options
def demo(
    folder: Path,
    preset: str,
    workers: int | None,
    scheduler: str | None,
    memory: str | None,
    patience_s: float,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Simulate the built-in experiment, run everything on it and compare with the truth."""
    from operando.cli import comparing
    from operando.pipeline import experiment, present
    from operando.pipeline.events import Options

    shared.set_up(quiet, verbose)
    if not (folder / "operando.toml").exists():
        if not quiet:
            click.echo(f"Simulating the experiment in {folder} …", err=True)
        _simulate(preset, folder, None, None, (), None)
    options = Options(workers, scheduler, shared.bytes_of(memory), patience_s=patience_s)
    with shared.progress(quiet or as_json) as tell:
        done = experiment.bring_up_to_date(folder, options, tell, shared.VERSION)
    files = [*done.files, *present.everything(folder)]
    rows = comparing.compare(folder)
    _say(rows, files, as_json=as_json, quiet=quiet)
    if done.report.exit_status:
        raise click.exceptions.Exit(done.report.exit_status)


def _say(rows: list[Any], files: list[Path], *, as_json: bool, quiet: bool) -> None:
    if as_json:
        shared.print_json({"comparison": [vars(row) for row in rows], "files": [str(path) for path in files]})
        return
    if quiet:
        return
    inside = [row for row in rows if row.inside is not None]
    cells = [[r.name, r.unit, r.truth_text, r.measured_text, r.interval_text, r.verdict] for r in rows]
    shared.table("Measured against truth", ["number", "unit", "truth", "measured", "95 % interval", ""], cells)
    click.echo(f"{sum(bool(row.inside) for row in inside)} of {len(inside)} intervals hold the truth.")
    for path in files:
        click.echo(str(path))
