"""Write docs/reference from the code: commands, configuration, steps, materials. A test checks that they agree."""

import typing
from pathlib import Path
from types import UnionType
from typing import Any

import click
from pydantic import BaseModel

HERE = Path(__file__).resolve().parent / "reference"


def commands() -> str:
    """Help of every command."""
    from operando.cli import COMMANDS, cli

    parts = ["# Commands\n\nWritten by `docs/make_reference.py` from the commands themselves.\n"]
    whole = click.Context(cli, info_name="operando", help_option_names=["-h", "--help"])
    for name in COMMANDS:
        command = cli.get_command(whole, name)
        assert command is not None
        context = click.Context(command, parent=whole, info_name=name)
        context.terminal_width = 100
        parts.append(f"## operando {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def configuration() -> str:
    """Every key of operando.toml."""
    from operando.model.configuration import Configuration

    parts = [
        "# operando.toml\n\nWritten by `docs/make_reference.py` from `model/configuration.py`. Units stand in the key "
        "names, every key has a default but the files, unknown keys are refused.\n"
    ]
    for name, field in Configuration.model_fields.items():
        model = _model(field.annotation)
        if model is None:
            parts.append("## [steps.NAME]\n\nParameters of any step: see [steps.md](steps.md).\n")
        else:
            parts += _section(name, model)
    return "\n".join(parts)


def _section(name: str, model: type[BaseModel]) -> list[str]:
    rows, nested = [], []
    for key, field in model.model_fields.items():
        inner = _model(field.annotation)
        if inner is not None:
            nested += _section(f"{name}.{key}", inner)
            continue
        rows.append(f"| `{key}` | {_default(field)} | {field.description or ''}{_limits(field)} |")
    table = ["| key | default | meaning |", "|---|---|---|", *rows]
    return [f"## [{name}]\n\n{model.__doc__}\n\n" + "\n".join(table) + "\n", *nested]


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in {typing.Union, UnionType, tuple}:
        return next((found for part in typing.get_args(annotation) if (found := _model(part))), None)
    return None


def _default(field: Any) -> str:
    if field.is_required():
        return "needed"
    value = field.default if field.default_factory is None else field.default_factory()
    return "none" if value is None else f"`{value!r}`".replace("|", "\\|")


def _limits(field: Any) -> str:
    signs = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
    found = [f"{sign} {getattr(item, word)}" for item in field.metadata for word, sign in signs if hasattr(item, word)]
    return f" ({', '.join(found)})" if found else ""


def steps() -> str:
    """Every step with its inputs, outputs and parameters."""
    from operando.pipeline.steps import known_steps

    parts = ["# Steps\n\nWritten by `docs/make_reference.py` from the steps' annotations.\n"]
    for step in known_steps().values():
        inputs = ", ".join(f"{needed.contract.name}{'?' * needed.optional}" for needed in step.inputs)
        outputs = ", ".join(output.name for output in step.outputs)
        parts.append(f"## {step.name}\n\n*{step.room}, one each {step.over or 'experiment'}; {inputs} → {outputs}*\n")
        parts.append(f"{step.sentence}\n")
        fields = step.parameters[1].model_fields if step.parameters else {}
        if fields:
            parts.append("| parameter | default | meaning |\n|---|---|---|")
            parts += [f"| `{k}` | {_default(f)} | {f.description or ''}{_limits(f)} |" for k, f in fields.items()]
            parts.append("")
    return "\n".join(parts)


def materials() -> str:
    """Every material with its sources."""
    from operando.materials import catalogue

    parts = ["# Materials\n\nWritten by `docs/make_reference.py` from `materials/data`.\n"]
    parts.append("| name | formula | space group | cell / Å | density / g/cm³ | status |\n|---|---|---|---|---|---|")
    loaded = [catalogue.load(name) for name in catalogue.names()]
    for m in loaded:
        cell = ", ".join(f"{edge:g}" for edge in m.cell[:3]) if m.cell else ""
        parts.append(
            f"| {m.name} | {m.formula} | {m.space_group or ''} | {cell} | {m.density_g_per_cm3:.3f} | {m.status} |"
        )
    parts.append("\n## Sources\n")
    parts += [f"- **{m.name}**: {'; '.join(m.sources)}" for m in loaded]
    return "\n".join(parts) + "\n"


PAGES = {"commands.md": commands, "configuration.md": configuration, "steps.md": steps, "materials.md": materials}


def main() -> None:
    """Write all pages."""
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
