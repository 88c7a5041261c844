"""view, figure, movie, report, export."""

from pathlib import Path
from typing import Any

import click

from operando.cli import shared


@click.command(epilog="Example: operando view my-experiment")
@shared.folder_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others can then look in.")
@click.option("--port", type=int, default=None, help="Default: a free one.")
@click.option("--browser/--no-browser", default=True, help="Open the browser.")
@shared.common_options
def view(folder: Path, host: str, port: int | None, browser: bool, as_json: bool, quiet: bool, verbose: int) -> None:
    """Open the linked viewer in the browser."""
    from operando.viewer import server

    shared.set_up(quiet, verbose)
    server.serve(folder, host=host, port=port, open_browser=browser)


@click.command(epilog="Example: operando figure overview my-experiment --format pdf")
@click.argument("name", required=False)
@shared.folder_argument
@click.option(
    "--format", "formats", multiple=True, type=click.Choice(["png", "pdf", "svg"]), help="Default: all three."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="An option of the figure, e.g. states=5.")
@shared.common_options
def figure(
    name: str | None,
    folder: Path,
    formats: tuple[str, ...],
    settings: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Draw one publication figure; without a name, list them."""
    from operando.figures import catalogue
    from operando.pipeline import present

    shared.set_up(quiet, verbose)
    if name is None:
        known = catalogue.names()
        shared.print_json({"figures": list(known)}) if as_json else click.echo("\n".join(known))
        return
    options = dict(_setting(text) for text in settings)
    _say(present.figure(folder, name, formats or ("png", "pdf", "svg"), **options), as_json=as_json, quiet=quiet)


def _setting(text: str) -> tuple[str, Any]:
    import json

    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is no KEY=VALUE.", param_hint="--set")
    try:
        return key, json.loads(f"[{value}]" if "," in value else value)
    except ValueError:
        return key, value


@click.command(epilog="Example: operando movie my-experiment --frames-per-second 12")
@shared.folder_argument
@click.option("--frames-per-second", type=click.IntRange(1, 60), default=10, show_default=True)
@shared.common_options
def movie(folder: Path, frames_per_second: int, as_json: bool, quiet: bool, verbose: int) -> None:
    """Write the movie of everything."""
    from operando.pipeline import present

    shared.set_up(quiet, verbose)
    _say([present.movie(folder, fps=frames_per_second)], as_json=as_json, quiet=quiet)


@click.command(epilog="Example: operando report my-experiment")
@shared.folder_argument
@shared.common_options
def report(folder: Path, as_json: bool, quiet: bool, verbose: int) -> None:
    """Write all figures and the self-contained HTML report."""
    from operando.pipeline import present

    shared.set_up(quiet, verbose)
    _say([present.report(folder)], as_json=as_json, quiet=quiet)


@click.command(epilog="Example: operando export tiff my-experiment --scan 0")
@click.argument("format_name", metavar="FORMAT", type=click.Choice(["nexus", "tables", "tiff", "hdf5", "mesh"]))
@shared.folder_argument
@click.option("--scan", type=int, default=None, help="Only this scan (tiff, hdf5, mesh).")
@shared.common_options
def export(format_name: str, folder: Path, scan: int | None, as_json: bool, quiet: bool, verbose: int) -> None:
    """Write results in exchange formats: nexus, tables, tiff, hdf5, mesh (surfaces, and what changed on them)."""
    from operando.pipeline import exchange

    shared.set_up(quiet, verbose)
    _say(exchange.write(folder, format_name, scan), as_json=as_json, quiet=quiet)


def _say(paths: list[Path], *, as_json: bool, quiet: bool) -> None:
    if as_json:
        shared.print_json({"files": [str(path) for path in paths]})
    elif not quiet:
        for path in paths:
            click.echo(str(path))
