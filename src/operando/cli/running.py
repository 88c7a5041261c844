"""check, run, watch, status."""

import re
import sys
from pathlib import Path
from typing import Any

import click

from operando.cli import shared


@click.command(epilog="Example: operando check my-experiment")
@shared.folder_argument
@shared.common_options
def check(folder: Path, as_json: bool, quiet: bool, verbose: int) -> None:
    """Read every header, validate configuration and clocks; compute nothing."""
    from operando.pipeline import experiment

    shared.set_up(quiet, verbose)
    problems = experiment.check(folder)
    if as_json:
        shared.print_json({"problems": [vars(problem) for problem in problems]})
    elif problems:
        for text in _grouped([problem.text for problem in problems]):
            click.echo(text)
    elif not quiet:
        click.echo("Everything can be read and fits together.")
    if any(problem.severe for problem in problems):
        sys.exit(3)


def _grouped(sentences: list[str]) -> list[str]:
    """The same sentence about many files once, with how many more there are."""
    groups: dict[str, list[str]] = {}
    for sentence in sentences:
        groups.setdefault(re.sub(r"[\d.]+", "#", sentence), []).append(sentence)
    return [s[0] if len(s) == 1 else f"{s[0]} (And {len(s) - 1} more files alike.)" for s in groups.values()]


@click.command(epilog="Example: operando run my-experiment --workers 2")
@shared.folder_argument
@click.option("--dry-run", is_flag=True, help="Say what would be computed and why; compute nothing.")
@click.option(
    "--force",
    multiple=True,
    metavar="STEP",
    shell_complete=shared.complete_step,
    help="Compute this step again although it is up to date.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="STEP",
    shell_complete=shared.complete_step,
    help="Only this step and what it needs.",
)
@shared.running_options
@shared.common_options
def run(
    folder: Path,
    dry_run: bool,
    force: tuple[str, ...],
    only: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    memory: str | None,
    patience_s: float,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Bring every result up to date; finished work is never done again."""
    from operando.pipeline import experiment
    from operando.pipeline.events import Options

    shared.set_up(quiet, verbose)
    _refuse_unknown_steps((*force, *only))
    options = Options(workers, scheduler, shared.bytes_of(memory), force, only, dry_run, patience_s)
    with shared.progress(quiet or as_json) as tell:
        done = experiment.bring_up_to_date(folder, options, tell, shared.VERSION)
    _say_what_was_done(done, folder, dry_run=dry_run, as_json=as_json, quiet=quiet)
    if done.report.exit_status:
        sys.exit(done.report.exit_status)


def _refuse_unknown_steps(names: tuple[str, ...]) -> None:
    from operando.pipeline.steps import known_steps

    for name in names:
        if name not in known_steps():
            raise click.UsageError(f"there is no step {name!r}; `operando steps` lists them.")


def _say_what_was_done(done: Any, folder: Path, *, dry_run: bool, as_json: bool, quiet: bool) -> None:
    report = done.report
    if as_json:
        shared.print_json({
            "computed": len(report.computed),
            "up_to_date": report.reused,
            "stale": [{"step": s, "file": f, "why": why} for s, f, why in report.stale] if dry_run else [],
            "failed": [vars(failure) for failure in report.failures],
            "files": [str(path) for path in done.files],
        })
        return
    for failure in report.failures:
        click.echo(f"failed: {failure.text}", err=True)
    if quiet:
        return
    if dry_run:
        _say_plan(report, done.need)
    elif not report.computed and not report.failures:
        click.echo(f"Everything is up to date: {report.reused} results, nothing computed.")
    else:
        click.echo(
            f"Computed {len(report.computed)} results, {report.reused} were up to date, {len(report.failures)} failed."
        )
        click.echo(f"Results: {folder / 'results'}")


def _say_plan(report: Any, need: Any) -> None:
    if not report.stale:
        click.echo("Everything is up to date; nothing would be computed.")
        return
    rows = [[step, frame or "(experiment)", why] for step, frame, why in report.stale]
    shared.table("To compute, and then what follows from it", ["step", "file", "why"], rows)
    click.echo(f"Volumes to write: {need.volume_bytes / 1e9:.3g} GB before compression.")
    click.echo(f"Memory to use at most: {need.memory_bytes / 1e9:.3g} GB (--memory changes it).")


@click.command(epilog="Example: operando status my-experiment")
@shared.folder_argument
@shared.common_options
def status(folder: Path, as_json: bool, quiet: bool, verbose: int) -> None:
    """Say what is done, what is stale and why, what failed."""
    from operando.pipeline import experiment

    shared.set_up(quiet, verbose)
    found = experiment.status(folder)
    if as_json:
        shared.print_json(found)
        return
    if found.get("text"):
        click.echo(found["text"])
    for step, count in found["done"].items():
        click.echo(f"done    {step} {count}")
    for item in found["stale"]:
        click.echo(f"stale   {item['step']} {item['file']}: {item['why']}")
    for item in found["failed"]:
        click.echo(f"failed  {item['text']}")


@click.command(epilog="Example: operando watch my-experiment --every 5")
@shared.folder_argument
@click.option("--every", default=5.0, show_default=True, type=click.FloatRange(min=0.2), help="Seconds between looks.")
@click.option("--for", "duration", default=None, type=float, metavar="SECONDS", help="Stop after so long.")
@click.option("--notify", default=None, metavar="COMMAND", help="Run this with a sentence when an alarm is raised.")
@shared.running_options
@shared.common_options
def watch(
    folder: Path,
    every: float,
    duration: float | None,
    notify: str | None,
    workers: int | None,
    scheduler: str | None,
    memory: str | None,
    patience_s: float,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Keep every result up to date as files arrive, until stopped."""
    from operando.pipeline import watch as watching
    from operando.pipeline.events import Options

    shared.set_up(quiet, verbose)
    options = Options(workers, scheduler, shared.bytes_of(memory), patience_s=patience_s)
    with shared.progress(quiet or as_json) as tell:
        watching.watch(folder, options, tell, shared.VERSION, every=every, duration=duration, notify=notify)
