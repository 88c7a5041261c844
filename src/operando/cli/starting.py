"""init: a first configuration from a folder of raw files."""

from pathlib import Path

import click

from operando.cli import shared


@click.command(epilog="Example: operando init my-experiment --from /data/beamtime/raw")
@shared.folder_argument
@click.option("--from", "sources", multiple=True, required=True, type=click.Path(path_type=Path), metavar="RAW…",
              help="Raw files or folders of them; may be given several times.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace an operando.toml that is there.")
@click.argument("more", nargs=-1, type=click.Path(path_type=Path))
@shared.common_options
def init(
    folder: Path,
    sources: tuple[Path, ...],
    force: bool,
    more: tuple[Path, ...],
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Look at raw files and write a commented operando.toml."""
    from operando.pipeline import beginning

    shared.set_up(quiet, verbose)
    begun = beginning.begin(folder, (*sources, *more), replace=force)
    if as_json:
        shared.print_json({"file": str(begun.path), "found": begun.found, "unknown": begun.unknown})
    elif not quiet:
        click.echo(f"Wrote {begun.path}.")
        for sentence in (*begun.found, *begun.unknown):
            click.echo(sentence)
