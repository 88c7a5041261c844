"""The command ``operando``. Commands are imported when they are called, so that help answers at once."""

import importlib
import sys
from typing import Any

import click

COMMANDS = {
    "demo": "simulating",
    "simulate": "simulating",
    "init": "starting",
    "check": "running",
    "run": "running",
    "watch": "running",
    "status": "running",
    "view": "looking",
    "figure": "looking",
    "movie": "looking",
    "report": "looking",
    "export": "looking",
    "reconstruct": "single",
    "diffraction": "single",
    "calibrate": "single",
    "steps": "listing",
    "formats": "listing",
    "materials": "listing",
    "doctor": "listing",
    "bench": "listing",
}
"""Module of each command, in the order of the help page."""


class _Commands(click.Group):
    """Finds commands by name without importing the others."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"operando.cli.{COMMANDS[name]}")
        command = getattr(module, name)
        return command if isinstance(command, click.Command) else None

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        """Suggest the nearest command for one that does not exist."""
        import difflib

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "`operando --help` lists the commands."
            raise click.UsageError(f"there is no command {args[0]!r}; {hint}")
        return super().resolve_command(context, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="operando")
def cli() -> None:
    """See inside a working battery: tomography, diffraction and cycling on one clock.

    \b
    Example:
      operando demo my-demo        simulate, run and check everything
      operando init . --from raw   describe your own files
      operando run                 bring every result up to date
    """


def main() -> None:
    """Entry point: errors become one sentence and an exit status."""
    from operando.model.errors import OperandoError

    sys.excepthook = _one_sentence
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except OperandoError as error:
        if _verbosity() >= 2:
            raise
        click.echo(f"operando: {error}", err=True)
        sys.exit(error.exit_status)
    except (KeyboardInterrupt, click.Abort):
        click.echo("operando: interrupted; what is finished is kept, the same command goes on from there.", err=True)
        sys.exit(130)


def _one_sentence(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Show an unexpected error in one sentence; the traceback only with -vv."""
    if _verbosity() >= 2:
        sys.__excepthook__(kind, error, trace)
        return
    click.echo(f"operando: unexpected {kind.__name__}: {error}; repeat with -vv for the whole story.", err=True)


def _verbosity() -> int:
    return sum(word.count("v") for word in sys.argv[1:] if word.startswith("-v") and not word.startswith("--"))
