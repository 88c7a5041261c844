"""What all commands share: options, output, progress."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

VERSION = version("operando")


def folder_argument(command: F) -> F:
    """``[DIR]``, the experiment's folder."""
    return click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))(
        command
    )


def common_options(command: F) -> F:
    """``--json``, ``-q`` and ``-v``."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")(command)
    command = click.option("-q", "--quiet", is_flag=True, help="Print errors only.")(command)
    return click.option("-v", "--verbose", count=True, help="Say more; twice: tracebacks too.")(command)


def running_options(command: F) -> F:
    """Options of everything that computes."""
    for option in (
        click.option("--workers", type=click.IntRange(min=0), default=None, metavar="N",
                     help="Local worker processes; 0 computes in this process. Default: one a core, four at most."),
        click.option("--scheduler", default=None, metavar="ADDRESS", help="Address of a running Dask scheduler."),
        click.option("--memory", default=None, metavar="SIZE",
                     help="Memory for all workers, e.g. 8GB. Default: half of what the machine allows."),
        click.option("--patience", "patience_s", default=120.0, show_default=True, type=click.FloatRange(min=1.0),
                     metavar="SECONDS", help="A worker process that is silent for so long is taken as hung."),
    ):  # fmt: skip
        command = option(command)
    return command


def complete_step(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Names of steps that begin so, for the shell's completion."""
    from operando.pipeline.steps import known_steps

    return [name for name in known_steps() if name.startswith(begun)]


def complete_material(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Names of materials that begin so, for the shell's completion."""
    from operando.materials import catalogue

    return [name for name in catalogue.names() if name.startswith(begun)]


def set_up(quiet: bool, verbose: int) -> None:
    """Logging to the terminal as asked for."""
    level = logging.ERROR if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.setLevel(level)
    logger = logging.getLogger("operando")
    logger.handlers[:] = [handler]
    logger.propagate = False


def print_json(content: Any) -> None:
    """One JSON object on standard output; what is not a number is null."""
    click.echo(json.dumps(content, indent=1, allow_nan=False))


def bytes_of(text: str | None) -> int | None:
    """Read a size such as ``8GB`` or ``500 MiB``."""
    import re

    if text is None:
        return None
    match = re.fullmatch(r"\s*([\d.]+)\s*([kKMGT]?)(i?)[bB]?\s*", text)
    if not match:
        raise click.BadParameter(f"{text!r} is no size; write for example 8GB.", param_hint="--memory")
    factor = (1024 if match[3] else 1000) ** " kMGT".index(match[2].replace("K", "k") or " ")
    return int(float(match[1]) * factor)


def console() -> Any:
    """A rich console; colours only where wanted."""
    from rich.console import Console

    return Console(no_color=bool(os.environ.get("NO_COLOR")) or None, highlight=False)


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table; plain columns where the output is no terminal."""
    if not sys.stdout.isatty():
        widths = [max(len(str(cell)) for cell in column) for column in zip(columns, *rows, strict=True)]
        for row in [columns, *rows]:
            click.echo("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    from rich.table import Table

    drawn = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        drawn.add_column(column)
    for row in rows:
        drawn.add_row(*(str(cell) for cell in row))
    console().print(drawn)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[Any], None]]:
    """A listener for the events of a run: a bar with time left on a terminal, plain lines elsewhere."""
    if quiet:
        yield lambda event: None
        return
    if not sys.stderr.isatty():
        yield _plain_line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    stderr = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")) or None)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task("looking at the raw files", total=None)

        def listen(event: Any) -> None:
            if event.kind == "planned":
                bar.update(task, total=int(event.text))
            elif event.kind == "started":
                bar.update(task, description=f"{event.step} {Path(event.frame).name}".strip())
            else:
                bar.advance(task)

        yield listen


def _plain_line(event: Any) -> None:
    if event.kind == "finished":
        click.echo(f"{event.step} {event.frame} {event.seconds:.2f} s".replace("  ", " "), err=True)
    elif event.kind == "failed":
        click.echo(f"failed: {event.text}", err=True)
